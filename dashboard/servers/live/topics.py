"""What can be watched: a stream of any server, and what the sampler writes about one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable
from typing import Any

from asgiref.sync import sync_to_async

from dashboard.servers.live.hub import Batch, Row
from dashboard.servers.live.queues import Gap
from dashboard.servers.load import watching
from dashboard.servers.models import Server
from dashboard.servers.sampling import samples
from dashboard.servers.sampling.samples import Snapshot
from redisops import keys
from redisops.resilience import deadline
from redisops.series import Row as Figures
from redisops.series import decoded
from redisops.tail import AsyncTail, Catch, Entry, Hole

BLOCK = 1000
ROW_CHARACTERS = 2_000
ALIVE = 2.5
"""Seconds within which a blocking read of BLOCK milliseconds must have come back."""


class StreamTopic:
    """The entries of one stream, as they are added. Fields are shown as printable text."""

    def __init__(self, server: Server, key: bytes) -> None:
        self.server = server
        self.stream = key
        self._tail: AsyncTail | None = None

    @property
    def key(self) -> Hashable:
        return ("stream", self.server.slug, self.server.digest, self.stream)

    def row(self, entry: Entry) -> Row:
        """What a page is told of one entry; of a large one the beginning, and that there is more.

        Rows wait in a ring and in each socket's queue, so none may be as large as an entry can be.
        """
        fields: list[list[str]] = []
        room = ROW_CHARACTERS
        for name, value in entry.fields:
            if room <= 0:
                left = len(entry.fields) - len(fields)
                fields.append(["…", f"{left} more field{'s' if left > 1 else ''}"])
                break
            fields.append([_beginning(name, room), _beginning(value, room)])
            room -= sum(map(len, fields[-1]))
        return Row(entry.id, fields)

    async def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        """Every entry from ``after`` on; one connection of its own, closed at the end."""
        watching.refuse_stopped(self.server)
        client = self.server.async_client().blocking()
        try:
            tail = self._resumed(client, after)
            while True:
                # The row is as old as the reader; the guard knows what people decided since.
                watching.refuse_stopped(self.server)
                with deadline(ALIVE):
                    catch = await tail.next(block=BLOCK)
                yield await self.batch(catch, tail)
        finally:
            await client.aclose()

    async def since(self, after: str, until: str, limit: int) -> Batch:
        tail = AsyncTail(self.server.async_client(), self.stream)
        return await self.batch(await tail.since(after, until=until, limit=limit))

    async def batch(self, catch: Catch, tail: AsyncTail | None = None) -> Batch:
        return Batch(
            rows=[self.row(entry) for entry in catch.entries],
            gap=_gap(catch.hole),
            position=tail.after if tail is not None else None,
        )

    def _resumed(self, client: Any, after: str | None) -> AsyncTail:
        """The tail of before goes on where it was: it knows how much it has counted."""
        if self._tail is None or (after is not None and self._tail.after != after):
            self._tail = AsyncTail(client, self.stream, after)
        self._tail.redis = client
        return self._tail


Render = Callable[[Server, Snapshot], dict[str, str]]
"""How a snapshot is shown: places on the page, and the HTML that belongs there."""


class SamplesTopic(StreamTopic):
    """What the sampler writes about a server: a row per look, and the page's parts as they are.

    A row's data is ``[time, good looks, failed looks, cause, figures...]`` in the order of
    ``samples.FIELDS``. The parts are rendered once per look, for all who watch.
    """

    def __init__(self, server: Server, render: Render) -> None:
        self.watched = server
        self.render = render
        self._shown = False
        stream = samples.series_key(server, "2s").encode()
        super().__init__(samples.home(), stream)

    @property
    def key(self) -> Hashable:
        return ("samples", self.watched.pk, self.server.digest)

    def row(self, entry: Entry) -> Row:
        return Row(entry.id, plain(decoded(entry.id.encode(), dict(entry.fields))))

    async def batch(self, catch: Catch, tail: AsyncTail | None = None) -> Batch:
        """With the rows comes what the page says now; a trimmed past of figures is no gap."""
        batch = await super().batch(catch, tail)
        if tail is None or not (batch.rows or not self._shown):
            return batch
        return Batch(batch.rows, batch.gap, batch.position, await self._parts())

    async def _parts(self) -> dict[str, Any]:
        name = samples.name(self.watched)
        found = await samples.async_series().documents([name])
        self._shown = True
        snapshot = Snapshot.loads(found.get(name))
        # A template takes milliseconds: they are not taken from the sockets. Django's own way into
        # a thread, because its links need the sub-path that ``asyncio.to_thread`` leaves behind.
        return await sync_to_async(self.render, thread_sensitive=False)(self.watched, snapshot)


def plain(row: Figures) -> list[Any]:
    """A row of figures for a page; six digits are more than any plot shows."""
    values = [None if value is None else float(f"{value:.6g}") for value in row.values]
    return [row.at, row.good, row.failed, row.cause, *values]


def _beginning(text: bytes, room: int) -> str:
    if len(text) <= room:
        return keys.printable(text)
    return f"{keys.printable(text[:room])}… ({len(text):,} bytes)"


def _gap(hole: Hole | None) -> Gap | None:
    return None if hole is None else Gap(hole.after, hole.why, hole.missed)
