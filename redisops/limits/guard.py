"""The door of a service: which policies a request falls under, and whether it may pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

from redisops.limits.book import AsyncBook, Book
from redisops.limits.concurrency import AsyncConcurrency, Concurrency
from redisops.limits.deciding import Deciding
from redisops.limits.limiter import AsyncLimiter, Limiter
from redisops.limits.matching import Asked, Matched
from redisops.limits.model import Verdict
from redisops.limits.shedding import AsyncShedding, Shedding
from redisops.steps import Awaiting, Blocking

__all__ = ["AsyncGuard", "Guard"]

Shares = tuple[tuple[str, float], ...]


class Guard(Deciding, Blocking):
    """Decides by the policies of a book. Thread-safe.

    One request is one atomic round trip, whatever the number of its policies, and one more for
    each concurrency policy (``slot``). Never raises for trouble with Redis: then each policy's
    ``on_failure`` decides, a ``closed`` one first: the verdict's ``reason`` is ``failed_closed``,
    ``local`` or ``failed_open``. A ban wins over an exemption, and both end by themselves, by
    Redis's clock. Policies in shadow count and never deny. ``trouble``: a sentence while Redis does
    not decide, else "", logged once when it begins and once when it ends.

    ``recorder`` (``Recorder``) is told what was allowed, denied, or would have been in shadow.
    """

    def __init__(
        self, client: Any, book: Book, recorder: Any = None, *, prefix: str = "limit:"
    ) -> None:
        super().__init__(client, book, recorder, prefix)

    @contextmanager
    def slot(self, asked: Asked, cost: int | None = None) -> Iterator[Verdict]:
        """``check``, and a place of every concurrency policy that applies, held inside the block.

        The block runs in any case: look at ``verdict.allowed``. Denied means that nothing is held
        and nothing was spent. Places are renewed while the block lasts and given back at its end,
        whatever it raises; those of a process that dies are free after the policy's ``period``.
        """
        with ExitStack() as stack:
            verdict = self.run(self._slot(asked, cost, stack))
            if not verdict.allowed:
                stack.close()
            yield verdict

    def _matched(self, asked: Asked) -> Sequence[Matched]:
        matched: Sequence[Matched] = self.book.match(asked)
        return matched

    def _limiter(self, tag: str) -> Limiter:
        return Limiter(self.client, self.prefix, tag)

    def _concurrency(self, tag: str) -> Concurrency:
        return Concurrency(self.client, self.prefix, tag)

    def _shedding(self, tag: str, shares: Shares) -> Shedding:
        return Shedding(self.client, dict(shares), self.prefix, tag)

    @staticmethod
    def _enter(stack: ExitStack, place: Any) -> Any:
        return stack.enter_context(place)


class AsyncGuard(Deciding, Awaiting):
    """``Guard`` for asyncio, with an AsyncBook, which the first check starts."""

    def __init__(
        self, client: Any, book: AsyncBook, recorder: Any = None, *, prefix: str = "limit:"
    ) -> None:
        super().__init__(client, book, recorder, prefix)

    @asynccontextmanager
    async def slot(self, asked: Asked, cost: int | None = None) -> AsyncIterator[Verdict]:
        """As ``Guard.slot``."""
        async with AsyncExitStack() as stack:
            verdict = await self.run(self._slot(asked, cost, stack))
            if not verdict.allowed:
                await stack.aclose()
            yield verdict

    def _matched(self, asked: Asked) -> Sequence[Matched]:
        self.book.start()
        matched: Sequence[Matched] = self.book.match(asked)
        return matched

    def _limiter(self, tag: str) -> AsyncLimiter:
        return AsyncLimiter(self.client, self.prefix, tag)

    def _concurrency(self, tag: str) -> AsyncConcurrency:
        return AsyncConcurrency(self.client, self.prefix, tag)

    def _shedding(self, tag: str, shares: Shares) -> AsyncShedding:
        return AsyncShedding(self.client, dict(shares), self.prefix, tag)

    @staticmethod
    def _enter(stack: AsyncExitStack, place: Any) -> Any:
        return stack.enter_async_context(place)
