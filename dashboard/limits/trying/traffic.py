"""Traffic to try a policy with: requests in each second, and who sends them. Pure, always the same.

Made ones (steady, bursts, a ramp) are counted from second 0; a replay of what was recorded has the
seconds of the clock. Requests of a second are spread evenly over it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

BURST_EVERY, BURST_SECONDS = 60, 10
MICRO = 1_000_000
OTHERS = 50
"""How many callers stand for all those that a recording does not name."""


@dataclass(frozen=True)
class Caller:
    """Somebody who sends; ``weight`` is a share of all requests, against the others' weights.

    ``subject`` is None for one that only stands for somebody.
    """

    name: str
    weight: float
    subject: bytes | None = None


@dataclass(frozen=True)
class Traffic:
    """``counts`` requests in each second from ``start`` on (seconds since 1970, or 0)."""

    counts: tuple[int, ...]
    callers: tuple[Caller, ...]
    start: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts)

    def newest(self, most: int) -> Traffic:
        """The last whole seconds that hold at most ``most`` requests; at least one second.

        A second that alone holds more is cut itself.
        """
        left, first = most, len(self.counts)
        while first and self.counts[first - 1] <= left:
            first -= 1
            left -= self.counts[first]
        if first == 0:
            return self
        kept = self.counts[first:] or (most,)
        return replace(self, counts=kept, start=self.start + len(self.counts) - len(kept))

    def requests(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """For each second its place and its requests: (microseconds since 1970, caller's place)."""
        chance = random.Random(1)  # noqa: S311 - the same traffic at every try, nothing secret
        weights = list(accumulate(caller.weight for caller in self.callers))
        places = range(len(self.callers))
        for place, count in enumerate(self.counts):
            at = (self.start + place) * MICRO
            senders = chance.choices(places, cum_weights=weights, k=count)
            yield place, [(at + n * MICRO // count, who) for n, who in enumerate(senders)]


def callers(count: int, skew: float) -> tuple[Caller, ...]:
    """``count`` callers, of whom the k-th sends 1/k**skew of what the first one does."""
    return tuple(Caller(f"caller {k}", 1 / k**skew) for k in range(1, count + 1))


def recorded_callers(named: Sequence[tuple[bytes, str, int]], total: int) -> tuple[Caller, ...]:
    """Those that a recording names with their counts, and others that share the rest evenly."""
    known = tuple(Caller(name, count, subject) for subject, name, count in named if count > 0)
    rest = max(total - sum(count for _, _, count in named), 0)
    if not rest and known:
        return known
    others = tuple(Caller(f"other {k}", max(rest, 1) / OTHERS) for k in range(1, OTHERS + 1))
    return known + others


def steady(rate: float, seconds: int) -> tuple[int, ...]:
    """The same rate all the time."""
    return _whole([rate] * seconds)


def bursts(rate: float, peak: float, seconds: int) -> tuple[int, ...]:
    """``peak`` for the middle ten seconds of each minute, ``rate`` for the rest."""
    first = (BURST_EVERY - BURST_SECONDS) // 2
    in_burst = range(first, first + BURST_SECONDS)
    return _whole([peak if at % BURST_EVERY in in_burst else rate for at in range(seconds)])


def ramp(rate: float, peak: float, seconds: int) -> tuple[int, ...]:
    """From ``rate`` at the beginning evenly to ``peak`` at the end."""
    step = (peak - rate) / max(seconds - 1, 1)
    return _whole([rate + step * at for at in range(seconds)])


def _whole(rates: list[float]) -> tuple[int, ...]:
    """Whole requests whose sum never strays from that of the rates by one or more."""
    sums = [int(total + 1e-9) for total in accumulate(rates, initial=0.0)]
    return tuple(after - before for before, after in pairwise(sums))
