"""How many calls, and how many failures, in the last seconds."""

from __future__ import annotations

import time


class Window:
    """Counts over a sliding span in ten steps; bounded, and as cheap as two additions.

    The caller holds a lock.
    """

    steps = 10

    def __init__(self, seconds: float) -> None:
        self._step = seconds / self.steps
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._slots = [(-1, 0, 0)] * self.steps

    def count(self, *, failed: bool) -> None:
        """Add one call."""
        now = int(time.monotonic() / self._step)
        at = now % self.steps
        slot, calls, failures = self._slots[at]
        if slot != now:
            calls = failures = 0
        self._slots[at] = (now, calls + 1, failures + failed)

    def totals(self) -> tuple[int, int]:
        """Calls and failures within the span."""
        oldest = int(time.monotonic() / self._step) - self.steps
        young = [slot for slot in self._slots if slot[0] > oldest]
        return sum(slot[1] for slot in young), sum(slot[2] for slot in young)
