"""The blocking and the awaiting cache."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any, TypeVar

from redisops.cache.body import NOTHING, _Cache, _How
from redisops.cache.flights import AsyncFlight, Flight
from redisops.cache.followers import AsyncFollower, Follower
from redisops.cache.many import _Many
from redisops.cache.names import Name
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps

T = TypeVar("T")


class Cache(_Many, Blocking):
    __doc__ = _Cache.__doc__

    _flight = Flight

    def __init__(self, client: Any, namespace: str, **options: Any) -> None:
        super().__init__(client, namespace, **options)
        self._fast = Fast.of(client)

    def get(self, key: Name, default: Any = None) -> Any:
        """The cached value, also a stale one; ``default`` for none. One round trip, or none.

        A cached "the source has None" is None. While Redis does not answer: ``default``, by
        ``when_down`` a copy of this process, or CacheUnavailable.
        """
        row = self._rows.get(key)
        if row is not None and row[1] > monotonic():
            self.counts.local += 1
            return row[0]
        if self._follower is None:
            self._begin_following()
        return self.run(self._got(key, default))

    def get_or_load(
        self, key: Name, load: Callable[[], T], *,
        tags: Iterable[Name] = (), ttl: float | None = None, fallback: Any = NOTHING,
    ) -> T:  # fmt: skip
        """The cached value, or what ``load()`` gives, asked by one process at a time.

        A hit: one round trip, or none. A miss: two and the load. A reader that waits for another's
        load sends at most three commands and is woken. A stale value is served at once, and
        refreshed in a thread behind. If the source raises, its error passes, unless there is a
        ``fallback`` (a value, or a function of the error), which is not cached. If Redis does not
        answer, ``when_down`` says what happens.
        """
        row = self._rows.get(key)
        if row is not None and row[1] > monotonic():
            self.counts.local += 1
            value: T = row[0]
            return value
        if self._follower is None:
            self._begin_following()
        found: T = self.run(self._asked(key, load, _How(tags, ttl, fallback)))
        return found

    def close(self) -> None:
        """Tell what was counted and stop following. The client stays open."""
        follower, self._follower = self._follower, None
        self._follows = False
        if follower is not None:
            follower.remove(self)
        if self._waits is not None and self._waits is not self.client:
            self._waits.close()
        self._waits = None

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _found(self) -> Follower:
        return Follower.of(self.client)

    def _begin_following(self) -> None:
        if self._follows:
            self._follower = Follower.following(self.client, self)

    def _behind(self, steps: Steps[None], over: Callable[[], None]) -> None:
        def work() -> None:
            try:
                self.run(steps)
            finally:
                over()

        threading.Thread(target=work, name="cache-refresh", daemon=True).start()

    @staticmethod
    def _one(load: Any, key: Name) -> Any:
        return lambda: load([key]).get(key)


class AsyncCache(_Many, Awaiting):
    __doc__ = _Cache.__doc__

    _flight = AsyncFlight

    def __init__(self, client: Any, namespace: str, **options: Any) -> None:
        super().__init__(client, namespace, **options)
        self._fast = AsyncFast.of(client)
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: Name, default: Any = None) -> Any:
        """As ``Cache.get``."""
        row = self._rows.get(key)
        if row is not None and row[1] > monotonic():
            self.counts.local += 1
            return row[0]
        if self._follower is None:
            self._begin_following()
        return await self.run(self._got(key, default))

    async def get_or_load(
        self, key: Name, load: Callable[[], Awaitable[T]], *,
        tags: Iterable[Name] = (), ttl: float | None = None, fallback: Any = NOTHING,
    ) -> T:  # fmt: skip
        """As ``Cache.get_or_load``; ``load`` is a coroutine function, refreshes are tasks."""
        row = self._rows.get(key)
        if row is not None and row[1] > monotonic():
            self.counts.local += 1
            value: T = row[0]
            return value
        if self._follower is None:
            self._begin_following()
        found: T = await self.run(self._asked(key, load, _How(tags, ttl, fallback)))
        return found

    async def aclose(self) -> None:
        """Tell what was counted, stop following and refreshing. The client stays open."""
        follower, self._follower = self._follower, None
        self._follows = False
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if follower is not None:
            await follower.remove(self)
        if self._waits is not None and self._waits is not self.client:
            await self._waits.aclose()
        self._waits = None

    async def __aenter__(self) -> AsyncCache:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    def _found(self) -> AsyncFollower:
        return AsyncFollower.of(self.client)

    def _begin_following(self) -> None:
        if self._follows:
            self._follower = AsyncFollower.following(self.client, self)

    def _behind(self, steps: Steps[None], over: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(self.run(steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: over())

    @staticmethod
    def _one(load: Any, key: Name) -> Any:
        async def one() -> Any:
            return (await load([key])).get(key)

        return one
