"""One command or pipeline on its way: how long it may take, and whether it left this process."""

from __future__ import annotations

import time
from contextvars import ContextVar

from redisops.errors import DeadlineExceeded
from redisops.resilience import deadlines


class Call:
    """Set while a command or pipeline runs; connections read and mark it."""

    __slots__ = ("cost_trips", "ends_at", "name", "sent")

    def __init__(self, name: str, ends_at: float | None) -> None:
        self.name = name
        self.ends_at = ends_at
        self.sent = False
        self.cost_trips = 0


current: ContextVar[Call | None] = ContextVar("redisops_call", default=None)


def time_left() -> float | None:
    """Seconds the running call still has; None without a limit. Raises DeadlineExceeded at 0."""
    call = current.get()
    end = call.ends_at if call is not None else deadlines.ends_at()
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("the time for this batch of commands is over")
    return left


def at_most(seconds: float | None) -> float | None:
    """``seconds`` or the time that is left, whichever is shorter; None is without a limit."""
    left = time_left()
    if left is None or seconds is None:
        return seconds if left is None else left
    return min(seconds, left)


def mark_sent(name: object = None) -> None:
    """Note that bytes of the running call are about to leave (``name`` None: of a pipeline).

    Commands that the client sends on its own behalf meanwhile (CLUSTER SLOTS after a node
    was lost, ASKING) carry another name and do not count as sent.
    """
    call = current.get()
    if call is not None:
        call.cost_trips += 1
        if name is None or name == call.name:
            call.sent = True
