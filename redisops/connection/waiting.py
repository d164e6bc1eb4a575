"""A client of its own for what waits: blocking reads and subscriptions."""

from __future__ import annotations

from typing import Any

import redis
from redis import asyncio as aio
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.sentinel import SentinelConnectionPool

LONGEST = 5.0
"""Seconds that a read of such a client may take at least: above every block of this library."""
MOST = 2**16
_OF_ONE_POOL = frozenset([
    "connection_pool", "himport_registry", "maint_notifications_pool_handler",
    "orig_host_address", "orig_socket_timeout", "orig_socket_connect_timeout",
])  # fmt: skip


def waiting(client: Any) -> Any:
    """A client of the same server with connections of its own; the caller closes it.

    ``client`` is what ``connect`` or ``connect_async`` gave, or a plain ``redis.Redis`` (also
    ``redis.asyncio``, and behind redis-py's own Sentinel): a small pool of the application's is
    then not emptied by those who wait in it, and its ``socket_timeout`` does not cut them off.
    Replies are bytes, whatever ``decode_responses`` says. Where there is no pool to follow (a
    plain ``RedisCluster``), the client itself, which must not be closed. No command.
    """
    own = getattr(client, "blocking", None)
    if own is not None:
        return own()
    pool = getattr(client, "connection_pool", None)
    if pool is None:
        return client
    options = {
        name: value for name, value in pool.connection_kwargs.items() if name not in _OF_ONE_POOL
    }
    options["decode_responses"] = False
    if options.get("socket_timeout") is not None:
        options["socket_timeout"] = max(options["socket_timeout"], LONGEST)
    options |= {"connection_class": pool.connection_class, "max_connections": MOST}
    kind: Any = aio if isinstance(client, aio.Redis) else redis
    if isinstance(pool, SentinelConnectionPool | AsyncSentinelConnectionPool):
        options |= {"is_master": pool.is_master, "check_connection": pool.check_connection}
        made: Any = type(pool)(pool.service_name, pool.sentinel_manager, **options)
    else:
        made = kind.ConnectionPool(**options)
    return kind.Redis.from_pool(made)
