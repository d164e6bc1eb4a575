"""How fast one person may go on one server: a pasted loop is no load test.

Counted on home over a sliding window: all of the present one, and of the one before it the part
that still reaches in. While home is away nothing is counted; there is no console then, either.
"""

from __future__ import annotations

import math
import time

from django.core.cache import cache

from dashboard.accounts.models import User
from dashboard.servers.models import Server

WINDOW = 10  # seconds
MOST = 200  # commands of one person on one server in a window
clock = time.time


def most_on(server: Server) -> int:
    """Commands in a window: never more than what the server's own ceiling leaves."""
    return min(MOST, server.load_commands * WINDOW) if server.load_commands else MOST


def take(user: User, server: Server) -> int:
    """Claim one command: 0 when it may be sent now, else the seconds to wait; then it counts not.

    Two round trips to home.
    """
    now = clock()
    window, into = int(now // WINDOW), now % WINDOW / WINDOW
    name = f"console:rate:{user.pk}:{server.pk}:"
    before = cache.get(f"{name}{window - 1}", 0)
    try:
        count = cache.incr(f"{name}{window}")
    except ValueError:  # the first of this window, or home is away
        cache.add(f"{name}{window}", 1, timeout=2 * WINDOW)
        count = 1
    if count + before * (1 - into) <= most_on(server):
        return 0
    try:
        cache.decr(f"{name}{window}")
    except ValueError:
        return 0
    return max(1, math.ceil(WINDOW * (1 - into)))
