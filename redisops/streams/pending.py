"""What a group was handed and has not acknowledged, by consumer, age and deliveries; acts on it.

Whatever is done to an entry is done only while it is as it was seen: with the same consumer, and
not delivered again since. So two people, or a person and a worker, never undo each other's work.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.crc import key_slot
from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.dead import MOST_CAUSE, dead_fields, dead_key
from redisops.streams.groups import MOST_NAME, PendingEntry, _first, _named, check_id, lost
from redisops.streams.model import LAST, Entry, entries, order
from redisops.values import calls
from redisops.values.common import plain, plainly, script

MOST_CONSUMERS = 200
MOST_WINDOW = 1_000
MOST_AT_ONCE = 500
"""Entries of one act: a script holds the server up for as long as it runs."""
MOST_BURIED = 100
MOST_VALUES = 7_000
"""Names and values that Lua can hand to one command; larger entries go one by one."""
AGES = (10, 60, 300, 3_600)
"""Seconds: the bounds of ``by_age``."""
DELIVERIES = (1, 2, 5, 10)
"""The lowest counts of the classes of ``by_deliveries``."""


@dataclass(frozen=True)
class Seen:
    """A pending entry as somebody saw it: what is done is done only if it still is so."""

    id: str
    holder: str
    deliveries: int

    @classmethod
    def of(cls, entry: PendingEntry) -> Seen:
        """What is remembered of an entry. Its consumer's name must be whole."""
        return cls(entry.id, holder(entry.consumer), entry.deliveries)

    @classmethod
    def parse(cls, text: str) -> Seen:
        """The inverse of ``str``; InvalidArgument for anything else."""
        id, _, rest = text.partition(".")
        count, _, digest = rest.partition(".")
        is_digest = len(digest) == 40 and set(digest) <= set("0123456789abcdef")
        if not (count.isascii() and count.isdecimal() and len(count) < 19 and is_digest):
            raise InvalidArgument(f'"{text[:80]}" is no entry of a pending list')
        return cls(check_id(id, special=()), digest, int(count))

    def __str__(self) -> str:
        return f"{self.id}.{self.deliveries}.{self.holder}"


def holder(consumer: bytes) -> str:
    """The SHA-1 of a consumer's name, as hex: names may be of any length."""
    return hashlib.sha1(consumer, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Consumer:
    """One consumer. ``idle`` is milliseconds since it last asked, ``inactive`` since it last got
    something (None before Redis 7.2); ``oldest`` is its pending entry with the lowest id."""

    name: bytes
    pending: int
    idle: int
    inactive: int | None = None
    oldest: PendingEntry | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class Window:
    """A group's first consumers, and entries of its pending list by rising id.

    ``next`` is the id to go on after, None at the end. ``missing`` is the right that this user
    lacks for a bounded look.
    """

    consumers: tuple[Consumer, ...]
    consumer_count: int
    rows: tuple[PendingEntry, ...]
    next: str | None
    missing: str = ""


@dataclass(frozen=True)
class Share:
    """One class of pending entries: from ``low`` on, below ``high`` (None: without end)."""

    low: int
    high: int | None
    count: int


def by_age(rows: Sequence[PendingEntry], bounds: Sequence[int] = AGES) -> list[Share]:
    """How many were delivered how many seconds ago."""
    return _shares(rows, (0, *bounds), lambda row: row.idle // 1000)


def by_deliveries(rows: Sequence[PendingEntry], bounds: Sequence[int] = DELIVERIES) -> list[Share]:
    """How many were delivered how often."""
    return _shares(rows, bounds, lambda row: max(row.deliveries, bounds[0]))


def _shares(
    rows: Sequence[PendingEntry], lows: Sequence[int], of: Callable[[PendingEntry], int]
) -> list[Share]:
    highs = [*lows[1:], None]
    return [
        Share(low, high, sum(low <= of(row) and (high is None or of(row) < high) for row in rows))
        for low, high in zip(lows, highs, strict=True)
    ]


def stuck(consumers: Sequence[Consumer], idle: float = 300.0) -> list[Consumer]:
    """Those that hold entries and have not asked for ``idle`` seconds; most entries first."""
    found = [one for one in consumers if one.pending and one.idle >= idle * 1000]
    return sorted(found, key=lambda one: -one.pending)


def poison(rows: Sequence[PendingEntry], deliveries: int = 5) -> list[PendingEntry]:
    """Entries that were delivered at least so often and never acknowledged; the worst first."""
    found = [row for row in rows if row.deliveries >= deliveries]
    return sorted(found, key=lambda row: -row.deliveries)


class _Pending:
    """The pending list of one group.

    ``ack``, ``claim`` and ``bury`` answer a word for each entry: ``done``; ``gone`` when it is no
    longer pending; ``changed`` when it was handed out since; ``deleted`` when the stream no longer
    has it; ``same`` when the consumer has it already; ``refused: ...`` with the server's words.
    They raise GroupGone when the group is gone, and UnknownResult when a reply was lost: then
    ``look`` says how each is now.
    """

    _fast: Any

    def __init__(self, redis: Any, key: str | bytes, group: bytes) -> None:
        self.redis = redis
        self.key = key.encode() if isinstance(key, str) else key
        self.group = group

    @step
    def window(
        self, after: str | None = None, *, count: int = MOST_WINDOW, consumer: bytes | None = None
    ) -> Steps[Window]:
        """Consumers, and ``count`` pending entries after an id, of one consumer where one is named.

        One round trip by a script that reads; without the right to it two.
        """
        if not 1 <= count <= MOST_WINDOW:
            raise InvalidArgument(f"{count} entries are not between 1 and {MOST_WINDOW}")
        start = f"({check_id(after, special=())}" if after else "-"
        if after and order(after) == (LAST, LAST):
            start = after  # Redis takes no interval that begins after it
        try:
            try:
                found, total, names, flat = yield from script(
                    self.redis, "group_window", self.key, self.group, MOST_CONSUMERS, MOST_NAME,
                    start, count, int(consumer is not None), consumer or b"",
                )  # fmt: skip
            except calls.ScriptsRefused as refused:
                return (yield from self._plainly(start, count, consumer, str(refused)))
        except ResponseError as error:
            raise lost(error) or error from None
        consumers = [_consumer(row, size, oldest) for row, size, oldest in found]
        rows = [
            PendingEntry(_id(flat[n]), names[flat[n + 1] - 1], flat[n + 2], flat[n + 3])
            for n in range(0, len(flat), 4)
        ]
        return _window(consumers, total, rows, count)

    def _plainly(
        self, start: str, count: int, consumer: bytes | None, missing: str
    ) -> Steps[Window]:
        detail = {"parse_detail": True}
        named = () if consumer is None else (consumer,)
        found, listed = yield from plain(
            self.redis, self.key, ("XINFO", "CONSUMERS", self.key, self.group),
            ("XPENDING", self.key, self.group, start, "+", count, *named, detail),
        )  # fmt: skip
        about = [_named(row) for row in found[:MOST_CONSUMERS]]
        oldest = yield from plainly(
            self.redis, self.key,
            *(("XPENDING", self.key, self.group, "-", "+", 1, row["name"], detail)
              for row in about),
        )  # fmt: skip
        consumers = []
        for row, first in zip(about, map(_first, oldest), strict=True):
            short = (first[0], first[2], first[3]) if first else None
            consumers.append(_consumer(row, len(row["name"]), short))
        rows = [
            PendingEntry(_id(row["message_id"]), row["consumer"][:MOST_NAME],
                         row["time_since_delivered"], row["times_delivered"])
            for row in listed
        ]  # fmt: skip
        return _window(consumers, len(found), rows, count, missing)

    @step
    def previews(self, ids: Sequence[str], *, limit: int = 200) -> Steps[list[Entry | None]]:
        """The entries of these ids, each field cut to ``limit`` bytes; None for what is not there.

        One round trip; raises calls.ScriptsRefused without the right to read by script.
        """
        wanted = [
            calls.Call("stream_window", self.key, ("XRANGE", id, id, 1, limit, 4_000, 1, 0))
            for id in ids
        ]
        replies = yield from calls.run(self.redis, wanted)
        found: list[Entry | None] = []
        for reply in replies:
            flat = [] if isinstance(reply, ResponseError) else calls.checked(reply)[1]
            if not flat:
                found.append(None)
                continue
            parts = flat[2][::2]
            found.append(Entry(_id(flat[0]), tuple(zip(parts[::2], parts[1::2], strict=False))))
        return found

    @step
    def look(self, seen: Sequence[Seen]) -> Steps[list[str]]:
        """How each is now: "done" means as it was seen. Changes nothing. One round trip."""
        return (yield from self._act("look", seen, b""))

    @step
    def ack(self, seen: Sequence[Seen]) -> Steps[list[str]]:
        """Acknowledge them, so that nobody gets them again. One round trip, one script."""
        return (yield from self._act("ack", seen, b""))

    @step
    def claim(self, seen: Sequence[Seen], consumer: bytes) -> Steps[list[str]]:
        """Hand them to a consumer, which need not exist yet. One round trip, one script.

        They count as delivered now, and not as delivered once more. A worker finds them in its own
        list (``XREADGROUP ... 0``) or by ``XAUTOCLAIM``.
        """
        return (yield from self._act("claim", seen, consumer))

    def _act(self, verb: str, seen: Sequence[Seen], consumer: bytes) -> Steps[list[str]]:
        _bounded(seen, MOST_AT_ONCE)
        arguments = (self.group, verb, consumer, *_wire(seen))
        return (yield from self._run("group_act", (self.key,), arguments))

    @step
    def bury(self, seen: Sequence[Seen], cause: str) -> Steps[list[str]]:
        """Move them to the dead-letter stream with the cause, then acknowledge them.

        One script where both streams are in one slot: then each is moved or is not. Else the dead
        letter is written first, so what is cut off between leaves an entry in both.
        """
        _bounded(seen, MOST_BURIED)
        dead = dead_key(self.key)
        words = ["many"] * len(seen)
        if not calls.is_cluster(self.redis) or key_slot(self.key) == key_slot(dead):
            told = cause.encode("utf-8", "replace")[:MOST_CAUSE].decode("utf-8", "ignore")
            now = int(time.time() * 1000)
            arguments = (self.group, told, now, MOST_VALUES, *_wire(seen))
            words = yield from self._run("group_bury", (self.key, dead), arguments)
        for n, word in enumerate(words):
            if word == "many":
                words[n] = yield from self._bury_apart(seen[n], dead, cause)
        return words

    def _bury_apart(self, one: Seen, dead: bytes, cause: str) -> Steps[str]:
        """One entry in five trips: look, write the dead letter, acknowledge."""
        [word] = yield from self._act("look", [one], b"")
        if word != "done":
            return word
        # Raw replies: redis-py would lose a field that is there twice.
        found = entries((yield self._fast.call("XRANGE", self.key, one.id, one.id)))
        listed = yield self._fast.call("XPENDING", self.key, self.group, one.id, one.id, 1)
        if not found or not listed:
            return "gone" if found else "deleted"
        fields = dead_fields(
            self.key, found[0], self.group, cause, consumer=listed[0][1], deliveries=one.deliveries
        )
        added = yield self._fast.call("XADD", dead, "*", *fields)
        [word] = yield from self._act("ack", [one], b"")
        if word != "done":  # somebody has it by now: it is no dead letter
            yield self._fast.call("XDEL", dead, added)
        return word

    def _run(self, name: str, keys: Sequence[bytes], args: Sequence[Any]) -> Steps[list[str]]:
        is_look = len(args) > 1 and args[1] == "look"
        try:
            words = yield self._fast.script(name, keys, args, repeatable=is_look)
        except ResponseError as error:
            raise lost(error) or error from None
        return [word.decode("utf-8", "replace") for word in words]


class Pending(_Pending, Blocking):
    __doc__ = _Pending.__doc__

    def __init__(self, redis: Any, key: str | bytes, group: bytes) -> None:
        super().__init__(redis, key, group)
        self._fast = Fast.of(redis)


class AsyncPending(_Pending, Awaiting):
    __doc__ = _Pending.__doc__

    def __init__(self, redis: Any, key: str | bytes, group: bytes) -> None:
        super().__init__(redis, key, group)
        self._fast = AsyncFast.of(redis)


def _bounded(seen: Sequence[Seen], most: int) -> None:
    if len(seen) > most:
        raise InvalidArgument(f"{len(seen)} entries are more than {most} at once")


def _wire(seen: Sequence[Seen]) -> list[Any]:
    return [part for one in seen for part in (one.id, one.holder, one.deliveries)]


def _window(
    consumers: Sequence[Consumer], total: int, rows: Sequence[PendingEntry], count: int,
    missing: str = "",
) -> Window:  # fmt: skip
    onward = rows[-1].id if len(rows) == count else None
    return Window(tuple(consumers), total, tuple(rows), onward, missing)


def _consumer(row: Any, size: int, oldest: Any) -> Consumer:
    about = _named(row)
    name = about["name"][:MOST_NAME]
    first = PendingEntry(_id(oldest[0]), name, oldest[1], oldest[2]) if oldest else None
    return Consumer(
        name, about["pending"], about["idle"], about.get("inactive"), first, size > MOST_NAME
    )


def _id(word: bytes | str) -> str:
    return word.decode() if isinstance(word, bytes) else word
