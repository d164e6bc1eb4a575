"""Books and guards of both kinds for tests; those for asyncio live in a loop of another thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from redisops.connection import Timeouts, connect, connect_async
from redisops.limits import Asked, AsyncBook, AsyncGuard, Book, Document, Guard, Verdict
from redisops.resilience import CircuitBreaker
from tests.servers import REDIS, RedisProcess

QUICK = Timeouts(connect=0.3, read=0.3, deadline=0.6)  # for who waits for a server in vain
PATIENT = Timeouts(connect=20, read=20, deadline=40)
SOON = 0.05  # seconds between two looks at a server that was away; the default is 2


class Holding:
    """Makes clients, books and guards, and closes them all at the end."""

    def __init__(self, *, awaiting: bool) -> None:
        self.awaiting = awaiting
        self._closing: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        if awaiting:
            self._thread.start()

    def settle(self, work: Any) -> Any:
        """What it gives; a coroutine runs in the loop."""
        if not asyncio.iscoroutine(work):
            return work
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def client(self, url: str, **options: Any) -> Any:
        """It waits for a busy server, and looks soon for one that was away."""
        options = {
            "timeouts": PATIENT, "breaker": CircuitBreaker(url, probe_every=SOON), **options
        }  # fmt: skip
        made = (connect_async if self.awaiting else connect)(url, **options)
        self._closing.append(made.aclose if self.awaiting else made.close)
        return made

    def plain(self, port: int, **options: Any) -> Any:
        """One of redis-py's own."""
        kind = redis.asyncio.Redis if self.awaiting else redis.Redis
        made: Any = kind(port=port, **options)
        self._closing.append(made.aclose if self.awaiting else made.close)
        return made

    def book(self, client: Any, service: str = "shop", *policies: Any, every: float = 0.2) -> Any:
        """A book that follows, with these policies in code."""
        defaults = Document(0, policies) if policies else None
        kind = AsyncBook if self.awaiting else Book
        book: Any = kind(client, service, defaults, every=every)
        self._closing.append(book.aclose if self.awaiting else book.close)
        if self.awaiting:
            self._loop.call_soon_threadsafe(book.start)
        return book

    def wait(self, book: Any, seconds: float = 20) -> bool:
        return bool(self.settle(book.wait(seconds)))

    def guard(self, client: Any, book: Any, recorder: Any = None) -> Any:
        return (AsyncGuard if self.awaiting else Guard)(client, book, recorder)

    def check(self, guard: Any, asked: Asked, cost: int | None = None) -> Verdict:
        verdict: Verdict = self.settle(guard.check(asked, cost))
        return verdict

    @contextlib.contextmanager
    def slot(self, guard: Any, asked: Asked) -> Iterator[Verdict]:
        place = guard.slot(asked)
        if not self.awaiting:
            with place as verdict:
                yield verdict
            return
        verdict = self.settle(place.__aenter__())
        try:
            yield verdict
        finally:
            self.settle(place.__aexit__(None, None, None))

    def close(self) -> None:
        for one in reversed(self._closing):
            self.settle(one())
        if self.awaiting:
            self.settle(asyncio.sleep(0))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(20)
        self._loop.close()


def one_server(request: pytest.FixtureRequest) -> RedisProcess:
    """An empty server: Valkey for the awaiting half of the tests, Redis for the others."""
    half = getattr(request.node, "callspec", None)
    awaiting = half is not None and half.params.get("holding") == "awaiting"
    process: RedisProcess = request.getfixturevalue(
        "valkey_process" if awaiting or REDIS is None else "redis_process"
    )
    process.reset()
    return process
