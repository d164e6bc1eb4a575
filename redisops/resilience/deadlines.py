"""A total deadline for everything inside a ``with`` block, trickled replies included."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from redisops.errors import InvalidArgument

_ends_at: ContextVar[float | None] = ContextVar("redisops_deadline", default=None)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All commands inside share ``seconds`` from now; what runs over raises DeadlineExceeded.

    It is total: connecting, waiting for a connection of the pool, retries and replies that
    trickle in all count. Inside another block the earlier end holds. It replaces the deadline
    that each command has of itself (``Timeouts.deadline``), so a longer one may be given to a
    long piece of work. A write whose reply the deadline cut off raises UnknownResult.
    """
    if seconds <= 0:
        raise InvalidArgument(f"deadline {seconds!r} has passed already: give seconds above 0")
    outer = _ends_at.get()
    mine = time.monotonic() + seconds
    token = _ends_at.set(mine if outer is None else min(mine, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


def ends_at() -> float | None:
    """The monotonic time at which the enclosing block ends; None outside of any."""
    return _ends_at.get()


def remaining() -> float | None:
    """Seconds left in the enclosing block, 0.0 when it is over; None outside of any."""
    end = _ends_at.get()
    return None if end is None else max(0.0, end - time.monotonic())
