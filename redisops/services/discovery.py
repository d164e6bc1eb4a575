"""Local copies of services: fed by announcements, verified by version, served stale with age."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from typing import Any

from redisops.pubsub import AsyncSubscriber, Subscriber
from redisops.services.following import _Discovery
from redisops.services.registry import AsyncRegistry, Registry
from redisops.services.watching import AsyncWatching, Watching
from redisops.steps import Awaiting, Blocking


class Discovery(_Discovery, Blocking):
    __doc__ = _Discovery.__doc__

    def _ready(self) -> None:
        self._registry, self._watching = Registry(self.client), Watching(self.client)
        self._news = threading.Event()
        self._asked = threading.Condition()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Discovery:
        """Begin to follow, in a daemon thread; does not wait for Redis: see ``wait``."""
        _discoveries.add(self)
        self._start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def wait(self, seconds: float = 5.0) -> bool:
        """Wait until every service was read once; whether it was."""
        with self._asked:
            return self._asked.wait_for(self._is_ready, seconds)

    def close(self) -> None:
        """Stop following; the copies stay usable."""
        self.is_over = True
        self._news.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(5.0)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self.follow, name="redisops-discovery", daemon=True)
        self._thread.start()

    def _subscribed(self) -> Subscriber:
        return Subscriber(self.client, channels=list(self._channels))

    @staticmethod
    def _enter(subscriber: Subscriber) -> None:
        subscriber.__enter__()
        subscriber.wait(2.0)

    @staticmethod
    def _leave(subscriber: Subscriber) -> None:
        subscriber.__exit__(None, None, None)

    def _rest(self, seconds: float) -> None:
        self._news.wait(seconds)

    def _confirmed(self) -> None:
        with self._asked:
            self._asked.notify_all()


class AsyncDiscovery(_Discovery, Awaiting):
    __doc__ = _Discovery.__doc__

    def _ready(self) -> None:
        self._registry, self._watching = AsyncRegistry(self.client), AsyncWatching(self.client)
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncDiscovery:
        """Begin to follow, in a task; does not wait for Redis: see ``wait``."""
        self._task = asyncio.create_task(self.follow(), name="redisops-discovery")
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def wait(self, seconds: float = 5.0) -> bool:
        """Wait until every service was read once; whether it was."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        return self._asked.is_set()

    async def aclose(self) -> None:
        """Stop following; the copies stay usable."""
        self.is_over = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _subscribed(self) -> AsyncSubscriber:
        return AsyncSubscriber(self.client, channels=list(self._channels))

    @staticmethod
    async def _enter(subscriber: AsyncSubscriber) -> None:
        await subscriber.__aenter__()
        await subscriber.wait(2.0)

    @staticmethod
    async def _leave(subscriber: AsyncSubscriber) -> None:
        await subscriber.__aexit__(None, None, None)

    @staticmethod
    def _rest(seconds: float) -> Any:
        return asyncio.sleep(seconds)

    def _confirmed(self) -> None:
        if self._is_ready():
            self._asked.set()


_discoveries: weakref.WeakSet[Discovery] = weakref.WeakSet()


def _forked() -> None:
    """The thread and its connection are the parent's."""
    for discovery in list(_discoveries):
        discovery._subscriber = None
        discovery._telling.begin()
        discovery._asked, discovery._news = threading.Condition(), threading.Event()
        if discovery._thread is not None:
            discovery._start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
