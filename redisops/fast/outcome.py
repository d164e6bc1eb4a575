"""What becomes of a call that failed, by the rules of the client's guard."""

from __future__ import annotations

import time
from typing import Any

from redisops.connection.call import Call
from redisops.connection.guard import Guard
from redisops.connection.options import Timeouts
from redisops.resilience import deadlines
from redisops.resilience.breaker import CircuitBreaker

NEWS = 0.01
"""Seconds between two successes that a breaker is told of whose server never failed.

That is enough for its rate; after a first failure it is told of every one.
"""


def guard_of(client: Any) -> Guard:
    """The client's own guard; a plain client of redis-py gets one, with its socket's timeouts."""
    known = getattr(client, "guard", None)
    if isinstance(known, Guard):
        return known
    options = _options(client)
    usual = Timeouts()
    read = options.get("socket_timeout") or 5.0
    connect = options.get("socket_connect_timeout") or usual.connect
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return Guard(
        Timeouts(connect=connect, read=read, deadline=max(usual.deadline, 2 * read)),
        CircuitBreaker(str(where)),
    )


def patience(timeout: float) -> float:
    """Seconds after which a silent server is given up, so that who waits hears of it in time.

    A twentieth less than the socket's timeout, at most 50 ms: the kernel rounds up, and to be woken
    takes a moment, on a busy machine some tens of milliseconds.
    """
    return timeout - min(timeout / 20, 0.05)


def _options(client: Any) -> dict[str, Any]:
    manager = getattr(client, "nodes_manager", None)
    if manager is not None:  # a cluster
        known: dict[str, Any] = manager.connection_kwargs
        return known
    options: dict[str, Any] = client.connection_pool.connection_kwargs
    return options


def started(guard: Guard, name: Any, at: float | None = None) -> tuple[Call, float]:
    """A call with the deadline that holds for it now, and when it began."""
    now = time.monotonic() if at is None else at
    end = deadlines.ends_at()
    return Call(name, now + guard.timeouts.deadline if end is None else end), now


def pause_or_raise(
    guard: Guard, call: Call, caught: BaseException, tries: int, began: float,
    *, again: bool, atomic: bool,
) -> float:  # fmt: skip
    """Report a failure to the breaker. Seconds to wait before the one repetition, if it may be.

    Raises what the caller is told otherwise: UnknownResult for a write whose reply was lost.
    """
    error = guard._plain(caught, call)
    guard._report(None, error, time.monotonic() - began)
    pause = guard._pause_before_another(error, call, tries, again=again, atomic=atomic)
    if pause is not None:
        return pause
    told = guard._told(error, call, again=again)
    if told is caught:
        raise told
    raise told from (told.__cause__ or caught)
