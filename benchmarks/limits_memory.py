"""What limits cost in memory: bytes per subject in Redis, and of use, there and in the process.

A subject's bytes are MEMORY USAGE of its keys less the length of their names, after one hit and
after fifty; peers beside it that are installed. The recorder is given a million different
subjects in one minute. Its time per decision is processor time of the thread, so that a busy
machine does not tell.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis

from benchmarks._rig import Claims, books
from redisops.connection import connect
from redisops.limits import Concurrency, Limit, Limiter, Recorder, Use
from redisops.limits.tally import Tally
from tests.servers import RedisProcess

SUBJECT = "10.0.0.7"
BARS = {
    "fixed_window": 72,
    "token_bucket": 72,
    "leaky_bucket": 72,
    "gcra": 72,
    "sliding_counter": 104,
}
LOG_LIMIT = 100
LOG_ENTRY = 24  # bytes for each hit of a sliding log, at most


def usage(client: redis.Redis) -> int:
    """Bytes of all keys without their names; fails when one has no TTL."""
    keys = client.keys("*")
    assert keys
    assert all(client.pttl(key) > 0 for key in keys), f"a key without TTL: {keys}"
    return sum(client.memory_usage(key) - len(key) for key in keys)


def after(client: redis.Redis, hit: Callable[[], object]) -> tuple[int, int]:
    """Bytes after one hit, and after fifty."""
    client.flushall()
    hit()
    once = usage(client)
    for _ in range(49):
        hit()
    return once, usage(client)


def ours(server: RedisProcess, claims: Claims) -> None:
    client, plain = connect(server.url), server.client()
    limiter = Limiter(client)
    for algorithm, bar in BARS.items():
        limit = Limit("orders", 100, 3600, algorithm)
        once, fifty = after(plain, lambda limit=limit: limiter.hit(limit, SUBJECT))
        print(f"  {'redisops ' + algorithm:<34} {once:>6} {fifty:>6}")
        claims.at_most(f"{algorithm}, bytes beyond the name", max(once, fifty), bar)
    plain.flushall()
    log = Limit("orders", LOG_LIMIT, 3600, "sliding_log")
    for _ in range(5 * LOG_LIMIT):
        limiter.hit(log, SUBJECT)
    full = usage(plain)
    print(f"  {'redisops sliding_log, full (100)':<34} {'':>6} {full:>6}")
    claims.at_most("sliding_log of 100, 500 asked", full, 200 + LOG_ENTRY * LOG_LIMIT)
    places, limit = Concurrency(client), Limit("orders", 1000, 0, "concurrency")
    once, fifty = after(plain, lambda: places.acquire(limit, SUBJECT))
    print(f"  {'redisops concurrency, in flight':<34} {once:>6} {fifty:>6}")
    claims.at_most("concurrency, bytes for each of 50 in flight", fifty / 50, 72)


def peers(server: RedisProcess) -> Iterator[tuple[str, Callable[[], object]]]:
    """One hit of each peer that is installed."""
    url = server.url
    with contextlib.suppress(ImportError):
        limits: Any = importlib.import_module("limits")
        storage = limits.storage.storage_from_string(url)
        item = limits.RateLimitItemPerHour(100)
        for name in ("FixedWindow", "SlidingWindowCounter", "MovingWindow"):
            strategy = getattr(limits.strategies, f"{name}RateLimiter")(storage)
            yield f"limits {name}", lambda s=strategy: s.hit(item, SUBJECT)
    with contextlib.suppress(ImportError):
        throttled: Any = importlib.import_module("throttled")
        store = throttled.RedisStore(server=url)
        quota = throttled.per_hour(100, burst=100)
        for name in ("fixed_window", "sliding_window", "token_bucket", "gcra"):
            peer = throttled.Throttled(key=SUBJECT, using=name, quota=quota, store=store)
            yield f"throttled-py {name}", peer.limit


def beside(server: RedisProcess) -> None:
    with server.client() as plain:
        for name, hit in peers(server):
            try:
                once, fifty = after(plain, hit)
            except AssertionError as error:
                print(f"  {name:<34} {error}")
            else:
                print(f"  {name:<34} {once:>6} {fifty:>6}")


def per_decision(subjects: list[str], calls: int = 200_000) -> float:
    """Processor microseconds of one ``add``."""
    tally, best = Tally(), float("inf")
    for turn in range(5):
        start = turn * calls % len(subjects)
        part = [subjects[(start + n) % len(subjects)] for n in range(calls)]
        began = time.thread_time()
        for subject in part:
            tally.add("orders", subject, "allowed")
        best = min(best, (time.thread_time() - began) / calls * 1e6)
    return best


def recording(server: RedisProcess, claims: Claims) -> None:
    million = [f"user-{n}" for n in range(1_000_000)]
    claims.at_most("us per add, one subject", per_decision(million[:1]), 2.0)
    claims.at_most("us per add, all different", per_decision(million), 2.0)

    client = connect(server.url)
    with server.client() as plain:
        plain.flushall()
        recorder = Recorder(client)
        recorder._woken = lambda: None  # type: ignore[method-assign]
        recorder.flush()
        gc.collect()
        tracemalloc.start()
        with books(plain) as spent:
            for number, subject in enumerate(million, 1):
                recorder.add("orders", subject, "allowed")
                if number % 16_667 == 0:
                    recorder.flush()
            recorder.flush()
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        keys = plain.keys("limits:use:*")
        assert all(plain.ttl(key) > 0 for key in keys)
        size = sum(plain.memory_usage(key, samples=0) for key in keys)
        lists = [key for key in keys if b":top:" in key]
        one = max(plain.memory_usage(key, samples=0) for key in lists)
        assert sum(step.allowed for step in Use(client).series("orders")) == len(million)
        evals = spent.calls["evalsha"] + spent.calls["eval"]
        usec = (spent.usec["evalsha"] + spent.usec["eval"]) / evals
        recorder.close()
    print(f"  a million subjects: {held / 1024:.0f} KB held, {peak / 1024:.0f} KB at most;")
    print(f"  {size / 1024:.0f} KB in Redis, {usec:.0f} us of the server for each flush")
    claims.at_most("recorder, a million subjects: KB at most", peak / 1024, 2048)
    claims.at_most("use in Redis, KB for each list of a minute", one / 1024, 16)
    claims.at_most("flushes, ms of the server each", usec / 1000, 4.0)


def main() -> int:
    claims = Claims("limits_memory")
    with RedisProcess() as server:
        print(f"{'bytes per subject beyond the name':<36} {'1 hit':>6} {'50':>6}")
        ours(server, claims)
        beside(server)
        recording(server, claims)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
