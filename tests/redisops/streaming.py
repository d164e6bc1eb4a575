"""A worker of a consumer group in a process of its own, which dies at a given point.

``python -m tests.redisops.streaming <blocking|awaiting> <before|during|after> <key> <number>``:
each entry is written down in ``<key>:begun`` and ``<key>:ended``; at the entry whose field ``n`` is
the number the process is killed with -9. ``before``: nothing of that entry was done. ``during``: it
has begun. ``after``: it is done, and not acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from redisops.connection import connect, connect_async
from redisops.streams import AsyncConsumerGroup, ConsumerGroup, Entry


def main(kind: str, point: str, key: str, number: str) -> None:
    url = os.environ["REDIS_URL"]
    notes = connect(url)

    def die_at(here: str, entry: Entry) -> None:
        if here == point and entry.get("n") == number.encode():
            os.kill(os.getpid(), signal.SIGKILL)

    def handle(entry: Entry) -> None:
        die_at("before", entry)
        notes.rpush(f"{key}:begun", entry.id)
        die_at("during", entry)
        notes.rpush(f"{key}:ended", entry.id)
        die_at("after", entry)

    if kind == "blocking":
        ConsumerGroup(connect(url), key, "g", handle, batch=10, consumer="doomed").run()
        return

    async def handle_async(entry: Entry) -> None:
        handle(entry)

    async def run() -> None:
        client = connect_async(url)
        await AsyncConsumerGroup(client, key, "g", handle_async, batch=10, consumer="doomed").run()

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
