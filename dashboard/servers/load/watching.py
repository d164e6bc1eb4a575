"""Whether a server is stopped, for what holds a client longer than a request does.

The guard of open sockets looks every two seconds, and at once when somebody threw the switch;
readers ask what it saw, which costs nothing.
"""

from __future__ import annotations

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, InterfaceError

from dashboard.servers.load.errors import WorkStopped
from dashboard.servers.models import Server

log = structlog.get_logger(__name__)

_stopped: dict[str, WorkStopped] = {}


def refuse_stopped(server: Server) -> None:
    """Raise ``WorkStopped`` if people have stopped the server, as far as was seen."""
    error = _stopped.get(server.slug)
    if error is not None:
        raise WorkStopped(error.server, error.by, error.since, error.why)


async def look() -> None:
    """See which servers are stopped; while SQL is away, what was known goes on to be so."""
    global _stopped
    try:
        _stopped = await database_sync_to_async(_seen)()
    except (DatabaseError, InterfaceError) as error:
        log.warning("nobody can tell which servers are stopped", error=str(error))


def _seen() -> dict[str, WorkStopped]:
    rows = Server.objects.exclude(stopped_at=None)
    return {
        row.slug: WorkStopped(row.name, row.stopped_by, row.stopped_at, row.stopped_why)
        for row in rows.only("slug", "name", "stopped_by", "stopped_at", "stopped_why")
    }
