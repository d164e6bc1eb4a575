"""What was measured of some keys: bytes, types, expiry, sizes, rest or frequency, as plain sums.

Two samples of keys drawn alike are added by adding their numbers, so that parts of a keyspace can
be measured one after the other and put together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

MINUTE, HOUR, DAY = 60, 3600, 86400
# Upper ends, exclusive; one bucket more than ends: seconds left, bytes, seconds at rest, and LFU's
# counter from 0 to 255.
TTL_ENDS = (MINUTE, HOUR, DAY, 7 * DAY, 30 * DAY)
SIZE_ENDS = (65, 257, 1025, 4097, 16385, 65537, 262145, 1048577, 16777217)
IDLE_ENDS = (HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY)
FREQUENCY_ENDS = (1, 6, 21, 101)


class Facts(NamedTuple):
    """What was asked of one key. None: the server did not say, or does not keep it.

    ``ttl`` is milliseconds left, -1 without expiry; ``size`` bytes by MEMORY USAGE; ``idle``
    seconds at rest; ``frequency`` LFU's logarithmic counter, 0 to 255.
    """

    key: bytes
    type: str
    ttl: int | None
    size: int | None
    idle: int | None
    frequency: int | None


class Sample:
    """Sums over measured keys. Each fact that may be refused is counted by itself.

    ``keys`` were asked; ``sized`` of them told their bytes, which sum up to ``bytes`` (``squares``
    of them to the second power). ``types`` is type: [keys, bytes]. ``ttl`` has the keys without
    expiry first and then a bucket for each of TTL_ENDS and beyond; ``sizes``, ``idle`` and
    ``frequency`` are buckets, with ``idle_bytes`` the bytes of each.
    """

    __slots__ = (
        "bytes", "frequency", "idle", "idle_bytes", "keys", "sized", "sizes", "squares", "ttl",
        "types",
    )  # fmt: skip

    def __init__(self) -> None:
        self.keys = 0
        self.sized = 0
        self.bytes = 0
        self.squares = 0.0
        self.types: dict[str, list[int]] = {}
        self.ttl: list[int] | None = None
        self.sizes: list[int] | None = None
        self.idle: list[int] | None = None
        self.idle_bytes: list[int] | None = None
        self.frequency: list[int] | None = None

    def add(self, facts: Facts) -> None:
        """One measured key."""
        self.keys += 1
        size = facts.size
        kind = self.types.setdefault(facts.type, [0, 0])
        kind[0] += 1
        if size is not None:
            kind[1] += size
            self.sized += 1
            self.bytes += size
            self.squares += float(size) * size
            self.sizes = _count(self.sizes, bisect_right(SIZE_ENDS, size), len(SIZE_ENDS) + 1)
        if facts.ttl is not None:
            place = 0 if facts.ttl < 0 else 1 + bisect_right(TTL_ENDS, facts.ttl / 1000)
            self.ttl = _count(self.ttl, place, len(TTL_ENDS) + 2)
        if facts.idle is not None:
            place = bisect_right(IDLE_ENDS, facts.idle)
            self.idle = _count(self.idle, place, len(IDLE_ENDS) + 1)
            self.idle_bytes = _count(self.idle_bytes, place, len(IDLE_ENDS) + 1, size or 0)
        if facts.frequency is not None:
            place = bisect_right(FREQUENCY_ENDS, facts.frequency)
            self.frequency = _count(self.frequency, place, len(FREQUENCY_ENDS) + 1)

    def join(self, other: Sample) -> None:
        """Add another sample, drawn from its keys as densely as this one from its own."""
        self.keys += other.keys
        self.sized += other.sized
        self.bytes += other.bytes
        self.squares += other.squares
        for name, (keys, size) in other.types.items():
            kind = self.types.setdefault(name, [0, 0])
            kind[0] += keys
            kind[1] += size
        for name in ("ttl", "sizes", "idle", "idle_bytes", "frequency"):
            setattr(self, name, _joined(getattr(self, name), getattr(other, name)))

    def packed(self) -> list[Any]:
        """Everything as JSON takes it."""
        return [
            self.keys, self.sized, self.bytes, self.squares, self.types, self.ttl, self.sizes,
            self.idle, self.idle_bytes, self.frequency,
        ]  # fmt: skip

    @classmethod
    def unpacked(cls, packed: Sequence[Any]) -> Sample:
        """The inverse of ``packed``."""
        sample = cls()
        (
            sample.keys, sample.sized, sample.bytes, sample.squares, sample.types, sample.ttl,
            sample.sizes, sample.idle, sample.idle_bytes, sample.frequency,
        ) = packed  # fmt: skip
        return sample


def joined(*samples: Sample | None) -> Sample | None:
    """One sample of all keys of several; None when there is nothing in any."""
    there = [sample for sample in samples if sample is not None and sample.keys]
    if len(there) < 2:
        return there[0] if there else None
    both = Sample()
    for sample in there:
        both.join(sample)
    return both


def _count(buckets: list[int] | None, place: int, length: int, amount: int = 1) -> list[int]:
    buckets = buckets or [0] * length
    buckets[place] += amount
    return buckets


def _joined(one: list[int] | None, other: list[int] | None) -> list[int] | None:
    if one is None or other is None:
        return list(other) if one is None and other is not None else one
    return [a + b for a, b in zip(one, other, strict=True)]
