"""The socket of the page: one subscription for all who listen to the same in this process.

Pub/sub keeps nothing, so nothing can be fetched again: what this process heard is in the hub's
ring for a while, and whatever nobody listened to is told with its times.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import redis
from asgiref.sync import sync_to_async
from django.template.loader import render_to_string

from dashboard.pubsub import listing, presets
from dashboard.pubsub.collecting import Collector, Taken
from dashboard.pubsub.wanted import Wanted, is_own, wanted
from dashboard.servers.live.consumer import Batch, Gap, LiveConsumer, Row, Topic
from dashboard.servers.live.queues import Frame, word
from dashboard.servers.load import watching
from dashboard.servers.models import Server
from redisops import keys
from redisops.decoders import Limits, decode
from redisops.pubsub import AsyncEar, Message
from redisops.pubsub import Gap as Deaf
from redisops.resilience import deadline

BEAT = 0.125
EVERY = 2.0
"""Seconds between two looks at which channels there are."""
START = 5.0
ALIVE = 2.5
TEXT = 2_000
AGAIN = 300
SHOWN = Limits(input=4_000)


@dataclass(frozen=True)
class Unheard(Gap):
    """Nobody listened here from ``since`` to ``until`` (seconds since 1970), or could not."""

    since: float = 0.0
    until: float = 0.0
    reason: str = ""

    def frame(self) -> Frame:
        return word(
            "gap", after=self.after, why=self.why, missed=self.missed, since=self.since,
            until=self.until, reason=self.reason,
        )  # fmt: skip


class FeedTopic:
    """What comes on a channel, a pattern or a sharded channel; None: which channels there are.

    A row's data is ``[time in ms, channel, library, pattern, text, how it was written, bytes,
    messages left out before it]``, its id ``<ms>-<number>-<run>``. The state holds the page's list
    of channels with what was heard on them.
    """

    def __init__(self, server: Server, what: Wanted | None) -> None:
        self.server = server
        self.what = what
        self.run = secrets.token_hex(4)
        self._collector = Collector()
        self._rows: deque[Row] = deque(maxlen=AGAIN)
        self._deaf: tuple[float, str] | None = None  # since when, and why
        self.last_id = ""

    @property
    def key(self) -> Hashable:
        kind, name = (self.what.kind, self.what.name) if self.what else ("channels", b"")
        return ("pubsub", self.server.slug, self.server.digest, kind, name)

    async def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        """A batch eight times a second while messages come; one connection of its own."""
        watching.refuse_stopped(self.server)
        async with self._listening() as listener:
            first = f"{round(time.time() * 1000)}-{self._collector.number}-{self.run}"
            self.last_id = after or first
            state, looked = await self._look(0), time.monotonic()
            yield Batch(position=first if after is None else None, state=state)
            while True:
                # The row is as old as the reader; the guard knows what people decided since.
                watching.refuse_stopped(self.server)
                if listener is not None:
                    listener.check()
                for batch in self._batches():
                    yield batch
                past = time.monotonic() - looked
                if past >= EVERY:
                    state, looked = await self._look(past), time.monotonic()
                    yield Batch(state=state)
                await asyncio.sleep(BEAT)

    async def since(self, after: str, until: str, limit: int) -> Batch:
        """What is still here of it; raises ValueError for what is no id of ours."""
        at, number, run = parted(after)
        last = parted(until)[1]
        if run != self.run:
            return Batch(gap=Unheard(after, "unheard", None, at, time.time(), "nobody listened"))
        rows = [row for row in self._rows if number < parted(row.id)[1] <= last][-limit:]
        missed = last - number - sum(row.weight for row in rows)
        return Batch(rows, Gap(after, "more", missed) if missed > 0 else None)

    # --- Listening ------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncGenerator[AsyncEar | None, None]:
        if self.what is None:
            yield None
            return
        client = self.server.async_client().blocking()
        shard = self.what.name if self.what.kind == "shard" else None
        listener = AsyncEar(client, self.what.subscription, self._hear, shard=shard)
        task = asyncio.create_task(listener.listen(), name=f"pubsub {self.what.printable}")
        try:
            await self._started(listener, task)
            yield listener
        except Exception as error:
            if self._deaf is None and listener.alive_at is not None:
                self._deaf = listener.alive_at, listener.trouble or str(error)
            raise
        finally:
            listener.ended = True
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
            await client.aclose()

    async def _started(self, listener: AsyncEar, task: asyncio.Task[None]) -> None:
        end = time.monotonic() + START
        while not listener.is_listening:
            listener.check()
            if task.done():
                task.result()
            if time.monotonic() > end:
                raise redis.TimeoutError("the server does not confirm the subscription")
            await asyncio.sleep(0.01)

    def _hear(self, heard: Message | Deaf) -> None:
        if isinstance(heard, Message):
            if not is_own(self.server, heard.channel, heard.data):
                self._collector.add(heard)
        elif self._deaf is None:
            self._deaf = heard.since, heard.reason

    def _batches(self) -> Iterator[Batch]:
        """What was heard since the last time; a break stands where it was."""
        taken = self._collector.take()
        if self._deaf is not None:
            (since, reason), self._deaf = self._deaf, None
            early = [one for one in taken if one.heard.at <= since]
            taken = taken[len(early) :]
            if early:
                yield Batch(self._told(early))
            gap = Unheard(self.last_id, "unheard", None, since, time.time(), reason)
            yield Batch(self._told(taken), gap)
        elif taken:
            yield Batch(self._told(taken))

    def _told(self, taken: list[Taken]) -> list[Row]:
        rows = [self._row(one) for one in taken]
        self._rows.extend(rows)
        self.last_id = rows[-1].id if rows else self.last_id
        return rows

    # --- Telling --------------------------------------------------------------------------

    def _row(self, one: Taken) -> Row:
        heard = one.heard
        told = decode(heard.data, limits=SHOWN, total=heard.size)
        text = told.text if len(told.text) <= TEXT else f"{told.text[:TEXT]}…"
        label = "" if told.chain == ("text",) else told.label
        data = [
            round(heard.at * 1000), _name(heard.channel), presets.kind_of(heard.channel),
            _name(heard.pattern or b""), text, label, heard.size, one.left_out,
        ]  # fmt: skip
        row_id = f"{round(heard.at * 1000)}-{one.upto}-{self.run}"
        return Row(row_id, data, 1 + one.left_out)

    async def _look(self, past: float) -> dict[str, Any]:
        """The list of channels as it is now: a few commands, for all who watch."""
        with deadline(ALIVE):
            found = await listing.listed_async(self.server)
        if self.what is not None:
            rates = self._collector.rates(past)
            if past:
                found.rated(rates)
        context = {"server": self.server, "listing": found, "wanted": self.what}
        html = await sync_to_async(render_to_string, thread_sensitive=False)(
            "pubsub/_channels.html", context
        )
        return {"channels": html, "verdict": found.sentence}


class FeedConsumer(LiveConsumer):
    """Live messages for whoever may listen."""

    permission = "pubsub.listen"

    async def follow(self) -> Topic:
        if "kind" not in self.params:
            return FeedTopic(self.server, None)
        name = keys.from_url(self.params["name"])
        return FeedTopic(self.server, wanted(self.server, self.params["kind"], name))


def parted(row_id: str) -> tuple[float, int, str]:
    """The time in seconds, the number and the run of an id; raises ValueError."""
    milliseconds, number, run = row_id.split("-")
    return int(milliseconds[:15]) / 1000, int(number[:18]), run


def _name(name: bytes) -> str:
    return keys.printable(name[:500]) + ("…" if len(name) > 500 else "")
