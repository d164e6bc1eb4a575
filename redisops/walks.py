"""A bounded, resumable walk through the keys of a server: some SCAN calls now, the rest later.

One cursor for each primary of a cluster. The number of calls, their COUNT and the time are
limited, so that a walk over any keyspace costs a server little at a time.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import time
from typing import Any

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.steps import Steps
from redisops.values.calls import checked, is_refused, nodes, send

SMALLEST, LARGEST = 100, 1000  # COUNT when a filter makes the yield uncertain, and at most
LONGEST = 1.0  # seconds after which no further SCAN is sent
SLOW = 0.010  # a SCAN that takes this much longer than the fastest one gets a smaller COUNT
_LARGEST_CURSOR = 2**64 - 1
_TYPE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Walk:
    """One request's part of a walk; ``scan`` until ``goes_on`` says no, then ``cursor``.

    ``wanted`` keys are enough (None: go on to the limits). ``scanned`` counts from the start
    of the whole walk, by the COUNT of each SCAN, because servers do not say how many keys
    they looked at; by the keys that one returned where these are more.
    """

    def __init__(
        self, redis: Any, cursor: str | None, pattern: bytes | None, kind: str | None,
        max_scans: int, *, wanted: int | None = None,
    ) -> None:  # fmt: skip
        if not 1 <= max_scans <= 1000:
            raise InvalidArgument(f"max_scans {max_scans} must be from 1 to 1000")
        if kind is not None and not _TYPE.fullmatch(kind):
            raise InvalidArgument(f"type {kind[:80]!r} is not the name of a Redis type")
        self.redis = redis
        self.pattern = pattern
        self.kind = kind
        self.max_scans = max_scans
        self.wanted = wanted
        self.scans = 0
        self.total = 0
        self.left: tuple[str, ...] = ()
        self.scanned, self._cursors = (0, {}) if cursor is None else _decoded(cursor)
        self._primaries: list[tuple[str, Any]] = []
        self._started = time.monotonic()
        self._here = 0  # keys looked at by this request
        self._found = 0
        self._largest = LARGEST
        self._sized = True
        self._fastest = math.inf

    def goes_on(self, found: int = 0) -> bool:
        """Whether another SCAN is due, with ``found`` keys in hand."""
        self._found = found
        return self.scans == 0 or (
            self.scans < self.max_scans
            and bool(self._open())
            and (self.wanted is None or found < self.wanted)
            and time.monotonic() - self._started < LONGEST
        )

    def scan(self) -> Steps[list[bytes]]:
        """The keys of one SCAN on each primary that is not done. One round trip."""
        sizes = []
        if not self._primaries:
            yield from self._meet()
            sizes = [(node, ("DBSIZE",)) for _, node in self._primaries]
        batch = self._open()[: self.max_scans - self.scans]
        count = self._count(len(batch))
        options = [*([b"MATCH", self.pattern] if self.pattern is not None else []), b"COUNT", count]
        options += [b"TYPE", self.kind] if self.kind is not None else []

        begun = time.monotonic()
        replies = yield from send(self.redis, [
            *sizes, *((node, ("SCAN", self._cursors[name], *options)) for name, node in batch),
        ])  # fmt: skip
        self._judge(time.monotonic() - begun)

        if sizes:
            self._sized = not any(is_refused(size) for size in replies[: len(sizes)])
            if self._sized:
                self.total = sum(int(checked(size)) for size in replies[: len(sizes)])
        found: list[bytes] = []
        looked = 0
        for (name, _), reply in zip(batch, replies[len(sizes) :], strict=True):
            # A type that the server does not know (a module's, elsewhere) has no keys here.
            unknown = isinstance(reply, ResponseError) and "unknown type name" in str(reply)
            cursor, keys = (0, []) if unknown else checked(reply)
            self._cursors[name] = int(cursor) or None
            found.extend(keys)
            looked += max(count, len(keys))
        self.scans += len(batch)
        self._here += looked
        # COUNT is a hint and keys come and go: never more than there are, and all at the end.
        self.scanned += looked
        if not self._sized:  # DBSIZE is refused: there are as many as were looked at, or more
            self.total = self.scanned
        self.scanned = min(self.scanned, self.total) if self._open() else self.total
        return found

    def forget(self, name: str) -> None:
        """Begin the part of that primary again: its cursor is another process's."""
        self._cursors[name] = 0

    def cursor(self) -> str | None:
        """Where to go on, fit for a URL; None when every primary is done."""
        if not self._open():
            return None
        state = json.dumps([1, self.scanned, self._cursors], separators=(",", ":"))
        return base64.urlsafe_b64encode(state.encode()).rstrip(b"=").decode()

    def _meet(self) -> Steps[None]:
        """Match the cursors to the primaries of now: some may have left, some be new."""
        primaries = yield from nodes(self.redis)
        self._primaries = [("" if node is None else str(node.name), node) for node in primaries]
        present = {name for name, _ in self._primaries}
        self.left = tuple(sorted(self._cursors.keys() - present))
        self._cursors = {name: self._cursors.get(name, 0) for name, _ in self._primaries}

    def _open(self) -> list[tuple[str, Any]]:
        """The primaries whose keys are not all scanned."""
        return [(n, node) for n, node in self._primaries if self._cursors[n] is not None]

    def _count(self, primaries: int) -> int:
        """How many keys each of so many primaries should look at, by the yield so far."""
        if self.wanted is None or not primaries:
            return self._largest
        needed = self.wanted - self._found
        if self.pattern is None and self.kind is None and not self._here:
            return min(math.ceil(needed / primaries), self._largest)
        share = self._found / self._here if self._here else 1.0
        likely = needed / share if share else math.inf
        return int(min(max(likely / primaries, SMALLEST / primaries), self._largest))

    def _judge(self, seconds: float) -> None:
        if seconds - self._fastest > SLOW:
            self._largest = max(SMALLEST, self._largest // 2)
        self._fastest = min(self._fastest, seconds)


def _decoded(cursor: str) -> tuple[int, dict[str, int | None]]:
    """The keys scanned and the cursor of each primary; InvalidArgument for anything else."""
    try:
        if len(cursor) > 65536 or not re.fullmatch(r"[A-Za-z0-9_-]+", cursor):
            raise ValueError
        state = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        version, scanned, cursors = state
        if version != 1 or not _is_count(scanned) or not isinstance(cursors, dict):
            raise ValueError
        if not all(place is None or _is_count(place) for place in cursors.values()):
            raise ValueError
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise InvalidArgument(f"cursor {cursor[:80]!r} is not one that a page gave") from None
    return scanned, cursors


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST_CURSOR
