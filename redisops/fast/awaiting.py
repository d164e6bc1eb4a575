"""The fast path for asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis.exceptions import NoScriptError

from redisops.connection.commands import all_read, only_reads
from redisops.fast.async_cluster import AsyncLines
from redisops.fast.async_lines import FAILED, AsyncLine
from redisops.fast.packing import allowed, pack
from redisops.fast.sources import Script, by_digest, digest, in_full, text
from redisops.resilience.deadlines import deadline


class AsyncFast:
    """``Fast`` for asyncio: one connection for each event loop (and node), shared by all tasks.

    ``client`` is what ``connect_async`` gave or a plain ``redis.asyncio.Redis``. What tasks ask
    within one tick of the loop leaves in one write, and replies are matched in order. A cancelled
    task disturbs no other. A link that breaks fails the calls in flight alone (UnknownResult for
    writes) and is made anew with backoff. Blocking commands, transactions and what changes the
    connection are refused with InvalidArgument. Closing the client closes it.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        cluster = isinstance(client, redis.asyncio.RedisCluster)
        self._lines: Any = AsyncLines(client) if cluster else AsyncLine.of(client)
        self._guard = self._lines.guard

    @classmethod
    def of(cls, client: Any) -> AsyncFast:
        """The one that belongs to this client, made once and kept on it."""
        if isinstance(client, AsyncFast):
            return client
        known: AsyncFast | None = client.__dict__.get("_redisops_fast")
        if known is None:
            known = client.__dict__.setdefault("_redisops_fast", cls(client))
        return known

    async def call(self, *args: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """One command, as ``Fast.call``."""
        allowed(args)
        again = only_reads(args, self._guard.reading)
        if timeout is None:
            return await self._lines.ask(pack(args), args, again=again)
        with deadline(timeout):
            return await self._lines.ask(pack(args), args, again=again)

    async def script(
        self, name: str, keys: Sequence[Any], args: Sequence[Any] = (), *,
        repeatable: bool = False, packed: bytes | None = None,
    ) -> Any:  # fmt: skip
        """Run ``redisops/lua/<name>.lua``, as ``Fast.script``."""
        if packed is None:
            packed = pack(("EVALSHA", digest(name), len(keys), *keys, *args))
        mux = self._lines.ready()
        try:
            if mux is None:
                parts = ("EVALSHA", digest(name), len(keys), *keys, *args)
                return await self._lines.ask(packed, parts, again=repeatable)
            reply = await mux.send(packed)  # as `ask` does; a coroutine less
            if reply.__class__ is not list and isinstance(reply, FAILED):
                return await self._lines.settle(reply, mux, packed, "EVALSHA", again=repeatable)
            return reply
        except NoScriptError:
            parts = ("EVAL", text(name), len(keys), *keys, *args)
            return await self._lines.ask(pack(parts), parts, again=repeatable)

    async def two(self, first: tuple[Any, ...], second: tuple[Any, ...]) -> list[Any]:
        """The replies to two reading commands on keys of one slot, as ``Fast.two``."""
        replies = await self.together((first, second))
        if isinstance(replies[0], Exception) or isinstance(replies[1], Exception):
            raise next(reply for reply in replies if isinstance(reply, Exception))
        return replies

    async def together(
        self, commands: Sequence[tuple[Any, ...]], packed: bytes | None = None, *,
        again: bool = True,
    ) -> list[Any]:  # fmt: skip
        """A few commands about one key, as ``Fast.together``."""
        mux = self._lines.ready()
        replies: list[Any]
        if mux is None:
            replies = await self._lines.ask_all(commands, again=again)
        else:
            packed = packed or b"".join(map(pack, commands))
            count = len(commands)
            told = await mux.send_all(packed, count)
            if told.__class__ is not list:
                told = await self._lines.settle(
                    told, mux, packed, commands[0][0], again=again, count=count
                )
            replies = told
        return replies

    async def calls(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Several commands in one write, as ``Fast.calls``; nothing comes between them."""
        if not commands:
            return []
        for command in commands:
            allowed(command)
        again = all_read(commands, self._guard.reading)
        replies: list[Any] = await self._lines.ask_all([*map(tuple, commands)], again=again)
        return replies

    async def scripts(self, scripts: Sequence[Script], *, repeatable: bool = False) -> list[Any]:
        """Several ``(name, keys, args)`` in one write, as ``Fast.scripts``."""
        if not scripts:
            return []
        replies: list[Any] = await self._lines.ask_all(by_digest(scripts), again=repeatable)
        lost = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if not lost:
            return replies
        again = await self._lines.ask_all(in_full([scripts[at] for at in lost]), again=repeatable)
        for at, reply in zip(lost, again, strict=True):
            replies[at] = reply
        return replies

    async def aclose(self) -> None:
        """Close the running loop's connection; the next call opens another. Leaves the client."""
        await self._lines.close()
