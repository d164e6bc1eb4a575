"""Agents and discoveries at work beside the test, in threads or in a loop of their own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from redisops.connection import connect, connect_async
from redisops.services import Agent, AsyncAgent, AsyncDiscovery, AsyncSweeper, Discovery, Sweeper


class World:
    """Makes what works in the background, blocking or awaiting, and ends it all."""

    def __init__(self, kind: str) -> None:
        self.awaiting = kind == "awaiting"
        self.loop = asyncio.new_event_loop()
        self.entered: list[Any] = []
        self.clients: list[Any] = []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def client(self, url: str) -> Any:
        self.clients.append(connect_async(url) if self.awaiting else connect(url))
        return self.clients[-1]

    def do(self, call: Any, *args: Any, **options: Any) -> Any:
        """The result of a call, in the loop where it is one of asyncio."""
        if not self.awaiting:
            return call(*args, **options)

        async def done() -> Any:
            result = call(*args, **options)
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(30)

    def _enter(self, made: Any) -> Any:
        self.entered.append(made)
        self.do(made.__aenter__ if self.awaiting else made.__enter__)
        return made

    def agent(self, url: str, *instances: Any, **options: Any) -> Any:
        made = (AsyncAgent if self.awaiting else Agent)(self.client(url), *instances, **options)
        return self._enter(made)

    def discovery(self, url: str, *services: str, **options: Any) -> Any:
        kind = AsyncDiscovery if self.awaiting else Discovery
        made = self._enter(kind(self.client(url), *services, **options))
        assert self.do(made.wait, 20)
        return made

    def sweeper(self, url: str, *services: str, **options: Any) -> Any:
        kind = AsyncSweeper if self.awaiting else Sweeper
        return self._enter(kind(self.client(url), services or None, **options))

    def leave(self, made: Any) -> None:
        self.entered.remove(made)
        self.do(made.__aexit__ if self.awaiting else made.__exit__, None, None, None)

    def close(self) -> None:
        """End all of it, also when one fails to: what stayed would be at work in other tests."""
        with contextlib.ExitStack() as last_made_first:
            last_made_first.callback(self.loop.close)
            last_made_first.callback(self.thread.join, 20)
            last_made_first.callback(self.loop.call_soon_threadsafe, self.loop.stop)
            for client in self.clients:
                ending = client.aclose if self.awaiting else client.close
                last_made_first.callback(self.do, ending)
            for made in self.entered:
                last_made_first.callback(self.leave, made)


@pytest.fixture(params=["blocking", "awaiting"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(request.param)
    yield made
    made.close()
