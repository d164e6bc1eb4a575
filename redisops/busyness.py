"""How much of its time a server is at work for others, by its own account.

From INFO's section ``cpu``: the seconds that the thread which runs commands has computed (before
Redis 7 the whole process). Two readings some moments apart tell what others use; a server that
is not at work does not keep a small command waiting, so a slow answer of it was slow elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Busyness", "computed"]

OLD = 3.0  # seconds after which a reading tells nothing of "just now"
SHORT = 0.05  # seconds below which two readings tell nothing


class Busyness:
    """Compares readings. ``clock`` is in seconds, as ``time.monotonic``."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[float, list[float | None], float] | None = None

    def told(self, infos: Sequence[Mapping[str, Any]], own: float = 0.0) -> float | None:
        """How busy the busiest of some nodes was for others since the call before, from 0 to 1.

        ``infos`` are their INFO, always in the same order; ``own`` is the server's time that the
        caller used in all until now, in seconds. None at first, after a long while, and when a
        server does not say.
        """
        now, cpus = self._clock(), [computed(info) for info in infos]
        last, self._last = self._last, (now, cpus, own)
        if last is None or not SHORT <= now - last[0] <= OLD or len(last[1]) != len(cpus):
            return None
        passed, ours = now - last[0], own - last[2]
        used = [
            after - before
            for before, after in zip(last[1], cpus, strict=True)
            if before is not None and after is not None and after >= before
        ]
        if not used:
            return None
        return min(1.0, max(0.0, (max(used) - ours) / passed))


def computed(info: Mapping[str, Any]) -> float | None:
    """Seconds that the server has computed since its start; None when it does not say."""
    for end in ("_main_thread", ""):
        parts = [info.get(f"used_cpu_{kind}{end}") for kind in ("user", "sys")]
        if all(isinstance(part, int | float) for part in parts):
            return float(sum(parts))  # type: ignore[arg-type]
    return None
