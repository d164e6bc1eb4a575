"""The live tail of a stream: filtered, capped so that it can be read, counted exactly.

A row's data is ``[fields, skipped]``: before this entry, ``skipped`` others were left out by the
cap. ``fields`` is None where only that is said. Entries that a filter does not let through are
neither shown nor skipped. Everything else (rings, queues, gaps) is the hub's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Hashable
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.servers.live.consumer import Batch, Gap, LiveConsumer, Row, Topic
from dashboard.servers.live.queues import Frame, word
from dashboard.servers.models import Server
from dashboard.streams.reading import filtering, rows
from dashboard.streams.reading.feeds import Feed
from dashboard.streams.reading.filtering import Filter
from redisops.streams.groups import AsyncGroups, StreamGone
from redisops.tail import AsyncTail, Catch, Entry

CAPS = (10, 50, 100, 250)
USUAL_CAP = 100
COUNTED = 20_000
"""Entries that are counted when a page missed more than is sent again."""
TELL = 1.0
AT_ONCE = 2.0
"""Seconds' worth of the cap that may come at once, after quiet ones."""


class TailTopic:
    """One way to look at one stream; all topics of a stream share one reader."""

    def __init__(self, server: Server, stream: bytes, filter: Filter, cap: int) -> None:
        self.server = server
        self.stream = stream
        self.filter = filter
        self.cap = cap
        self._feed: Feed | None = None

    @property
    def key(self) -> Hashable:
        return ("tail", self.server.slug, self.server.digest, self.stream, self.filter, self.cap)

    async def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        """Rows as entries come, and once a second how many came and how many are shown."""
        self._feed = feed = Feed.here(self.server, self.stream)
        screen = Screen(self.filter, self.cap)
        seen = 0
        async with contextlib.aclosing(feed.follow(after)) as catches:
            async for catch in catches:
                if not seen and after is None:
                    yield Batch(position=feed.position)
                seen += 1
                if catch is not None and catch.hole is not None:
                    yield Batch(screen.flushed())
                    hole = catch.hole
                    rows = screen.taken(catch)
                    yield Batch(rows, Gap(hole.after, hole.why, hole.missed))
                else:
                    found = screen.flushed(0.2) if catch is None else screen.taken(catch)
                    if seen <= 2:
                        screen.begin()  # what came before somebody looked is no rate
                    yield Batch(found, state=_state(screen, feed))

    async def since(self, after: str, until: str, limit: int) -> Batch:
        """The newest ``limit`` entries of those, without the ones that do not match."""
        tail = AsyncTail(self.server.async_client(), self.stream)
        catch = await tail.since(after, until=until, limit=limit)
        hole = catch.hole
        gap = None if hole is None else Gap(hole.after, hole.why, hole.missed)
        if hole is not None and hole.why == "more" and catch.entries:
            gap = await self._counted(hole.after, catch.entries[0].id)
        shown = [e for e in catch.entries if self.filter.matches(e.fields)]
        return Batch([_row(entry, 0) for entry in shown], gap)

    async def _counted(self, after: str, oldest: str) -> Gap:
        """How many lie between, exactly where that costs little."""
        groups = AsyncGroups(self.server.async_client(), self.stream)
        try:
            found = await groups.between(after, oldest, most=COUNTED)
        except StreamGone:  # since it was read
            return Gap(after, "more")
        between = max(found.entries - 1, 0)
        if found.is_all:
            return Gap(after, "more", between)
        return AtLeast(after, "more", least=between)


@dataclass(frozen=True)
class AtLeast(Gap):
    """So many are missing, or more."""

    least: int = 0

    def frame(self) -> Frame:
        return word("gap", after=self.after, why=self.why, missed=self.missed, least=self.least)


class Screen:
    """Which of the entries are shown: those that match, ``cap`` of them a second at most."""

    def __init__(self, filter: Filter, cap: int) -> None:
        self.filter = filter
        self.cap = cap
        # What a page missed while it was opened, or while a process was busy, comes at once.
        self._room = self._most = cap * AT_ONCE
        self._filled = self._told = self._shown_at = time.monotonic()
        self._skipped = 0
        self._last = ""
        self._came = self._matched = self._shown = 0
        self._is_quiet = False

    def taken(self, catch: Catch) -> list[Row]:
        now = time.monotonic()
        self._room = min(self._most, self._room + (now - self._filled) * self.cap)
        self._filled = now
        entries = catch.entries
        self._came += len(entries)
        if self.filter:
            entries = [e for e in entries if self.filter.matches(e.fields)]
        self._matched += len(entries)
        fits = min(int(self._room), len(entries))
        found = []
        for entry in entries[:fits]:
            found.append(_row(entry, self._skipped))
            self._skipped = 0
        if found:
            self._room -= fits
            self._shown += fits
            self._shown_at = now
        if fits < len(entries):
            self._skipped += len(entries) - fits
            self._last = entries[-1].id
        return found

    def flushed(self, after: float = 0.0) -> list[Row]:
        """What was skipped and not said yet, ``after`` seconds without a row that says it."""
        if not self._skipped or time.monotonic() - self._shown_at < after:
            return []
        skipped, self._skipped = self._skipped, 0
        return [Row(self._last, [None, skipped], skipped)]

    def begin(self) -> None:
        """Count what comes from now on."""
        self._told, self._came, self._matched, self._shown = time.monotonic(), 0, 0, 0

    def rates(self) -> dict[str, Any]:
        """Once a second: entries per second that came, matched and are shown."""
        now = time.monotonic()
        seconds = now - self._told
        if seconds < TELL:
            return {}
        told = {
            "in": round(self._came / seconds, 1),
            "match": round(self._matched / seconds, 1),
            "shown": round(self._shown / seconds, 1),
        }
        self.begin()
        return {"rate": told}


class TailConsumer(LiveConsumer):
    """The tail of one stream, for whoever may read streams."""

    permission = "streams.read"

    async def follow(self) -> Topic:
        stream = self.params["key"]
        if self.server.protects(stream):
            raise LookupError("the console's own keys are not shown")
        line = self.params.get("filter", b"").decode("utf-8", "replace")
        cap = int(self.params["cap"])
        return TailTopic(
            self.server, stream, filtering.read(line), cap if cap in CAPS else USUAL_CAP
        )


def _state(screen: Screen, feed: Feed) -> dict[str, Any]:
    """Once a second: the rates, and the stream's own figures."""
    state = screen.rates()
    if state and feed.facts is not None:
        state["facts"] = asdict(feed.facts)
    return state


def _row(entry: Entry, skipped: int) -> Row:
    return Row(entry.id, [rows.told(entry.fields), skipped], 1 + skipped)
