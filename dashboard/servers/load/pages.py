"""A brake for pages: who reads a server faster than ``PAGE_COMMANDS`` a second waits a moment.

A page is asked for by a person, so it is never refused for this: each waits ``MOST_SECONDS`` at
most, within the time that it may take in all, and says so in its foot. What it costs is known
afterwards; it is a debt that the next ones wait for. Kept in this process, where all pages are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep

from django.conf import settings
from django.http import HttpRequest

BURST_SECONDS = 2.0  # of commands that may come at once
MOST_SECONDS = 1.0
FORGIVEN_SECONDS = 10.0  # a flood is forgotten so long after its end
MOST_SERVERS = 1_000


class Brake:
    """How much pages have asked of each server lately. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._debts: dict[str, tuple[float, float]] = {}  # commands, when
        self._lock = threading.Lock()

    def due(self, slug: str, rate: float) -> float:
        """Seconds that a page waits before it asks this server, at ``rate`` commands a second."""
        with self._lock:
            over = self._debt(slug, rate) - rate * BURST_SECONDS
        return min(max(over / rate, 0.0), MOST_SECONDS)

    def charge(self, slug: str, commands: int, rate: float) -> None:
        """A page sent so many."""
        with self._lock:
            if len(self._debts) > MOST_SERVERS:
                self._debts.clear()
            most = rate * (BURST_SECONDS + FORGIVEN_SECONDS)
            self._debts[slug] = min(self._debt(slug, rate) + commands, most), self._clock()

    def _debt(self, slug: str, rate: float) -> float:
        commands, at = self._debts.get(slug, (0.0, 0.0))
        return max(commands - (self._clock() - at) * rate, 0.0)


BRAKE = Brake()


def wait(request: HttpRequest, slug: str) -> None:
    """Wait if it is due; ``request.slowed`` says how long. Changes never wait."""
    rate = settings.PAGE_COMMANDS
    seconds = BRAKE.due(slug, rate) if rate > 0 and request.method in ("GET", "HEAD") else 0.0
    request.slowed = seconds  # type: ignore[attr-defined]
    if seconds > 0:
        sleep(seconds)


def charge(slug: str, commands: int) -> None:
    """Count what the page sent, in the end."""
    if settings.PAGE_COMMANDS > 0 and commands:
        BRAKE.charge(slug, commands, settings.PAGE_COMMANDS)
