"""What a board answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from redisops.windows import Window

Ties = Literal["dense", "competition", "unique"]
"""Ranks of the scores 9, 7, 7, 5: dense 1 2 2 3, competition 1 2 2 4, unique 1 2 3 4."""
Order = Literal["high", "low"]
"""Which score is best."""
How = Literal["set", "add", "best"]
"""What a write does with the score given: take it, add it, or take it when it is better."""


@dataclass(frozen=True)
class Standing:
    """One member: ``rank`` from 1 by the board's tie rule, None when it was not asked for
    (or cannot be told: dense ranks of a sorted set that others write).

    ``place`` is the row that the member has in the board, from 0, best first: with ties by the
    name, or by who was first. None when it was not asked for.
    """

    member: bytes
    score: float
    rank: int | None
    place: int | None = None


@dataclass(frozen=True)
class Look:
    """One page with the number of members, of one moment as far as a script could read it."""

    size: int
    standings: tuple[Standing, ...]


@dataclass(frozen=True)
class Bucket:
    """Members with ``low`` <= score < ``high``; of the last bucket also those at ``high``."""

    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Histogram:
    """Every member is in a bucket or in ``lowest`` (-inf) or ``highest`` (+inf): counted, exact.

    Where the lowest and highest scores are whole numbers not far apart, the buckets' width is one
    too, so that each has as many whole scores: there are fewer then, and the last may end above.
    Nothing is sampled: the buckets cost their number times the logarithm of the board's size.
    Without scripts the buckets are read one after another, and ``size`` may differ from their sum
    on a board that changes meanwhile.
    """

    size: int
    buckets: tuple[Bucket, ...]
    lowest: int = 0
    highest: int = 0


@dataclass(frozen=True)
class Overview:
    """What ``overview`` was asked for; the rest is empty. ``shares`` are in the order of the per
    cents asked for, None of an empty board. ``percentile`` is the member's, None when it is not
    there."""

    size: int
    standings: tuple[Standing, ...] = ()
    near: tuple[Standing, ...] = ()
    percentile: float | None = None
    histogram: Histogram | None = None
    shares: tuple[Standing | None, ...] = ()


@dataclass(frozen=True)
class Season:
    """A window of a board, its key and how many members it has; 0 when it is not there."""

    window: Window
    key: bytes
    size: int


@dataclass(frozen=True)
class Archived:
    """What a reset took away: the members, the best of them, and the key they are kept under."""

    size: int
    top: tuple[Standing, ...]
    key: bytes | None
