"""Finding the primary through Sentinel, and finding it again after a failover."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.asyncio.sentinel import SentinelManagedConnection as AsyncManagedConnection
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
)

from redisops.connection.async_links import AsyncLink, AsyncPool
from redisops.connection.links import Link
from redisops.connection.pools import Pool
from redisops.connection.replicas import Address, of_sentinel


class SentinelLink(Link, SentinelManagedConnection):
    """A link to whoever is primary when it connects. READONLY passes as Redis said it."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        """As a plain connection does: the client looks for the new primary itself."""
        return Link.read_response(self, *args, **options)


class SentinelPool(Pool, SentinelConnectionPool):
    """Links to the primary; idle ones are dropped when Sentinel names another."""

    def close(self) -> None:
        """Close the links to the primary and to the Sentinels."""
        super().close()
        for sentinel in self.sentinel_manager.sentinels:
            sentinel.connection_pool.close()


class AsyncSentinelLink(AsyncLink, AsyncManagedConnection):
    """``SentinelLink`` for asyncio."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """As a plain connection does: the client looks for the new primary itself."""
        return await AsyncLink.read_response(self, *args, **options)


class AsyncSentinelPool(AsyncPool, AsyncSentinelConnectionPool):
    """``SentinelPool`` for asyncio."""

    async def aclose(self) -> None:
        """Close the links to the primary and to the Sentinels."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.connection_pool.aclose()


class Watchers(Sentinel):
    """The Sentinels of one endpoint, asked in turn; the last one that knew is asked first."""

    def __init__(self, pools: list[Pool]) -> None:
        super().__init__([])
        self.sentinels = [redis.Redis(connection_pool=pool) for pool in pools]

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """The primary's address; MasterNotFoundError names what each Sentinel said."""
        said = []
        for at, sentinel in enumerate(self.sentinels):
            try:
                masters: Any = sentinel.sentinel_masters()
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError) as error:
                said.append(f"{_address(sentinel)}: {error}")
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                self.sentinels.insert(0, self.sentinels.pop(at))
                return state["ip"], int(state["port"])
            said.append(f"{_address(sentinel)}: {_why(state)}")
        raise MasterNotFoundError(f"no primary for {service_name!r} ({'; '.join(said)})")

    def discover_replicas(self, service_name: str) -> list[Address]:
        """The replicas' addresses, without those held to be down; none when nobody knows."""
        for sentinel in self.sentinels:
            try:
                return of_sentinel(sentinel.execute_command("SENTINEL", "REPLICAS", service_name))
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                continue  # the next one is asked; that none answers is the primary's trouble, too
        return []


class AsyncWatchers(AsyncSentinel):
    """``Watchers`` for asyncio."""

    def __init__(self, pools: list[AsyncPool]) -> None:
        super().__init__([])
        self.sentinels = [redis.asyncio.Redis(connection_pool=pool) for pool in pools]

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """The primary's address; MasterNotFoundError names what each Sentinel said."""
        said = []
        for at, sentinel in enumerate(self.sentinels):
            try:
                masters: Any = await sentinel.sentinel_masters()
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError) as error:
                said.append(f"{_address(sentinel)}: {error}")
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                self.sentinels.insert(0, self.sentinels.pop(at))
                return state["ip"], int(state["port"])
            said.append(f"{_address(sentinel)}: {_why(state)}")
        raise MasterNotFoundError(f"no primary for {service_name!r} ({'; '.join(said)})")

    async def discover_replicas(self, service_name: str) -> list[Address]:
        """The replicas' addresses, without those held to be down; none when nobody knows."""
        for sentinel in self.sentinels:
            try:
                rows = await sentinel.execute_command("SENTINEL", "REPLICAS", service_name)
                return of_sentinel(rows)
            except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
                continue  # the next one is asked; that none answers is the primary's trouble, too
        return []


def _address(client: Any) -> str:
    options = client.connection_pool.connection_kwargs
    return f"{options['host']}:{options['port']}"


def _why(state: Any) -> str:
    return "it is held to be down" if state else "no such service"
