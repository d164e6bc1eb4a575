"""What a consumer group's worker costs: entries a second beside a bare loop by redis-py.

Each contender drains the same stream of small entries, read in the same batches, by a handler that
only counts. The bare loop is what one writes by hand: XREADGROUP, the handler for each entry, one
XACK for the batch; no retry, no takeover, no dead letters. Contenders take turns; each figure is
the median over all rounds of the reference's time for an entry divided by the contender's of the
same round. Ours include starting and stopping the worker. faststream reads the same entries in the
same batches and acknowledges by itself; where it is not installed it is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis
import redis.asyncio

from benchmarks._rig import Claims
from redisops.connection import connect, connect_async
from redisops.streams import AsyncConsumerGroup, ConsumerGroup, Stream
from tests.servers import REDIS, VALKEY, RedisProcess

ENTRIES, BATCH, ROUNDS = 20_000, 100, 7
OF_FASTSTREAM = 2_000  # it would take minutes for all
KEY = "jobs"


class Count:
    """The handler; ``enough`` is called with the last entry."""

    def __init__(self, enough: Callable[[], None], entries: int = ENTRIES) -> None:
        self.left = entries
        self.enough = enough

    def __call__(self, entry: Any) -> None:
        self.left -= 1
        if not self.left:
            self.enough()

    async def awaited(self, entry: Any) -> None:
        self(entry)


def bare(client: redis.Redis, group: str) -> None:
    count = Count(lambda: None)
    while count.left:
        found: Any = client.xreadgroup(group, "c", {KEY: ">"}, count=BATCH, block=1000)
        entries = found[KEY.encode()][0] if isinstance(found, dict) else found[0][1]
        for entry in entries:
            count(entry)
        client.xack(KEY, group, *(entry_id for entry_id, _ in entries))


async def bare_async(client: redis.asyncio.Redis, group: str) -> None:
    count = Count(lambda: None)
    while count.left:
        found: Any = await client.xreadgroup(group, "c", {KEY: ">"}, count=BATCH, block=1000)
        entries = found[KEY.encode()][0] if isinstance(found, dict) else found[0][1]
        for entry in entries:
            await count.awaited(entry)
        await client.xack(KEY, group, *(entry_id for entry_id, _ in entries))


def ours(client: Any, group: str, concurrency: int) -> None:
    count = Count(lambda: worker.stop())
    worker = ConsumerGroup(client, KEY, group, count, batch=BATCH, concurrency=concurrency)
    worker.run()


async def ours_async(client: Any, group: str, concurrency: int) -> None:
    count = Count(lambda: worker.stop())
    worker = AsyncConsumerGroup(
        client, KEY, group, count.awaited, batch=BATCH, concurrency=concurrency
    )
    await worker.run()


async def faststream(url: str, group: str) -> None:
    from faststream.redis import RedisBroker, StreamSub

    ended = asyncio.Event()
    count = Count(ended.set, OF_FASTSTREAM)
    broker = RedisBroker(url, logger=None)

    @broker.subscriber(stream=StreamSub(KEY, group=group, consumer="c", max_records=BATCH))
    async def handle(body: dict[str, Any]) -> None:
        count(body)

    await broker.start()
    async with asyncio.timeout(120):
        await ended.wait()
    await broker.stop()


Run = Callable[[str], Awaitable[None]]


async def measured(server: RedisProcess, plain: redis.Redis) -> dict[str, list[float]]:
    client = connect(server.url)
    loose = redis.asyncio.Redis(port=server.port)
    awaiting = connect_async(server.url)

    def blocking(work: Callable[..., None], *args: Any) -> Run:
        async def run(group: str) -> None:
            await asyncio.to_thread(work, args[0], group, *args[1:])

        return run

    contenders: dict[str, Run] = {
        "redis-py loop": blocking(bare, plain),
        "ConsumerGroup": blocking(ours, client, 1),
        "ConsumerGroup, 4 threads": blocking(ours, client, 4),
        "redis.asyncio loop": lambda group: bare_async(loose, group),
        "AsyncConsumerGroup": lambda group: ours_async(awaiting, group, 1),
        "AsyncConsumerGroup, 10 tasks": lambda group: ours_async(awaiting, group, 10),
    }
    if importlib.util.find_spec("faststream") is None:
        print("  faststream is not installed: `make bench` installs benchmarks/requirements.txt")
    else:
        contenders["faststream"] = lambda group: faststream(server.url, group)
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        order = list(contenders)
        for at, name in enumerate(order if turn % 2 else order[::-1]):
            group = f"g{turn}-{at}"
            plain.xgroup_create(KEY, group, "0")
            begun = time.perf_counter()
            await contenders[name](group)
            entries = OF_FASTSTREAM if name == "faststream" else ENTRIES
            took[name].append((time.perf_counter() - begun) / entries)
            with contextlib.suppress(redis.ResponseError):
                plain.xgroup_destroy(KEY, group)
    client.close()
    await loose.aclose()
    await awaiting.aclose()
    return took


def main() -> int:
    logging.disable(logging.WARNING)
    claims = Claims("worker_speed")
    with RedisProcess(binary=REDIS or VALKEY) as server, server.client() as plain:
        stream = Stream(plain, KEY)
        for start in range(0, ENTRIES, 1_000):
            stream.add_many(
                [{"__data__": f'{{"order": {n}, "total": "12.30"}}', "order": n}
                 for n in range(start, start + 1_000)]
            )  # fmt: skip
        took = asyncio.run(measured(server, plain))

    def ratio(name: str, reference: str) -> float:
        return statistics.median(
            theirs / own for theirs, own in zip(took[reference], took[name], strict=True)
        )

    for name, times in took.items():
        reference = "redis-py loop" if name[0] not in "rA" else "redis.asyncio loop"
        reference = "redis-py loop" if name == "redis-py loop" else reference
        print(f"  {name:<32}{1 / statistics.median(times):10,.0f} entries/s", end="")
        print(f"{ratio(name, reference):8.2f} of the {reference}")
    claims.at_least("ConsumerGroup / redis-py loop", ratio("ConsumerGroup", "redis-py loop"), 0.8)
    claims.at_least(
        "AsyncConsumerGroup / redis.asyncio loop",
        ratio("AsyncConsumerGroup", "redis.asyncio loop"), 0.8,
    )  # fmt: skip
    if "faststream" in took:
        claims.at_least(
            "AsyncConsumerGroup / faststream", ratio("AsyncConsumerGroup", "faststream"), 1.0
        )
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
