"""Add many entries with few round trips: gathered, bounded, and honest about what was not added."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import redis
from redis.exceptions import NoScriptError

from redisops.errors import CircuitOpen, InvalidArgument, RedisopsError, UnknownResult
from redisops.fast import AsyncFast, Fast
from redisops.fast.sources import by_digest, in_full
from redisops.resilience import Backoff
from redisops.resilience.causes import is_reply, words_of
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.model import Fields, flat
from redisops.streams.stream import WINDOW, keyed, trimming
from redisops.streams.work import plain

MOST_FAILED = 1_000


class BufferFull(RedisopsError):
    """The producer's buffer is full: Redis is away, or slower than what is added. Not taken."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """An entry that was not added, or of which nobody knows, and why in words."""

    fields: tuple[Any, ...]  # name, value, name, value
    idempotency: bytes | None
    is_known: bool  # False: the reply was lost, it may have been added
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What became of what was given so far: ``sent``, still ``waiting``, ``failed`` in all.

    ``unsent`` are those that failed, the newest 1,000; what waits is not among them.
    """

    sent: int
    waiting: int
    failed: int
    unsent: tuple[Unsent, ...] = ()


@dataclass(slots=True)
class _Given:
    words: list[Any]
    idempotency: bytes | None


class _Producer:
    """Adds entries in batches: when ``size`` wait, or the first has waited ``linger`` seconds.

    ``add`` only puts into the buffer, of at most ``most`` entries: above that it raises BufferFull.
    What Redis certainly did not get waits and is sent again in its order. A write whose reply was
    lost is repeated only for entries with an idempotency key, which Redis adds once within
    ``window`` seconds; the others are reported as unknown. What the server refuses (WRONGTYPE,
    OOM, too old an id) is reported with its words. ``close`` sends what waits, for up to
    ``patience`` seconds, and returns the Report; what then still waits is among its unsent.

    Commands: one XADD (or one script) for each entry, one round trip for each batch.
    """

    _fast: Any

    def __init__(
        self,
        redis: Any,
        key: bytes | str,
        *,
        size: int = 100,
        linger: float = 0.05,
        most: int = 10_000,
        max_length: int | None = None,
        window: float = WINDOW,
        patience: float = 10.0,
    ) -> None:
        if not 1 <= size <= most:
            raise InvalidArgument(f"size {size} is not between 1 and most {most}")
        if linger < 0 or patience < 0:
            raise InvalidArgument("linger and patience are at least 0 s")
        self.redis, self.key = redis, plain(key)
        self.size, self.linger, self.most = size, linger, most
        self.window, self.patience = window, patience
        self._trim = trimming(max_length, None, approximate=True)
        self._waiting: deque[_Given] = deque()
        self._since: float | None = None  # the first that waits was given then
        self._unsent: deque[Unsent] = deque(maxlen=MOST_FAILED)
        self._sent = self._failed = 0
        self._lock = threading.Lock()
        self._backoff = Backoff(base=0.05, cap=2.0)
        self.trouble = ""

    @property
    def report(self) -> Report:
        """How it stands. No command."""
        with self._lock:
            return Report(self._sent, len(self._waiting), self._failed, tuple(self._unsent))

    def add(self, fields: Fields, *, idempotency: bytes | str | None = None) -> None:
        """Give one entry to be added soon. Raises BufferFull, and InvalidArgument at once."""
        words = flat(fields)
        name = None if idempotency is None else plain(idempotency)
        if name is not None:
            keyed(self.key, name, words, self.window)  # says what is wrong with it now
        with self._lock:
            if len(self._waiting) >= self.most:
                raise BufferFull(f"{self.most} entries wait already: {self.trouble or 'slow'}")
            self._waiting.append(_Given(words, name))
            if self._since is None:
                self._since = time.monotonic()
            is_news = len(self._waiting) in (1, self.size)
        if is_news:
            self._tell()

    @step
    def send(self) -> Steps[bool]:
        """Send one batch; whether nothing went wrong. One round trip, two for a lost script."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(self.size, len(self._waiting)))]
        if not batch:
            return True
        try:
            replies = yield from self._ask(batch)
        except (redis.RedisError, RedisopsError, OSError) as error:
            self._not_sent(batch, error)
            return False
        except BaseException as error:
            self._not_sent(batch, UnknownResult(f"ended meanwhile: {type(error).__name__}"))
            raise
        with self._lock:
            self._since = time.monotonic() if self._waiting else None
            for given, reply in zip(batch, replies, strict=True):
                if isinstance(reply, Exception):
                    self._fail(given, reply, is_known=True)
                else:
                    self._sent += 1
        self.trouble = ""
        return True

    def _ask(self, batch: list[_Given]) -> Steps[list[Any]]:
        scripts = [self._script(given) for given in batch]
        replies = yield self._fast.calls(
            [
                ("XADD", self.key, *self._trim, "*", *given.words)
                if script is None
                else by_digest([script])[0]
                for given, script in zip(batch, scripts, strict=True)
            ]
        )
        lost = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if lost:
            again = yield self._fast.calls(in_full([scripts[at] for at in lost]))  # type: ignore[misc]
            for at, reply in zip(lost, again, strict=True):
                replies[at] = reply
        return list(replies)

    def _script(self, given: _Given) -> tuple[str, list[bytes], list[Any]] | None:
        if given.idempotency is None:
            return None
        rest = [*self._trim, "*", *given.words]
        return keyed(self.key, given.idempotency, rest, self.window)

    def _not_sent(self, batch: list[_Given], error: Exception) -> None:
        """Put back what may be sent again; the rest is unknown, or refused."""
        self.trouble = words_of(error)
        refused = is_reply(error) or isinstance(error, InvalidArgument | redis.DataError)
        went = isinstance(error, UnknownResult) or not (
            isinstance(error, CircuitOpen) or getattr(error, "sent", None) is False
        )
        with self._lock:
            again = []
            for given in batch:
                if refused:
                    self._fail(given, error, is_known=True)
                elif not went or given.idempotency is not None:
                    again.append(given)
                else:
                    self._fail(given, error, is_known=False)
            self._waiting.extendleft(reversed(again))
            self._since = time.monotonic() if self._waiting else None

    def _fail(self, given: _Given, error: Exception, *, is_known: bool) -> None:
        self._failed += 1
        self._unsent.append(
            Unsent(tuple(given.words), given.idempotency, is_known, words_of(error))
        )

    @step
    def _until_sent(self, seconds: float) -> Steps[Report]:
        end, failures = time.monotonic() + seconds, 0
        while self._waiting:
            is_well = yield self.send()  # type: ignore[call-overload]
            failures = 0 if is_well else failures + 1
            if failures:
                wait = max(0.02, self._backoff.delay(failures))
                if time.monotonic() + wait > end:
                    break
                yield self.pause(wait)  # type: ignore[attr-defined]
        return self.report

    def _give_up(self) -> Report:
        with self._lock:
            while self._waiting:
                given = self._waiting.popleft()
                self._fail(given, RedisopsError(self.trouble or "closed"), is_known=True)
        return self.report

    def _wait(self) -> float | None:
        """Seconds until a batch is to be sent; None while nothing waits."""
        if self._since is None:
            return None
        if len(self._waiting) >= self.size:
            return 0.0
        return max(0.0, self._since + self.linger - time.monotonic())

    _tell: Callable[[], None]


class Producer(_Producer, Blocking):
    __doc__ = _Producer.__doc__

    def __init__(self, redis: Any, key: bytes | str, **options: Any) -> None:
        super().__init__(redis, key, **options)
        self._fast = Fast.of(redis)
        self._news = threading.Condition()
        self._one = threading.Lock()  # batches leave one after the other
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="redisops-producer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def flush(self, seconds: float | None = None) -> Report:
        """Send all that waits now, for up to ``seconds`` (``patience``); how it stands then."""
        with self._one:
            return self._until_sent(self.patience if seconds is None else seconds)

    def close(self) -> Report:
        """Send what waits and end. Entries given after that are not sent by themselves."""
        self._is_closed = True
        self._tell()
        self._thread.join()
        with self._one:
            self._until_sent(self.patience)
            return self._give_up()

    def _work(self) -> None:
        failures = 0
        while not self._is_closed:
            wait = self._wait()
            if failures:
                wait = max(0.02, self._backoff.delay(failures))
            if wait is None or wait > 0:
                with self._news:
                    self._news.wait(0.5 if wait is None else wait)
                if not failures:
                    continue
            if not self._is_closed and self._waiting:
                with self._one:
                    failures = 0 if self.send() else failures + 1

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


class AsyncProducer(_Producer, Awaiting):
    """``Producer`` for asyncio: ``add`` does not wait; use it with ``async with``."""

    def __init__(self, redis: Any, key: bytes | str, **options: Any) -> None:
        super().__init__(redis, key, **options)
        self._fast = AsyncFast.of(redis)
        self._news = asyncio.Event()
        self._one = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def flush(self, seconds: float | None = None) -> Report:
        """As ``Producer.flush``."""
        async with self._one:
            return await self._until_sent(self.patience if seconds is None else seconds)

    async def close(self) -> Report:
        """As ``Producer.close``."""
        async with self._one:  # not in the middle of a batch
            if self._task is not None:
                self._task.cancel()
            await self._until_sent(self.patience)
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        return self._give_up()

    async def _work(self) -> None:
        failures = 0
        while True:
            wait = self._wait()
            if failures:
                wait = max(0.02, self._backoff.delay(failures))
            if wait is None or wait > 0:
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._news.wait()
                if not failures:
                    continue
            if self._waiting:
                async with self._one:
                    failures = 0 if await self.send() else failures + 1

    def _tell(self) -> None:
        self._news.set()
