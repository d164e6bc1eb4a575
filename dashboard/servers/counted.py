"""The last count of a server's keys, for areas that may not know the room which counts them.

counted.tell_by(function)          # the room that counts, when it starts
seen = counted.newest(server)      # a page; None: nobody has counted yet
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from dashboard.servers.models import Server
from redisops.survey import Figures


@dataclass(frozen=True)
class Counted:
    """The figures as of ``at``; ``is_complete``: every key was counted, not a part."""

    figures: Figures
    at: datetime.datetime
    is_complete: bool


Tell = Callable[[Server], Counted | None]
_tell: Tell | None = None


def tell_by(tell: Tell) -> None:
    """Ask ``tell`` from now on; called once by the ``ready()`` of the area that counts."""
    global _tell
    _tell = tell


def newest(server: Server) -> Counted | None:
    """The newest count of the server's keys. One query at most; the server is not asked."""
    return _tell(server) if _tell is not None else None
