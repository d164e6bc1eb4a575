"""Workers of a consumer group: each entry handled at least once, whatever happens to a worker."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from redisops.connection.waiting import waiting
from redisops.errors import InvalidArgument
from redisops.resilience import Backoff
from redisops.steps import Awaiting, Blocking
from redisops.streams.loop import _Loop
from redisops.streams.member import AsyncMember, Member
from redisops.streams.model import Entry
from redisops.streams.work import Figures, Terms, own_name, plain

__all__ = ["AsyncConsumerGroup", "ConsumerGroup"]


class _ConsumerGroup(ABC):
    """One worker of a consumer group. ``run`` works until ``stop``; any number may run anywhere.

    ``handler`` gets each Entry. When it returns, the entry is acknowledged (within 50 ms, many in
    one write); when it raises, the entry is handed out again after ``backoff`` by its delivery
    count, and after ``max_deliveries`` it moves to the dead letters with the cause (``Reject``:
    at once). What a worker that died or hung had is taken over after ``claim_after`` seconds;
    an entry that is being handled is shown to be held, however long that takes.

    A worker killed at any point loses nothing: what it had not acknowledged is handled again,
    and nothing else. ``once`` gives an entry's idempotency key: what was handled with that key
    within ``window`` seconds is acknowledged without handling (two copies handled at the same
    moment by two workers are both handled; the key is noted after handling).

    ``consumer``: a name of its own (host, process, random) when left out. ``start``: where a new
    group begins ("0": with all there is, "$": with what comes). ``concurrency``: handlers at the
    same time (threads, or tasks). ``batch``: entries read at once. ``dead_letters``: the key,
    ``<stream>:dead`` when left out, trimmed to about ``most_dead``. ``grace``: seconds that
    running handlers have at the end.

    Redis may be away, at the start too: it is tried again with backoff, and ``figures.trouble``
    says why. A group or stream deleted meanwhile is made anew, beginning before what is held
    here, and the log (``redisops.streams``) says so. What no other try can mend (WRONGTYPE,
    NOPERM) ends ``run`` with that error.

    Keys: the stream, the dead letters, with ``once`` string keys ``{<stream>}:done:<hash>``.
    Blocking reads have a connection of their own. Needs Redis 6.2. Commands while busy: one
    write for ``batch`` entries; while idle: two XREADGROUP a second, XINFO GROUPS every 5 s.
    """

    _loop: Any

    def __init__(
        self,
        redis: Any,
        key: bytes | str,
        group: bytes | str,
        handler: Callable[[Entry], Any],
        *,
        consumer: bytes | str | None = None,
        concurrency: int = 1,
        batch: int = 100,
        max_deliveries: int = 5,
        backoff: Backoff = Backoff(base=1.0, cap=60.0),  # noqa: B008 - frozen
        claim_after: float = 30.0,
        dead_letters: bytes | str | None = None,
        most_dead: int = 100_000,
        start: str = "0",
        once: Callable[[Entry], bytes | str | None] | None = None,
        window: float = 3_600.0,
        grace: float = 30.0,
    ) -> None:
        terms = Terms(
            concurrency, batch, max_deliveries, backoff, claim_after, dead_letters, most_dead,
            start, once, window, grace,
        )  # fmt: skip
        pool = getattr(redis, "connection_pool", None)
        if pool is not None and pool.connection_kwargs.get("decode_responses"):
            raise InvalidArgument("the client has decode_responses: entries are bytes here")
        self.redis = redis
        self.key, self.group = plain(key), plain(group)
        self.consumer = own_name() if consumer is None else plain(consumer)
        self.handler = handler
        self.terms = terms
        self._begin()

    @property
    def figures(self) -> Figures:
        """What this worker has done and how it is. No command: they are kept up as it works."""
        figures: Figures = self._loop.books.figures
        return figures

    def stop(self) -> None:
        """Finish what is being handled, then end ``run``. May be called from a signal handler."""
        self._loop.books.stopping = True

    @abstractmethod
    def _begin(self) -> None: ...


class _Threads(_Loop, Blocking):
    def __init__(self, key: bytes, handler: Any, terms: Terms) -> None:
        super().__init__(key, handler, terms)
        self.news = threading.Condition()

    def _until(self, true: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        with self.news:  # in short waits: ``stop`` only sets a flag, as a signal handler may
            while not true() and (left := end - time.monotonic()) > 0:
                self.news.wait(min(left, 0.1))

    def _tell(self) -> None:
        with self.news:
            self.news.notify_all()

    @staticmethod
    def _breathe() -> None:
        """Threads take turns by themselves."""


class ConsumerGroup(_ConsumerGroup):
    __doc__ = _ConsumerGroup.__doc__
    _loop: _Threads

    def _begin(self) -> None:
        if inspect.iscoroutinefunction(self.handler):
            raise InvalidArgument("the handler is a coroutine function: use AsyncConsumerGroup")
        self._loop = _Threads(self.key, self.handler, self.terms)

    def run(self) -> None:
        """Work in this thread (and ``concurrency`` more above 1) until ``stop``.

        Raises what Redis refuses for good.
        """
        loop, waits = self._loop, waiting(self.redis)
        loop.member = Member(self.redis, waits, self.key, self.group, self.consumer)
        keeper = _thread(loop.keeping)
        count = self.terms.concurrency
        workers = [_thread(loop.handling) for _ in range(count if count > 1 else 0)]
        try:
            loop.reading()
        finally:
            loop.books.stopping = True
            loop._tell()
            end = time.monotonic() + self.terms.grace
            for worker in workers:
                worker.join(max(0.0, end - time.monotonic()))
            loop.ending()
            loop.is_over = True
            loop._tell()
            keeper.join()
            if waits is not self.redis:
                waits.close()
        if loop.failure is not None:
            raise loop.failure


class _Tasks(_Loop, Awaiting):
    def __init__(self, key: bytes, handler: Any, terms: Terms) -> None:
        super().__init__(key, handler, terms)
        self.news = asyncio.Event()

    async def _until(self, true: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not true() and (left := end - time.monotonic()) > 0:
            self.news.clear()
            try:
                async with asyncio.timeout(min(left, 0.1)):
                    await self.news.wait()
            except TimeoutError:
                continue

    def _tell(self) -> None:
        self.news.set()

    @staticmethod
    def _breathe() -> Awaitable[None]:
        return asyncio.sleep(0)


class AsyncConsumerGroup(_ConsumerGroup):
    __doc__ = _ConsumerGroup.__doc__
    _loop: _Tasks

    def _begin(self) -> None:
        self._loop = _Tasks(self.key, self.handler, self.terms)

    async def run(self) -> None:
        """Work in this task (and ``concurrency`` more above 1) until ``stop``.

        Cancelling it ends it as ``stop`` does without grace: what is unfinished is handed over.
        Raises what Redis refuses for good.
        """
        loop, waits = self._loop, waiting(self.redis)
        loop.member = AsyncMember(self.redis, waits, self.key, self.group, self.consumer)
        keeper = asyncio.create_task(loop.keeping())
        count = self.terms.concurrency
        workers = [asyncio.create_task(loop.handling()) for _ in range(count if count > 1 else 0)]
        try:
            await loop.reading()
            loop.books.stopping = True
            loop._tell()
            if workers:
                await asyncio.wait(workers, timeout=self.terms.grace)
        finally:
            loop.books.stopping = True
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            loop.books.running.clear()
            await loop.ending()
            loop.is_over = True
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await loop.member._slow.aclose()
            if waits is not self.redis:
                await waits.aclose()
        if loop.failure is not None:
            raise loop.failure


def _thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="redisops-streams", daemon=True)
    thread.start()
    return thread
