"""Read-only scripts and plain commands, many keys in one pipeline, on one server or a cluster.

Everything here is a generator of steps for ``yield from``. A script is sent as EVALSHA_RO
(EVALSHA before Redis 7); the first call to a server carries the text itself, so that it
costs no extra trip, and a server that has lost it gets it again.
"""

from __future__ import annotations

import functools
import hashlib
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis import RedisCluster, exceptions
from redis.asyncio import RedisCluster as AsyncRedisCluster

from redisops import scripts
from redisops.steps import Steps

ASK_AGAIN = 60.0  # seconds after which a refused right is tried again: rules get changed


class Call(NamedTuple):
    """One script on one key."""

    name: str
    key: bytes
    args: tuple[Any, ...] = ()


class ScriptsRefused(Exception):
    """This user may not run scripts; carries the right that lacks. Plain commands may still do."""


@dataclass
class Known:
    """What was learned about the server behind one client."""

    read_only: bool = True  # EVALSHA_RO exists
    loaded: set[tuple[str, str]] = field(default_factory=set)  # (node, script)
    refused_until: float = 0.0
    unsupported: set[str] = field(default_factory=set)  # commands that the server does not know

    def refused(self) -> bool:
        return time.monotonic() < self.refused_until

    @property
    def right(self) -> str:
        return "evalsha_ro" if self.read_only else "evalsha"


_known: weakref.WeakKeyDictionary[Any, Known] = weakref.WeakKeyDictionary()


def known(redis: Any) -> Known:
    """What is known of this client's server; kept as long as the client."""
    return _known.setdefault(redis, Known())


def is_cluster(redis: Any) -> bool:
    kind: Any = type(redis)
    return _is_cluster(kind)


@functools.cache
def _is_cluster(kind: Any) -> bool:
    # Asked for every key of a page; both classes are protocols, which makes isinstance slow.
    return issubclass(kind, RedisCluster | AsyncRedisCluster)


def nodes(redis: Any) -> Steps[list[Any]]:
    """The primaries of a cluster; ``[None]`` for a single server. No trip once connected."""
    if not is_cluster(redis):
        return [None]
    if isinstance(redis, AsyncRedisCluster):
        yield redis.initialize()
    return sorted(redis.get_primaries(), key=lambda node: str(node.name))


def send(redis: Any, commands: Sequence[tuple[Any, Sequence[Any]]]) -> Steps[list[Any]]:
    """Replies, errors among them, to (node or None, command) pairs. One round trip.

    A command may end with a dict of options for redis-py's reading of its reply. Commands
    for several nodes of a cluster travel at the same time.
    """
    if not commands:
        return []
    pipe = redis.pipeline(transaction=False)
    for node, command in commands:
        options = {"target_nodes": node} if node is not None else {}
        if isinstance(command[-1], dict):
            options |= command[-1]
            command = command[:-1]
        pipe.execute_command(*command, **options)
    replies = yield pipe.execute(raise_on_error=False)
    return list(replies)


def node_of(redis: Any, key: bytes) -> Any:
    """The cluster node that owns the key; None for a single server."""
    return redis.get_node_from_key(key) if is_cluster(redis) else None


def run(redis: Any, calls: Sequence[Call]) -> Steps[list[Any]]:
    """The reply, or the error, of each script call. One round trip; raises ScriptsRefused.

    A second trip when a server restarted or flushed its scripts, or (once for each client)
    when it is older than EVALSHA_RO.
    """
    state = known(redis)
    if state.refused():
        raise ScriptsRefused(state.right)
    yield from nodes(redis)
    replies = yield from _send(redis, state, calls)

    errors = [reply for reply in replies if isinstance(reply, Exception)]
    if not errors:
        return replies
    if state.read_only and any(_is_unknown(error) for error in errors):
        state.read_only = False
        replies = yield from _send(redis, state, calls)
    lost = [n for n, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
    if lost:
        state.loaded.clear()
        again = yield from _send(redis, state, [calls[n] for n in lost])
        for n, reply in zip(lost, again, strict=True):
            replies[n] = reply
    if any(is_refused(reply) and not is_out_of_reach(reply) for reply in replies):
        state.refused_until = time.monotonic() + ASK_AGAIN
        raise ScriptsRefused(state.right)
    return replies


def _send(redis: Any, state: Known, calls: Sequence[Call]) -> Steps[list[Any]]:
    commands = []
    several = is_cluster(redis)
    for call in calls:
        node = redis.get_node_from_key(call.key) if several else None
        place = (getattr(node, "name", ""), call.name)
        text = scripts.source(call.name)
        verb, what = ("EVALSHA", _digest(text)) if place in state.loaded else ("EVAL", text)
        state.loaded.add(place)
        verb += "_RO" if state.read_only else ""
        commands.append((node, (verb, what, 1, call.key, *call.args)))
    try:
        return (yield from send(redis, commands))
    except BaseException:
        state.loaded.clear()  # nobody knows what arrived
        raise


@functools.cache
def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _is_unknown(reply: Any) -> bool:
    return isinstance(reply, exceptions.ResponseError) and "unknown command" in str(reply).lower()


def is_refused(reply: Any) -> bool:
    """Whether the reply is the server's NOPERM."""
    return isinstance(reply, exceptions.NoPermissionError)


def is_out_of_reach(reply: Any) -> bool:
    """Whether the reply refuses the key, not the command (worded alike by all versions)."""
    return is_refused(reply) and "access" in str(reply)


def is_wrong_type(reply: Any) -> bool:
    return isinstance(reply, exceptions.ResponseError) and "WRONGTYPE" in str(reply)


def checked(reply: Any) -> Any:
    """The reply; an error is raised."""
    if isinstance(reply, Exception):
        raise reply
    return reply
