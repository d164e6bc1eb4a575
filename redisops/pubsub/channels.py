"""Which channels have subscribers, and how many."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument, NotSupported
from redisops.keys import pattern as checked_pattern
from redisops.steps import Awaiting, Blocking, Steps, step

LIMIT = 1_000
MOST = 100_000
"""Channels of a node above which they are not listed: the server answers with all or none."""


@dataclass(frozen=True, slots=True)
class ChannelList:
    """Channels with subscribers, sorted. ``is_all`` is False when there are more than these.

    ``known`` is how many there are on all nodes, whatever the pattern; None where the server
    does not tell (and for sharded ones).
    """

    names: list[bytes]
    is_all: bool
    known: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What is subscribed to: channels and sharded ones with their counts, patterns as a number.

    ``has_shards`` is whether the server knows sharded channels (Redis 7, Valkey).
    """

    listed: ChannelList
    subscribers: dict[bytes, int]
    patterns: int
    has_shards: bool
    sharded: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class _Part:
    names: str
    counts: str
    field: bytes


_SHARDS = _Part("SHARDCHANNELS", "SHARDNUMSUB", b"pubsubshard_channels")
_PARTS = (_Part("CHANNELS", "NUMSUB", b"pubsub_channels"), _SHARDS)


@dataclass(slots=True)
class _Seen:
    """What one node has."""

    known: int | None
    patterns: int
    is_all: bool
    has_shards: bool = True
    counts: dict[bytes, int] = field(default_factory=dict)
    sharded: dict[bytes, int] = field(default_factory=dict)


class _Channels:
    """Looks at the channels of one server, or of all primaries of a cluster.

    Nothing can be seen of channels that only patterns listen to: Redis does not keep them.
    """

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def names(
        self, match: bytes | str | None = None, limit: int = LIMIT, *, sharded: bool = False
    ) -> Steps[ChannelList]:
        """Up to ``limit`` channels that somebody subscribes to by name. Two commands a node.

        A node with more than ``MOST`` channels is not asked for them: its answer has no bound.
        """
        if limit < 1:
            raise InvalidArgument(f"limit {limit} is below 1")
        wanted = checked_pattern(match)
        found: set[bytes] = set()
        known: int | None = 0
        is_all = True
        for node in (yield from self._nodes()):
            stats = yield node.execute_command("INFO", "stats")
            count = None if sharded else _count(stats)
            known = known + count if known is not None and count is not None else None
            if count is not None and count > MOST:
                is_all = False
                continue
            part = "SHARDCHANNELS" if sharded else "CHANNELS"
            names = yield node.execute_command("PUBSUB", part, wanted or b"*")
            found.update(names)
        names = sorted(found)
        return ChannelList(names[:limit], is_all and len(names) <= limit, known)

    @step
    def overview(self, limit: int = LIMIT) -> Steps[Overview]:
        """Up to ``limit`` channels and as many sharded ones, with how many subscribe to each.

        At most three round trips for each node. Raises NoPermissionError when a right is missing;
        that a server knows no sharded channels is no error.
        """
        if limit < 1:
            raise InvalidArgument(f"limit {limit} is below 1")
        every = []
        for node in (yield from self._nodes()):
            every.append((yield from self._at(node, limit)))
        names, shards = Counter[bytes](), Counter[bytes]()
        for one in every:
            names.update(one.counts)
            shards.update(one.sharded)
        first = dict(sorted(names.items())[:limit])
        known = [one.known for one in every if one.known is not None]
        is_all = all(one.is_all for one in every) and max(len(names), len(shards)) <= limit
        return Overview(
            ChannelList(list(first), is_all, sum(known) if len(known) == len(every) else None),
            first, sum(one.patterns for one in every), all(one.has_shards for one in every),
            dict(sorted(shards.items())[:limit]),
        )  # fmt: skip

    def _at(self, node: Any, limit: int) -> Steps[_Seen]:
        """The overview of one node."""
        replies = yield from _together(node, [("INFO", "stats"), ("PUBSUB", "NUMPAT")])
        stats, patterns = map(_told, replies)
        known = [_count(stats, part.field) for part in _PARTS]
        parts = [part for part, count in zip(_PARTS, known, strict=True) if (count or 0) <= MOST]
        seen = _Seen(known[0], int(patterns), is_all=len(parts) == len(_PARTS))
        lists = yield from _together(node, [("PUBSUB", part.names, b"*") for part in parts])
        counting = []
        for part, reply in zip(parts, lists, strict=True):
            if part is _SHARDS and isinstance(reply, ResponseError | NotSupported):
                seen.has_shards = False
                continue
            found = sorted(_told(reply))
            seen.is_all = seen.is_all and len(found) <= limit
            if found:
                counting.append((part, ("PUBSUB", part.counts, *found[:limit])))
        replies = yield from _together(node, [command for _, command in counting])
        for (part, _), reply in zip(counting, replies, strict=True):
            counts = seen.sharded if part is _SHARDS else seen.counts
            counts.update(_pairs(_told(reply)))
        return seen

    @step
    def subscribers(
        self, names: Sequence[bytes | str], *, sharded: bool = False
    ) -> Steps[dict[bytes, int]]:
        """How many subscribe to each channel by name, over all nodes. One command a node.

        At most 10,000 names.
        """
        if len(names) > 10_000:
            raise InvalidArgument(f"{len(names)} channels are more than 10000 at once")
        plain = [name.encode() if isinstance(name, str) else name for name in names]
        counts = dict.fromkeys(plain, 0)
        if not plain:
            return counts
        part = "SHARDNUMSUB" if sharded else "NUMSUB"
        for node in (yield from self._nodes()):
            reply = yield node.execute_command("PUBSUB", part, *plain)
            for name, count in _pairs(reply):
                counts[name] += count
        return counts

    @step
    def patterns(self) -> Steps[int]:
        """How many patterns are subscribed to (over all nodes, those of several counted apart)."""
        total = 0
        for node in (yield from self._nodes()):
            total += int((yield node.execute_command("PUBSUB", "NUMPAT")))
        return total

    def _nodes(self) -> Steps[list[Any]]:
        primaries = getattr(self.redis, "primaries", None)
        if primaries is None:
            return [self.redis]
        nodes = yield primaries()
        return list(nodes)


class Channels(_Channels, Blocking):
    __doc__ = _Channels.__doc__


class AsyncChannels(_Channels, Awaiting):
    __doc__ = _Channels.__doc__


def channels(redis: Any, match: bytes | str | None = None, limit: int = LIMIT) -> Any:
    """``Channels(redis).names(...)``, awaitable when the client is."""
    return _of(redis).names(match, limit)


def subscribers(redis: Any, names: Sequence[bytes | str]) -> Any:
    """``Channels(redis).subscribers(...)``, awaitable when the client is."""
    return _of(redis).subscribers(names)


def _of(redis: Any) -> Any:
    awaits = inspect.iscoroutinefunction(getattr(redis, "execute_command", None))
    return AsyncChannels(redis) if awaits else Channels(redis)


def _together(node: Any, commands: Sequence[tuple[Any, ...]]) -> Steps[list[Any]]:
    """The replies (or refusals) to a few commands, in one round trip; none for no commands."""
    if not commands:
        return []
    pipe = node.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    replies: list[Any] = yield pipe.execute(raise_on_error=False)
    return replies


def _told(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise reply
    return reply


def _pairs(reply: Sequence[Any]) -> list[tuple[bytes, int]]:
    """Names and numbers of NUMSUB, which alternate."""
    return [(name, int(count)) for name, count in zip(reply[::2], reply[1::2], strict=True)]


def _count(stats: Any, wanted: bytes = b"pubsub_channels") -> int | None:
    """A number of channels in INFO, parsed by redis-py or not; None when it is not told."""
    if isinstance(stats, dict):
        value = stats.get(wanted.decode())
        return None if value is None else int(value)
    for line in bytes(stats).splitlines():
        name, _, value = line.partition(b":")
        if name == wanted:
            return int(value)
    return None
