"""What the tests of caches share: caches over one kind of client, and a source that counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from redisops.cache import AsyncCache, Cache
from redisops.connection import Timeouts
from tests.clients import Connecting
from tests.conftest import Settled
from tests.servers import RedisProcess

QUICK = Timeouts(connect=0.5, read=0.5, deadline=1.0)  # of a server that is going to be away
PATIENT = Timeouts(connect=10, read=10, deadline=20)


class Rig:
    """Caches over one kind of client, closed at the end; ``source`` makes a load of a function."""

    def __init__(self, connecting: Connecting, server: RedisProcess) -> None:
        self.connecting, self.server = connecting, server
        self.made: list[Any] = []

    def client(self) -> Any:
        return self.connecting(self.server.url, timeouts=PATIENT)

    def cache(self, namespace: str = "shop", client: Any = None, **options: Any) -> Any:
        client = client or self.client()
        options = {"early": 0.0, "jitter": 0.0, **options}
        if self.connecting.awaiting:
            own = AsyncCache(client.target, namespace, **options)
            made: Any = Settled(own, self.connecting.loop)
        else:
            own = made = Cache(client, namespace, **options)
        self.made.append(made)
        return made

    def of(self, blocking: Any, awaiting: Any, **options: Any) -> Any:
        client = self.client()
        if self.connecting.awaiting:
            return Settled(awaiting(client.target, **options), self.connecting.loop)
        return blocking(client, **options)

    def source(self, function: Callable[..., Any]) -> Any:
        if not self.connecting.awaiting:
            return function

        async def load(*args: Any) -> Any:
            return function(*args)

        return load

    def rest(self, seconds: float = 0.02) -> None:
        if self.connecting.awaiting:
            self.connecting.loop.run_until_complete(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)

    def until(self, fact: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not fact():
            assert time.monotonic() < end
            self.rest()

    def close(self) -> None:
        for cache in self.made:
            cache.aclose() if self.connecting.awaiting else cache.close()


class Source:
    """Counts how often it was asked."""

    def __init__(self, value: Any = None) -> None:
        self.asked = 0
        self.value = value
        self.error: Exception | None = None

    def __call__(self, *_: Any) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return {"n": self.asked} if self.value is None else self.value
