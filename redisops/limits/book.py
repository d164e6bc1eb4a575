"""The policies as a running service holds them: in memory, replaced when announced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from redisops.fast import AsyncFast, Fast
from redisops.limits.following import Following
from redisops.limits.matching import Asked, Matched
from redisops.resilience.deadlines import deadline
from redisops.steps import Awaiting, Blocking

__all__ = ["AsyncBook", "Book"]


class Book(Following, Blocking):
    """The published document, held in memory; a daemon thread keeps it new. Thread- and fork-safe.

    ``client`` None: ``defaults`` (policies in code) alone, for ever. Else the defaults hold until a
    document was read; what was read last holds while Redis is away, or has no document or only an
    older or unusable one. ``service`` is this service's name, ``*`` for a door of all services.

    ``document``; ``version`` (its own); ``age``: seconds since Redis last confirmed it, None before
    the first time; ``trouble``: a sentence while something is wrong, else "", logged once when it
    begins and once when it ends; ``instances``: how many processes of this service are known, at
    least 1.

    Costs one connection of its own and, every ``every`` seconds, one command that reads 128 bytes.
    """

    _thread: threading.Thread | None

    _kind = Fast

    def _ready(self) -> None:
        self._begin_anew()
        _books.add(self)
        self._start()

    def match(self, asked: Asked) -> tuple[Matched, ...]:
        """The policies that the request falls under. No I/O."""
        if self._thread is None:
            self._start()
        return self._matcher.match(asked)

    def wait(self, seconds: float) -> bool:
        """Wait until Redis was asked once with success; False when it was not in that time."""
        self._start()
        return self._asked.wait(seconds)

    def close(self) -> None:
        """Stop the thread and sign this instance off; the document stays usable."""
        self._ended = True
        self._rested.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(2.0)

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _begin_anew(self) -> None:
        """Also in a forked child: the thread and its connection are the parent's."""
        self._lock = threading.Lock()
        self._rested = threading.Event()
        self._asked = threading.Event()
        self._thread = None
        self._forget()

    def _start(self) -> None:
        if self.client is None or self._ended:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self.follow, name=f"policies-{self.service}", daemon=True
                )
                self._thread.start()

    def _confirmed(self) -> None:
        self._asked.set()

    def _rest(self, seconds: float) -> Any:
        return self._rested.wait(seconds)

    @staticmethod
    def _aside(work: Callable[[], Any]) -> Any:
        return work()

    @staticmethod
    def _bounded(call: Callable[[], Any], seconds: float) -> Any:
        with deadline(seconds):
            return call()

    @staticmethod
    def _closed(link: Any) -> Any:
        return link.close()


class AsyncBook(Following, Awaiting):
    """``Book`` for asyncio: a task of the running loop, begun by ``start`` or the first check."""

    _kind = AsyncFast

    def _ready(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        self._forget()

    def start(self) -> None:
        """Begin to follow, in the running loop; a second call does nothing."""
        loop = asyncio.get_running_loop()
        if self._loop is loop or self.client is None or self._ended:
            return
        self._forget()  # the connection of another loop, or of the parent of this process
        self._asked = asyncio.Event()
        self._loop = loop
        self._task = loop.create_task(self.follow(), name=f"policies-{self.service}")

    def match(self, asked: Asked) -> tuple[Matched, ...]:
        """The policies that the request falls under. No I/O."""
        return self._matcher.match(asked)

    async def wait(self, seconds: float) -> bool:
        """Wait until Redis was asked once with success; False when it was not in that time."""
        self.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), seconds)
        return self._asked.is_set()

    async def aclose(self) -> None:
        """End the task and sign this instance off; the document stays usable."""
        self._ended = True
        task, self._task = self._task, None
        if task is not None and self._loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait([task])

    async def __aenter__(self) -> AsyncBook:
        self.start()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    def _confirmed(self) -> None:
        self._asked.set()

    def _rest(self, seconds: float) -> Any:
        return asyncio.sleep(seconds)

    @staticmethod
    def _aside(work: Callable[[], Any]) -> Any:
        return asyncio.to_thread(work)

    @staticmethod
    def _bounded(call: Callable[[], Any], seconds: float) -> Any:
        return asyncio.wait_for(call(), seconds)

    @staticmethod
    def _closed(link: Any) -> Any:
        return link.aclose()


_books: weakref.WeakSet[Book] = weakref.WeakSet()


def _forked() -> None:
    for book in _books:
        book._begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
