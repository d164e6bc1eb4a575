"""Published policies: how soon processes obey, what finding them costs, what Redis's absence costs.

- Twenty processes (``PROCESSES`` in the environment: as many) hold a book of 200 policies and ask
  their guard again and again; a document is published with one policy changed, which lets a single
  request through. Measured in each process: from before the publish until its guard denies (one
  clock: all are on this machine).
- Matching one request against 200 policies, of which a handful apply.
- A guard whose Redis is stopped (it accepts and never answers): the first decision, then those
  while the breaker is open; and one whose Redis is gone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks._rig import Claims, running
from redisops.connection import Timeouts, connect, connect_async
from redisops.limits import Asked, AsyncBook, AsyncGuard, Book, Document, Guard, Policy, publish
from redisops.limits.matching import Matcher
from tests.servers import RedisProcess

PROCESSES = int(os.environ.get("PROCESSES", "20"))
ROUNDS, POLICIES = 15, 200
ASKED = Asked("shop", "POST", "/api/v1/res7/55", "192.0.2.1", "ann", "", {"X-Team": "blue"})


def policies(version: int) -> tuple[Policy, ...]:
    """199 policies and one that lets nothing through for the user ``v<version>``."""
    made = [
        Policy(
            f"policy-{n}",
            path=f"/api/v1/res{n}/" + ("{id}" if n % 2 else "**"),
            methods=("POST", "PUT") if n % 3 == 0 else (),
            subject=("user", "ip") if n % 5 == 0 else ("ip",),
            limit=1_000_000_000,
            period=60.0,
        )
        for n in range(POLICIES - 4)
    ]
    made += [
        Policy("everything", limit=1_000_000, period=1.0),
        Policy("team", limit=1_000_000, period=1.0, subject=("header:X-Team",)),
        Policy("lines", limit=1_000_000, period=1.0, path="/api/**/{id}"),
        Policy("probe", limit=1, period=3600.0, path=f"/probe/{version}", subject=("global",)),
    ]
    return tuple(made)


def serve(url: str, number: int, ready: Any, results: Any) -> None:
    """One service: asks until it is denied, once for each version."""
    client = connect(url)
    book = Book(client, "shop")
    guard = Guard(client, book)
    book.wait(20)
    ready.wait()
    for version in range(2, ROUNDS + 2):
        asked = Asked("shop", "GET", f"/probe/{version}", "192.0.2.1")
        while guard.check(asked).allowed:
            time.sleep(0.01)
        results.put((version, number, time.time()))
    book.close()
    client.close()


def enforced(claims: Claims) -> None:
    context = multiprocessing.get_context("spawn")
    with running() as server:
        with server.client() as plain:
            publish(plain, Document(1, policies(1)))
        ready, results = context.Barrier(PROCESSES + 1), context.Queue()
        workers = [
            context.Process(target=serve, args=(server.url, n, ready, results), daemon=True)
            for n in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        ready.wait(120)
        took = []
        with connect(server.url) as client:
            for version in range(2, ROUNDS + 2):
                document = Document(version, policies(version))
                begun = time.time()
                publish(client, document)
                took += [results.get(timeout=60)[2] - begun for _ in range(PROCESSES)]
        for worker in workers:
            worker.join(20)
    took.sort()
    p99 = took[int(len(took) * 0.99) - 1]
    median, worst = statistics.median(took), took[-1]
    print(
        f"published to enforced, {PROCESSES} processes, {len(took)} samples: median "
        f"{median * 1000:.1f} ms, p99 {p99 * 1000:.1f}, worst {worst * 1000:.1f}"
    )
    claims.at_most(f"published to enforced in {PROCESSES} processes, p99 ms", p99 * 1000, 500)


def each(call: Callable[[], object], calls: int = 2000, rounds: int = 15) -> float:
    """Processor seconds of one call, which does no I/O: the median of rounds.

    Not by the wall clock: what else runs on the machine is no cost of the call.
    """
    took = []
    gc.collect()
    for _ in range(rounds):
        begun = time.thread_time()
        for _ in range(calls):
            call()
        took.append((time.thread_time() - begun) / calls)
    return statistics.median(took)


def matched(claims: Claims) -> None:
    matcher = Matcher(policies(1), "shop")
    found = [one.policy.name for one in matcher.match(ASKED)]
    seconds = each(lambda: matcher.match(ASKED))
    print(
        f"one of {POLICIES} policies matched: {seconds * 1e6:.1f} us, {len(found)} apply: {found}"
    )
    claims.at_most(f"match of {POLICIES} policies, us", seconds * 1e6, 20)


def away(claims: Claims) -> None:
    timeouts = Timeouts(connect=0.5, read=0.5, deadline=3.0)
    one = Policy("p", limit=5, period=60.0, on_failure="local")
    for what in ("stopped", "gone"):
        with RedisProcess() as server:
            client = connect(server.url, timeouts=timeouts)
            guard = Guard(client, Book(None, "shop", Document(0, (one,))))
            guard.check(ASKED)
            server.pause() if what == "stopped" else server.kill()
            begun = time.perf_counter()
            verdict = guard.check(ASKED)
            first = time.perf_counter() - begun
            while client.breaker.state == "closed":
                guard.check(ASKED)
            rest = each(lambda guard=guard: guard.check(ASKED), calls=200, rounds=5)  # type: ignore[misc]
            print(
                f"{what}: first {first * 1000:.1f} ms ({verdict.reason}), then {rest * 1e6:.1f} us"
            )
            claims.at_most(f"Redis {what}: first decision / socket timeout", first / 0.5, 1.1)
            claims.at_most(f"Redis {what}: each decision then, us", rest * 1e6, 50)
            if what == "stopped":
                server.resume()
            client.close()


async def _away_awaiting() -> float:
    one = Policy("p", limit=5, period=60.0, on_failure="local")
    client = connect_async("redis://127.0.0.1:1/0")
    guard = AsyncGuard(client, AsyncBook(None, "shop", Document(0, (one,))))
    while client.breaker.state == "closed":
        await guard.check(ASKED)
    took = []
    for _ in range(5):
        begun = time.thread_time()
        for _ in range(200):
            await guard.check(ASKED)
        took.append((time.thread_time() - begun) / 200)
    await client.aclose()
    return statistics.median(took)


def main() -> int:
    claims = Claims("limits_publish")
    logging.getLogger("redisops.limits").setLevel(logging.ERROR)
    matched(claims)
    away(claims)
    rest = asyncio.run(_away_awaiting())
    claims.at_most("Redis gone, asyncio: each decision then, us", rest * 1e6, 50)
    enforced(claims)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
