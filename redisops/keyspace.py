"""List the keys of a server without hurting it: bounded SCAN pages with the facts of each key.

A page costs two round trips when one SCAN fills it, and never more than ``max_scans`` SCAN
calls or about a second: then it ends early with a cursor to go on from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redisops import keys as names
from redisops.errors import InvalidArgument
from redisops.filters import Filter
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values import facts
from redisops.values.calls import checked, is_refused, node_of, nodes, send
from redisops.values.facts import KeyRow
from redisops.walks import Walk

__all__ = ["AsyncKeyspace", "Folder", "KeyPage", "KeyRow", "Keyspace", "Level", "Names", "merge"]


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys of a walk through the keyspace, in no order that means anything.

    ``cursor`` goes on from here (opaque, fit for a URL); None: the walk is complete.
    ``scanned`` is how many keys the walk has looked at so far, pages before this one
    included, of ``total`` keys (DBSIZE of every primary). ``scans`` is the number of SCAN
    calls that this page made. ``left`` names primaries of a cluster that this walk had
    begun with and that are no longer there: their keys are found again on the primaries
    that took over, so a key may appear twice in the walk. A page can have rows and no
    cursor, or a cursor and no rows.
    """

    rows: list[KeyRow]
    cursor: str | None
    scanned: int
    total: int
    scans: int
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A prefix shared by keys: ``name`` is the whole prefix with its last delimiter.

    ``keys`` is how many keys below it were seen so far, not how many there are.
    """

    name: bytes
    keys: int


@dataclass(frozen=True, slots=True)
class Level:
    """What was seen of one level of the tree: folders, and keys that are directly here.

    Both are sorted by name. ``scanned`` of ``total`` keys have been looked at, requests
    before this one included; until ``cursor`` is None the counts only grow.
    """

    folders: list[Folder]
    keys: list[bytes]
    cursor: str | None
    scanned: int
    total: int
    scans: int = 0
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """Names that a part of a walk found, in no order, and where it goes on; see KeyPage."""

    names: list[bytes]
    cursor: str | None
    scanned: int
    total: int


def merge(earlier: Level, later: Level) -> Level:
    """One level from two consecutive requests of the same walk: counts added, keys joined."""
    seen = Counter({folder.name: folder.keys for folder in earlier.folders})
    seen.update({folder.name: folder.keys for folder in later.folders})
    return Level(
        [Folder(name, keys) for name, keys in sorted(seen.items())],
        sorted({*earlier.keys, *later.keys}),
        later.cursor,
        later.scanned,
        later.total,
        earlier.scans + later.scans,
        tuple(dict.fromkeys((*earlier.left, *later.left))),
    )


def _between(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidArgument(f"{name} {value} must be from {low} to {high}")


class _Keyspace:
    """The keys of one server or cluster."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def page(
        self, match: bytes | str | None = None, type: str | None = None, ttl: str | None = None,
        cursor: str | None = None, count: int = 100, max_scans: int = 20,
        size: str | None = None, idle: str | None = None,
    ) -> Steps[KeyPage]:  # fmt: skip
        """About ``count`` keys with their facts; two round trips when one SCAN fills the page.

        ``match`` is a glob pattern (empty: all keys); one without glob characters is looked up
        directly, with no SCAN. ``type`` is a Redis type name. ``ttl`` is "none" (no expiry),
        "any" (some expiry) or a range of seconds left ("<60", "60-3600", ">=3600"), ``size`` a
        range of bytes in memory, ``idle`` one of seconds since the last use: for one more trip a
        SCAN, whichever of them are set.
        A page has a few rows more than ``count`` when the server's last SCAN returned more,
        and fewer when ``max_scans`` or a second went by first. Raises InvalidArgument for a
        pattern, filter or cursor that breaks a rule.
        """
        _between("count", count, 1, 1000)
        pattern = names.pattern(match)
        filters = Filter(ttl or "", size or "", idle or "")
        exact = names.literal(pattern) if pattern else None
        if exact is not None:
            return (yield from self._exactly(exact, type, filters))

        found: dict[bytes, None] = {}
        walk = Walk(self.redis, cursor, pattern, type, max_scans, wanted=count)
        while walk.goes_on(len(found)):
            fresh = yield from walk.scan()
            fresh = [key for key in dict.fromkeys(fresh) if key not in found]
            if filters:
                fresh = yield from self._filtered(fresh, filters)
            found.update(dict.fromkeys(fresh))
        rows = yield from facts.describe(self.redis, list(found))
        return KeyPage(
            [row for row, _ in filter(None, rows)],
            walk.cursor(), walk.scanned, walk.total, walk.scans, walk.left,
        )  # fmt: skip

    @step
    def names(
        self, type: str | None = None, cursor: str | None = None, max_scans: int = 20
    ) -> Steps[Names]:
        """The names alone of all keys that part of a walk meets; one round trip per SCAN.

        At most ``max_scans`` SCAN calls or about a second. Go on with ``cursor``.
        """
        walk = Walk(self.redis, cursor, None, type, max_scans)
        found: dict[bytes, None] = {}
        while walk.goes_on():
            fresh = yield from walk.scan()
            found.update(dict.fromkeys(fresh))
        return Names(list(found), walk.cursor(), walk.scanned, walk.total)

    @step
    def lookup(self, key: bytes) -> Steps[KeyRow | None]:
        """The facts of one key; None when there is no such key. One round trip."""
        [row] = yield from facts.describe(self.redis, [key])
        return row[0] if row else None

    @step
    def describe(self, keys: Sequence[bytes]) -> Steps[list[KeyRow | None]]:
        """The facts of some keys in their order, None for what is gone. One round trip."""
        rows = yield from facts.describe(self.redis, keys)
        return [row[0] if row else None for row in rows]

    @step
    def level(
        self, prefix: bytes = b"", delimiter: bytes = b":", match: bytes | str | None = None,
        type: str | None = None, cursor: str | None = None, max_scans: int = 20,
    ) -> Steps[Level]:  # fmt: skip
        """One level of the tree below ``prefix``, from a bounded scan; one round trip per SCAN.

        ``match`` narrows the keys further; it must match the whole key. Go on with ``cursor``
        and join the results with :func:`merge`.
        """
        if not delimiter:
            raise InvalidArgument("delimiter b'' splits nothing: give at least one byte")
        below = names.glob_escape(prefix[: names.LONGEST_PATTERN // 4]) + b"*" if prefix else None
        walk = Walk(self.redis, cursor, names.pattern(match) or below, type, max_scans)
        here: set[bytes] = set()
        folders: dict[bytes, set[bytes]] = {}
        while walk.goes_on():
            for key in (yield from walk.scan()):
                if not key.startswith(prefix):
                    continue
                end = key.find(delimiter, len(prefix))
                if end < 0:
                    here.add(key)
                else:
                    folders.setdefault(key[: end + len(delimiter)], set()).add(key)
        return Level(
            [Folder(name, len(keys)) for name, keys in sorted(folders.items())],
            sorted(here), walk.cursor(), walk.scanned, walk.total, walk.scans, walk.left,
        )  # fmt: skip

    def _exactly(self, key: bytes, type: str | None, filters: Filter) -> Steps[KeyPage]:
        """The page of a pattern that one key at most can match: DBSIZE and its facts."""
        primaries = yield from nodes(self.redis)
        sizes = yield from send(self.redis, [(node, ("DBSIZE",)) for node in primaries])
        total = sum(0 if is_refused(size) else int(checked(size)) for size in sizes)
        [row] = yield from facts.describe(self.redis, [key])
        rows = [row[0]] if row else []
        if type is not None:
            rows = [row for row in rows if row.type == type]
        if filters and rows:
            kept = yield from self._filtered([key], filters)
            rows = [row for row in rows if row.key in kept]
        return KeyPage(rows, None, total, total, 0)

    def _filtered(self, keys: Sequence[bytes], filters: Filter) -> Steps[list[bytes]]:
        asked = [(node_of(self.redis, key), filters.commands(key)) for key in keys]
        replies = yield from send(
            self.redis, [(node, command) for node, commands in asked for command in commands]
        )
        each = len(replies) // max(len(keys), 1)
        return [
            key
            for place, key in enumerate(keys)
            if filters.judge(replies[place * each : (place + 1) * each])
        ]


class Keyspace(_Keyspace, Blocking):
    """The keys of one server or cluster, through a blocking client."""


class AsyncKeyspace(_Keyspace, Awaiting):
    """The keys of one server or cluster, through an awaiting client."""
