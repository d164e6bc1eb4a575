"""One blocking reader for each stream and process, whatever its viewers filter by.

A tail's topic is one way to look at a stream (a filter, a cap); all topics of a stream share its
feed. The feed reads on for ever, waits for nobody but its topics, which take at once, and ends
with the first error, which each topic gets: the hub starts them again, and they go on where
the feed was.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Hashable
from dataclasses import replace

from dashboard.servers.load import watching
from dashboard.servers.models import Server
from redisops.resilience import deadline
from redisops.tail import START, AsyncTail, Catch, Facts

BLOCK = 1000
ALIVE = 2.5
"""Seconds within which a blocking read of BLOCK milliseconds must have come back."""
COUNT = 500
QUIET = 0.25
"""Seconds after which somebody who follows hears that nothing came."""
CATCH_UP = 300

_feeds: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, weakref.WeakValueDictionary[Hashable, Feed]
] = weakref.WeakKeyDictionary()
Item = Catch | BaseException


class Feed:
    """The entries of one stream for all who follow it in this event loop."""

    def __init__(self, server: Server, stream: bytes) -> None:
        self.server = server
        self.stream = stream
        self._tail: AsyncTail | None = None
        self._queues: set[asyncio.Queue[Item]] = set()
        self._task: asyncio.Task[None] | None = None
        self._placed: asyncio.Future[None] | None = None

    @classmethod
    def here(cls, server: Server, stream: bytes) -> Feed:
        """The running loop's feed of that stream; it lives as long as somebody holds it."""
        own = _feeds.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
        key = (server.slug, server.digest, stream)
        feed = own.get(key)
        if feed is None:
            feed = own[key] = cls(server, stream)
        return feed

    @property
    def position(self) -> str:
        """The id of the last entry that was read."""
        return START if self._tail is None or self._tail.after is None else self._tail.after

    @property
    def facts(self) -> Facts | None:
        """The stream's own figures, a second old at most while entries come."""
        return None if self._tail is None else self._tail.facts

    async def follow(self, after: str | None) -> AsyncGenerator[Catch | None, None]:
        """Everything from ``after`` (None: from now) on; None when nothing came for a moment.

        The first is an empty catch, once the place is known. Raises what Redis raises.
        """
        await self._start(after)
        queue: asyncio.Queue[Item] = asyncio.Queue(maxsize=8)
        # No other task runs between these two: nothing is lost or doubled.
        self._queues.add(queue)
        position = self.position
        try:
            yield Catch([])
            if after is not None and after != position:
                client = self.server.async_client()
                yield await AsyncTail(client, self.stream).since(
                    after, until=position, limit=CATCH_UP
                )
            while True:
                try:
                    async with asyncio.timeout(QUIET):
                        item = await queue.get()
                except TimeoutError:
                    yield None
                    continue
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self._queues.discard(queue)
            while not queue.empty():  # the feed may wait to put one more
                queue.get_nowait()
            if not self._queues and self._task is not None:
                self._task.cancel()

    async def _start(self, after: str | None) -> None:
        if self._task is not None and self._task.done():
            self._task = None
        if self._task is None or self._task.cancelling():
            self._placed = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._read(self._placed, after), name="stream feed")
        assert self._placed is not None
        await asyncio.shield(self._placed)

    async def _read(self, placed: asyncio.Future[None], after: str | None) -> None:
        try:
            watching.refuse_stopped(self.server)
            client = self.server.async_client().blocking()
            try:
                tail = self._tail or AsyncTail(client, self.stream, after)
                tail.redis = client
                with deadline(ALIVE):
                    if tail.after is None:
                        await tail.next(block=BLOCK)
                    else:
                        # Its place is known; that the server answers again is not.
                        await client.ping()
                self._tail = tail
                placed.set_result(None)
                await asyncio.sleep(0)
                while True:
                    # The row is as old as the feed; the guard knows what people decided since.
                    watching.refuse_stopped(self.server)
                    with deadline(ALIVE):
                        catch = await tail.next(block=BLOCK, count=COUNT)
                    if catch.hole is not None and catch.hole.why == "recreated":
                        catch = await self._told_apart(catch)
                    if catch.entries or catch.hole:
                        await self._give(catch)
            finally:
                await client.aclose()
        except asyncio.CancelledError:
            if not placed.done():
                placed.cancel()
            raise
        except Exception as error:
            if placed.done():
                await self._give(error)
            else:
                placed.set_exception(error)

    async def _told_apart(self, catch: Catch) -> Catch:
        """Whether the stream is another one now, or there is none at all."""
        assert catch.hole is not None
        if await self.server.async_client().exists(self.stream):
            return catch
        return replace(catch, hole=replace(catch.hole, why="deleted"))

    async def _give(self, item: Item) -> None:
        for queue in list(self._queues):
            await queue.put(item)
