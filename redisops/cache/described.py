"""What an inspector tells of a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["fresh", "stale", "ended", "foreign"]
SAMPLE = 20


@dataclass(frozen=True)
class Described:
    """One key below a namespace's, as it was a moment ago. Times are seconds.

    ``key``: what services call it (``#`` and a digest, where that has more than 200 bytes);
    ``name``: the key of Redis. ``state``: "fresh"; "stale" (served while it is refreshed);
    "ended" (a miss: invalidated, ``ended_by`` says by what, ``("tag" | "prefix" | "namespace",
    name)``, or older than the policy lets it become, ``why`` says so); "foreign" (not written by
    this library: a miss, ``why`` says what is wrong).
    ``left``: until Redis deletes it, None never; ``fresh``: until it is stale; ``age``: since it
    was stored; ``load``: how long the source took. ``size``: bytes of the value in Redis.
    ``is_negative``: "the source has none"; ``is_own``: a TTL of its own, not the policy's.
    ``body``: the value as the codec wrote it, by ``describe`` alone, at most 1 MB of it.
    """

    key: bytes
    name: bytes
    state: State
    tags: tuple[bytes, ...] = ()
    prefixes: tuple[bytes, ...] = ()
    left: float | None = None
    fresh: float = 0.0
    age: float = 0.0
    load: float = 0.0
    size: int = 0
    is_negative: bool = False
    is_own: bool = False
    ended_by: tuple[str, bytes] | None = None
    why: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Entries:
    """Some entries, and where to go on (None: all were looked at).

    ``looked_at`` of ``total`` keys of the server so far, since the first page.
    """

    rows: tuple[Described, ...]
    cursor: str | None
    looked_at: int
    total: int


@dataclass(frozen=True)
class Preview:
    """What an invalidation would take away, as far as ``looked_at`` of ``total`` keys tell.

    ``entries``, ``bytes`` and ``load`` (seconds that the source needs to load them again, as long
    as it took for each of them) are of what was looked at; ``likely`` and what follows it are
    scaled to all keys, the same numbers when ``is_complete``. ``sample``: at most 20 of them.
    """

    entries: int
    bytes: int
    load: float
    looked_at: int
    total: int
    is_complete: bool
    sample: tuple[Described, ...]

    @property
    def _scale(self) -> float:
        return 1.0 if self.is_complete else max(1.0, self.total / max(1, self.looked_at))

    @property
    def likely(self) -> int:
        """Entries that would go."""
        return round(self.entries * self._scale)

    @property
    def likely_bytes(self) -> int:
        """Their bytes."""
        return round(self.bytes * self._scale)

    @property
    def likely_load(self) -> float:
        """Seconds of the source to load them again, one after the other."""
        return self.load * self._scale

    @classmethod
    def of(
        cls, going: Sequence[Described], looked_at: int, total: int, *, is_complete: bool
    ) -> Preview:
        """The preview of these entries."""
        return cls(
            len(going), sum(row.size for row in going), sum(row.load for row in going), looked_at,
            total, is_complete, tuple(going[:SAMPLE]),
        )  # fmt: skip
