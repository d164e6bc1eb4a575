"""The blocking fast path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

from redisops.connection.commands import all_read, only_reads
from redisops.fast.cluster import Lines
from redisops.fast.lines import Line
from redisops.fast.packing import allowed, pack
from redisops.fast.sources import Script, by_digest, digest, in_full, text
from redisops.resilience.deadlines import deadline


class Fast:
    """Commands and scripts on the pooled connections of a client, without redis-py's own cost.

    ``client`` is what ``connect`` gave (one server, unix socket, TLS, Sentinel, cluster) or a
    plain ``redis.Redis``. Thread-safe and fork-safe. Replies are what the server sent: redis-py's
    callbacks do not run, so ``SET`` gives ``b"OK"``. Errors are those of
    ``client.execute_command``: CircuitOpen while the breaker is open, DeadlineExceeded,
    UnknownResult for a write whose reply was lost, redis-py's own for what the server refused.
    Commands that block or change the connection (BLPOP, MULTI, SELECT, SUBSCRIBE) are refused
    with InvalidArgument.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self._lines: Any = (
            Lines(client) if isinstance(client, redis.RedisCluster) else Line.of(client)
        )
        self._guard = self._lines.guard
        self._ask: Any = self._lines.ask
        self._is_one = isinstance(self._lines, Line)

    @classmethod
    def of(cls, client: Any) -> Fast:
        """The one that belongs to this client, made once and kept on it; a Fast gives itself."""
        if isinstance(client, Fast):
            return client
        known: Fast | None = client.__dict__.get("_redisops_fast")
        if known is None:
            known = client.__dict__.setdefault("_redisops_fast", cls(client))
        return known

    @staticmethod
    def rest(client: Any) -> None:
        """Give the links that stay at hand between calls back to the client's pool.

        For who closes what is idle there without closing the client: to the pool they are in use.
        """
        line: Line | None = client.__dict__.get("_redisops_line")
        if line is not None:
            line.rest()

    def call(self, *args: Any, timeout: float | None = None) -> Any:
        """One command, its name and arguments as str, bytes, int or float. One round trip.

        ``timeout`` is its total deadline in seconds; without it that of the client holds
        (``Timeouts.deadline``), and in any case that of a ``deadline()`` block.
        """
        allowed(args)
        again = only_reads(args, self._guard.reading)
        if timeout is None:
            return self._ask(pack(args), args, again=again)
        with deadline(timeout):
            return self._ask(pack(args), args, again=again)

    def script(
        self, name: str, keys: Sequence[Any], args: Sequence[Any] = (), *,
        repeatable: bool = False, packed: bytes | None = None,
    ) -> Any:  # fmt: skip
        """Run ``redisops/lua/<name>.lua``. One round trip; two when the server has lost the script.

        ``repeatable``: it changes nothing, so it may be sent again when the link broke.
        ``packed``: the same call as bytes, from a caller that had them at hand (``Prepared``).
        """
        parts = ("EVALSHA", digest(name), len(keys), *keys, *args)
        try:
            return self._ask(packed or pack(parts), parts, again=repeatable)
        except NoScriptError:
            parts = ("EVAL", text(name), len(keys), *keys, *args)
            return self._ask(pack(parts), parts, again=repeatable)

    def two(self, first: tuple[Any, ...], second: tuple[Any, ...]) -> list[Any]:
        """The replies to two commands on keys of one slot, in one write, at the cost of ``call``.

        They must only read: they may be sent again. What the server refused is raised.
        """
        replies = self.together((first, second))
        if isinstance(replies[0], Exception) or isinstance(replies[1], Exception):
            raise next(reply for reply in replies if isinstance(reply, Exception))
        return replies

    def together(
        self, commands: Sequence[tuple[Any, ...]], packed: bytes | None = None, *,
        again: bool = True,
    ) -> list[Any]:  # fmt: skip
        """A few commands about one key, with what the server refused in its place.

        ``again``: they may be sent twice when the replies were lost, as an expiry may. ``packed``:
        the same commands as bytes, from a caller that had them at hand.
        """
        if self._is_one:
            packed = packed or b"".join(map(pack, commands))
            replies: list[Any] = self._ask(packed, commands[0], again=again, count=len(commands))
        else:
            replies = self._lines.ask_all(commands, again=again)
        return replies

    def calls(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Several commands in one write: replies in order, the server's refusals among them.

        No transaction. One round trip (on a cluster one for each node). Raises what
        ``call`` does when the replies were lost.
        """
        if not commands:
            return []
        for command in commands:
            allowed(command)
        again = all_read(commands, self._guard.reading)
        replies: list[Any] = self._lines.ask_all(
            [tuple(command) for command in commands], again=again
        )
        return replies

    def scripts(self, scripts: Sequence[Script], *, repeatable: bool = False) -> list[Any]:
        """Several ``(name, keys, args)`` in one write, as ``calls``.

        One round trip; a second one for those that the server has lost. ``repeatable``: none of
        them changes anything, as for ``script``.
        """
        if not scripts:
            return []
        replies: list[Any] = self._lines.ask_all(by_digest(scripts), again=repeatable)
        lost = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if not lost:
            return replies
        again = self._lines.ask_all(in_full([scripts[at] for at in lost]), again=repeatable)
        for at, reply in zip(lost, again, strict=True):
            replies[at] = reply
        return replies
