"""How long a page of limits waits for its server, one that does not answer included."""

from __future__ import annotations

from contextlib import AbstractContextManager

from redisops.resilience import deadline

PATIENCE = 1.5
"""Seconds for all that one page asks: a first connection from far away fits, a second wait for a
server that was silent for as long as it may be does not."""


def patient() -> AbstractContextManager[None]:
    """A deadline for all commands inside; what runs over raises DeadlineExceeded."""
    return deadline(PATIENCE)
