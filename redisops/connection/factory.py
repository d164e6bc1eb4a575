"""``connect`` and ``connect_async``: the only place where a Redis client is made."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from redisops.connection.async_client import AsyncClient
from redisops.connection.async_cluster import AsyncClusterClient
from redisops.connection.async_links import AsyncLink, AsyncPool
from redisops.connection.client import Client
from redisops.connection.cluster import ClusterClient
from redisops.connection.guard import Guard
from redisops.connection.links import Link
from redisops.connection.options import Permit, Timeouts
from redisops.connection.pools import Pool
from redisops.connection.replicas import Neighbours
from redisops.connection.sentinel import (
    AsyncSentinelLink,
    AsyncSentinelPool,
    AsyncWatchers,
    SentinelLink,
    SentinelPool,
    Watchers,
)
from redisops.connection.tls import TLS
from redisops.connection.urls import Endpoint, parse_url, redacted
from redisops.errors import InvalidArgument
from redisops.resilience.breaker import CircuitBreaker


def connect(
    url: str,
    *,
    name: str = "redisops",
    username: str | None = None,
    password: str | None = None,
    tls: TLS | None = None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    max_connections: int = 8,
    breaker: CircuitBreaker | None = None,
    touch: bool = True,
    permit: Permit | None = None,
) -> Client:
    """A blocking client for any URL of ``parse_url``; sends nothing yet.

    For a cluster it is a ClusterClient, which has the same methods.

    ``username`` and ``password`` take the place of the URL's. ``name`` is shown by CLIENT
    LIST. ``max_connections`` bounds the pool (on a cluster, per node). ``breaker`` is shared
    by all clients of one server; without it the client has its own. ``touch=False`` keeps
    our reads from counting as use of the keys (LRU, LFU, OBJECT IDLETIME) where the server
    can do that. ``permit`` is asked about each IP address before it is connected to, a
    cluster's and Sentinel's discovered ones included, and raises to forbid it. Raises
    InvalidArgument for a bad URL or unusable TLS material.
    """
    return _plan(
        url, name, username, password, tls, timeouts, max_connections, breaker, touch, permit
    ).client()


def connect_async(
    url: str,
    *,
    name: str = "redisops",
    username: str | None = None,
    password: str | None = None,
    tls: TLS | None = None,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    max_connections: int = 8,
    breaker: CircuitBreaker | None = None,
    touch: bool = True,
    permit: Permit | None = None,
) -> AsyncClient:
    """``connect`` for asyncio: the client belongs to the event loop that first uses it."""
    return _plan(
        url, name, username, password, tls, timeouts, max_connections, breaker, touch, permit
    ).async_client()


def _plan(
    url: str,
    name: str,
    username: str | None,
    password: str | None,
    tls: TLS | None,
    timeouts: Timeouts,
    max_connections: int,
    breaker: CircuitBreaker | None,
    touch: bool,  # noqa: FBT001 - only passed on
    permit: Permit | None,
) -> Plan:
    endpoint = parse_url(url)
    if username is not None or password is not None:
        endpoint = dataclasses.replace(endpoint, username=username, password=password)
    if endpoint.encrypted:
        tls = tls or TLS()
        tls.context()  # unusable material is the caller's mistake: say so now
    elif tls is not None:
        raise InvalidArgument(f"{redacted(url)!r} is not encrypted: use rediss:// with tls")
    return Plan(
        endpoint,
        name.replace(" ", "-"),
        tls,
        timeouts,
        max_connections,
        breaker or CircuitBreaker(endpoint.address),
        touch,
        permit,
    )


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that is needed to make clients of one endpoint."""

    endpoint: Endpoint
    name: str
    tls: TLS | None
    timeouts: Timeouts
    max_connections: int
    breaker: CircuitBreaker
    touch: bool
    permit: Permit | None = None
    waits: bool = False

    def client(self) -> Client:
        """The blocking client."""
        guard, again = self._guard(), self._waiting().client
        if self.endpoint.topology == "cluster":
            options = {**self._link_options(), "connection_class": self._link(Link)}
            near = Neighbours(self._replica)
            return cast(Client, ClusterClient(self.endpoint.hosts, options, guard, again, near))
        if self.endpoint.topology == "sentinel":
            sentinels = [Pool(**self._to_sentinel(Link, *host)) for host in self.endpoint.hosts]
            pool: Pool = SentinelPool(  # type: ignore[no-untyped-call]
                service_name=self.endpoint.service,
                sentinel_manager=Watchers(sentinels),
                connection_class=self._link(SentinelLink),
                **self._link_options(),
                **self._pool_options(),
            )
        else:
            pool = Pool(**self._to_server(Link), **self._pool_options())
        client = Client(pool, guard, self.endpoint.topology, again)
        client.neighbours = Neighbours(self._replica)
        return client

    def async_client(self) -> AsyncClient:
        """The client for asyncio."""
        guard, again = self._guard(), self._waiting().async_client
        if self.endpoint.topology == "cluster":
            options = {**self._link_options(), "connection_class": self._link(AsyncLink)}
            cluster = AsyncClusterClient(
                self.endpoint.hosts, options, guard, again, self._async_node,
                Neighbours(self._async_replica),
            )  # fmt: skip
            return cast(AsyncClient, cluster)
        if self.endpoint.topology == "sentinel":
            sentinels = [
                AsyncPool(**self._to_sentinel(AsyncLink, *host, AsyncRetry))
                for host in self.endpoint.hosts
            ]
            pool: AsyncPool = AsyncSentinelPool(
                service_name=self.endpoint.service,
                sentinel_manager=AsyncWatchers(sentinels),
                connection_class=self._link(AsyncSentinelLink),
                **self._link_options(),
                **self._pool_options(AsyncRetry),
            )
        else:
            pool = AsyncPool(**self._to_server(AsyncLink), **self._pool_options(AsyncRetry))
        client = AsyncClient(pool, guard, self.endpoint.topology, again)
        client.neighbours = Neighbours(self._async_replica)
        return client

    def _async_node(self, host: str, port: int, guard: Guard) -> AsyncClient:
        pool = AsyncPool(
            connection_class=self._link(AsyncLink),
            host=host,
            port=port,
            **self._link_options(),
            **self._pool_options(AsyncRetry),
        )
        return AsyncClient(pool, guard, "cluster")

    def _replica(self, host: str, port: int) -> Client:
        """A client of one replica, with a breaker of its own: its trouble is not the primary's."""
        pool = Pool(**self._to_replica(Link, host, port), **self._pool_options())
        return Client(pool, self._guard_of_replica(host, port))

    def _async_replica(self, host: str, port: int) -> AsyncClient:
        options = self._to_replica(AsyncLink, host, port)
        pool = AsyncPool(**options, **self._pool_options(AsyncRetry))
        return AsyncClient(pool, self._guard_of_replica(host, port))

    def _to_replica(self, kind: Any, host: str, port: int) -> dict[str, Any]:
        in_cluster = self.endpoint.topology == "cluster"
        link = kind.like(
            tls=self.tls, path=None, touch=self.touch, permit=self.permit, replica=in_cluster
        )
        options = {**self._link_options(), "connection_class": link, "max_connections": 2}
        return {**options, "host": host, "port": port}

    def _guard_of_replica(self, host: str, port: int) -> Guard:
        return Guard(self.timeouts, CircuitBreaker(f"{host}:{port}"))

    def _waiting(self) -> Plan:
        return dataclasses.replace(self, waits=True)

    def _guard(self) -> Guard:
        sentinel = self.endpoint.topology == "sentinel"
        return Guard(self.timeouts, self.breaker, waits=self.waits, reresolves=sentinel)

    def _link(self, kind: Any) -> Any:
        return kind.like(
            tls=self.tls, path=self.endpoint.path, touch=self.touch, permit=self.permit
        )

    def _link_options(self) -> dict[str, Any]:
        """What redis-py hands to each connection, whatever the topology."""
        return {
            "username": self.endpoint.username,
            "password": self.endpoint.password,
            "client_name": self.name,
            "protocol": 2,
            "driver_info": None,
            "socket_timeout": None if self.waits else self.timeouts.read,
            "socket_connect_timeout": self.timeouts.connect,
            "max_connections": self.max_connections,
        }

    def _pool_options(self, retry: Any = Retry) -> dict[str, Any]:
        return {"db": self.endpoint.db, "retry": retry(NoBackoff(), 0)}

    def _to_server(self, kind: Any) -> dict[str, Any]:
        host, port = self.endpoint.hosts[0] if self.endpoint.hosts else ("", 0)
        return {
            **self._link_options(),
            "connection_class": self._link(kind),
            "host": host,
            "port": port,
        }

    def _to_sentinel(self, kind: Any, host: str, port: int, retry: Any = Retry) -> dict[str, Any]:
        """A Sentinel is asked while a command waits, so it gets half the time."""
        return {
            **self._link_options(),
            "connection_class": kind.like(tls=self.tls, path=None, touch=True, permit=self.permit),
            "host": host,
            "port": port,
            "username": self.endpoint.sentinel_username,
            "password": self.endpoint.sentinel_password,
            "socket_timeout": self.timeouts.read / 2,
            "socket_connect_timeout": self.timeouts.connect / 2,
            "max_connections": 2,
            "retry": retry(NoBackoff(), 0),
        }
