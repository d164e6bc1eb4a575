"""40 readers of one cold key in 4 processes: one load, everybody soon after it, few commands."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import _cache_peers as peers
from benchmarks._rig import Claims, books
from redisops.cache import Cache
from redisops.connection import connect
from tests.servers import REDIS, VALKEY, RedisProcess

PROCESSES, THREADS, LOAD, ROUNDS = 4, 10, 0.1, 5


def ours(url: str) -> Any:
    cache = Cache(connect(url, max_connections=THREADS * 2 + 4), "cold", follow=False)
    return cache.get_or_load


def dogpile(url: str) -> Any:
    from dogpile.cache import make_region  # type: ignore[import-not-found]

    arguments = {"url": url, "distributed_lock": True, "thread_local_lock": False}
    region = make_region().configure("dogpile.cache.redis", arguments=arguments)
    return region.get_or_create


def django(url: str) -> Any:
    from django.core.cache.backends.redis import RedisCache

    return RedisCache(url, {}).get_or_set


def read(make: Any, url: str, rounds: int, go: Any, queue: Any) -> None:
    ask = make(url)

    def one(key: str) -> None:
        def load() -> str:
            queue.put(("load", time.monotonic()))
            time.sleep(LOAD)
            return "v"

        barrier.wait()
        began = time.monotonic()
        assert ask(key, load) == "v"
        queue.put(("read", time.monotonic() - began))

    for turn in range(rounds + 1):
        barrier = threading.Barrier(THREADS)
        go.wait()
        threads = [threading.Thread(target=one, args=(f"k{turn}",)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        go.wait()


def stampede(make: Any, rounds: int) -> tuple[int, float, float]:
    """The most loads of a round, median ms of the slowest reader, the most commands a reader."""
    context = get_context("spawn")
    readers = PROCESSES * THREADS
    loads, slowest, commands = [], [], []
    with RedisProcess(binary=REDIS or VALKEY) as server, server.client() as plain:
        go, queue = context.Barrier(PROCESSES + 1), context.Queue()
        processes = [
            context.Process(target=read, args=(make, server.url, rounds, go, queue))
            for _ in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for _ in range(rounds + 1):
            with books(plain) as spent:
                go.wait(30)
                go.wait(30)
            told = [queue.get(timeout=10) for _ in range(readers)]
            while len([row for row in told if row[0] == "read"]) < readers:
                told.append(queue.get(timeout=10))
            loads.append(len([row for row in told if row[0] == "load"]))
            slowest.append(max(row[1] for row in told if row[0] == "read") * 1e3)
            if make is ours:  # what scripts do within is no reader's command; MGET goes with PTTL
                commands.append(spent.of("evalsha", "eval", "blpop") + 2 * spent.of("mget"))
            else:
                commands.append(sum(spent.calls.values()))
        for process in processes:
            process.join(10)
    print(f"  {make.__name__}: loads {loads}, slowest {[round(s) for s in slowest]} ms, "
          f"commands {commands}")  # fmt: skip
    return max(loads), statistics.median(slowest[1:]), max(commands[1:]) / readers


def main() -> int:
    claims = Claims("cache_stampede")
    lacking = peers.missing()
    others = {"Django's get_or_set": django} | (
        {} if "dogpile.cache" in lacking else {"dogpile.cache with its lock": dogpile}
    )
    loads, slowest, commands = stampede(ours, ROUNDS)
    claims.exactly("loads of 40 readers, the most of all rounds", loads, 1)
    claims.at_most("slowest reader, ms", slowest, LOAD * 1e3 + 20)
    claims.at_most("commands a reader", commands, 3)
    for name, make in others.items():
        their_loads, their_slowest, _ = stampede(make, 2)
        claims.at_most(f"loads / those of {name}", loads / their_loads, 1.0)
        claims.at_most(f"slowest reader / that of {name}", slowest / their_slowest, 1.0)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
