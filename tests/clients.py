"""Clients of ours for tests: one test body drives the blocking and the asyncio ones alike."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import redis.asyncio.client
import redis.asyncio.cluster

from redisops.connection import connect, connect_async

_PIPELINES = (redis.asyncio.client.Pipeline, redis.asyncio.cluster.ClusterPipeline)


class Connecting:
    """``connecting(url, **options)`` as ``connect`` takes them; closes all it made at the end."""

    def __init__(self, *, awaiting: bool) -> None:
        self.awaiting = awaiting
        self.loop = asyncio.new_event_loop()
        self._made: list[Any] = []

    def __call__(self, url: str, **options: Any) -> Any:
        """A client whose calls return replies, whichever kind it is."""
        return self.own((connect_async if self.awaiting else connect)(url, **options))

    def own(self, client: Any) -> Any:
        """Close this one too, and settle its calls."""
        self._made.append(client)
        return Settling(client, self) if self.awaiting else client

    def close(self) -> None:
        for client in self._made:
            if self.awaiting:
                self.loop.run_until_complete(client.aclose())
            else:
                client.close()
        if self.awaiting:
            self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


class Settling:
    """An asyncio client or pipeline whose coroutines are run to their end at once."""

    def __init__(self, target: Any, connecting: Connecting) -> None:
        self.__dict__["target"] = target
        self.__dict__["connecting"] = connecting

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.target, name)
        if not callable(attribute) or name in ("breaker", "guard"):
            return attribute

        def settle(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            if name == "blocking":
                return self.connecting.own(result)
            if isinstance(result, _PIPELINES):
                return Settling(result, self.connecting)
            if inspect.isawaitable(result):
                result = self.connecting.loop.run_until_complete(result)
            if name == "primaries":
                return [Settling(node, self.connecting) for node in result]
            return result

        return settle
