"""Repeat what is safe to repeat; answer otherwise when Redis cannot.

For a caller's own work around several commands. Single commands of our clients are already
retried, once, when they only read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis

from redisops.errors import CircuitOpen, DeadlineExceeded, UnknownResult
from redisops.resilience.backoff import Backoff, RetryBudget
from redisops.resilience.causes import Trouble, cause_of, diagnose, is_unwell
from redisops.resilience.deadlines import remaining
from redisops.resilience.words import Cause

T = TypeVar("T")

_PASSING = frozenset({Cause.UNREACHABLE, Cause.TIMEOUT, Cause.LOADING, Cause.MASTERDOWN})


def is_passing(error: BaseException) -> bool:
    """Whether trying again may help: not a refusal, not a lost write, not an open circuit."""
    if isinstance(error, UnknownResult | CircuitOpen | DeadlineExceeded):
        return False
    return cause_of(error) in _PASSING


def retry(
    call: Callable[[], T],
    *,
    tries: int = 3,
    backoff: Backoff = Backoff(),  # noqa: B008 - frozen
    when: Callable[[BaseException], bool] = is_passing,
    budget: RetryBudget | None = None,
) -> T:
    """Call ``call`` up to ``tries`` times while ``when`` says that its error passes.

    ``call`` must be safe to repeat: it may have run to its end although its reply was lost.
    Stops early when the budget is spent or the enclosing deadline would end before the next
    try. Raises the last error.
    """
    failures = 0
    if budget is not None:
        budget.earn()
    while True:
        try:
            return call()
        except redis.RedisError as error:
            failures += 1
            wait = _wait(error, failures, tries, backoff, when, budget)
            if wait is None:
                raise
            time.sleep(wait)


async def retry_async(
    call: Callable[[], Awaitable[T]],
    *,
    tries: int = 3,
    backoff: Backoff = Backoff(),  # noqa: B008 - frozen
    when: Callable[[BaseException], bool] = is_passing,
    budget: RetryBudget | None = None,
) -> T:
    """``retry`` for a function that is awaited."""
    failures = 0
    if budget is not None:
        budget.earn()
    while True:
        try:
            return await call()
        except redis.RedisError as error:
            failures += 1
            wait = _wait(error, failures, tries, backoff, when, budget)
            if wait is None:
                raise
            await asyncio.sleep(wait)


def _wait(
    error: BaseException,
    failures: int,
    tries: int,
    backoff: Backoff,
    when: Callable[[BaseException], bool],
    budget: RetryBudget | None,
) -> float | None:
    if failures >= tries or not when(error) or (budget is not None and not budget.spend()):
        return None
    wait = backoff.delay(failures)
    left = remaining()
    return None if left is not None and wait >= left else wait


def fallback(
    call: Callable[[], T],
    otherwise: Callable[[Trouble], T],
    *,
    when: Callable[[BaseException], bool] | None = None,
) -> T:
    """What ``call`` returns or, when Redis is in trouble, what ``otherwise(trouble)`` does.

    Without ``when``, trouble means that the server is unwell or its circuit open. A refusal
    (WRONGTYPE, NOPERM, wrong password) is a mistake to be seen, so it is raised.
    """
    try:
        return call()
    except redis.RedisError as error:
        if not (when or _is_away)(error):
            raise
        return otherwise(diagnose(error))


async def fallback_async(
    call: Callable[[], Awaitable[T]],
    otherwise: Callable[[Trouble], T],
    *,
    when: Callable[[BaseException], bool] | None = None,
) -> T:
    """``fallback`` for a function that is awaited; ``otherwise`` is plain."""
    try:
        return await call()
    except redis.RedisError as error:
        if not (when or _is_away)(error):
            raise
        return otherwise(diagnose(error))


def _is_away(error: BaseException) -> bool:
    return isinstance(error, CircuitOpen) or is_unwell(error)
