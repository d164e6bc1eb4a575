"""What a rate-limit decision costs: one round trip, and how many decisions a second.

Client and server share one core, because the wake-up of another core would be most of what is
measured. Contenders take turns in short slices. A slice's time is what both processes had of the
core, by the kernel's books: on an idle machine that is the time by the clock, and on a busy one it
still is what the decisions cost. Each ratio is the median over all rounds of the reference's slice
divided by the contender's of the same round. The reference, 1.00, is what one writes by hand:
redis-py's ``evalsha`` of INCRBY and PEXPIRE, without a verdict; ours give the full verdict. Round
trips are counted by a relay outside the library.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis
import redis.asyncio

from benchmarks._peers import peers
from benchmarks._rig import Claims
from benchmarks.session_cost import Relay
from redisops.connection import connect, connect_async
from redisops.errors import CircuitOpen
from redisops.fast import AsyncFast, Fast
from redisops.limits import AsyncLimiter, Limit, Limiter
from tests.servers import REDIS, VALKEY, RedisProcess

INCREASE = """
local count = redis.call('INCRBY', KEYS[1], 1)
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
BARS = {
    "fixed_window": 1.25, "sliding_counter": 1.25, "token_bucket": 1.25, "gcra": 1.25,
    "leaky_bucket": 1.25, "sliding_log": 1.0,
}  # fmt: skip
MOST = {"sliding_log": 100_000}
SUBJECTS = 100_000
ROUNDS, CALLS = 25, 300

Hit = Callable[[str], object]


def limit_of(algorithm: str, name: str = "") -> Limit:
    return Limit(name or algorithm, MOST.get(algorithm, 1_000_000_000), 3600, algorithm)


class Core:
    """Seconds of the core that this process and the server have had so far."""

    def __init__(self, process: int) -> None:
        self._of_server = (~process << 3) | 2  # Linux's clock of another process's CPU time

    def spent(self) -> float:
        return time.process_time() + time.clock_gettime(self._of_server)


def pin(server: RedisProcess) -> Core:
    """Keep this process and every thread of the server on one core."""
    with server.client() as client:
        process = int(client.info("server")["process_id"])
    core = {min(os.sched_getaffinity(0))}
    for task in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(task.name), core)
    os.sched_setaffinity(0, core)
    return Core(process)


def ratios(
    contenders: dict[str, Hit], reference: str, core: Core, subjects: int = 1
) -> dict[str, float]:
    """Decisions per second of each beside the reference, the median over all rounds."""
    took: dict[str, list[float]] = {name: [] for name in contenders}
    names = random.sample([f"u{n}" for n in range(subjects)], min(subjects, ROUNDS * CALLS))
    for hit in contenders.values():
        for n in range(20):
            hit(names[n % len(names)])
    at = 0
    for turn in range(ROUNDS):
        order = list(contenders)
        some = [names[(at + n) % len(names)] for n in range(CALLS)]
        at += CALLS
        for name in order if turn % 2 else order[::-1]:
            hit = contenders[name]
            begun = core.spent()
            for subject in some:
                hit(subject)
            took[name].append((core.spent() - begun) / CALLS)
    found = {
        name: statistics.median(
            theirs / own for theirs, own in zip(took[reference], times, strict=True)
        )
        for name, times in took.items()
    }
    for name, ratio in found.items():
        print(f"  {name:<44}{statistics.median(took[name]) * 1e6:8.1f} us {ratio:8.2f}")
    return found


def blocking(server: RedisProcess, core: Core, claims: Claims) -> None:
    client, plain = connect(server.url), redis.Redis(port=server.port)
    limiter = Limiter(client)
    digest = plain.script_load(INCREASE)
    fast = Fast.of(client)
    three = [limit_of("gcra", name) for name in ("user", "address", "endpoint")]

    def of(algorithm: str) -> Hit:
        limit = limit_of(algorithm)
        return lambda subject: limiter.hit(limit, subject)

    reference = "redis-py evalsha (1.00, no verdict)"
    contenders: dict[str, Hit] = {
        reference: lambda subject: plain.evalsha(digest, 1, subject, 3_600_000),
        "the same on the fast path (no verdict)": lambda subject: fast.call(
            "EVALSHA", digest, 1, subject, 3_600_000
        ),
    }
    contenders |= {algorithm: of(algorithm) for algorithm in BARS}
    contenders["three limits at once"] = lambda subject: limiter.hit_all(
        [(limit, subject) for limit in three]
    )
    print("\none subject")
    found = ratios(contenders | peers(server.port), reference, core)
    for algorithm, bar in BARS.items():
        claims.at_least(f"{algorithm} / redis-py evalsha", found[algorithm], bar)
    claims.at_least("three limits / redis-py evalsha", found["three limits at once"], 1.0)

    print(f"\nsubjects among {SUBJECTS:,} others, each for the first time")
    with server.client(socket_timeout=60) as filling:
        filling.execute_command("DEBUG", "POPULATE", SUBJECTS, "other", 12)
    some = (reference, "fixed_window", "sliding_counter", "token_bucket", "gcra")
    found = ratios({name: contenders[name] for name in some}, reference, core, SUBJECTS)
    for name in some[1:]:
        claims.at_least(
            f"{name}, new subjects among {SUBJECTS:,} / redis-py evalsha", found[name], 1.1
        )


async def awaiting(server: RedisProcess, core: Core, claims: Claims) -> None:
    plain = redis.asyncio.Redis(port=server.port, max_connections=60)
    client = connect_async(server.url)
    limiter, limit = AsyncLimiter(client), limit_of("gcra")
    digest = await plain.script_load(INCREASE)
    fast = AsyncFast.of(client)
    contenders: dict[str, Callable[[], Awaitable[object]]] = {
        "redis.asyncio evalsha (1.00, no verdict)": lambda: plain.evalsha(
            digest, 1, "a", 3_600_000
        ),
        "the same on the fast path (no verdict)": lambda: fast.call(
            "EVALSHA", digest, 1, "a", 3_600_000
        ),
        "gcra": lambda: limiter.hit(limit, "a"),
    }
    for tasks, bar in ((1, 1.8), (50, 5.0)):
        took: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(ROUNDS):
            order = list(contenders)
            for name in order if turn % 2 else order[::-1]:
                took[name].append(await _spent(core, contenders[name], tasks))
        print(f"\nasyncio, {tasks} tasks")
        first = next(iter(contenders))
        for name, times in took.items():
            ratio = statistics.median(
                theirs / own for theirs, own in zip(took[first], times, strict=True)
            )
            print(f"  {name:<44}{statistics.median(times) * 1e6:8.1f} us {ratio:8.2f}")
        claims.at_least(f"gcra, {tasks} tasks / redis.asyncio evalsha", ratio, bar)
    await plain.aclose()
    await client.aclose()


async def _spent(core: Core, hit: Callable[[], Awaitable[object]], tasks: int) -> float:
    """Seconds of the core for one decision when so many tasks decide at the same time."""
    each = max(10, CALLS // tasks)

    async def work() -> None:
        for _ in range(each):
            await hit()

    begun = core.spent()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return (core.spent() - begun) / (each * tasks)


def trips(server: RedisProcess, claims: Claims) -> None:
    relay = Relay(server.port)
    limiter = Limiter(connect(f"redis://127.0.0.1:{relay.port}/0"))
    limit = limit_of("gcra")
    three = [(limit_of("gcra", name), "u") for name in ("user", "address", "endpoint")]
    limiter.hit(limit, "u"), limiter.hit_all(three)
    claims.exactly("round trips, one limit", relay.count(lambda: limiter.hit(limit, "u")), 1)
    claims.exactly("round trips, three limits", relay.count(lambda: limiter.hit_all(three)), 1)


def down(server: RedisProcess, claims: Claims) -> None:
    """A server that is stopped: it takes what is sent and never answers.

    The first call by the clock, the median of five clients: on a machine with more to do than
    processors each is woken late by chance.
    """
    clients, limit = [connect(server.url) for _ in range(5)], limit_of("gcra")
    limiters = [Limiter(client) for client in clients]
    client, limiter = clients[0], limiters[0]
    for one in limiters:
        one.hit(limit, "u")
    server.pause()
    try:
        first = statistics.median(_refused(one, limit) for one in limiters)
        while client.breaker.state == "closed":
            _refused(limiter, limit)
        open_ = [_refused(limiter, limit) for _ in range(2_000)]
        awaited = asyncio.run(_down_async(server, limit))
    finally:
        server.resume()
    patience = client.guard.timeouts.read
    claims.at_most("redis down: first call / socket timeout", first / patience, 1.0)
    claims.at_most("open breaker, us per decision", statistics.median(open_) * 1e6, 50)
    claims.at_most("open breaker, asyncio, us per decision", awaited * 1e6, 50)


def _refused(limiter: Any, limit: Limit) -> float:
    begun = time.perf_counter()
    try:
        limiter.hit(limit, "u")
    except (redis.ConnectionError, redis.TimeoutError):
        return time.perf_counter() - begun
    raise AssertionError("a stopped server answered")


async def _down_async(server: RedisProcess, limit: Limit) -> float:
    client = connect_async(server.url)
    limiter = AsyncLimiter(client)
    took = []
    for _ in range(2_000):
        begun = time.perf_counter()
        try:
            await limiter.hit(limit, "u")
        except CircuitOpen:
            took.append(time.perf_counter() - begun)
        except (redis.ConnectionError, redis.TimeoutError):
            continue
    await client.aclose()
    return statistics.median(took)


def main() -> int:
    claims = Claims("limits_speed")
    with RedisProcess(binary=REDIS or VALKEY) as server:
        trips(server, claims)
        core = pin(server)
        blocking(server, core, claims)
        asyncio.run(awaiting(server, core, claims))
        down(server, claims)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
