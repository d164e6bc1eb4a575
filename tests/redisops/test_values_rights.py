"""Values for a user with few rights: the same rows by plain commands, and what lacks is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redisops.connection import connect
from redisops.values import AsyncValues, Values
from redisops.values.pages import HyperLogLogPage, StreamPage
from tests.redisops.test_values import pages, rows
from tests.servers import RedisProcess

READER = ("~*", "+@read", "-@dangerous", "+ping")  # what Valkey's people recommend for a console


@pytest.fixture
def full(build_each: Callable[..., Any]) -> Any:
    return build_each(Values, AsyncValues)


@pytest.fixture(params=["plain", "shipped"])
def narrow(
    request: pytest.FixtureRequest, server: RedisProcess, client: redis.Redis
) -> Iterator[Values]:
    client.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">p", *READER)
    if request.param == "shipped":
        link = connect(f"redis://127.0.0.1:{server.port}/0", username="narrow", password="p")
    else:
        link = server.client(username="narrow", password="p")
    yield Values(link)
    link.close()


def fill(client: redis.Redis) -> None:
    client.set("s", b"x" * 20_000)
    client.rpush("l", *range(250))
    client.hset("h", mapping={f"f{n}": n for n in range(1_000)})
    client.hset("small", mapping={f"f{n}": n for n in range(120)})
    client.sadd("e", *(f"m{n}" for n in range(1_000)))
    client.zadd("z", {f"m{n}": n for n in range(250)})
    pipe = client.pipeline(transaction=False)
    for n in range(1, 251):
        pipe.xadd("x", {"n": n}, id=f"{n}-0")
    pipe.execute()


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (b"s", {}), (b"l", {}), (b"l", {"order": "tail"}), (b"h", {}), (b"small", {"count": 50}),
        (b"h", {"match": "f77*"}), (b"e", {}), (b"z", {}), (b"z", {"order": "desc"}),
        (b"z", {"min": "(10", "max": "200", "order": "desc"}), (b"z", {"member": b"m123"}),
        (b"x", {}), (b"x", {"order": "asc"}), (b"x", {"start": "10", "end": "20"}),
    ],
)  # fmt: skip
def test_the_rows_are_the_same_without_scripts(
    client: redis.Redis, full: Any, narrow: Values, key: bytes, options: dict[str, Any]
) -> None:
    fill(client)

    expected, found = pages(full, key, **options), pages(narrow, key, **options)

    if key == b"s":
        assert [page.data for page in found] == [page.data for page in expected]
    else:
        assert sorted(rows(found), key=repr) == sorted(rows(expected), key=repr)
        assert options or rows(found)[0] == rows(expected)[0] or key in (b"h", b"e")
    assert all("evalsha_ro" in page.missing for page in found)
    assert all(page.length == expected[0].length for page in found)


def test_the_stream_has_its_facts_and_groups(
    client: redis.Redis, full: Any, narrow: Values
) -> None:
    fill(client)
    client.xgroup_create("x", "g", id="0")
    client.xreadgroup("g", "ann", {"x": ">"}, count=3)
    expected, page = full.read(b"x"), narrow.read(b"x")

    assert isinstance(page, StreamPage)
    assert (page.groups, page.group_count) == (expected.groups, 1)
    assert (page.first_id, page.last_id, page.entries_added) == ("1-0", "250-0", 250)
    assert narrow.consumers(b"x", b"g")[0].pending == 3
    assert narrow.pending(b"x", b"g").count == 3


def test_geo_and_hyperloglog_without_scripts(
    client: redis.Redis, full: Any, narrow: Values
) -> None:
    client.geoadd("geo", (13.361389, 38.115556, "palermo", 15.087269, 37.502669, "catania"))
    client.pfadd("log", *range(100))

    for options in ({"geo": True}, {"near": (15.0, 37.0, 100_000)}):
        assert narrow.read(b"geo", **options).rows == full.read(b"geo", **options).rows
    log = narrow.read(b"log")
    assert isinstance(log, HyperLogLogPage)
    assert log.estimate == full.read(b"log").estimate


def test_long_elements_are_cut_here_and_the_page_says_so(
    client: redis.Redis, narrow: Values
) -> None:
    client.rpush("l", "x" * 10_000)
    client.hset("h", "f", "x" * 10_000)
    client.zadd("z", {"x" * 10_000: 1})
    client.xadd("x", {"f": "x" * 10_000})

    for key in (b"l", b"h", b"z", b"x"):
        page: Any = narrow.read(key)
        assert page.notes


def test_huge_elements_are_fetched_a_few_at_a_time(client: redis.Redis, narrow: Values) -> None:
    for _ in range(10):
        client.rpush("l", "x" * 500_000)

    found = pages(narrow, b"l")

    assert all(len(page.rows) <= 3 for page in found)
    assert [row.index for row in rows(found)] == list(range(10))


def test_a_key_out_of_reach_is_refused(server: RedisProcess, client: redis.Redis) -> None:
    client.set("theirs", 1)
    for rules in (("~mine:*", "+@all"), ("~mine:*", "+@read"), ("~*", "+@read", "-type")):
        client.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">p", *rules)
        with (
            server.client(username="narrow", password="p") as plain,
            pytest.raises(redis.exceptions.NoPermissionError, match="permission"),
        ):
            Values(plain).read(b"theirs")


def test_a_refused_reading_command_is_an_error_with_its_name(
    server: RedisProcess, client: redis.Redis
) -> None:
    client.rpush("l", 1)
    client.execute_command(
        "ACL", "SETUSER", "narrow", "reset", "on", ">p", "~*", "+@read", "-lrange"
    )
    with (
        server.client(username="narrow", password="p") as plain,
        pytest.raises(redis.exceptions.NoPermissionError, match="lrange"),
    ):
        Values(plain).read(b"l")
