"""What a rate limit is, and what a decision says."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from redisops.errors import InvalidArgument
from redisops.limits import algorithms

ALGORITHMS = (
    "fixed_window",
    "sliding_log",
    "sliding_counter",
    "token_bucket",
    "leaky_bucket",
    "gcra",
    "concurrency",
)
BUCKETS = ("token_bucket", "leaky_bucket", "gcra")
REASONS = (
    "",
    "denied",
    "too_costly",
    "shed",
    "banned",
    "exempt",
    "failed_open",
    "failed_closed",
    "local",
)

_SUFFIXES = {
    "fixed_window": b":f",
    "sliding_log": b":l",
    "sliding_counter": b":s",
    "token_bucket": b":b",
    "leaky_bucket": b":b",
    "gcra": b":b",
    "concurrency": b":c",
}

MAX_LIMIT = 1_000_000_000
MAX_LOG = 100_000  # a log remembers each hit
MIN_PERIOD = 0.001
MAX_PERIOD = 366 * 86_400.0
MAX_REFILL = 2 * MAX_PERIOD  # seconds that an empty bucket may take until it is full again
MAX_NAME = 100
EXACT = 2**52  # below it a double, Lua's only number, holds every integer


@dataclass(frozen=True)
class Limit:
    """At most ``limit`` per ``period`` seconds for each subject, counted by ``algorithm``.

    ``name`` is the policy's name and part of the key: 1 to 100 characters, no ``:``, ``{``,
    ``}`` or control character. ``limit`` is an integer from 1 to 10**9 (to 100,000 for a
    ``sliding_log``, which remembers each hit), ``period`` from 1 ms to 366 days, kept in whole
    microseconds. Algorithms:

    - ``fixed_window``: ``limit`` in a window that begins at a subject's first hit. Cheapest;
      around the edge of two windows up to twice the limit gets through.
    - ``sliding_log``: exact, never more than ``limit`` in any period; 16 bytes for each hit.
    - ``sliding_counter``: two windows, the older one weighted by what it still overlaps.
    - ``token_bucket``: ``burst`` tokens, refilled at ``limit`` per ``period``.
    - ``leaky_bucket`` (as a meter): a bucket of ``burst`` that leaks at ``limit`` per ``period``.
    - ``gcra`` (as a shaper): the same, and ``Verdict.delay`` says how long to wait, so that what
      is let through leaves evenly spaced.
    - ``concurrency``: ``limit`` at a time; the period means nothing (see ``Concurrency``).

    ``burst`` (default: ``limit``) belongs to the three buckets alone. ``version`` is carried
    into the verdict. A ``shadow`` limit is counted and never denies. The algorithm, limit,
    period and burst may change at any time under the same name: what is spent stays spent
    (at most a full bucket of it), except between unlike algorithms, which count anew.

    Raises InvalidArgument, a ValueError, with a sentence.
    """

    name: str
    limit: int
    period: float
    algorithm: str = "token_bucket"
    burst: int | None = None
    version: int = 0
    shadow: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.algorithm not in ALGORITHMS:
            known = ", ".join(ALGORITHMS)
            raise InvalidArgument(f"algorithm {self.algorithm!r} is not one of {known}")
        most = MAX_LOG if self.algorithm == "sliding_log" else MAX_LIMIT
        _check_count("limit", self.limit, most)
        _check_period(self.period, needed=self.algorithm != "concurrency")
        if self.burst is not None:
            self._check_burst(self.burst)
        if self.algorithm in BUCKETS and self.refill > MAX_REFILL:
            raise InvalidArgument(
                f"a bucket of {self.capacity} at {self.limit} per {self.period} s would take "
                f"{self.refill / 86_400:.0f} days to refill; {MAX_REFILL / 86_400:.0f} is the most"
            )

    def _check_burst(self, burst: int) -> None:
        if self.algorithm not in BUCKETS:
            raise InvalidArgument(f"burst belongs to {', '.join(BUCKETS)}, not {self.algorithm}")
        _check_count("burst", burst, MAX_LIMIT)

    @property
    def capacity(self) -> int:
        """The most that may be had at once: the burst of a bucket, otherwise the limit."""
        return self.limit if self.burst is None else self.burst

    @property
    def refill(self) -> float:
        """Seconds until a subject that spent everything has everything again."""
        return self.capacity * self.period / self.limit

    @functools.cached_property
    def period_us(self) -> int:
        """The period in whole microseconds."""
        return round(self.period * 1_000_000)

    @functools.cached_property
    def rate(self) -> tuple[int, int]:
        """``(us, count)`` of a bucket: in ``us`` microseconds exactly ``count`` come back.

        In lowest terms. Where a double could not hold what is computed from them, the nearest
        fraction that it can: for limits of many millions that divide nothing, right to
        one part in a million or better.
        """
        exact = Fraction(self.period_us, self.limit)
        rate, most = exact, exact.denominator
        while (self.capacity + rate.denominator) * rate.numerator > EXACT:
            most //= 2
            rate = exact.limit_denominator(most)
        return rate.numerator, rate.denominator

    @functools.cached_property
    def facts(self) -> tuple[str, int, int, bool, float, tuple[int, int] | None]:
        """What verdicts need: name, capacity, version, shadow, period, and the rate of a shaper."""
        shapes = self.rate if self.algorithm == "gcra" else None
        return self.name, self.capacity, self.version, self.shadow, float(self.period), shapes

    @functools.cached_property
    def label(self) -> tuple[bytes, bytes]:
        """What keys say of it: its name, and a suffix for its kind of state."""
        return self.name.encode() + b":", _SUFFIXES[self.algorithm]

    @functools.cached_property
    def wire(self) -> algorithms.Wire:
        """What the scripts are sent; raises InvalidArgument for a concurrency limit."""
        if self.algorithm == "concurrency":
            raise InvalidArgument(
                f'"{self.name}" limits concurrency: it is held with Concurrency, not hit'
            )
        return algorithms.wire(self)


class Part(NamedTuple):
    """What one limit said of one subject within a decision. Times are seconds.

    ``allowed`` is this limit's own answer, whatever the others said and whether or not it is a
    ``shadow``. ``limit`` is what the subject may have at most (a bucket's burst), ``remaining``
    what is left of it after the decision, never negative. ``retry_after`` is 0.0 when allowed,
    ``reset_after`` the time until everything is available again.
    """

    policy: str
    subject: str | bytes
    allowed: bool
    limit: int
    remaining: int
    retry_after: float
    reset_after: float
    shadow: bool = False
    period: float = 0.0
    version: int = 0
    delay: float = 0.0


class Verdict(NamedTuple):
    """A decision; true in a condition when it allows. Times are seconds.

    ``policy``, ``version``, ``limit``, ``remaining`` and ``reset_after`` are those of the limit
    that denied (of several, the one with the longest wait) or else of the one with the least
    left; limits in shadow are passed over where there are others. ``retry_after`` is 0.0 when
    allowed. ``delay`` is how long to wait before going on so that the flow is even (``gcra``
    alone, otherwise 0.0). ``shadow`` says that a limit in shadow would have denied.

    ``reason``: ``""`` (allowed), ``"denied"``, ``"too_costly"`` (the cost is above what the limit
    can ever give: waiting does not help, and ``retry_after`` is the period), ``"shed"`` (no place
    for this priority class: the service is at capacity, whoever asks), or what stood in for the
    limits: ``"banned"``, ``"exempt"``, ``"failed_open"``, ``"failed_closed"``,
    ``"local"``. ``parts`` has one entry per limit, in the order asked. A changed copy:
    ``verdict._replace(reason="local")``.
    """

    allowed: bool
    limit: int = 0
    remaining: int = 0
    retry_after: float = 0.0
    reset_after: float = 0.0
    delay: float = 0.0
    policy: str = ""
    version: int = 0
    shadow: bool = False
    reason: str = ""
    parts: tuple[Part, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


def check_cost(cost: int) -> int:
    """The cost, if it is an integer of at least 1; raises InvalidArgument."""
    if type(cost) is not int or cost < 1:
        raise InvalidArgument(f"cost {cost!r} is not a whole number of at least 1")
    return cost


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise InvalidArgument(f"the name {name!r:.120} is not 1 to {MAX_NAME} characters long")
    if not name.isprintable() or any(sign in name for sign in ":{}"):
        raise InvalidArgument(f'the name {name!r} has a ":", "{{", "}}" or control character in it')


def _check_count(what: str, count: int, most: int) -> None:
    if type(count) is not int or not 1 <= count <= most:
        raise InvalidArgument(f"{what} {count!r:.40} is not a whole number between 1 and {most}")


def _check_period(period: float, *, needed: bool) -> None:
    if isinstance(period, bool) or not isinstance(period, int | float):
        raise InvalidArgument(f"period {period!r:.40} is not a number of seconds")
    least = MIN_PERIOD if needed else 0
    if not (math.isfinite(period) and least <= period <= MAX_PERIOD):
        raise InvalidArgument(
            f"period {period!r:.40} is not between {least} and {MAX_PERIOD:.0f} seconds"
        )
