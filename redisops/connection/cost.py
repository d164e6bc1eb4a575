"""What a piece of work costs the server: commands, round trips, seconds."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar


class Cost:
    """Counts that grow while a ``measure()`` block runs. Thread-safe.

    ``commands`` that were sent (MULTI and EXEC included, repeats too), ``round_trips`` (a
    pipeline is one; on a cluster one per node it touches) and ``seconds`` spent waiting for
    them. Connecting is not counted, nor is a call that an open breaker refused.
    """

    def __init__(self, outer: Cost | None = None) -> None:
        self.commands = 0
        self.round_trips = 0
        self.seconds = 0.0
        self._outer = outer
        self._lock = threading.Lock()

    def add(self, commands: int, round_trips: int, seconds: float) -> None:
        """Count one exchange, here and in every block around this one."""
        with self._lock:
            self.commands += commands
            self.round_trips += round_trips
            self.seconds += seconds
        if self._outer is not None:
            self._outer.add(commands, round_trips, seconds)

    def __repr__(self) -> str:
        return (
            f"Cost({self.commands} commands, {self.round_trips} round trips, {self.seconds:.4f} s)"
        )


cost_here: ContextVar[Cost | None] = ContextVar("redisops_cost", default=None)


@contextlib.contextmanager
def measure() -> Iterator[Cost]:
    """Count what every client of ours does inside the block; blocks nest and add up outwards.

    The block follows its task and the threads that are started with its context
    (``asyncio.to_thread``, ``sync_to_async``).
    """
    cost = Cost(cost_here.get())
    token = cost_here.set(cost)
    try:
        yield cost
    finally:
        cost_here.reset(token)
