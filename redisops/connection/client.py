"""Blocking clients for one server, directly or through Sentinel."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# ruff: noqa: FBT001, FBT002
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from redis.exceptions import ResponseError

from redisops.connection.features import Features, ask, read
from redisops.connection.guard import Guard
from redisops.connection.replicas import Neighbours, Replica, of_server
from redisops.resilience.breaker import CircuitBreaker
from redisops.steps import Blocking


class _Runner(Blocking):
    """Runs the guard's steps in the calling thread."""

    @staticmethod
    def aside(function: Callable[[], Any]) -> Any:
        """Something that may wait for another server."""
        return function()


RUNNER = _Runner()


class Client(redis.Redis):
    """A ``redis.Redis`` that keeps its promises under failure. Made by ``connect``; thread-safe.

    Each command and pipeline passes the breaker (nothing is sent while it is open), holds a
    total deadline, and reads are tried once more when the link broke. A write is never sent
    twice: UnknownResult says that its reply was lost. Names and values are bytes.
    """

    def __init__(
        self,
        pool: redis.ConnectionPool,
        guard: Guard,
        topology: str = "standalone",
        waiting: Callable[[], Client] | None = None,
    ) -> None:
        super().__init__(connection_pool=pool)
        self.guard = guard
        self.topology = topology
        self._waiting = waiting
        self.neighbours: Neighbours | None = None
        self.auto_close_connection_pool = True

    @property
    def breaker(self) -> CircuitBreaker:
        """The breaker that all clients of this pool share."""
        return self.guard.breaker

    def features(self) -> Features:
        """What the server can do. One round trip, the first time on this pool only."""
        if self.guard.features is None:
            with self.pipeline(transaction=False) as pipe:
                replies = ask(pipe).execute(raise_on_error=False)
            self.guard.features = read(replies)
            self.guard.reading = self.guard.features.reading
        known: Features = self.guard.features
        return known

    def primaries(self) -> list[Client]:
        """One blocking client per node that holds keys: here, this client alone."""
        return [self]

    def replicas(self, of: str = "") -> list[Replica]:
        """The replicas of this server, those that are well and least behind first.

        Asks each of them (at most 5, two seconds each), whether its link is up and how far it is;
        ``why_not`` of one says why it should not be read from. Their clients have this one's
        credentials, TLS and permit, and are closed with it. A server that is itself a replica,
        or a user without INFO, has none. ``of`` is for clusters.
        """
        if self.neighbours is None:
            raise redis.RedisError("this client belongs to one node: ask the cluster's client")
        return RUNNER.run(of_server(self))

    def close(self) -> None:
        """Close all connections, those to replicas too."""
        super().close()
        neighbours = self.__dict__.get("neighbours")
        for replica in neighbours.empty() if neighbours else ():
            replica.close()

    def blocking(self) -> Client:
        """A client with its own pool for XREAD BLOCK, BLPOP and pub/sub.

        Its links have no read timeout of their own: a command waits as long as it blocks by
        its own argument, and ``Timeouts.deadline`` more. The caller closes it.
        """
        if self._waiting is None:
            raise redis.RedisError("this client belongs to one node: ask the cluster's client")
        return self._waiting()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command, guarded."""

        def attempt() -> Any:
            return self._exchange(args, dict(options))

        return RUNNER.run(self.guard.command(args, RUNNER, attempt))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """A pipeline, guarded as a whole: with one write in it, it is a write."""
        return Pipeline(self, transaction=transaction, shard_hint=shard_hint)

    def _exchange(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        pool = self.connection_pool
        link = pool.get_connection()
        try:
            link.send_command(*args, **options)
            return self.parse_response(link, args[0], **options)
        except ResponseError as error:
            if isinstance(error, redis.exceptions.ReadOnlyError) and self.guard.reresolves:
                link.disconnect()  # the primary of before: look for the new one
            raise
        except BaseException:
            link.disconnect()  # its next reply would be somebody else's
            raise
        finally:
            pool.release(link)


class Pipeline(redis.client.Pipeline):
    """redis-py's pipeline with the guard of its client around ``execute``."""

    def __init__(self, client: Client, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self.guard = client.guard

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send all commands in one write and return their replies; one round trip."""
        stack = self.command_stack
        if not stack and not self.watching:
            return []
        watched = self.watching
        wanted: Any = self.transaction  # an attribute that hides Redis.transaction()
        transaction = bool(wanted or self.explicit_transaction)
        run = self._execute_transaction if transaction else self._execute_pipeline

        def attempt() -> Any:
            if self.scripts:
                self.load_scripts()
            link = self.connection
            if link is None:
                link = self.connection = self.connection_pool.get_connection()
            try:
                return run(link, stack, raise_on_error)
            except (redis.ResponseError, redis.WatchError) as error:
                if isinstance(error, redis.exceptions.ReadOnlyError) and self.guard.reresolves:
                    link.disconnect()
                raise
            except BaseException:
                link.disconnect()
                raise

        try:
            replies: list[Any] = RUNNER.run(
                self.guard.pipeline(
                    [args for args, _ in stack],
                    RUNNER,
                    attempt,
                    transaction=transaction,
                    again=not watched,
                )
            )
            return replies
        finally:
            self.reset()

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A command between WATCH and MULTI: guarded, never repeated."""

        def attempt() -> Any:
            return super(Pipeline, self).immediate_execute_command(*args, **options)

        return RUNNER.run(self.guard.steps(attempt, RUNNER, args[0], 1, again=False, wait=None))

    def annotate_exception(self, exception: Exception, number: int, command: Any) -> None:
        """Leave Redis's words as they are; a note says which command it was, without its values."""
        exception.add_note(f"command {number} of the pipeline: {command[0]}")
