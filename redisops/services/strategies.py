"""Which of several instances is picked: each strategy is a function of a pool."""

# ruff: noqa: S311 - chance spreads load here

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
from collections.abc import Callable
from random import random
from typing import Any

from redisops.errors import InvalidArgument
from redisops.services.model import Instance

MOST_POINTS = 20_000  # of a ring
OVER = 1.25  # times the mean of what is outstanding that one instance may have of a consistent hash


class Load:
    """What this process has asked of one instance and not been answered yet."""

    __slots__ = ("outstanding",)

    def __init__(self) -> None:
        self.outstanding = 0


class Pool:
    """Those that may be picked now, at least one. Replaced whole when anything changes.

    ``weights`` are above 0, ``loads`` are those of the same instances; ``turns`` counts picks.
    """

    def __init__(
        self, instances: list[Instance], weights: list[float], loads: list[Any], turns: Any
    ) -> None:
        self.instances, self.weights, self.loads = instances, weights, loads
        self.count = len(instances)
        self.turn = turns.__next__
        self.sums = list(itertools.accumulate(weights))
        self._ring: tuple[list[int], list[int]] | None = None

    def ring(self) -> tuple[list[int], list[int]]:
        """The points of a hash ring in order, and whose they are; heavier ones have more."""
        if self._ring is None:
            mean = self.sums[-1] / self.count
            each = max(8, min(64, MOST_POINTS // self.count))
            points = sorted(
                (hashed(b"%b#%d" % (one.id.encode(), n)), at)
                for at, one in enumerate(self.instances)
                for n in range(max(1, min(4 * each, round(each * self.weights[at] / mean))))
            )
            self._ring = [point for point, _ in points], [at for _, at in points]
        return self._ring


def hashed(key: bytes) -> int:
    """64 bits that are the same in every process."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")


def round_robin(pool: Pool, _: Any) -> int:
    """One after the other, weights aside."""
    return int(pool.turn() % pool.count)


def at_random(pool: Pool, _: Any) -> int:
    """Any, weights aside."""
    return int(random() * pool.count)


def weighted(pool: Pool, _: Any) -> int:
    """At random, twice the weight twice as often."""
    sums = pool.sums
    return min(bisect.bisect(sums, random() * sums[-1]), pool.count - 1)


def least_outstanding(pool: Pool, _: Any) -> int:
    """The fewest calls of this process in flight for its weight; at random among equals."""
    loads, weights, first = pool.loads, pool.weights, int(random() * pool.count)
    order = itertools.chain(range(first, pool.count), range(first))
    return min(order, key=lambda at: (loads[at].outstanding + 1) / weights[at])


def two_choices(pool: Pool, _: Any) -> int:
    """The better of two at random by what is in flight for its weight: no herd, no walk."""
    count = pool.count
    a = int(random() * count)
    if count == 1:
        return a
    b = (a + 1 + int(random() * (count - 1))) % count
    loads, weights = pool.loads, pool.weights
    left, right = (loads[a].outstanding + 1) / weights[a], (loads[b].outstanding + 1) / weights[b]
    return a if left <= right else b


def consistent(pool: Pool, key: Any) -> int:
    """The same instance for the same key, unless it has far more in flight than the others."""
    if key is None:
        raise InvalidArgument("a consistent hash picks by a key: give one")
    points, owners = pool.ring()
    place = bisect.bisect(points, hashed(key if isinstance(key, bytes) else str(key).encode()))
    loads, weights = pool.loads, pool.weights
    share = OVER * (sum(load.outstanding for load in loads) + 1) / pool.sums[-1]
    for step in range(len(points)):
        at = owners[(place + step) % len(points)]
        if loads[at].outstanding < math.ceil(share * weights[at]):
            return at
    return owners[place % len(points)]


STRATEGIES: dict[str, Callable[[Pool, Any], int]] = {
    "round_robin": round_robin,
    "random": at_random,
    "weighted": weighted,
    "least_outstanding": least_outstanding,
    "two_choices": two_choices,
    "consistent": consistent,
}
