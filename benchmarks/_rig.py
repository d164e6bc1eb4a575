"""What the benchmarks share: a server, fast seeding, interleaved rounds, a table, the verdict.

A benchmark is a script that starts what it needs, prints a table for people, and as its last
line one JSON list of ``{"name", "value", "bar", "ok"}``; it ends with 1 when one is not ok.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis

from tests.servers import RedisProcess, running

__all__ = [
    "Claims",
    "Spent",
    "books",
    "browser",
    "collections",
    "console",
    "rounds",
    "running",
    "seed",
    "slow_commands",
]


class Claims:
    """The measured values beside their bars."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.rows: list[dict[str, Any]] = []

    def at_most(self, name: str, value: float, bar: float) -> None:
        self._add(name, value, bar, ok=value <= bar)

    def at_least(self, name: str, value: float, bar: float) -> None:
        self._add(name, value, bar, ok=value >= bar)

    def exactly(self, name: str, value: float, bar: float) -> None:
        self._add(name, value, bar, ok=value == bar)

    def _add(self, name: str, value: float, bar: float, *, ok: bool) -> None:
        value = round(value, 3)
        self.rows.append(
            {"name": f"{self.script}: {name}", "value": value, "bar": bar, "ok": bool(ok)}
        )

    def finish(self) -> int:
        """Print table and verdict; the exit code."""
        width = max(len(row["name"]) for row in self.rows)
        print(f"\n{'claim':<{width}} {'measured':>10} {'bar':>8}")
        for row in self.rows:
            verdict = "" if row["ok"] else "   NOT MET"
            print(f"{row['name']:<{width}} {row['value']:>10} {row['bar']:>8}{verdict}")
        print(json.dumps(self.rows))
        return 0 if all(row["ok"] for row in self.rows) else 1


class Spent:
    """Commands and microseconds by the server's own commandstats, filled when the block ends."""

    calls: Counter[str]
    usec: Counter[str]

    def of(self, *names: str) -> int:
        return sum(self.calls[name] for name in names)


@contextlib.contextmanager
def books(client: redis.Redis) -> Iterator[Spent]:
    """What the server did inside the block, commands inside scripts included."""

    def read() -> tuple[Counter[str], Counter[str]]:
        stats: dict[str, Any] = client.info("commandstats")
        named = {name.removeprefix("cmdstat_"): row for name, row in stats.items()}
        return (
            Counter({name: row["calls"] for name, row in named.items()}),
            Counter({name: row["usec"] for name, row in named.items()}),
        )

    spent = Spent()
    calls, usec = read()
    yield spent
    after_calls, after_usec = read()
    spent.calls, spent.usec = after_calls - calls, after_usec - usec


def slow_commands(client: redis.Redis, work: Callable[[], object], *, milliseconds: float) -> int:
    """How many commands of ``work`` took the server longer, by its own slowlog."""
    client.config_set("slowlog-log-slower-than", int(milliseconds * 1000))
    client.config_set("slowlog-max-len", 1000)
    client.slowlog_reset()
    work()
    entries = client.slowlog_get(1000)
    for entry in entries:
        print(f"  slow: {entry['duration'] / 1000:.1f} ms {entry['command'][:80]!r}")
    return len(entries)


def rounds(
    contenders: dict[str, Callable[[], object]], *, rounds: int = 9, calls: int = 20
) -> dict[str, float]:
    """Median seconds of one call of each, taken in turns so that all share the weather."""
    for call in contenders.values():
        call()
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        order = list(contenders)
        for name in order if turn % 2 else order[::-1]:
            for _ in range(calls):
                begun = time.perf_counter()
                contenders[name]()
                took[name].append(time.perf_counter() - begun)
    median = {name: statistics.median(times) for name, times in took.items()}
    for name, seconds in median.items():
        print(f"  {name:<44} {seconds * 1000:8.3f} ms")
    return median


BATCH = 10_000  # elements that one pipeline writes


def collections(client: redis.Redis) -> None:
    """``zset:``, ``hash:``, ``set:`` and ``list:`` ``small`` and ``big``: 1,000 elements and 1 M.

    1,000 are above every compact encoding, so that both are stored the same way.
    """
    for size, name in ((1_000, "small"), (1_000_000, "big")):
        for start in range(0, size, BATCH):
            part = range(start, min(start + BATCH, size))
            pipe = client.pipeline(transaction=False)
            pipe.zadd(f"zset:{name}", {f"member:{n:07}": n for n in part})
            pipe.hset(f"hash:{name}", mapping={f"field:{n:07}": f"value:{n:07}" for n in part})
            pipe.sadd(f"set:{name}", *(f"member:{n:07}" for n in part))
            pipe.rpush(f"list:{name}", *(f"element:{n:07}" for n in part))
            pipe.execute()


def seed(server: RedisProcess, keys: int = 1_000_000) -> None:
    """Fill a server with a keyspace of strings (DEBUG POPULATE) and some of every other type."""
    with server.client(socket_timeout=120) as client:
        client.execute_command("DEBUG", "POPULATE", keys - 5_000, "session", 80)
        pipe = client.pipeline(transaction=False)
        for n in range(1_000):
            pipe.hset(f"shop:cart:{n}", mapping={"user": n, "total": 3})
            pipe.rpush(f"shop:queue:{n}", 1, 2, 3)
            pipe.sadd(f"shop:tags:{n}", "a", "b")
            pipe.zadd(f"shop:board:{n}", {"ann": 1, "bob": 2})
            pipe.xadd(f"shop:events:{n}", {"n": n})
            pipe.expire(f"shop:cart:{n}", 3_600)
        pipe.execute()


def console(server: RedisProcess, *, shared: bool = False) -> Any:
    """The console in this process with the server as home, and a Django test client of its owner.

    Must be called before anything of Django is used. The database is in memory, or a file that
    other processes share.
    """
    data = tempfile.mkdtemp(prefix="redisops-bench-")
    os.environ.update(
        DJANGO_SETTINGS_MODULE="dashboard.settings",
        REDIS_URL=server.url,
        DATABASE_URL=f"sqlite:///{data}/shared.sqlite3" if shared else "sqlite://:memory:",
        REDISOPS_DATA=data,
        STATIC_ROOT=data,
        REDISOPS_ENV="development",
        DEMO="0",
        SECRET_KEY="a secret key for benchmarks that is long enough to be taken for one",
    )
    import django

    django.setup()
    from django.core.management import call_command
    from django.test import Client

    call_command("collectstatic", verbosity=0, interactive=False)
    call_command("migrate", verbosity=0)
    call_command("ensure_home")

    from django.contrib.auth import get_user_model

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(get_user_model().objects.create_superuser("mara", password="benchmark"))
    return client


CHROMIUM = "/usr/bin/chromium"


@contextlib.asynccontextmanager
async def browser(origin: str, cookie: tuple[str, str] | None = None) -> AsyncIterator[Any]:
    """One page of a Chromium of 1440 by 900, with a cookie (name, value) for ``origin`` if given.

    The page's ``context`` and its ``browser`` are there for what else is measured; all are closed
    at the end.
    """
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        chromium = await play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            context = await chromium.new_context(viewport={"width": 1440, "height": 900})
            if cookie is not None:
                name, value = cookie
                await context.add_cookies([{"name": name, "value": value, "url": origin}])
            yield await context.new_page()
        finally:
            await chromium.close()
