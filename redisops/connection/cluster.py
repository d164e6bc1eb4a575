"""The blocking client for Redis Cluster: lazy, guarded as a whole and per node."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# ruff: noqa: FBT001, FBT002
# mypy: allow-untyped-calls

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, ClusterPipeline
from redis.exceptions import AskError, ResponseError, TryAgainError
from redis.retry import Retry

from redisops.connection.client import RUNNER, Client
from redisops.connection.features import Features
from redisops.connection.guard import Guard, of_one_node
from redisops.connection.nodes import NodeBreakers
from redisops.connection.pools import Pool
from redisops.connection.replicas import Neighbours, Replica, of_cluster
from redisops.resilience.breaker import CircuitBreaker
from redisops.resilience.causes import is_lost

REDIRECTS = (AskError, TryAgainError)  # MovedError is an AskError


class ClusterClient(redis.RedisCluster):
    """A ``redis.RedisCluster`` that keeps ``Client``'s promises. Made by ``connect``; thread-safe.

    Nothing is sent before the first command. One node that does not answer has a breaker of
    its own and leaves the others usable; ``breaker`` opens when no node can be reached.
    """

    topology = "cluster"

    def __init__(
        self,
        hosts: tuple[tuple[str, int], ...],
        options: dict[str, Any],
        guard: Guard,
        waiting: Callable[[], Any],
        neighbours: Neighbours,
    ) -> None:
        self._ready = False
        self._opening: int | None = None
        self._open_lock = threading.RLock()
        self._hosts = hosts
        self._options = options
        self._waiting = waiting
        self.guard = guard
        self.node_breakers = NodeBreakers(guard.breaker)
        self._node_clients: dict[str, Client] = {}
        self.neighbours = neighbours

    def __getattr__(self, name: str) -> Any:
        """What redis-py sets up when it knows the cluster: look at the cluster first."""
        if name.startswith("__") or self._ready or self._opening == threading.get_ident():
            raise AttributeError(name)
        RUNNER.run(self.guard.steps(self._open, RUNNER, "CLUSTER SLOTS", 1, again=True, wait=None))
        return getattr(self, name)

    def _open(self) -> None:
        if self._ready:
            return
        with self._open_lock:
            if self._ready:
                return
            self._opening = threading.get_ident()
            try:
                (host, port), *others = self._hosts
                bracketed = f"[{host}]" if ":" in host else host
                super().__init__(
                    url=f"redis://{bracketed}:{port}",
                    startup_nodes=[ClusterNode(*other) for other in others],
                    retry=Retry(NoBackoff(), 0),
                    require_full_coverage=False,
                    connection_pool_class=Pool,
                    **self._options,
                )
                self._ready = True
            finally:
                self._opening = None

    @property
    def breaker(self) -> CircuitBreaker:
        """The breaker of the cluster as a whole."""
        return self.guard.breaker

    def features(self) -> Features:
        """What the cluster's servers can do, asked of one primary. One round trip, once."""
        if self.guard.features is None:
            self.guard.features = self.primaries()[0].features()
            self.guard.reading = self.guard.features.reading
        known: Features = self.guard.features
        return known

    def primaries(self) -> list[Client]:
        """One blocking client per primary, in a stable order; each has its node's breaker."""
        return list(self._named_primaries().values())

    def _named_primaries(self) -> dict[str, Client]:
        nodes = sorted(self.get_primaries(), key=lambda node: str(node.name))
        return {str(node.name): self._node_client(node) for node in nodes}

    def replicas(self, of: str = "") -> list[Replica]:
        """The replicas of all primaries, or of the one named ``of``; see ``Client.replicas``.

        They are those of CLUSTER SLOTS, and their clients read what their primary holds.
        """
        return RUNNER.run(of_cluster(self._named_primaries(), of, self.neighbours))

    def _node_client(self, node: ClusterNode) -> Client:
        pool = self.get_redis_connection(node).connection_pool
        known = self._node_clients.get(node.name)
        if known is None or known.connection_pool is not pool:
            guard = Guard(self.guard.timeouts, self.node_breakers.of(node.name))
            known = Client(pool, guard, "cluster")
            known.auto_close_connection_pool = False
            self._node_clients[node.name] = known
        return known

    def blocking(self) -> Any:
        """A client with its own pools for blocking reads; the caller closes it."""
        return self._waiting()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command, guarded."""
        if self._opening == threading.get_ident():
            return self._ask_any(*args, **options)

        def attempt() -> Any:
            self._open()
            return super(ClusterClient, self).execute_command(*args, **dict(options))

        return RUNNER.run(self.guard.command(args, RUNNER, attempt))

    def _ask_any(self, *args: Any, **options: Any) -> Any:
        """While opening redis-py asks one node for COMMAND: let it be one that answers."""
        problem: Exception | None = None
        for node in self.get_primaries():
            try:
                return super().execute_command(*args, target_nodes=node, **options)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                problem = error
        raise problem or redis.ConnectionError("the cluster has no primary")

    def _execute_command(self, target_node: ClusterNode, *args: Any, **options: Any) -> Any:
        with of_one_node(), self.node_breakers.of(target_node.name).guard():
            return super()._execute_command(target_node, *args, **options)

    def pipeline(
        self, transaction: bool | None = None, shard_hint: str | None = None
    ) -> GuardedClusterPipeline:
        """A pipeline, guarded as a whole; one write per node, and nothing is sent twice."""
        return GuardedClusterPipeline(self, transaction=bool(transaction))

    def close(self) -> None:
        """Close all connections, those to replicas too."""
        if self.__dict__.get("_ready"):
            super().close()
        neighbours = self.__dict__.get("neighbours")
        for replica in neighbours.empty() if neighbours else ():
            replica.close()


class GuardedClusterPipeline(ClusterPipeline):
    """redis-py's cluster pipeline, which would send again what may have been done already."""

    def __init__(self, client: ClusterClient, *, transaction: bool) -> None:
        self.guard = client.guard
        super().__init__(
            nodes_manager=client.nodes_manager,
            commands_parser=client.commands_parser,
            startup_nodes=list(client.nodes_manager.startup_nodes.values()),
            result_callbacks=client.result_callbacks,
            cluster_response_callbacks=client.cluster_response_callbacks,
            reinitialize_steps=client.reinitialize_steps,
            retry=client.retry,
            lock=client._lock,
            transaction=transaction,
            event_dispatcher=client._event_dispatcher,
        )
        self._atomic = transaction

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send all commands, one write per node, and return their replies in order."""
        strategy = self._execution_strategy
        queue = list(strategy.command_queue)
        if not queue and not self._atomic:
            return []
        options = [dict(command.options) for command in queue]

        def attempt() -> Any:
            if self._atomic:
                return strategy.execute(raise_on_error)
            for command, given in zip(queue, options, strict=True):
                command.options = dict(given)  # redis-py takes target_nodes out of it
            with of_one_node():
                return self._send(queue, raise_on_error=raise_on_error)

        try:
            replies: list[Any] = RUNNER.run(
                self.guard.pipeline(
                    [command.args for command in queue],
                    RUNNER,
                    attempt,
                    transaction=self._atomic,
                    again=not self._atomic,
                )
            )
            return replies
        finally:
            self.reset()

    def _send(self, queue: list[Any], *, raise_on_error: bool) -> list[Any]:
        strategy: Any = self._execution_strategy
        strategy._send_cluster_commands(queue, raise_on_error=False, allow_redirections=False)
        for command in queue:
            if isinstance(command.result, REDIRECTS):
                try:
                    command.result = self.parent_execute_command(*command.args, **command.options)
                except ResponseError as error:
                    command.result = error
        return settle(queue, raise_on_error=raise_on_error)


def settle(queue: list[Any], *, raise_on_error: bool) -> list[Any]:
    """The replies in order; raises what was lost and, if asked to, the first refusal."""
    for command in queue:
        if isinstance(command.result, Exception) and is_lost(command.result):
            raise command.result
    for command in queue if raise_on_error else ():
        if isinstance(command.result, Exception):
            command.result.add_note(
                f"command {command.position + 1} of the pipeline: {command.args[0]}"
            )
            raise command.result
    return [command.result for command in queue]
