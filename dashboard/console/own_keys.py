"""Does this server hold the console's own keys? A command that can reach any key must not run.

Home does; so does every other name of the same Redis, and its replicas. They are known by the
replication id that they share. When nobody can tell, they are taken to be there.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from redis.exceptions import RedisError

from dashboard.servers.models import HOME, Server
from dashboard.servers.secrets import SecretUnreadable
from redisops.errors import RedisopsError

REMEMBERED = 30.0  # seconds: a failover gives a new id

_known: dict[str, tuple[float, bool]] = {}
_lock = threading.Lock()


def are_on(server: Server) -> bool:
    """One INFO on each primary and on home's, at most once in half a minute."""
    if server.is_home:
        return True
    now = time.monotonic()
    with _lock:
        remembered = _known.get(server.digest)
    if remembered is not None and now - remembered[0] < REMEMBERED:
        return remembered[1]
    try:
        held = bool(_ids(server.client()) & _ids(Server(slug=HOME).client()))
    except (RedisError, RedisopsError, SecretUnreadable):
        return True  # nobody can tell now; asked again next time
    with _lock:
        _known[server.digest] = (now, held)
    return held


def _ids(client: Any) -> set[str]:
    """The replication ids of all primaries, the one before a failover among them."""
    found: set[str] = set()
    for primary in client.primaries():
        told = primary.info("replication")
        found |= {str(told["master_replid"]), str(told.get("master_replid2", ""))}
    return {one for one in found if one.strip("0")}  # zeros: there was no failover


def forget() -> None:
    """Ask again (for tests)."""
    with _lock:
        _known.clear()
