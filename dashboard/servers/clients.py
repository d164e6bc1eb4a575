"""One client per server and process, made again when the server's configuration changes.

The row's digest is the key: a process that fetches a row changed elsewhere sees another digest
and connects anew, so nothing has to be announced. Both clients of a server share one breaker,
whose probe is leased so that of all processes one at a time asks a troubled server.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import os
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from redis.exceptions import RedisError

from dashboard.servers.addresses import check_address
from dashboard.servers.load.errors import WorkStopped
from dashboard.servers.secrets import SecretUnreadable
from redisops.connection import TLS, AsyncClient, Client, Timeouts, connect, connect_async
from redisops.errors import RedisopsError
from redisops.fast import Fast
from redisops.resilience import BreakerState, CircuitBreaker, FileLease, Lease, RedisLease

if TYPE_CHECKING:
    from dashboard.servers.models import Server

NAME = "redisops-console"
# A server that nobody asked for so long may be gone: its connections are closed.
UNUSED_SECONDS = 600.0
MOST_DATABASES = 16  # of one server, beside its own


@dataclass
class Link:
    """What this process keeps to reach one server in one configuration."""

    digest: str
    breaker: CircuitBreaker
    used: float
    client: Client | None = None
    databases: dict[int, Client] = field(default_factory=dict)
    loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = field(
        default_factory=weakref.WeakKeyDictionary
    )


_links: dict[str, Link] = {}
_lock = threading.RLock()


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def blocking(server: Server) -> Client:
    """The process's blocking client of ``server``; raises ``SecretUnreadable``, ``WorkStopped``."""
    refuse_stopped(server)
    with _lock:
        link = _link(server)
        if link.client is None:
            link.client = connect(**options(server), breaker=link.breaker)
        return link.client


def in_database(server: Server, db: int) -> Client:
    """The process's blocking client of another database of ``server``, with the same breaker.

    Not for home, whose address is no row's, nor for a cluster, which has one database only.
    Raises ValueError for these, and as ``blocking`` does.
    """
    if server.is_home or server.kind == server.Kind.CLUSTER:
        raise ValueError(f"{server} has no other database here")
    refuse_stopped(server)
    with _lock:
        link = _link(server)
        if db not in link.databases:
            if len(link.databases) >= MOST_DATABASES:
                oldest = link.databases.pop(next(iter(link.databases)))
                oldest.connection_pool.disconnect(inuse_connections=False)
            row = copy.copy(server)
            row.db = db
            link.databases[db] = connect(**options(row), breaker=link.breaker)
        return link.databases[db]


def awaiting(server: Server) -> AsyncClient:
    """The running loop's client of ``server``; raises ``SecretUnreadable``, ``WorkStopped``."""
    refuse_stopped(server)
    loop = asyncio.get_running_loop()
    with _lock:
        link = _link(server)
        client = link.loops.get(loop)
        if client is None:
            client = connect_async(**options(server), breaker=link.breaker)
            link.loops[loop] = client
        return client


def breaker(server: Server) -> CircuitBreaker:
    """What this process knows about whether ``server`` answers; connects nowhere."""
    with _lock:
        return _link(server).breaker


def refuse_stopped(server: Server) -> None:
    """Raises ``WorkStopped`` when the row says that nothing of the console may work there.

    The row is as fresh as its reader fetched it: a page's is of this request.
    """
    if server.stopped_at is not None:
        raise WorkStopped(server.name, server.stopped_by, server.stopped_at, server.stopped_why)


def is_troubled(slug: str) -> bool:
    """Whether this process has a breaker for that server that is not closed; asks nobody."""
    link = _links.get(slug)
    return link is not None and link.breaker.state is not BreakerState.CLOSED


def once(server: Server, seconds: float) -> Client:
    """A client of its own past the breaker, for one short question; the caller closes it."""
    refuse_stopped(server)
    timeouts = Timeouts(connect=seconds, read=seconds, deadline=seconds)
    return connect(**options(server), timeouts=timeouts, max_connections=1)


def loading(server: Server) -> dict[str, Any] | None:
    """How far a loading server is, asked in at most a second; None when it does not say."""
    try:
        client = once(server, 1.0)
        try:
            told = client.info("persistence")
        finally:
            client.close()
    except (RedisError, RedisopsError, SecretUnreadable):
        return None  # it is only asked for the progress bar: without an answer there is none
    if not told.get("loading"):
        return None
    total, loaded = told.get("loading_total_bytes") or 0, told.get("loading_loaded_bytes") or 0
    share = min(loaded / total, 1.0) if total else None
    return {
        "share": share,
        "percent": round(share * 100) if share is not None else None,
        "loaded": loaded,
        "total": total,
        "left": told.get("loading_eta_seconds"),
    }


def options(server: Server) -> dict[str, Any]:
    """The arguments of ``connect`` for a row, secrets included."""
    url = server.url
    if server.sentinel_username or server.has_secret("sentinel_password"):
        login = {
            "sentinel_username": server.sentinel_username,
            "sentinel_password": server.secret("sentinel_password") or "",
        }
        url = f"{url}?{urlencode({name: value for name, value in login.items() if value})}"
    return {
        "url": url,
        "name": NAME,
        "username": server.username or None,
        "password": server.secret("password"),
        "tls": _tls(server),
        # Looking at a key must not make it look used: eviction and idle times stay true.
        "touch": False,
        # Checked again at each connection: a name may lead elsewhere by then.
        "permit": None if server.is_home else check_address,
    }


def _tls(server: Server) -> TLS | None:
    if not server.tls:
        return None
    return TLS(
        ca=server.tls_ca or None,
        certificate=server.tls_certificate or None,
        key=server.secret("tls_key"),
        verify=server.tls_verify,
        server_name=server.tls_server_name or None,
    )


def _link(server: Server) -> Link:
    """The link for the row's present configuration; that of an older one is let go."""
    now = time.monotonic()
    link = _links.get(server.slug)
    if link is None or link.digest != server.digest:
        if link is not None:
            _let_go(link)
        guard = CircuitBreaker(server.name, lease=_lease(server))
        link = _links[server.slug] = Link(server.digest, guard, now)
    link.used = now
    _forget_unused(now)
    return link


def _forget_unused(now: float) -> None:
    """Removed servers are announced to nobody, so every process drops what it does not use."""
    unused = [slug for slug, link in _links.items() if now - link.used > UNUSED_SECONDS]
    for slug in unused:
        _let_go(_links.pop(slug))


def _lease(server: Server) -> Lease:
    """Who probes a troubled server is agreed on home; who probes home, on this machine's disk."""
    if server.is_home:
        return FileLease(settings.DATA_DIR / "probe-home.lease")
    from dashboard.servers.models import HOME
    from dashboard.servers.models import Server as Row

    return RedisLease(blocking(Row(slug=HOME)), f"{settings.HOME_PREFIX}probe:{server.slug}")


def _let_go(link: Link) -> None:
    """Close what is idle now; calls under way finish on the connections they have.

    Those go with the pool, which nobody has any more once the last of these calls is back.
    """
    if link.client is not None:
        if link.client.topology == "cluster":
            link.client.close()
        else:
            Fast.rest(link.client)
            link.client.connection_pool.disconnect(inuse_connections=False)
    for other in link.databases.values():
        Fast.rest(other)
        other.connection_pool.disconnect(inuse_connections=False)
    for loop, client in list(link.loops.items()):
        if not loop.is_running():
            continue
        is_cluster = client.topology == "cluster"
        closing = (
            client.aclose()
            if is_cluster
            else client.connection_pool.disconnect(inuse_connections=False)
        )
        asyncio.run_coroutine_threadsafe(closing, loop)


async def part(server: Server) -> None:
    """Close what the running loop has of ``server``: it has no more business there.

    For readers that outlive a request, when work was stopped. Calls under way are cut off.
    """
    with _lock:
        link = _links.get(server.slug)
        client = link.loops.pop(asyncio.get_running_loop(), None) if link is not None else None
    if client is not None:
        await client.aclose()


def forget_all() -> None:
    """Let every client of this process go; the next use connects anew."""
    with _lock:
        links = list(_links.values())
        _links.clear()
    for link in links:
        _let_go(link)


def _after_fork() -> None:
    """A child shares no socket, lock or breaker state with its parent."""
    global _lock
    _lock = threading.RLock()
    _links.clear()


os.register_at_fork(after_in_child=_after_fork)
