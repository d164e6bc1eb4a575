"""Consumer groups as an operator sees them: how far behind, what is in hand, how fast, by whom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument, RedisopsError
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.model import LAST, is_id, order
from redisops.values import calls
from redisops.values.common import plain, plainly, script

MOST_NAME = 1_024
"""Bytes of a group's or consumer's name that are read; a longer one is told as cut."""
MOST_GROUPS = 200
MOST_COUNTED_BYTES = 8 * 1024 * 1024
MOST_COUNTED_PLAINLY = 1_000


class StreamGone(RedisopsError):
    """There is no stream of that name."""


class GroupGone(RedisopsError):
    """The stream has no group of that name (any more)."""


@dataclass(frozen=True)
class PendingEntry:
    """One entry that was delivered and not acknowledged; ``idle`` is milliseconds since then."""

    id: str
    consumer: bytes
    idle: int
    deliveries: int

    @property
    def milliseconds(self) -> int:
        """When it was added, milliseconds since 1970 by the server that made its id."""
        return int(self.id.partition("-")[0])


@dataclass(frozen=True)
class Group:
    """One group. ``lag`` and ``entries_read`` are None where the server does not know them.

    ``oldest`` is the pending entry with the lowest id. ``is_cut`` says that ``name`` is only the
    beginning of it, so nothing can be asked by it.
    """

    name: bytes
    consumers: int
    pending: int
    last_delivered: str
    lag: int | None
    entries_read: int | None
    oldest: PendingEntry | None = None
    is_cut: bool = False


@dataclass(frozen=True)
class Look:
    """A stream's groups at one moment; ``at`` is seconds since 1970 by this machine.

    ``added`` counts all entries ever added, None before Redis 7. ``groups`` are the first
    ``group_count`` of them. ``missing`` is the right that this user lacks for a bounded look.
    """

    at: float
    length: int
    added: int | None
    first_id: str
    last_id: str
    groups: tuple[Group, ...]
    group_count: int
    missing: str = ""


@dataclass(frozen=True)
class Count:
    """So many entries; when ``is_all`` is False, so many or more."""

    entries: int
    is_all: bool


@dataclass(frozen=True)
class Reading:
    """What two looks are compared by."""

    at: float
    length: int
    added: int | None
    read: int | None
    pending: int
    lag: int | None


@dataclass(frozen=True)
class Rates:
    """Entries per second between two readings; None where a figure is not known.

    ``drain`` is the seconds until nothing is unread at this pace, None when it never is or not
    known. ``loss`` is the seconds until the first unread entry is trimmed away, where the stream
    is held at a length and the lag grows.
    """

    seconds: float
    added: float | None
    read: float | None
    acknowledged: float | None
    growth: float | None
    drain: float | None = None
    loss: float | None = None


def reading(look: Look, group: Group) -> Reading:
    """What is to be remembered of a group for the next look."""
    return Reading(
        look.at, look.length, look.added, group.entries_read, group.pending, group.lag
    )  # fmt: skip


def rates(before: Reading, after: Reading) -> Rates | None:
    """How fast a group moved; None for readings of the same moment or of another stream since.

    A count that went back means that the stream or the group was made anew.
    """
    seconds = after.at - before.at
    added, read = _rise(before.added, after.added), _rise(before.read, after.read)
    if seconds <= 0 or (added or 0) < 0 or (read or 0) < 0:
        return None
    taken = None if read is None else read - (after.pending - before.pending)
    grown = _rise(before.lag, after.lag)
    growth = None if grown is None else grown / seconds
    lag = after.lag
    drain = loss = None
    if lag is not None and growth is not None:
        if lag and growth < 0:
            drain = lag / -growth
        elif growth > 0 and added and after.length - before.length < added / 2:
            loss = max(after.length - lag, 0) / growth
    return Rates(
        seconds,
        None if added is None else added / seconds,
        None if read is None else read / seconds,
        None if taken is None else max(taken, 0) / seconds,
        growth, drain, loss,
    )  # fmt: skip


def check_id(text: str, *, special: Sequence[str] = ("$", "0")) -> str:
    """The id as Redis takes it; InvalidArgument for what is no id and not one of ``special``."""
    if text in special or is_id(text):
        return text
    raise InvalidArgument(
        f'"{text[:60]}" is no entry id: write 1700000000000-0, $ for the end or 0 for the start'
    )


def lost(error: ResponseError) -> RedisopsError | None:
    """What an error of Redis says of the group or stream that is not there; None: another error."""
    words = str(error)
    if "NOGROUP" in words:
        # Redis says the same for a stream that is gone and for a group of one that is there.
        return GroupGone("The group is gone: it was deleted, or its stream was.")
    if "no such key" in words or "requires the key to exist" in words:
        return StreamGone("There is no stream of this name.")
    return None


class _Groups:
    """The consumer groups of one stream: looks are bounded, changes are sent once.

    Every method raises StreamGone or GroupGone when what it is about is not there, redis-py's
    ResponseError for another type, and UnknownResult when the reply to a change was lost.
    """

    _fast: Any

    def __init__(self, redis: Any, key: str | bytes) -> None:
        self.redis = redis
        self.key = key.encode() if isinstance(key, str) else key

    @step
    def look(self, most: int = MOST_GROUPS) -> Steps[Look]:
        """The stream's figures and its first ``most`` groups with lag and oldest pending.

        One round trip by a script that reads; without the right to it two, and then the whole
        first and last entry and all groups are read.
        """
        try:
            try:
                info, rows = yield from script(self.redis, "group_facts", self.key, most, MOST_NAME)
                groups = [_group(row, size, oldest) for row, size, oldest in rows]
                missing = ""
            except calls.ScriptsRefused as refused:
                info, groups = yield from self._plainly(most)
                missing = str(refused)
        except ResponseError as error:
            raise lost(error) or error from None
        return _look(info, groups, missing)

    def _plainly(self, most: int) -> Steps[tuple[Any, list[Group]]]:
        info, rows = yield from plain(
            self.redis, self.key, ("XINFO", "STREAM", self.key), ("XINFO", "GROUPS", self.key)
        )
        named = [_named(row) for row in rows[:most]]
        oldest = yield from plainly(
            self.redis, self.key,
            *(("XPENDING", self.key, row["name"], "-", "+", 1, {"parse_detail": True})
              for row in named),
        )  # fmt: skip
        return info, [
            _group(row, len(row["name"]), _first(found))
            for row, found in zip(named, oldest, strict=True)
        ]

    @step
    def between(self, after: str, until: str, *, most: int = 1_000) -> Steps[Count]:
        """How many entries lie after one id and up to another, ``most`` of them or 8 MB at most.

        One round trip by a script that reads; without the right to it the entries themselves come.
        """
        first = f"({check_id(after, special=('0',))}"
        last = check_id(until, special=("+",))
        if order(after) == (LAST, LAST):  # Redis takes no interval that begins after it
            return Count(0, is_all=True)
        try:
            try:
                found, is_cut = yield from script(
                    self.redis, "stream_count", self.key, first, last, most, MOST_COUNTED_BYTES
                )
                return Count(found, not is_cut)
            except calls.ScriptsRefused:
                count = min(most, MOST_COUNTED_PLAINLY)
                rows = yield self._fast.call("XRANGE", self.key, first, last, "COUNT", count)
                return Count(len(rows), len(rows) < count)
        except ResponseError as error:
            raise lost(error) or error from None

    @step
    def create(self, name: bytes, id: str = "$") -> Steps[bool]:
        """Make a group that reads what comes after ``id``; False when there is one of that name.

        ``$`` is the newest entry, ``0`` the beginning. One command. The stream must exist.
        """
        check_id(id)
        try:
            yield self._fast.call("XGROUP", "CREATE", self.key, name, id)
        except ResponseError as error:
            if "BUSYGROUP" in str(error):
                return False
            raise lost(error) or error from None
        return True

    @step
    def set_id(self, name: bytes, id: str, *, entries_read: int | None = None) -> Steps[None]:
        """Let the group go on after ``id``: earlier means again, later means skipped. One command.

        ``entries_read`` is how many entries lie up to there, where that is known: without it the
        server may not know the lag until the group has read to the end.
        """
        check_id(id)
        more = () if entries_read is None else ("ENTRIESREAD", entries_read)
        try:
            yield self._fast.call("XGROUP", "SETID", self.key, name, id, *more)
        except ResponseError as error:
            raise lost(error) or error from None

    @step
    def delete(self, name: bytes) -> Steps[bool]:
        """Delete the group with its place and its pending list; whether it was there.

        The entries stay in the stream. One command.
        """
        return bool((yield from self._group_command("DESTROY", name)))

    @step
    def delete_consumer(self, name: bytes, consumer: bytes) -> Steps[int]:
        """Delete a consumer; how many pending entries nobody will get any more. One command."""
        return int((yield from self._group_command("DELCONSUMER", name, consumer)))

    def _group_command(self, verb: str, *names: bytes) -> Steps[Any]:
        try:
            return (yield self._fast.call("XGROUP", verb, self.key, *names))
        except ResponseError as error:
            raise lost(error) or error from None


class Groups(_Groups, Blocking):
    __doc__ = _Groups.__doc__

    def __init__(self, redis: Any, key: str | bytes) -> None:
        super().__init__(redis, key)
        self._fast = Fast.of(redis)


class AsyncGroups(_Groups, Awaiting):
    __doc__ = _Groups.__doc__

    def __init__(self, redis: Any, key: str | bytes) -> None:
        super().__init__(redis, key)
        self._fast = AsyncFast.of(redis)


def _look(info: Any, groups: Sequence[Group], missing: str) -> Look:
    about = _named(info)
    return Look(
        time.time(), about["length"], about.get("entries-added"),
        _entry_id(about.get("first-entry")), _text(about["last-generated-id"]),
        tuple(groups), about["groups"], missing,
    )  # fmt: skip


def _group(row: Any, size: int, oldest: Any) -> Group:
    named = _named(row)
    return Group(
        named["name"][:MOST_NAME], named["consumers"], named["pending"],
        _text(named["last-delivered-id"]), named.get("lag"), named.get("entries-read"),
        PendingEntry(_text(oldest[0]), oldest[1], oldest[2], oldest[3]) if oldest else None,
        size > MOST_NAME,
    )  # fmt: skip


def _first(found: Any) -> Any:
    """The one row of XPENDING as a script gives it; None for none, or for an error."""
    if isinstance(found, Exception) or not found:
        return None
    row = found[0]
    return (
        row["message_id"], row["consumer"][:MOST_NAME],
        row["time_since_delivered"], row["times_delivered"],
    )  # fmt: skip


def _named(row: Any) -> dict[str, Any]:
    """A row of XINFO by names: a flat list from a script, a dict from the client."""
    if isinstance(row, dict):
        return {_text(name): value for name, value in row.items()}
    return dict(zip(map(_text, row[::2]), row[1::2], strict=True))


def _entry_id(entry: Any) -> str:
    """The id of XINFO's first entry: a bare id from a script, else (id, fields)."""
    if not entry:
        return ""
    return _text(entry if isinstance(entry, bytes | str) else entry[0])


def _rise(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
