"""Waiting between tries: exponential, with full jitter, and a budget that ends a storm."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """A random wait between 0 and ``base * factor**(failures - 1)``, at most ``cap``.

    Seconds. Full jitter spreads clients that failed together over the whole span, so that
    they do not come back together.
    """

    base: float = 0.05
    cap: float = 1.0
    factor: float = 2.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after ``failures`` (1 or more) failed tries."""
        exponent = min(max(failures, 1) - 1, 32)
        return random.uniform(0.0, min(self.cap, self.base * self.factor**exponent))  # noqa: S311


class RetryBudget:
    """Retries may be at most a share of the calls, so that retrying cannot double a server's load.

    Each call pays in ``share`` of a token, each retry takes one; ``reserve`` tokens are there
    at the start and are the most that is ever kept. Thread-safe, no input or output.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        self.share = share
        self.reserve = reserve
        self._tokens = reserve
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Count one call."""
        if self._tokens < self.reserve:
            with self._lock:
                self._tokens = min(self.reserve, self._tokens + self.share)

    def spend(self) -> bool:
        """Take the token of one retry; False when there is none, and no retry may be made."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True
