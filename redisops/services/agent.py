"""Keeps this process's instances registered: beats, registers again, drains and leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
import weakref
from typing import Any

from redisops.errors import InvalidArgument
from redisops.services.keeping import BEATS, _Agent
from redisops.services.registry import AsyncRegistry, Registry
from redisops.steps import Awaiting, Blocking

__all__ = ["BEATS", "Agent", "AsyncAgent"]


class Agent(_Agent, Blocking):
    __doc__ = _Agent.__doc__

    def _ready(self) -> None:
        self._registry = Registry(self.client)
        self._thread: threading.Thread | None = None
        self._news = threading.Event()
        self._closing = threading.Lock()
        self._terminate = False
        self._handler: Any = None

    def __enter__(self) -> Agent:
        """Begin to beat, in a daemon thread; does not wait for Redis: see ``wait``."""
        if self._thread is not None:
            raise InvalidArgument("this agent beats already")
        _agents.add(self)
        if self._on_sigterm:
            self._handler = signal.signal(signal.SIGTERM, self._terminated)
        self._start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def wait(self, seconds: float = 5.0) -> bool:
        """Wait until Redis has confirmed all instances; whether it has."""
        end = time.monotonic() + seconds
        while not self.is_registered and time.monotonic() < end:
            time.sleep(0.005)
        return self.is_registered

    def close(self, why: str = "deregistered") -> None:
        """Drain, wait, deregister, and end the thread. A second call does nothing."""
        with self._closing:
            if self.is_over:
                return
            self._begin_to_leave(why)
            self.is_over = True
            self._wake()
            thread, self._thread = self._thread, None
            if thread is not None and thread is not threading.current_thread():
                thread.join(5.0)
            self._leave(why)
        if self._handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None
        if self._terminate:
            self._terminate = False
            os.kill(os.getpid(), signal.SIGTERM)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self.keep, name="redisops-services", daemon=True)
        self._thread.start()

    def _terminated(self, number: int, frame: Any) -> None:
        """In a thread of its own: a handler may interrupt the very code that it needs."""
        before = self._handler
        if self._closing.locked():  # by the code that this handler interrupts, perhaps
            self._terminate = True
            return
        leaving = threading.Thread(
            target=self.close, args=("terminated",), name="redisops-leaving", daemon=True
        )
        leaving.start()
        leaving.join(self.drain_seconds + 10.0)
        signal.signal(signal.SIGTERM, before)
        self._handler = None
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)

    def _rest(self, seconds: float) -> None:
        self._news.wait(seconds)
        self._news.clear()

    def _wake(self) -> None:
        self._news.set()


class AsyncAgent(_Agent, Awaiting):
    __doc__ = _Agent.__doc__

    def _ready(self) -> None:
        self._registry = AsyncRegistry(self.client)
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._closing = asyncio.Lock()
        self._leaving: asyncio.Task[None] | None = None
        self._handler: Any = None

    async def __aenter__(self) -> AsyncAgent:
        """Begin to beat, in a task; does not wait for Redis: see ``wait``."""
        if self._task is not None:
            raise InvalidArgument("this agent beats already")
        self._task = asyncio.create_task(self.keep(), name="redisops-services")
        if self._on_sigterm:
            self._loop = asyncio.get_running_loop()
            self._handler = signal.signal(signal.SIGTERM, self._terminated)
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def wait(self, seconds: float = 5.0) -> bool:
        """Wait until Redis has confirmed all instances; whether it has."""
        end = time.monotonic() + seconds
        while not self.is_registered and time.monotonic() < end:  # noqa: ASYNC110 - seldom, short
            await asyncio.sleep(0.005)
        return self.is_registered

    async def aclose(self, why: str = "deregistered") -> None:
        """Drain, wait, deregister, and end the task. A second call waits for the first."""
        async with self._closing:
            if self.is_over:
                return
            await self._begin_to_leave(why)
            self.is_over = True
            self._wake()
            task, self._task = self._task, None
            if task is not None:
                await asyncio.wait([task], timeout=5.0)
                task.cancel()
                await asyncio.wait([task])
            await self._leave(why)
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None

    def _terminated(self, number: int, frame: Any) -> None:
        before = self._handler

        async def leave() -> None:
            await self.aclose("terminated")
            if callable(before):
                before(number, frame)
            elif before != signal.SIG_IGN:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTERM)

        def begin() -> None:
            if self._leaving is None:
                self._leaving = self._loop.create_task(leave())

        self._loop.call_soon_threadsafe(begin)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    def _wake(self) -> None:
        self._news.set()


_agents: weakref.WeakSet[Agent] = weakref.WeakSet()


def _forked() -> None:
    """A child is not the instance that its parent registered."""
    for agent in _agents:
        agent.is_over = True
        agent._mine.clear()
        agent._thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
