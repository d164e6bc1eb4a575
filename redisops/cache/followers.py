"""The listener in a thread and the one in a task: the one of a client, begun, left, ended."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from redisops.cache.following import _Follower
from redisops.fast import AsyncFast, Fast
from redisops.pubsub.ears import AsyncEar, Ear


class Follower(_Follower, Ear):
    """In a daemon thread."""

    def __init__(self, client: Any) -> None:
        self._begin()
        super().__init__(client, (), self._nothing, self._nothing)
        self._fast = Fast.of(client)
        self._pid = os.getpid()
        self.thread = threading.Thread(target=self.follow, name="redisops-cache", daemon=True)

    @classmethod
    def of(cls, client: Any) -> Follower:
        """The one that belongs to this client and process."""
        with _lock:
            known: Follower | None = client.__dict__.get("_redisops_cache")
            if known is None or known.ended or known._is_gone():
                known = client.__dict__["_redisops_cache"] = cls(client)
            return known

    @classmethod
    def following(cls, client: Any, cache: Any) -> Follower:
        """The one of this client, which follows for ``cache`` from now on."""
        with _lock:
            follower = cls.of(client)
            follower.add(cache)
            follower.start()
            return follower

    def _is_gone(self) -> bool:
        began = self.thread.ident is not None
        return self._pid != os.getpid() or (began and not self.thread.is_alive())

    def _is_over(self) -> bool:
        with _lock:  # nobody joins one that ends
            self.ended = bool(self.ended) or not self.caches
            return bool(self.ended)

    def start(self) -> None:
        """Begin, once."""
        with _lock:
            if not self.thread.is_alive() and not self.ended:
                self.thread.start()

    def remove(self, cache: Any) -> None:
        """Tell what it counted and follow it no more; with the last one the thread ends."""
        self.run(self.leave(cache))
        self.caches.discard(cache)
        cache.local.close()
        here = self.thread is threading.current_thread()
        if self._is_over() and self.thread.is_alive() and not here:
            self.thread.join(3.0)


class AsyncFollower(_Follower, AsyncEar):
    """In a task of the running loop."""

    def __init__(self, client: Any) -> None:
        self._begin()
        super().__init__(client, (), self._nothing, self._nothing)
        self._fast = AsyncFast.of(client)
        self._pid = os.getpid()
        self.task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, client: Any) -> AsyncFollower:
        """The one that belongs to this client and process."""
        known: AsyncFollower | None = client.__dict__.get("_redisops_cache")
        if known is None or known.ended or known._is_gone():
            known = client.__dict__["_redisops_cache"] = cls(client)
        return known

    @classmethod
    def following(cls, client: Any, cache: Any) -> AsyncFollower:
        """The one of this client, which follows for ``cache`` from now on."""
        follower = cls.of(client)
        follower.add(cache)
        follower.start()
        return follower

    def _is_gone(self) -> bool:
        if self._pid != os.getpid():
            return True
        task = self.task
        return task is not None and (
            task.done() or task.get_loop() is not asyncio.get_running_loop()
        )

    def _is_over(self) -> bool:
        self.ended = bool(self.ended) or not self.caches
        return bool(self.ended)

    def start(self) -> None:
        """Begin, once, in the running loop."""
        if self.task is None and not self.ended:
            self.task = asyncio.get_running_loop().create_task(self.follow(), name="redisops-cache")
            self.task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # its loop ends: who goes on in another is followed there
            for cache in list(self.caches):
                cache._follower = None

    async def remove(self, cache: Any) -> None:
        """Tell what it counted and follow it no more; with the last one the task ends."""
        await self.run(self.leave(cache))
        self.caches.discard(cache)
        cache.local.close()
        if self._is_over() and self.task is not None:
            await asyncio.wait([self.task], timeout=3.0)


_lock = threading.RLock()


def _in_child() -> None:
    global _lock
    _lock = threading.RLock()  # a thread of the parent's may have held it


os.register_at_fork(after_in_child=_in_child)
