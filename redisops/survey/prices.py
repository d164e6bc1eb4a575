"""What calls cost the server, of what they took here."""

from __future__ import annotations

import time
from collections import deque


class Price:
    """What one key to scan, or one command, costs the server, in seconds.

    What is measured holds the server's work and whatever else kept the reply: a busy machine on
    either side, another client's command. That only adds, so the least of the last calls is the
    nearest to the truth, and never less than ``least``, which any server needs. That a server is
    slow for others is another matter: the pace looks at whole round trips for that.
    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._recent: deque[float] = deque(maxlen=32)

    def of(self, seconds: float, units: int) -> float:
        """The price of ``units``, of which these took ``seconds``."""
        self._recent.append(seconds / max(units, 1))
        return max(self._least, min(self._recent)) * units


class Clock:
    """Wall time, and what of it this thread spent computing."""

    def __init__(self) -> None:
        self._wall, self._own = time.monotonic(), time.thread_time()

    def read(self) -> tuple[float, float]:
        """Seconds by both since it was made."""
        return time.monotonic() - self._wall, time.thread_time() - self._own
