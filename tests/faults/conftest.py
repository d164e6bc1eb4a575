"""One running console for the fault matrix, and the servers it looks at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from redisops.keys import to_url
from tests import pages
from tests.console import Console
from tests.faults.proxy import Proxy
from tests.servers import RedisProcess, restricted

SEED = {
    b"a string": lambda redis, key: redis.set(key, "text"),
    b"a list": lambda redis, key: redis.rpush(key, *range(50)),
    b"a hash": lambda redis, key: redis.hset(key, mapping={f"f{n}": n for n in range(50)}),
    b"a set": lambda redis, key: redis.sadd(key, *range(50)),
    b"a zset": lambda redis, key: redis.zadd(key, {f"m{n}": n for n in range(50)}),
    b"a stream": lambda redis, key: (
        [redis.xadd(key, {"n": n}) for n in range(50)],
        redis.xgroup_create(key, "readers", "0"),
    ),
}
# Three are promised for a page; the fourth is for the console's other work.
SECONDS = 4.0


def patience() -> float:
    """How many times longer all takes: this machine may have more to do than processors."""
    return max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)


# The least that a console is given by people who are careful: no script, and nothing dangerous.
NARROW = ("+@read", "-@dangerous", "+ping")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test is first starts the console too, which alone may take minutes."""
    for item in items:
        if "/tests/faults/" in str(item.path) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(400))


@dataclass
class Scene:
    """The console, home, and two servers: ``shop`` behind a proxy, ``other`` left alone.

    ``narrow`` is ``other`` by a user who has no rights but ``NARROW``.
    """

    console: Console
    home: RedisProcess
    shop: RedisProcess
    proxy: Proxy
    person: httpx.Client
    made: list[str]  # pages that had to be made

    def shop_pages(self) -> list[str]:
        """Every page about the shop that may read it, one per type of value included."""
        values = [pages.pages_of_key("shop", key, ("",))[0] for key in SEED]
        forms = pages.pages_of_key("shop", b"a hash")[1:]
        stream = f"/servers/shop/streams/{to_url(b'a stream')}/"
        group = f"groups/{to_url(b'readers')}/"
        streams = ["/servers/shop/streams/", *(stream + rest for rest in ("", "groups/", group))]
        all_pages = [*pages.plain_pages("shop"), *values, *forms, *streams, *self.made]
        return [page for page in all_pages if not pages.is_calm(page)]

    def own_pages(self) -> list[str]:
        """Pages that ask the shop nothing, or only mention it."""
        about = [page for page in [*pages.plain_pages("shop"), *self.made] if pages.is_calm(page)]
        elsewhere = ["/", "/servers/", "/audit/", "/account/", "/users/", "/live/"]
        return [*elsewhere, "/servers/other/keys/", *about]

    def get(self, path: str, **headers: str) -> tuple[httpx.Response, float]:
        started = time.monotonic()
        answer = self.person.get(path, headers=headers)
        return answer, time.monotonic() - started

    def get_each(self, paths: list[str]) -> list[tuple[str, httpx.Response, float]]:
        """As four people would at once: what takes long is mostly waiting."""
        with ThreadPoolExecutor(4) as people:
            answers = list(people.map(self.get, paths))
        return [(path, *answer) for path, answer in zip(paths, answers, strict=True)]

    def recovers(self, paths: list[str], within: float) -> None:
        """Fail unless every page answers 200 within so many seconds of a machine with time."""
        end = time.monotonic() + within * patience()
        left = list(paths)
        while left and time.monotonic() < end:
            left = [path for path, answer, _ in self.get_each(left) if answer.status_code != 200]
        assert not left, f"not back after {within} s: {left}"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with (
        RedisProcess() as home,
        RedisProcess() as shop,
        RedisProcess() as other,
        Proxy(shop.port) as proxy,
    ):
        for server in (shop, other):
            with server.client() as plain:
                for key, put in SEED.items():
                    put(plain, key)
        narrow = restricted(other, "~*", *NARROW)
        servers = {"shop": proxy.url, "other": other.url, "narrow": narrow}
        with Console(home.url, servers, worker=True) as console:
            person = console.visit()
            with shop.client() as plain:
                made = pages.furnish(person, plain, "shop", [b"gone:%d" % n for n in range(4)])
            yield Scene(console, home, shop, proxy, person, made)
            person.close()
            assert "Traceback" not in console.log("web"), console.log("web")[-4000:]
