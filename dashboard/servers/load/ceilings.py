"""How much of a server's time the console's own work may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from redisops.pace import Pace

if TYPE_CHECKING:
    from dashboard.servers.models import Server

NO_SHARE = 100.0
"""Percent of its time from which on a server has no ceiling in time."""


def pace(
    server: Server,
    limit: float | None = None,
    *,
    at_once: int = 1,
    sleep: Callable[[float], None] = time.sleep,
) -> Pace:
    """The pace of one worker on ``server``: the row's ceilings, and ``limit`` commands per second.

    ``at_once`` is how many workers share the row's ceilings. Asks nobody.
    """
    limit, share = share_of(server, limit, at_once)
    return Pace(limit, share, sleep=sleep)


def share_of(
    server: Server, limit: float | None = None, at_once: int = 1
) -> tuple[float | None, float | None]:
    """One worker's commands per second and part of the server's time; None: no ceiling."""
    workers = max(1, at_once)
    own = server.load_commands / workers if server.load_commands else None
    limits = [one for one in (limit, own) if one]
    unbounded = server.load_share >= NO_SHARE
    share = None if unbounded else max(server.load_share, 0.1) / 100 / workers
    return (min(limits) if limits else None), share
