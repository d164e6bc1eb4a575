"""Figures over time in bounded space: one stream per name and resolution.

Two seconds for an hour, a minute for a day, ten minutes for thirty days: a name costs about a
megabyte, however long it is watched. An entry's id is its time, so recording the same step twice
keeps the first. A step without an entry is a gap and stays one; a look that failed is an entry
that says so.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis

from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step

Fold = Literal["mean", "max", "last"]
"""What a coarser step keeps of the finer ones."""


@dataclass(frozen=True)
class Level:
    """One resolution: a row per ``seconds``, at most about ``rows`` of them."""

    name: str
    seconds: int
    rows: int


LEVELS = (Level("2s", 2, 1800), Level("1m", 60, 1440), Level("10m", 600, 4320))
KEEP = 30 * 24 * 3600
LATE = 4
"""Seconds that a finer step may be late before the coarser one is made of it."""
_HEAD = struct.Struct("<BHH")
_VERSION = 1


@dataclass(frozen=True)
class Row:
    """One step: ``good`` looks folded into ``values``, and ``failed`` ones with the last cause.

    ``values`` stand in the order of the series' fields, None where unknown.
    """

    at: int
    good: int
    failed: int
    values: tuple[float | None, ...]
    cause: str = ""


@dataclass(frozen=True)
class Point:
    """What to record of ``name`` at ``at`` (seconds): figures, or none and why.

    ``document`` replaces what is known of it now, ``notes`` what the recorder keeps for its next
    look; None leaves them.
    """

    name: str
    at: int
    values: Mapping[str, float | None] | None
    cause: str = ""
    document: bytes | None = None
    notes: bytes | None = None


@dataclass(frozen=True)
class Reading:
    """What is known now, and the rows of a span, oldest first; gaps have no row."""

    document: bytes | None
    rows: list[Row]
    step: int


class _Series:
    """Series of the same fields, many names, under one prefix.

    ``fields`` maps each name to how it folds. New ones are added at the end and none is ever
    taken away, so that old rows keep their meaning. Keys: ``<prefix>{<name>}:<level>``.
    """

    _fast: Any

    def __init__(self, redis: Any, prefix: str, fields: Mapping[str, Fold]) -> None:
        self.redis = redis
        self.prefix = prefix
        self.fields = dict(fields)

    def key(self, name: str, part: str) -> str:
        """``part`` is a level's name, ``now`` for the document or ``notes``."""
        return f"{self.prefix}{{{name}}}:{part}"

    @step
    def claim(self, slot: int, seconds: int) -> Steps[bool]:
        """Whether the slot is the caller's: true for one of all who ask. One command."""
        taken = yield self.redis.set(f"{self.prefix}slot:{slot}", 1, nx=True, ex=seconds)
        return bool(taken)

    @step
    def documents(self, names: Sequence[str], part: str = "now") -> Steps[dict[str, bytes]]:
        """What is known now (or the ``notes``) of each name that has any. One round trip."""
        if not names:
            return {}
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.get(self.key(name, part))
        found = yield pipe.execute()
        return {name: text for name, text in zip(names, found, strict=True) if text is not None}

    @step
    def record(self, points: Sequence[Point]) -> Steps[None]:
        """Keep the points at the finest level. One round trip; a step kept before stays."""
        if not points:
            return
        pipe = self.redis.pipeline(transaction=False)
        for point in points:
            row = Row(
                point.at,
                good=0 if point.values is None else 1,
                failed=1 if point.values is None else 0,
                values=tuple((point.values or {}).get(name) for name in self.fields),
                cause=point.cause,
            )
            self._add(pipe, point.name, LEVELS[0], row)
            if point.document is not None:
                pipe.set(self.key(point.name, "now"), point.document, ex=KEEP)
            if point.notes is not None:
                pipe.set(self.key(point.name, "notes"), point.notes, ex=KEEP)
        replies = yield pipe.execute(raise_on_error=False)
        _raise_first(replies)

    @step
    def share(self, points: Sequence[Point], weight: str) -> Steps[None]:
        """Keep points of which others may have seen a part too: one entry holds all the shares.

        Means are weighed by the figure ``weight``, which is summed; of the others the highest
        stays. A step that is over takes nothing more: what comes late is the newest one's. One
        round trip, a script for each point. Raises what any of them was refused with.
        """
        names = list(self.fields)
        folds = "".join("s" if name == weight else self.fields[name][1] for name in names)
        scripts = []
        for point in points:
            values = tuple((point.values or {}).get(name) for name in names)
            row = Row(point.at, 1, 0, values)
            scripts.append((
                "series_share", [self.key(point.name, LEVELS[0].name)],
                [point.at * 1000, _packed(row), folds, names.index(weight) + 1, LEVELS[0].rows],
            ))  # fmt: skip
        for reply in (yield self._fast.scripts(scripts)):
            if isinstance(reply, Exception):
                raise reply

    @step
    def read(self, name: str, start: float, end: float, seconds: int) -> Steps[Reading]:
        """The span in steps of about ``seconds``, with what is known now. One round trip.

        The coarser levels end at their last whole step; what is newer comes from the finer.
        """
        depth = max(index for index, one in enumerate(LEVELS) if one.seconds <= max(seconds, 2))
        pipe = self.redis.pipeline(transaction=False)
        pipe.get(self.key(name, "now"))
        for index in range(depth, -1, -1):
            level = LEVELS[index]
            since = start if index == depth else end - 2 * LEVELS[index + 1].seconds - 60
            first, last = int(since) * 1000, int(end) * 1000
            pipe.xrange(self.key(name, level.name), first, last, count=level.rows + 200)
        replies = yield pipe.execute()
        rows: list[Row] = []
        for index, entries in zip(range(depth, -1, -1), replies[1:], strict=True):
            known = rows[-1].at + LEVELS[index + 1].seconds if rows else start
            rows += [row for row in map(_row, entries) if row.at >= known]
        return Reading(replies[0], self.folded(rows, seconds), seconds)

    @step
    def fold(self, names: Sequence[str], now: float) -> Steps[int]:
        """Make every coarser step that is due, of all names; returns how many rows were kept.

        At most three round trips per level and none of them grows with the time missed, only
        with the names. Run it as often as you like, in as many processes as you like.
        """
        kept = 0
        for fine, coarse in itertools.pairwise(LEVELS):
            kept += yield from self._fold(names, now, fine, coarse)
        return kept

    def _fold(self, names: Sequence[str], now: float, fine: Level, coarse: Level) -> Steps[int]:
        if not names:
            return 0
        pipe = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.xrevrange(self.key(name, coarse.name), count=1)
        newest = yield pipe.execute()
        end = int(now - LATE) // coarse.seconds * coarse.seconds
        starts = [_at(entries[0][0]) + coarse.seconds if entries else 0 for entries in newest]
        due = [(name, start) for name, start in zip(names, starts, strict=True) if start < end]
        if not due:
            return 0
        pipe = self.redis.pipeline(transaction=False)
        for name, start in due:
            key = self.key(name, fine.name)
            pipe.xrange(key, start * 1000, end * 1000 - 1, count=fine.rows + 200)
        spans = yield pipe.execute()
        pipe, kept = self.redis.pipeline(transaction=False), 0
        for (name, _), entries in zip(due, spans, strict=True):
            for row in self.folded(map(_row, entries), coarse.seconds):
                self._add(pipe, name, coarse, row)
                kept += 1
            pipe.expire(self.key(name, fine.name), KEEP)
            pipe.expire(self.key(name, coarse.name), KEEP)
        replies = yield pipe.execute(raise_on_error=False)
        _raise_first(replies)
        return kept

    @step
    def forget(self, name: str) -> Steps[None]:
        """Remove all that is kept of a name. One command."""
        parts = [*(level.name for level in LEVELS), "now", "notes"]
        yield self.redis.unlink(*(self.key(name, part) for part in parts))

    def folded(self, rows: Iterable[Row], seconds: int) -> list[Row]:
        """The rows in steps of ``seconds``, each field by its own fold; empty ones left out."""
        groups: dict[int, list[Row]] = {}
        for row in rows:
            groups.setdefault(row.at // seconds * seconds, []).append(row)
        return [self._merged(at, group) for at, group in groups.items()]

    def _merged(self, at: int, rows: list[Row]) -> Row:
        if len(rows) == 1:
            (only,) = rows
            return Row(at, only.good, only.failed, only.values, only.cause)
        values = tuple(
            _folded(how, [(row.values[index], row.good) for row in rows if index < len(row.values)])
            for index, how in enumerate(self.fields.values())
        )
        cause = next((row.cause for row in reversed(rows) if row.cause), "")
        good, failed = sum(row.good for row in rows), sum(row.failed for row in rows)
        return Row(at, good, failed, values, cause)

    def _add(self, pipe: Any, name: str, level: Level, row: Row) -> None:
        fields: dict[Any, Any] = {b"v": _packed(row)}
        if row.cause:
            fields[b"e"] = row.cause
        key = self.key(name, level.name)
        pipe.xadd(key, fields, id=f"{row.at * 1000}-0", maxlen=level.rows, approximate=True)


class Series(_Series, Blocking):
    """Figures over time in bounded space, blocking."""

    @property
    def _fast(self) -> Fast:
        return Fast.of(self.redis)


class AsyncSeries(_Series, Awaiting):
    """Figures over time in bounded space, awaiting."""

    @property
    def _fast(self) -> AsyncFast:
        return AsyncFast.of(self.redis)


def decoded(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Row:
    """The row that one entry of a series' stream holds, for those who tail it."""
    return _row((entry_id, fields))


def _folded(how: Fold, values: list[tuple[float | None, int]]) -> float | None:
    known = [(value, max(weight, 1)) for value, weight in values if value is not None]
    if not known:
        return None
    if how == "max":
        return max(value for value, _ in known)
    if how == "last":
        return known[-1][0]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known)


def _packed(row: Row) -> bytes:
    """Version, looks, failures, then four bytes a value: seven digits are enough for a plot."""
    head = _HEAD.pack(_VERSION, min(row.good, 0xFFFF), min(row.failed, 0xFFFF))
    if not row.good:
        return head
    numbers = [math.nan if value is None else float(value) for value in row.values]
    return head + struct.pack(f"<{len(numbers)}f", *numbers)


def _row(entry: tuple[bytes, Mapping[bytes, bytes]]) -> Row:
    entry_id, fields = entry
    data = fields.get(b"v", b"")
    if len(data) < _HEAD.size or data[0] != _VERSION:
        return Row(_at(entry_id), 0, 0, (), "")
    _, good, failed = _HEAD.unpack_from(data)
    count = (len(data) - _HEAD.size) // 4
    numbers = struct.unpack_from(f"<{count}f", data, _HEAD.size)
    values = tuple(None if math.isnan(number) else number for number in numbers)
    return Row(
        _at(entry_id), good, failed, values, fields.get(b"e", b"").decode("utf-8", "replace")
    )


def _at(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0]) // 1000


def _raise_first(replies: Iterable[Any]) -> None:
    """Raise what went wrong, but for a step that was recorded before: that is what ids are for."""
    for reply in replies:
        if isinstance(reply, Exception) and not (
            isinstance(reply, redis.ResponseError) and "equal or smaller" in str(reply)
        ):
            raise reply
