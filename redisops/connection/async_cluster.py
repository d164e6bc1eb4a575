"""The asyncio client for Redis Cluster: lazy, guarded as a whole and per node."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# ruff: noqa: FBT001, FBT002
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import redis
import redis.asyncio
from redis._parsers import AsyncCommandsParser
from redis.asyncio.cluster import ClusterNode, ClusterPipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from redisops.connection.async_client import RUNNER, AsyncClient, in_time
from redisops.connection.async_links import AsyncLink
from redisops.connection.cluster import settle
from redisops.connection.features import Features
from redisops.connection.guard import Guard, of_one_node
from redisops.connection.nodes import NodeBreakers
from redisops.connection.replicas import Neighbours, Replica, of_cluster
from redisops.resilience.breaker import CircuitBreaker


class _CommandTable(AsyncCommandsParser):
    """Where commands have their keys, asked of any primary that answers.

    redis-py asks the first one only, and so cannot use a cluster whose first node is dead.
    """

    def __init__(self, primaries: Callable[[], list[Any]]) -> None:
        super().__init__()
        self._primaries = primaries

    async def initialize(self, node: Any = None) -> None:
        """Read the table, unless it is known and nobody answers."""
        problem: Exception | None = None
        for candidate in [node, *(other for other in self._primaries() if other is not node)]:
            try:
                await super().initialize(candidate)
                return
            except (redis.ConnectionError, redis.TimeoutError) as error:
                problem = error
        if problem is not None and not self.commands:
            raise problem


class AsyncClusterClient(redis.asyncio.RedisCluster):
    """``ClusterClient`` for asyncio. Made by ``connect_async``; belongs to one event loop."""

    topology = "cluster"

    def __init__(
        self,
        hosts: tuple[tuple[str, int], ...],
        options: dict[str, Any],
        guard: Guard,
        waiting: Callable[[], Any],
        node_client: Callable[[str, int, Guard], AsyncClient],
        neighbours: Neighbours,
    ) -> None:
        link: type[AsyncLink] = options.pop("connection_class")
        super().__init__(
            startup_nodes=[ClusterNode(*host) for host in hosts],
            retry=Retry(NoBackoff(), 0),
            require_full_coverage=False,
            **options,
        )
        # redis-py offers no argument for the class of its nodes' connections.
        self.connection_kwargs["connection_class"] = link
        for node in self.nodes_manager.startup_nodes.values():
            node.connection_class = link
        self.commands_parser = _CommandTable(self.get_primaries)
        self._waiting = waiting
        self._make_node_client = node_client
        self.guard = guard
        self.node_breakers = NodeBreakers(guard.breaker)
        self._node_clients: dict[str, AsyncClient] = {}
        self.neighbours = neighbours

    @property
    def breaker(self) -> CircuitBreaker:
        """The breaker of the cluster as a whole."""
        return self.guard.breaker

    async def features(self) -> Features:
        """What the cluster's servers can do, asked of one primary. One round trip, once."""
        if self.guard.features is None:
            self.guard.features = await (await self.primaries())[0].features()
            self.guard.reading = self.guard.features.reading
        known: Features = self.guard.features
        return known

    async def primaries(self) -> list[AsyncClient]:
        """One client per primary, in a stable order; each has its node's breaker."""
        return list((await self._named_primaries()).values())

    async def replicas(self, of: str = "") -> list[Replica]:
        """The replicas of all primaries, or of the one named ``of``, as ``ClusterClient`` does."""
        return await RUNNER.run(of_cluster(await self._named_primaries(), of, self.neighbours))

    async def _named_primaries(self) -> dict[str, AsyncClient]:
        if self._initialize:
            await RUNNER.run(
                self.guard.steps(
                    lambda: in_time(self.initialize),
                    RUNNER,
                    "CLUSTER SLOTS",
                    1,
                    again=True,
                    wait=None,
                )
            )
        nodes = sorted(self.get_primaries(), key=lambda node: str(node.name))
        return {str(node.name): self._node_client(node) for node in nodes}

    def _node_client(self, node: ClusterNode) -> AsyncClient:
        known = self._node_clients.get(node.name)
        if known is None:
            guard = Guard(self.guard.timeouts, self.node_breakers.of(node.name))
            known = self._make_node_client(node.host, int(node.port), guard)
            self._node_clients[node.name] = known
        return known

    def blocking(self) -> Any:
        """A client with its own pools for blocking reads; the caller closes it."""
        return self._waiting()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command, guarded."""

        def attempt() -> Awaitable[Any]:
            return in_time(
                partial(super(AsyncClusterClient, self).execute_command, *args, **options)
            )

        return await RUNNER.run(self.guard.command(args, RUNNER, attempt))

    async def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        breaker = self.node_breakers.of(target_node.name)
        with of_one_node(), breaker.guard():
            return await super()._execute_command(target_node, *args, **options)

    def pipeline(
        self, transaction: Any = None, shard_hint: Any = None
    ) -> GuardedAsyncClusterPipeline:
        """A pipeline, guarded as a whole; one write per node, and nothing is sent twice."""
        return GuardedAsyncClusterPipeline(self, transaction=bool(transaction))

    async def aclose(self) -> None:
        """Close all connections, those of ``primaries()`` too."""
        await super().aclose()
        # redis-py closes nothing while it waits to look at the cluster anew.
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")
        clients, self._node_clients = self._node_clients, {}
        await asyncio.gather(*(client.aclose() for client in clients.values()))
        for replica in self.neighbours.empty():
            await replica.aclose()


class GuardedAsyncClusterPipeline(ClusterPipeline):
    """redis-py's cluster pipeline behind the client's guard."""

    _event_dispatcher: Any = None  # redis-py declares it and never uses it here

    def __init__(self, client: AsyncClusterClient, *, transaction: bool) -> None:
        super().__init__(client, transaction)
        self.guard = client.guard

    async def execute(
        self,
        raise_on_error: bool = True,
        allow_redirections: bool = True,
    ) -> list[Any]:
        """Send all commands, one write per node, and return their replies in order."""
        strategy: Any = self._execution_strategy
        queue = list(strategy._command_queue)
        atomic = bool(self._transaction)
        if not queue and not atomic:
            return []
        options = [dict(command.kwargs) for command in queue]

        async def exchange() -> Any:
            if atomic:
                return await strategy.execute(raise_on_error, allow_redirections)
            for command, given in zip(queue, options, strict=True):
                command.kwargs = dict(given)  # redis-py takes target_nodes out of it
            client = self.cluster_client
            if client._initialize:
                await client.initialize()
            with of_one_node():
                await strategy._execute(
                    client, queue, raise_on_error=False, allow_redirections=allow_redirections
                )
                return settle(queue, raise_on_error=raise_on_error)

        try:
            replies: list[Any] = await RUNNER.run(
                self.guard.pipeline(
                    [command.args for command in queue],
                    RUNNER,
                    lambda: in_time(exchange),
                    transaction=atomic,
                    again=not atomic,
                )
            )
            return replies
        finally:
            await self.reset()
