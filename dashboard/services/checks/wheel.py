"""When which check is due: spread over its interval, without drift, none beside itself."""

from __future__ import annotations

import heapq
import random
import zlib
from dataclasses import dataclass
from itertools import count
from typing import Any

from dashboard.services.checks.spec import Check

SOON = 5
"""An instance that is about to turn is checked so many times as often."""
_UP = ("passing", "warning")


@dataclass(slots=True)
class Target:
    """One instance that is checked here. Times are the loop's, in seconds."""

    service: str
    id: str
    address: str
    port: int
    zone: str
    fence: int
    state: str
    check: Check
    watch: Any = None
    phase: float = 0.0
    due: float = 0.0
    is_over: bool = False
    is_slow: bool = False
    held: int = 0
    connected_at: float = float("-inf")

    @property
    def key(self) -> str:
        return f"{self.service} {self.id}"

    def begin(self, now: float, missed: float = 0.0) -> None:
        """Its first check: at its place in the interval; soon when it waits to be routed, or when
        its place was within the last ``missed`` seconds, in which nobody checked it."""
        every = self.check.interval
        self.phase = zlib.crc32(self.key.encode()) / 2**32 * every
        span = _soon(every) if self.state == "starting" else every
        waits = (self.phase - now) % span
        if every - waits < missed:
            waits = (self.phase / every) * _soon(every)
        self.due = now + self.check.delay + waits

    def go_on(self, result: str, now: float) -> None:
        """When it is due after this result: soon while it is about to turn, else at its place."""
        every = self.check.interval
        good = result in ("pass", "warn")
        bad = result in ("fail", "refused")
        if (good and self.state in ("starting", "critical")) or (bad and self.state in _UP):
            self.due = now + _soon(every)
            return
        place = now + (self.phase - now) % every
        if place - now < every / 4:  # it was late, or checked soon: not twice in a moment
            place += every
        # Anywhere about its place, and the place itself never moves: no drift.
        self.due = place + random.uniform(-0.5, 0.5) * self.check.jitter * every  # noqa: S311


class Wheel:
    """Targets by the time at which they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Target]] = []
        self._count = count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, target: Target) -> None:
        """Have it come when it is due."""
        heapq.heappush(self._heap, (target.due, next(self._count), target))

    def due(self, now: float, most: int) -> list[Target]:
        """Those that are due, the longest waiting first; who is over is dropped."""
        found: list[Target] = []
        while self._heap and self._heap[0][0] <= now and len(found) < most:
            target = heapq.heappop(self._heap)[2]
            if not target.is_over:
                found.append(target)
        return found

    def late(self, now: float) -> float:
        """Seconds that the longest waiting one is over its time."""
        return max(0.0, now - self._heap[0][0]) if self._heap else 0.0


def _soon(every: float) -> float:
    return max(min(1.0, every), every / SOON)
