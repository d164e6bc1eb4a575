"""``limited``: a function or a block under a limit, blocking and awaiting."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import Any, TypeVar

from redisops.errors import InvalidArgument, RedisopsError
from redisops.limits.leases import NoPlace
from redisops.limits.matching import Asked
from redisops.limits.model import Limit, Verdict
from redisops.limits.web import Quota, retry_after

F = TypeVar("F", bound=Callable[..., Any])


class LimitExceeded(RedisopsError):
    """Denied; nothing was consumed and the function was not called.

    ``verdict`` has everything, ``quotas`` the limits or policies it names:
    ``web.refusal(error.verdict, error.quotas)`` is the response to send. ``retry_after``:
    seconds, None when waiting does not help.
    """

    def __init__(self, verdict: Verdict, quotas: Iterable[Quota] = ()) -> None:
        self.verdict, self.quotas = verdict, tuple(quotas)
        self.retry_after = None if retry_after(verdict) is None else verdict.retry_after
        again = "" if self.retry_after is None else f"; again in {self.retry_after:.3f} s"
        super().__init__(f"{verdict.policy or 'the limit'}: {verdict.reason or 'denied'}{again}")


class limited:
    """Run a function, or a block, only as often as a limit allows; else raise LimitExceeded.

    ``by`` decides: a Guard with ``asked``; a Limiter or a Concurrency with ``limit`` and
    ``subject``. Their asyncio twins are for coroutine functions and ``async with``. ``asked``
    and ``subject`` may be functions: they are called with the decorated function's arguments.
    A concurrency limit's place is held until the function has returned or the block has ended.
    A shaper's ``delay`` is slept. ``wait``: seconds for which a denied call waits for its turn
    before it raises. One round trip a try (and one to give a place back).

    As a context manager make one for each block; it gives the Verdict.
    """

    def __init__(
        self,
        by: Any,
        limit: Limit | None = None,
        subject: str | bytes | Callable[..., str | bytes] = "",
        *,
        asked: Asked | Callable[..., Asked] | None = None,
        cost: int | None = None,
        wait: float = 0.0,
    ) -> None:
        if (limit is None) == (asked is None):
            raise InvalidArgument('give "asked" with a Guard, "limit" and "subject" otherwise')
        self.by, self.limit, self.subject, self.asked = by, limit, subject, asked
        self.cost, self.wait = cost, wait
        self._open: list[Any] = []

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument(f"{function!r} yields: limit the block inside it with `with`")
        wrapper: Any
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **kwargs: Any) -> Any:
                async with self._passing_async(args, kwargs):
                    return await function(*args, **kwargs)
        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                with self._passing(args, kwargs):
                    return function(*args, **kwargs)

        found: F = wrapper
        return found

    def __enter__(self) -> Verdict:
        passing = self._passing((), {})
        verdict = passing.__enter__()
        self._open.append(passing)
        return verdict

    def __exit__(self, *error: Any) -> bool | None:
        return bool(self._open.pop().__exit__(*error))

    async def __aenter__(self) -> Verdict:
        passing = self._passing_async((), {})
        verdict = await passing.__aenter__()
        self._open.append(passing)
        return verdict

    async def __aexit__(self, *error: Any) -> bool | None:
        return bool(await self._open.pop().__aexit__(*error))

    # --- One call -----------------------------------------------------------------------------

    @contextmanager
    def _passing(self, args: Any, kwargs: Any) -> Iterator[Verdict]:
        began = time.monotonic()
        while True:
            with self._decided(args, kwargs) as verdict:
                if verdict.allowed:
                    if verdict.delay:
                        time.sleep(verdict.delay)
                    yield verdict
                    return
            time.sleep(self._pause(verdict, time.monotonic() - began))

    @asynccontextmanager
    async def _passing_async(self, args: Any, kwargs: Any) -> AsyncIterator[Verdict]:
        began = time.monotonic()
        while True:
            async with self._decided_async(args, kwargs) as verdict:
                if verdict.allowed:
                    if verdict.delay:
                        await asyncio.sleep(verdict.delay)
                    yield verdict
                    return
            await asyncio.sleep(self._pause(verdict, time.monotonic() - began))

    def _pause(self, verdict: Verdict, waited: float) -> float:
        """Seconds until the next try; raises when there is none within ``wait``."""
        pause = max(verdict.retry_after, 0.001)
        if retry_after(verdict) is None or waited + pause > self.wait:
            quotas = [self.limit] if self.limit is not None else policies_of(self.by, verdict)
            raise LimitExceeded(verdict, quotas)
        return pause

    # --- What decides -------------------------------------------------------------------------

    def _decided(self, args: Any, kwargs: Any) -> AbstractContextManager[Verdict]:
        if self.asked is not None:
            slot: AbstractContextManager[Verdict] = self.by.slot(
                _value(self.asked, args, kwargs), self.cost
            )
            return slot
        return self._counted(_value(self.subject, args, kwargs))

    @contextmanager
    def _counted(self, subject: str | bytes) -> Iterator[Verdict]:
        if hasattr(self.by, "hit"):
            yield self.by.hit(self.limit, subject, 1 if self.cost is None else self.cost)
            return
        with ExitStack() as held:
            try:
                verdict = held.enter_context(self.by.slot(self.limit, subject)).verdict
            except NoPlace as error:
                verdict = error.verdict
            yield verdict

    def _decided_async(self, args: Any, kwargs: Any) -> AbstractAsyncContextManager[Verdict]:
        if self.asked is not None:
            slot: AbstractAsyncContextManager[Verdict] = self.by.slot(
                _value(self.asked, args, kwargs), self.cost
            )
            return slot
        return self._counted_async(_value(self.subject, args, kwargs))

    @asynccontextmanager
    async def _counted_async(self, subject: str | bytes) -> AsyncIterator[Verdict]:
        if hasattr(self.by, "hit"):
            yield await self.by.hit(self.limit, subject, 1 if self.cost is None else self.cost)
            return
        async with AsyncExitStack() as held:
            try:
                place = await held.enter_async_context(self.by.slot(self.limit, subject))
                verdict = place.verdict
            except NoPlace as error:
                verdict = error.verdict
            yield verdict


def policies_of(guard: Any, verdict: Verdict) -> tuple[Quota, ...]:
    """The policies of a guard that its verdict names; () for what is no guard."""
    book = getattr(guard, "book", None)
    if book is None:
        return ()
    named: dict[str, Quota] = book.document.named
    found = [named.get(name) for name in dict.fromkeys(part.policy for part in verdict.parts)]
    return tuple(one for one in found if one is not None)


def _value(given: Any, args: Any, kwargs: Any) -> Any:
    return given(*args, **kwargs) if callable(given) else given
