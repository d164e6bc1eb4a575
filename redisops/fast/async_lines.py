"""One server's line of the fast path for asyncio: a shared connection for each event loop."""

from __future__ import annotations

import asyncio
import contextvars
import os
import weakref
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import ReadOnlyError

from redisops.connection.async_client import RUNNER, in_time
from redisops.connection.call import current
from redisops.connection.cost import cost_here
from redisops.errors import DeadlineExceeded
from redisops.fast.mux import Mux
from redisops.fast.outcome import guard_of, patience, pause_or_raise, started
from redisops.fast.packing import pack
from redisops.fast.replies import Lost, own
from redisops.resilience import deadlines
from redisops.resilience.backoff import Backoff
from redisops.resilience.breaker import BreakerState

_CLOSED = BreakerState.CLOSED
_running_loop, _cost_here = asyncio.get_running_loop, cost_here.get
_ends_at = deadlines._ends_at.get
FAILED = (Lost, redis.RedisError)
_lines: weakref.WeakSet[AsyncLine] = weakref.WeakSet()


class AsyncLine:
    """Calls on one server (or the primary that Sentinel names), guarded like its client's.

    The common case, a closed breaker, a link that stands and no ``deadline()`` block, waits for
    nothing but the reply; all others take the guard's own steps.
    """

    def __init__(self, client: Any) -> None:
        self.guard = guard_of(client)
        self._breaker = self.guard.breaker
        self._budget = self.guard.budget
        self._pool: Any = client.connection_pool
        self._backoff = Backoff(base=0.02, cap=1.0)
        self._failures = 0
        self._here: tuple[Any, Mux | None] = (None, None)
        self._muxes: weakref.WeakKeyDictionary[Any, Mux] = weakref.WeakKeyDictionary()
        self._opening: weakref.WeakKeyDictionary[Any, asyncio.Task[Mux]] = (
            weakref.WeakKeyDictionary()
        )
        _lines.add(self)

    @classmethod
    def of(cls, client: Any) -> AsyncLine:
        """The one that belongs to this client."""
        known: AsyncLine | None = client.__dict__.get("_redisops_line")
        if known is None:
            known = client.__dict__.setdefault("_redisops_line", cls(client))
        return known

    async def ask(self, packed: bytes, args: tuple[Any, ...], *, again: bool) -> Any:
        """The reply; what the server refused is raised."""
        mux = self.ready()
        if mux is None:
            return await self._in_steps(packed, args[0], 0, again=again)
        reply = await mux.send(packed)
        if isinstance(reply, FAILED):
            return await self.settle(reply, mux, packed, args[0], again=again)
        return reply  # the link tells the breaker

    def ready(self) -> Mux | None:
        """The link for the short way, which is open while nothing is out of the ordinary."""
        loop, mux = self._here
        if (
            mux is None
            or loop is not _running_loop()
            or mux.full
            or self._breaker._state is not _CLOSED
            or _cost_here() is not None
            or _ends_at() is not None
            or (not mux._slots and mux.is_gone())
        ):
            return None
        budget = self._budget
        if budget._tokens < budget.reserve:
            budget.earn()
        return mux

    async def ask_all(self, commands: Sequence[tuple[Any, ...]], *, again: bool) -> list[Any]:
        """The replies, refusals among them, in one round trip."""
        return await self.ask_packed(b"".join(map(pack, commands)), len(commands), again=again)

    async def ask_packed(self, packed: bytes, count: int, *, again: bool) -> list[Any]:
        """The replies to ``count`` commands that are packed already."""
        replies: list[Any] = await self._in_steps(packed, "", count, again=again)
        return replies

    async def close(self) -> None:
        """Close the connection of the running loop; the next call opens another."""
        mux = self._muxes.get(asyncio.get_running_loop())
        if mux is not None:
            await mux.close()

    async def settle(
        self, lost: Any, mux: Mux, packed: bytes, name: Any, *, again: bool, count: int = 0
    ) -> Any:
        """The short way failed: go on by the guard's rules, with at most one repetition."""
        call, began = started(self.guard, name)
        call.sent = not isinstance(lost, Lost) or lost.sent
        error = lost.error() if isinstance(lost, Lost) else lost
        if isinstance(error, DeadlineExceeded):
            began -= self.guard.timeouts.deadline
        self._look_at(error, mux)
        pause = pause_or_raise(self.guard, call, error, 1, began, again=again, atomic=True)
        await asyncio.sleep(pause)
        token = current.set(call)
        try:
            reply = await in_time(lambda: self._exchange(packed, count))
        except BaseException as caught:
            pause_or_raise(self.guard, call, caught, 2, began, again=again, atomic=True)
            raise
        finally:
            current.reset(token)
        self.guard.breaker.leave(None)
        return reply

    async def _in_steps(self, packed: bytes, name: Any, count: int, *, again: bool) -> Any:
        return await RUNNER.run(
            self.guard.steps(
                lambda: in_time(lambda: self._exchange(packed, count)),
                RUNNER,
                name,
                count or 1,
                again=again,
                wait=None,
                atomic=not count,
            )
        )

    async def _exchange(self, packed: bytes, count: int) -> Any:
        mux = await self._standing()
        while mux.full:
            await mux.room()
            if not mux.open:
                mux = await self._standing()
        call = current.get()
        if call is not None:
            call.sent = True
            call.cost_trips += 1
        reply = await (mux.send_all(packed, count) if count else mux.send(packed))
        if isinstance(reply, Lost):
            if call is not None:
                call.sent = reply.sent
            raise reply.error()
        if isinstance(reply, redis.RedisError):
            self._look_at(reply, mux)
            raise reply
        return reply

    def _look_at(self, error: Exception, mux: Mux) -> None:
        if isinstance(error, ReadOnlyError) and self.guard.reresolves:
            mux.retire()  # the primary of before: look for the new one

    async def _standing(self) -> Mux:
        """The running loop's connection; opened when there is none, once for all who wait."""
        loop = asyncio.get_running_loop()
        mux = self._muxes.get(loop)
        if mux is not None and mux.is_gone():
            mux.renounce()
        elif mux is not None:
            self._here = (loop, mux)
            return mux
        opening = self._opening.get(loop)
        joins = opening is not None
        if opening is None:
            # Without the caller's context: its deadline is not that of the others who wait.
            opening = loop.create_task(self._open(), context=contextvars.Context())
            self._opening[loop] = opening
            opening.add_done_callback(self._opened)
        try:
            return await asyncio.shield(opening)
        except redis.RedisError as error:
            fresh = own(error)
            fresh.is_counted = joins  # type: ignore[attr-defined]
            raise fresh from error.__cause__

    def _opened(self, opening: asyncio.Task[Mux]) -> None:
        self._opening.pop(opening.get_loop(), None)
        if not opening.cancelled():
            opening.exception()  # nobody may be waiting for it any more

    async def _open(self) -> Mux:
        if self._failures:
            await asyncio.sleep(self._backoff.delay(self._failures))
        pool = self._pool
        link = pool.connection_class(**pool.connection_kwargs)
        try:
            await link.connect()
        except BaseException:
            self._failures += 1
            await link.disconnect(nowait=True)
            raise
        self._failures = 0
        pool._in_use_connections.add(link)  # so that it is closed with the client
        quiet = None if link.socket_timeout is None else patience(link.socket_timeout)
        mux = Mux(link, quiet, self.guard, self._gone)
        loop = asyncio.get_running_loop()
        self._muxes[loop] = mux
        self._here = (loop, mux)
        return mux

    def _gone(self, mux: Mux) -> None:
        if self._here[1] is mux:
            self._here = (None, None)
        if self._muxes.get(mux.loop) is mux:
            del self._muxes[mux.loop]
        self._pool._in_use_connections.discard(mux.link)

    def forget(self) -> None:
        """In a forked child: the connections are the parent's."""
        self._here = (None, None)
        self._muxes.clear()
        self._opening.clear()


def _forget_all() -> None:
    for line in list(_lines):
        line.forget()


os.register_at_fork(after_in_child=_forget_all)
