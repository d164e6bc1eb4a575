"""What the user of a connection may do, found out without doing it.

``ACL DRYRUN`` is a right of its own that a narrow user lacks, so commands are tried instead:
between MULTI and DISCARD the server judges each command by its ACL and runs none of them. A
user without MULTI has only those commands tried that read; the others stay not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.exceptions import NoPermissionError

from redisops.steps import Awaiting, Blocking, Steps, step

Command = Sequence[str | bytes | int]


@dataclass(frozen=True)
class Rights:
    """``user`` is who the connection is (None: not told). ``refused`` maps a tried name to the
    rule that would allow it; ``unknown`` are names that could not be tried; ``keys_limited``
    says that the user may touch some keys only.
    """

    user: str | None
    refused: Mapping[str, str] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    keys_limited: bool = False


class _Acl:
    """The ACL of a server as the connection's own user sees it."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def rights(self, reads: Mapping[str, Command], writes: Mapping[str, Command]) -> Steps[Rights]:
        """Which of the commands the user may send; their names are those of the answer.

        Two round trips; nothing is read from a key that exists unless the user lacks MULTI, and
        nothing is ever written. The commands in ``reads`` must be safe to run.
        """
        pipe = self.redis.pipeline(transaction=False)
        pipe.execute_command("ACL", "WHOAMI")
        pipe.execute_command("MULTI")
        pipe.execute_command("DISCARD")
        who, multi, discard = yield pipe.execute(raise_on_error=False)
        user = None if isinstance(who, Exception) else _text(who)
        if isinstance(multi, Exception) or isinstance(discard, Exception):
            tried, replies = dict(reads), (yield self._plain(reads))
            unknown = frozenset(writes)
        else:
            tried = {**reads, **writes}
            replies = yield from self._discarded(tried)
            unknown = frozenset()
        verdicts = dict(zip(tried, replies, strict=True))
        refused = {
            name: rule_for(str(reply))
            for name, reply in verdicts.items()
            if isinstance(reply, NoPermissionError) and not concerns_a_key(str(reply))
        }
        limited = any(
            isinstance(reply, NoPermissionError) and concerns_a_key(str(reply))
            for reply in verdicts.values()
        )
        return Rights(user, refused, unknown, limited)

    def _plain(self, commands: Mapping[str, Command]) -> Any:
        pipe = self.redis.pipeline(transaction=False)
        self._queue(pipe, commands)
        return pipe.execute(raise_on_error=False)

    @staticmethod
    def _queue(pipe: Any, commands: Mapping[str, Command]) -> None:
        for name, *arguments in commands.values():
            # As bytes the name has no reply parser in redis-py: the reply may be QUEUED.
            pipe.execute_command(name.encode() if isinstance(name, str) else name, *arguments)

    def _discarded(self, commands: Mapping[str, Command]) -> Steps[list[Any]]:
        pipe = self.redis.pipeline(transaction=False)
        pipe.execute_command("MULTI")
        self._queue(pipe, commands)
        pipe.execute_command("DISCARD")
        replies = yield pipe.execute(raise_on_error=False)
        if isinstance(replies[-1], redis.RedisError):
            raise replies[-1]
        return list(replies[1:-1])


class Acl(_Acl, Blocking):
    """The ACL through a blocking client."""


class AsyncAcl(_Acl, Awaiting):
    """The ACL through an asyncio client."""


def concerns_a_key(reply: str) -> bool:
    """Whether a NOPERM reply is about a key or channel, not about the command."""
    return "command" not in reply


def rule_for(reply: str) -> str:
    """``+config|set`` from the reply that refused it, in the words of any server version."""
    _, found, rest = reply.partition("run the '")
    return f"+{rest.partition(chr(39))[0]}" if found else "+@all"


def _text(reply: Any) -> str:
    return reply.decode("utf-8", "backslashreplace") if isinstance(reply, bytes) else str(reply)
