"""Leave an instance alone for a while when calls to it fail: what this process saw by itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from redisops.services.strategies import Load


@dataclass(frozen=True)
class Ejection:
    """When an instance gets no calls of this process for a while.

    After ``consecutive`` failures, or when of at least ``least`` calls within ``window`` seconds
    less than ``rate`` succeed. For ``base`` seconds, twice that the second time and so on up to
    ``longest``; a time of ``longest`` without trouble forgets. Never more than ``share`` of all
    that could be called, rounded down, so that one alone is never ejected.
    """

    consecutive: int = 5
    rate: float = 0.5
    least: int = 20
    window: float = 10.0
    base: float = 30.0
    longest: float = 300.0
    share: float = 0.5


class Record(Load):
    """What this process saw of one instance."""

    __slots__ = (
        "bad", "calls", "ejected_at", "failed", "failures", "fence", "times", "total", "until",
        "window_at",
    )  # fmt: skip

    def __init__(self, fence: int) -> None:
        super().__init__()
        self.fence = fence
        self.total = self.failed = 0  # of all calls that ended: what is told of it
        self.bad = 0  # in a row
        self.calls = self.failures = 0
        self.window_at = time.monotonic()
        self.times = 0
        self.ejected_at = float("-inf")
        self.until = 0.0

    def told(self, *, ok: bool, terms: Ejection, now: float) -> bool:
        """Count one call; whether it should be ejected."""
        if now - self.window_at > terms.window:
            self.window_at, self.calls, self.failures = now, 0, 0
        self.calls += 1
        if ok:
            self.bad = 0
            return False
        self.bad += 1
        self.failures += 1
        return self.bad >= terms.consecutive or (
            self.calls >= terms.least and 1 - self.failures / self.calls < terms.rate
        )

    def eject(self, terms: Ejection, now: float) -> None:
        """Leave it alone, longer each time."""
        if now - self.ejected_at > terms.longest + terms.base * self.times:
            self.times = 0
        self.times += 1
        self.ejected_at = now
        self.until = now + min(terms.base * self.times, terms.longest)
        self.bad = self.calls = self.failures = 0
