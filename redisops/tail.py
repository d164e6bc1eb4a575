"""Follow a stream from an entry on, and say so wherever something was missed.

Reading past an entry id is simple; knowing that nothing was lost is not. The stream may have
been trimmed while nobody listened, deleted and written anew, or emptied by a restart. A tail
compares what the server says of the stream with what it has handed out.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step

START = "0-0"
COMPARE = 1.0


@dataclass(frozen=True)
class Entry:
    """One stream entry: its id, and its fields in order, every repeat of a name among them."""

    id: str
    fields: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Hole:
    """Entries after ``after`` that nobody will see here: how many (None: not known), and why.

    ``why`` is ``"trimmed"``, ``"recreated"`` (the stream is another one now) or ``"more"`` (there
    are more than were asked for). ``missed`` is too high where entries were also deleted singly.
    """

    after: str
    why: str
    missed: int | None


@dataclass(frozen=True)
class Catch:
    """What one look brought: a hole comes before the entries."""

    entries: list[Entry]
    hole: Hole | None = None


@dataclass(frozen=True)
class Facts:
    """What the server said of a stream when it was compared last; ids are "" where there is none.

    ``added`` counts all entries ever added, None before Redis 7.
    """

    length: int
    added: int | None
    first: str
    last: str


class _Tail(ABC):
    """Follows one stream; ``after`` is the last id seen, None begins with what comes next.

    Needs a client whose read timeout is above the block (``client.blocking()``).
    """

    def __init__(self, redis: Any, key: str | bytes, after: str | None = None) -> None:
        self.redis = redis
        self.key = key
        self.after = after
        self.facts: Facts | None = None
        self._counted: int | None = None  # entries ever added, up to ``after``
        self._sure = False
        self._compared = 0.0

    @abstractmethod
    def _fast(self) -> Any: ...

    @step
    def next(self, *, block: int = 1000, count: int = 500) -> Steps[Catch]:
        """Wait up to ``block`` milliseconds for entries; none is no error. One command.

        Two after an error, after a quiet look and once in ``COMPARE`` seconds: then the stream's
        own figures are compared with what was handed out. The first look of a tail without
        ``after`` only finds its place.
        """
        try:
            if not self._sure or time.monotonic() - self._compared > COMPARE:
                is_first = self.after is None
                hole = yield from self._compare()
                self._sure, self._compared = True, time.monotonic()
                if hole is not None or is_first:
                    return Catch([], hole)
            # In one string: redis-py's own reading of XREAD's reply would make a dict of the
            # fields and lose all but the last of those that have one name.
            reply = yield self.redis.execute_command(
                "XREAD COUNT", count, "BLOCK", block, "STREAMS", self.key, self.after
            )
        except BaseException:
            self._sure = False
            raise
        entries = _of_one(reply)
        if not entries:
            self._sure = False
            return Catch([])
        self.after = entries[-1].id
        if self._counted is not None:
            self._counted += len(entries)
        return Catch(entries)

    @step
    def since(self, after: str, *, until: str = "+", limit: int = 300) -> Steps[Catch]:
        """The newest ``limit`` entries after ``after`` up to ``until``. One round trip."""
        newest = ("XREVRANGE", self.key, until, f"({after}", "COUNT", limit + 1)
        replies = yield self._fast().calls([newest, ("XRANGE", self.key, "-", "+", "COUNT", 1)])
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        entries = _entries(reversed(replies[0]))
        hole = None
        if len(entries) > limit:
            entries, hole = entries[-limit:], Hole(after, "more", None)
        elif not replies[1] or (_order(_id(replies[1][0][0])) > _order(after) and after != START):
            # The entry itself is gone, so more may be: whoever resumes must not be told all is
            # there. A tail that never stopped knows better; this one comes back from a break.
            hole = Hole(after, "trimmed", None)
        return Catch(entries, hole)

    def _compare(self) -> Steps[Hole | None]:
        try:
            about = yield self.redis.xinfo_stream(self.key)
        except redis.ResponseError as error:
            if "no such key" not in str(error):
                raise
            about = {"last-generated-id": START, "length": 0, "entries-added": 0}
        newest, length = _id(about["last-generated-id"]), about["length"]
        added = about.get("entries-added")
        first = _id(about["first-entry"][0]) if about.get("first-entry") else None
        last = _id(about["last-entry"][0]) if about.get("last-entry") else ""
        self.facts = Facts(length, added, first or "", last)
        if self.after is None:
            self.after, self._counted = newest, added
            return None
        gone = None if added is None else added - length
        if _order(newest) < _order(self.after):
            return self._recreated(START, None if added is None else 0)
        if _order(newest) == _order(self.after):
            known, self._counted = self._counted, added
            if added is None or known is None:
                return None
            if added < known:
                return self._recreated(self.after, added)
            # Read to the end, and yet more were added: they were trimmed before they were read.
            return Hole(self.after, "trimmed", added - known) if added > known else None
        if first is not None and _order(first) <= _order(self.after):
            is_another = added is not None and self._counted is not None and added < self._counted
            return self._recreated(self.after, None) if is_another else None
        # All that is left is newer than what was seen: were there others between?
        counted, self._counted = self._counted, gone
        if gone is None or counted is None:
            return None if self.after == START else Hole(self.after, "trimmed", None)
        if gone < counted:
            return self._recreated(self.after, gone)  # what was seen was never removed from it
        return Hole(self.after, "trimmed", gone - counted) if gone > counted else None

    def _recreated(self, after: str, counted: int | None) -> Hole:
        """Another stream has the name now; ``after`` is where to go on in it."""
        hole = Hole(self.after or START, "recreated", None)
        self.after, self._counted = after, counted
        return hole


class Tail(_Tail, Blocking):
    """Follows one stream, blocking."""

    def _fast(self) -> Fast:
        return Fast.of(self.redis)


class AsyncTail(_Tail, Awaiting):
    """Follows one stream, awaiting."""

    def _fast(self) -> AsyncFast:
        return AsyncFast.of(self.redis)


def _of_one(reply: Any) -> list[Entry]:
    """XREAD's one stream: a list of pairs in RESP2, a map in RESP3."""
    if not reply:
        return []
    found = next(iter(reply.values())) if isinstance(reply, Mapping) else reply[0][1]
    return _entries(found)


def _entries(found: Iterable[Any]) -> list[Entry]:
    """Ids with flat fields; entries that were deleted meanwhile (nil) are left out."""
    return [
        Entry(_id(one[0]), tuple(zip(it := iter(one[1]), it, strict=True)))
        for one in found
        if one is not None and one[1] is not None
    ]


def _id(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _order(entry_id: str) -> tuple[int, int]:
    """Entry ids in their order; redis-py and Redis compare them as numbers, not as text."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)
