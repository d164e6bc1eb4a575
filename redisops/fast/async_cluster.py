"""The fast path for asyncio on a cluster: a shared connection for each node."""

# Calls redis-py's untyped internals.
# mypy: allow-untyped-calls

from __future__ import annotations

import asyncio
from typing import Any

from redis.exceptions import AskError, MovedError

from redisops.connection.async_client import RUNNER, in_time
from redisops.fast.async_lines import AsyncLine
from redisops.fast.cluster import Routes
from redisops.fast.outcome import guard_of
from redisops.steps import Awaiting


class AsyncLines(Routes, Awaiting):
    """The lines of an ``AsyncClusterClient``.

    On a plain ``redis.asyncio.RedisCluster``, whose nodes have no clients of their own,
    everything goes redis-py's way.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.guard = guard_of(client)
        self._ours = hasattr(client, "node_breakers")

    @staticmethod
    def ready() -> None:
        """There is no short way past the slots."""

    async def _slot(self, args: tuple[Any, ...]) -> int | None:
        if not self._ours:
            return None
        if self.client._initialize:
            await self.client.primaries()
        return self._slot_of(args)

    def _line(self, slot: int) -> AsyncLine:
        return self._line_of(self.client.nodes_manager.get_node_from_slot(slot))

    async def _line_at(self, error: AskError) -> AsyncLine:
        node = self.client.get_node(host=error.host, port=error.port)
        if node is None:
            await self._look()
            node = self.client.get_node(host=error.host, port=error.port)
        if node is None:
            raise error
        return self._line_of(node)

    def _line_of(self, node: Any) -> AsyncLine:
        return AsyncLine.of(self.client._node_client(node))

    async def _move(self, error: MovedError) -> None:
        await self.client.nodes_manager.move_slot(error)

    async def _look(self) -> None:
        self.client._initialize = True
        await RUNNER.run(
            self.guard.steps(
                lambda: in_time(self.client.initialize), RUNNER, "CLUSTER SLOTS", 1,
                again=True, wait=None,
            )
        )  # fmt: skip

    async def _all_of(
        self, lines: list[AsyncLine], parts: list[list[tuple[Any, ...]]], *, again: bool
    ) -> list[list[Any]]:
        return await asyncio.gather(
            *(line.ask_all(part, again=again) for line, part in zip(lines, parts, strict=True))
        )

    async def close(self) -> None:
        """Close the running loop's connections."""
        for client in list(self.client._node_clients.values()):
            await AsyncLine.of(client).close()
