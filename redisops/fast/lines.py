"""One server's line of the blocking fast path: a link of the client's pool for each call."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Sequence
from typing import Any

from redis import ConnectionPool
from redis.exceptions import ReadOnlyError, RedisError
from redis.sentinel import SentinelConnectionPool

from redisops.connection.call import Call, current
from redisops.connection.client import RUNNER
from redisops.connection.cost import cost_here
from redisops.fast.outcome import NEWS, guard_of, pause_or_raise, started
from redisops.fast.packing import pack
from redisops.fast.wires import Wire
from redisops.resilience import deadlines
from redisops.resilience.breaker import BreakerState

_CLOSED = BreakerState.CLOSED
_PLAIN = frozenset([list, int, bytes])  # what most replies are, and no error is
_lines: weakref.WeakSet[Line] = weakref.WeakSet()


class Line:
    """Calls on one server (or the primary that Sentinel names), guarded like its client's.

    The common case, a closed breaker and a link at hand, goes straight to the socket; all others
    take the guard's own steps. Up to half of the pool's links stay at hand between calls. Behind
    Sentinel none does: the pool must see each of them, to drop those to the primary of before.
    """

    def __init__(self, client: Any) -> None:
        self.guard = guard_of(client)
        self._breaker = self.guard.breaker
        self._budget = self.guard.budget
        self._deadline = self.guard.timeouts.deadline
        self._pool: Any = client.connection_pool
        self._told = 0.0
        self._at_hand: list[Any] = []  # a list's pop and append are atomic
        self._most_at_hand = (
            self._pool.max_connections // 2
            if isinstance(self._pool, ConnectionPool)
            and not isinstance(self._pool, SentinelConnectionPool)
            else 0
        )
        _lines.add(self)

    @classmethod
    def of(cls, client: Any) -> Line:
        """The one that belongs to this client."""
        known: Line | None = client.__dict__.get("_redisops_line")
        if known is None:
            known = client.__dict__.setdefault("_redisops_line", cls(client))
        return known

    def ask(self, packed: bytes, args: tuple[Any, ...], *, again: bool, count: int = 0) -> Any:
        """The reply; what the server refused is raised. With ``count`` all replies."""
        at_hand = self._at_hand
        if not at_hand or self._breaker._state is not _CLOSED or cost_here.get() is not None:
            return self._in_steps(packed, args[0], count, again=again)
        try:
            link = at_hand.pop()
        except IndexError:  # another thread was faster
            return self._in_steps(packed, args[0], count, again=again)
        budget = self._budget
        if budget._tokens < budget.reserve:
            budget.earn()
        wire = link._redisops_wire
        if wire.wrapped is not link._sock or wire.poll(0):
            wire.lend()
            self._pool.release(link)  # closed, or to be closed; the pool sees to it
            return self._in_steps(packed, args[0], count, again=again)
        now = time.monotonic()
        ends_at = deadlines.ends_at()
        try:
            if ends_at is None:
                ends_at = now + self._deadline
            if count:
                reply = wire.ask_few(packed, count, now, ends_at)
            else:
                reply = wire.ask(packed, now, ends_at)
        except BaseException as caught:
            self._tear(link)
            return self._go_on(caught, packed, args[0], now, again=again, count=count)
        if wire.kept and len(at_hand) < self._most_at_hand:
            at_hand.append(link)
        else:
            self._give_back(link, wire)
        if reply.__class__ in _PLAIN:
            pass
        elif isinstance(reply, RedisError):
            return self._go_on(reply, packed, args[0], now, again=again)
        breaker = self._breaker
        if breaker.last_error is not None or now - self._told > NEWS:
            self._told = now
            breaker._succeeded(None)
        return reply

    def ask_all(self, commands: Sequence[tuple[Any, ...]], *, again: bool) -> list[Any]:
        """The replies, refusals among them, in one round trip."""
        return self.ask_packed(b"".join(map(pack, commands)), len(commands), again=again)

    def ask_packed(self, packed: bytes, count: int, *, again: bool) -> list[Any]:
        """The replies to ``count`` commands that are packed already."""
        replies: list[Any] = self._in_steps(packed, "", count, again=again)
        return replies

    def forget(self) -> None:
        """In a forked child: the links are the parent's."""
        self._at_hand = []

    def rest(self) -> None:
        """Give the links at hand back to the pool, which closes what is idle."""
        while self._at_hand:
            try:
                link = self._at_hand.pop()
            except IndexError:
                break
            if link._sock is not None:
                Wire.of(link).lend()
            self._pool.release(link)

    def _go_on(
        self, caught: BaseException, packed: bytes, name: Any, began: float, *, again: bool,
        count: int = 0,
    ) -> Any:  # fmt: skip
        """The short way failed: go on by the guard's rules, with at most one repetition."""
        call, _ = started(self.guard, name, began)
        call.sent = True
        time.sleep(pause_or_raise(self.guard, call, caught, 1, began, again=again, atomic=True))
        try:
            reply = self._exchange(packed, count, call)
        except BaseException as error:
            pause_or_raise(self.guard, call, error, 2, began, again=again, atomic=True)
            raise
        self._breaker.leave(None)
        return reply

    def _in_steps(self, packed: bytes, name: Any, count: int, *, again: bool) -> Any:
        def attempt() -> Any:
            call = current.get()
            assert call is not None
            return self._exchange(packed, count, call)

        return RUNNER.run(
            self.guard.steps(
                attempt, RUNNER, name, count or 1, again=again, wait=None, atomic=not count
            )
        )

    def _exchange(self, packed: bytes, count: int, call: Call) -> Any:
        call.sent = False
        link = self._link(call)
        try:
            wire = Wire.of(link)
            call.sent = True
            call.cost_trips += 1
            now = time.monotonic()
            ends_at = call.ends_at or now + self._deadline
            reply: Any = (
                wire.ask_all(packed, count, ends_at) if count else wire.ask(packed, now, ends_at)
            )
        except BaseException:
            self._tear(link)
            raise
        if isinstance(reply, ReadOnlyError) and self.guard.reresolves:
            self._tear(link)  # the primary of before: look for the new one
        else:
            self._give_back(link, wire)
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def _link(self, call: Call) -> Any:
        """A link that nobody else holds: one at hand, or else what the pool gives."""
        while self._at_hand:
            try:
                link = self._at_hand.pop()
            except IndexError:
                break
            wire = Wire.of(link) if link._sock is not None else None
            if wire is not None and not wire.poll(0):
                return link
            if wire is not None:
                wire.lend()
            self._pool.release(link)
        token = current.set(call)
        try:
            return self._pool.get_connection()
        finally:
            current.reset(token)

    def _tear(self, link: Any) -> None:
        link.disconnect()  # its next reply would be somebody else's
        self._pool.release(link)

    def _give_back(self, link: Any, wire: Wire) -> None:
        if len(self._at_hand) < self._most_at_hand:
            wire.keep()
            self._at_hand.append(link)
        else:
            wire.lend()
            self._pool.release(link)


def _forget_all() -> None:
    for line in list(_lines):
        line.forget()


os.register_at_fork(after_in_child=_forget_all)
