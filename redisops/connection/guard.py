"""What every command and pipeline of a client passes: breaker, deadline, one retry, cost.

The body is written once as steps; the clients run it blocking or awaiting.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import redis
from redis.exceptions import ReadOnlyError, RedisClusterException

from redisops.connection.call import Call, current
from redisops.connection.commands import all_read, may_wait, only_reads, waits_for, word
from redisops.connection.cost import cost_here
from redisops.connection.options import Timeouts
from redisops.errors import CircuitOpen, DeadlineExceeded, InvalidArgument, UnknownResult
from redisops.resilience import deadlines
from redisops.resilience.backoff import Backoff, RetryBudget
from redisops.resilience.breaker import CircuitBreaker, Probe
from redisops.resilience.causes import cause_of, is_lost, is_reply, words_of
from redisops.resilience.words import Cause
from redisops.steps import Steps

T = TypeVar("T")
_AGAIN = frozenset({Cause.UNREACHABLE, Cause.TIMEOUT})


class Guard:
    """Shared by all clients of one pool. Thread-safe.

    ``waits`` is for the pool of blocking reads: its links have no read timeout, each command
    may take as long as it blocks by its own argument and ``Timeouts.deadline`` on top.
    ``reresolves``: the topology can name another primary, so what was certainly not done is
    tried once more there (Sentinel).
    """

    def __init__(
        self,
        timeouts: Timeouts,
        breaker: CircuitBreaker,
        *,
        waits: bool = False,
        reresolves: bool = False,
    ) -> None:
        self.timeouts = timeouts
        self.breaker = breaker
        self.waits = waits
        self.reresolves = reresolves
        self.budget = RetryBudget()
        self.backoff = Backoff(base=0.02, cap=0.1)
        self.reading: frozenset[str] = frozenset()
        self.features: Any = None

    def command(self, args: Sequence[Any], runner: Any, attempt: Callable[[], Any]) -> Steps[Any]:
        """One command."""
        wait = waits_for(args) if may_wait(args[0]) else None
        return self.steps(
            attempt, runner, args[0], 1, again=only_reads(args, self.reading), wait=wait
        )

    def pipeline(
        self,
        commands: Sequence[Sequence[Any]],
        runner: Any,
        attempt: Callable[[], Any],
        *,
        transaction: bool = False,
        again: bool = True,
    ) -> Steps[Any]:
        """One pipeline; with a write in it, it is a write."""
        repeatable = again and all_read(commands, self.reading)
        count = len(commands) + (2 if transaction else 0)
        return self.steps(
            attempt, runner, "", count, again=repeatable, wait=None, atomic=transaction
        )

    def steps(
        self,
        attempt: Callable[[], Any],
        runner: Any,
        name: Any,
        commands: int,
        *,
        again: bool,
        wait: float | None,
        atomic: bool = True,
    ) -> Steps[Any]:
        """Try, and try once more what is safe to repeat; report to the breaker and the cost."""
        call = Call(name, self._ends_at(wait, name))
        token = current.set(call)
        started = time.monotonic()
        tries = sent = 0
        try:
            probe = self.breaker.enter()
            if probe is not None and not (yield runner.aside(probe.claim)):
                raise self.breaker.refusal()
            self.budget.earn()
            while True:
                tries += 1
                call.sent = False
                try:
                    reply = yield attempt()
                except GeneratorExit as abandoned:  # nothing may be awaited any more
                    self.breaker.leave(probe, abandoned)
                    raise
                except BaseException as caught:
                    error = self._plain(caught, call)
                    sent += call.sent
                    self._report(probe, error, time.monotonic() - started)
                    if probe is not None:
                        yield runner.aside(probe.end)
                        probe = None
                    pause = self._pause_before_another(
                        error, call, tries, again=again, atomic=atomic
                    )
                    if pause is None:
                        told = self._told(error, call, again=again)
                        if told is caught:
                            raise
                        raise told from (told.__cause__ or caught)
                else:
                    sent += call.sent
                    self.breaker.leave(probe)
                    if probe is not None:
                        yield runner.aside(probe.end)
                    return reply
                yield runner.pause(pause)
        finally:
            current.reset(token)
            cost = cost_here.get()
            if cost is not None and call.cost_trips:
                cost.add(commands * sent, call.cost_trips, time.monotonic() - started)

    def _report(self, probe: Probe | None, error: BaseException, took: float) -> None:
        if isinstance(error, DeadlineExceeded) and took < self.timeouts.read:
            self.breaker.forget(probe)  # the caller's time was short, the server may be well
        elif getattr(error, "is_counted", False):
            self.breaker.forget(probe)  # another call on the same link has reported it
        else:
            self.breaker.leave(probe, None if _is_of_one_node(error) else error)

    def _ends_at(self, wait: float | None, name: Any) -> float | None:
        explicit = deadlines.ends_at()
        if wait is not None:
            if not self.waits:
                if wait == 0.0 or wait >= self.timeouts.read:
                    raise InvalidArgument(
                        f"{word(name)} waits {wait or 'for ever'} s but this client only "
                        f"{self.timeouts.read} s: use client.blocking()"
                    )
            elif wait == 0.0:
                return explicit
            else:
                own = time.monotonic() + wait + self.timeouts.deadline
                return own if explicit is None else min(own, explicit)
        if explicit is not None:
            return explicit
        return time.monotonic() + self.timeouts.deadline

    def _plain(self, error: BaseException, call: Call) -> BaseException:
        """The error as redis-py and we name it."""
        if isinstance(error, RedisClusterException):
            return _of_cluster(error)
        late = call.ends_at is not None and time.monotonic() >= call.ends_at
        if (
            late
            and isinstance(error, redis.TimeoutError)
            and not isinstance(error, DeadlineExceeded)
        ):
            return _caused_by(DeadlineExceeded(f"the deadline passed: {words_of(error)}"), error)
        return error

    def _pause_before_another(
        self, error: BaseException, call: Call, tries: int, *, again: bool, atomic: bool
    ) -> float | None:
        """Seconds to wait before the one repetition; None when there is none."""
        if tries > 1 or isinstance(error, DeadlineExceeded | CircuitOpen | UnknownResult):
            return None
        if self.reresolves and _was_not_done(error, call, atomic=atomic):
            return self.backoff.delay(1)
        if not again or cause_of(error) not in _AGAIN or is_reply(error):
            return None
        if self.breaker.state != "closed" or not self.budget.spend():
            return None
        pause = self.backoff.delay(1)
        if call.ends_at is not None and time.monotonic() + pause >= call.ends_at:
            return None
        return pause

    def _told(self, error: BaseException, call: Call, *, again: bool) -> BaseException:
        """What the caller is told: of a write whose reply was lost, that nobody knows."""
        if not isinstance(error, Exception):
            return error
        if call.sent and not again and is_lost(error):
            return _caused_by(
                UnknownResult(f"the reply was lost after the write was sent: {words_of(error)}"),
                error,
            )
        if isinstance(error, redis.RedisError):
            error.sent = call.sent  # type: ignore[attr-defined]
        return error


@contextlib.contextmanager
def of_one_node() -> Iterator[None]:
    """Errors from inside tell of one node of a cluster: the cluster's breaker does not count them.

    That no node at all was reached comes as RedisClusterException, and does count.
    """
    try:
        yield
    except redis.RedisError as error:
        error.of_one_node = True  # type: ignore[attr-defined]
        raise


def _is_of_one_node(error: BaseException) -> bool:
    return bool(getattr(error, "of_one_node", False))


def _caused_by(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def _was_not_done(error: BaseException, call: Call, *, atomic: bool) -> bool:
    """Whether it certainly did not run: it was refused as READONLY, or never sent.

    A pipeline without MULTI may have been refused in part only.
    """
    if isinstance(error, ReadOnlyError):
        return atomic
    return not call.sent and cause_of(error) in _AGAIN and not is_reply(error)


def _of_cluster(error: RedisClusterException) -> BaseException:
    """redis-py's cluster errors are no RedisError; the code above expects one."""
    cause = error.__cause__
    if isinstance(cause, redis.RedisError):
        return _caused_by(redis.ConnectionError(str(error)), cause)
    if cause_of(error) is Cause.CLUSTERDOWN:
        return _caused_by(redis.exceptions.ClusterDownError(str(error)), error)
    return _caused_by(redis.ResponseError(str(error)), error)
