"""Clients for asyncio: one server, directly or through Sentinel."""

# The overridden methods have redis-py's signatures and call its untyped internals.
# ruff: noqa: FBT001, FBT002
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import redis
import redis.asyncio

from redisops.connection.call import time_left
from redisops.connection.features import Features, ask, read
from redisops.connection.guard import Guard
from redisops.connection.replicas import Neighbours, Replica, of_server
from redisops.errors import DeadlineExceeded
from redisops.resilience.breaker import CircuitBreaker
from redisops.steps import Awaiting

T = TypeVar("T")


class _Runner(Awaiting):
    """Runs the guard's steps in the running event loop."""

    @staticmethod
    async def aside(function: Callable[[], Any]) -> Any:
        """Something that may wait for another server, out of the loop's way."""
        return await asyncio.to_thread(function)


RUNNER = _Runner()


async def in_time(work: Callable[[], Awaitable[T]]) -> T:
    """Await ``work()`` for no longer than the running call has left, then DeadlineExceeded."""
    left = time_left()
    if left is None:
        return await work()
    limit = asyncio.timeout(left)
    try:
        async with limit:
            return await work()
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineExceeded("the deadline passed before the reply was complete") from None


class AsyncClient(redis.asyncio.Redis):
    """``Client`` for asyncio: the same promises, awaited. Made by ``connect_async``.

    Belongs to the event loop that first uses it; ``await client.aclose()`` at the end.
    """

    def __init__(
        self,
        pool: redis.asyncio.ConnectionPool,
        guard: Guard,
        topology: str = "standalone",
        waiting: Callable[[], AsyncClient] | None = None,
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

    async def features(self) -> Features:
        """What the server can do. One round trip, the first time on this pool only."""
        if self.guard.features is None:
            async with self.pipeline(transaction=False) as pipe:
                replies = await ask(pipe).execute(raise_on_error=False)
            self.guard.features = read(replies)
            self.guard.reading = self.guard.features.reading
        known: Features = self.guard.features
        return known

    async def primaries(self) -> list[AsyncClient]:
        """One client per node that holds keys: here, this client alone."""
        return [self]

    async def replicas(self, of: str = "") -> list[Replica]:
        """The replicas of this server, as ``Client.replicas`` tells them."""
        if self.neighbours is None:
            raise redis.RedisError("this client belongs to one node: ask the cluster's client")
        return await RUNNER.run(of_server(self))

    def blocking(self) -> AsyncClient:
        """A client with its own pool for XREAD BLOCK, BLPOP and pub/sub; the caller closes it.

        A command waits as long as it blocks by its own argument, and ``Timeouts.deadline`` more.
        """
        if self._waiting is None:
            raise redis.RedisError("this client belongs to one node: ask the cluster's client")
        return self._waiting()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections, those to replicas too."""
        if close_connection_pool or (
            close_connection_pool is None and self.auto_close_connection_pool
        ):
            await self.connection_pool.aclose()
        for replica in self.neighbours.empty() if self.neighbours else ():
            await replica.aclose()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command, guarded."""

        def attempt() -> Awaitable[Any]:
            return in_time(lambda: self._exchange(args, dict(options)))

        return await RUNNER.run(self.guard.command(args, RUNNER, attempt))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> AsyncPipeline:
        """A pipeline, guarded as a whole: with one write in it, it is a write."""
        return AsyncPipeline(self, transaction=transaction, shard_hint=shard_hint)

    async def _exchange(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        pool = self.connection_pool
        link = await pool.get_connection()
        try:
            await link.send_packed_command(link.pack_command(*args))
            return await self.parse_response(link, args[0], **options)
        except redis.ResponseError as error:
            if isinstance(error, redis.exceptions.ReadOnlyError) and self.guard.reresolves:
                await link.disconnect(nowait=True)  # the primary of before: look for the new one
            raise
        except BaseException:
            await link.disconnect(nowait=True)  # its next reply would be somebody else's
            raise
        finally:
            await pool.release(link)


class AsyncPipeline(redis.asyncio.client.Pipeline):
    """redis-py's pipeline with the guard of its client around ``execute``."""

    def __init__(self, client: AsyncClient, *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self.guard = client.guard

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send all commands in one write and return their replies; one round trip."""
        stack = self.command_stack
        if not stack and not self.watching:
            return []
        watched = self.watching
        transaction = bool(self.is_transaction or self.explicit_transaction)
        run = self._execute_transaction if transaction else self._execute_pipeline

        async def exchange() -> Any:
            if self.scripts:
                await self.load_scripts()
            link = self.connection
            if link is None:
                link = self.connection = await self.connection_pool.get_connection()
            try:
                return await run(link, stack, raise_on_error)
            except (redis.ResponseError, redis.WatchError) as error:
                if isinstance(error, redis.exceptions.ReadOnlyError) and self.guard.reresolves:
                    await link.disconnect(nowait=True)
                raise
            except BaseException:
                await link.disconnect(nowait=True)
                raise

        try:
            replies: list[Any] = await RUNNER.run(
                self.guard.pipeline(
                    [args for args, _ in stack],
                    RUNNER,
                    lambda: in_time(exchange),
                    transaction=transaction,
                    again=not watched,
                )
            )
            return replies
        finally:
            await self.reset()

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A command between WATCH and MULTI: guarded, never repeated."""

        def attempt() -> Awaitable[Any]:
            return in_time(
                partial(super(AsyncPipeline, self).immediate_execute_command, *args, **options)
            )

        return await RUNNER.run(
            self.guard.steps(attempt, RUNNER, args[0], 1, again=False, wait=None)
        )

    def annotate_exception(self, exception: Exception, number: int, command: Any) -> None:
        """Leave Redis's words as they are; a note says which command it was, without its values."""
        exception.add_note(f"command {number} of the pipeline: {command[0]}")
