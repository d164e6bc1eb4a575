"""Publish to channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step

MOST_AT_ONCE = 10_000


class _Publisher:
    """Publishes to channels of one server or cluster.

    Nothing is kept: a message reaches who listens now, and nobody else ever. What must not be
    lost belongs into a stream. ``sharded`` uses SPUBLISH (Redis 7 and Valkey): such a message
    reaches the subscribers of that sharded channel alone, on a cluster through one shard.
    """

    _fast: Any

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def publish(
        self, channel: bytes | str, data: bytes | str, *, sharded: bool = False
    ) -> Steps[int]:
        """Publish one message; how many subscribers of this node got it. One round trip.

        On a cluster the subscribers at other nodes are not counted. Raises UnknownResult when
        the reply was lost, and never sends twice.
        """
        count = yield self._fast.call("SPUBLISH" if sharded else "PUBLISH", channel, data)
        return int(count)

    @step
    def publish_many(
        self, messages: Sequence[tuple[bytes | str, bytes | str]], *, sharded: bool = False
    ) -> Steps[list[int]]:
        """Publish up to 10,000 ``(channel, data)`` in one round trip (on a cluster one a node).

        The subscribers of each. Raises the first refusal; others may have been published.
        """
        if len(messages) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(messages)} messages are more than {MOST_AT_ONCE} at once")
        name = "SPUBLISH" if sharded else "PUBLISH"
        replies = yield self._fast.calls([(name, channel, data) for channel, data in messages])
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return [int(reply) for reply in replies]


class Publisher(_Publisher, Blocking):
    __doc__ = _Publisher.__doc__

    def __init__(self, redis: Any) -> None:
        super().__init__(redis)
        self._fast = Fast.of(redis)


class AsyncPublisher(_Publisher, Awaiting):
    __doc__ = _Publisher.__doc__

    def __init__(self, redis: Any) -> None:
        super().__init__(redis)
        self._fast = AsyncFast.of(redis)
