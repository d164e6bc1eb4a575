"""How much is published on which channels, whoever listens: heard for a moment, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redisops.connection.waiting import waiting
from redisops.errors import InvalidArgument
from redisops.keys import pattern as checked_pattern
from redisops.pubsub.ears import AsyncEar, Ear
from redisops.pubsub.model import Gap, Message
from redisops.steps import Awaiting, Blocking, Steps, step

MOST = 5_000
MOST_BYTES = 4 * 2**20
LONGEST = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was heard in ``seconds``: messages by channel. ``is_cut``: a limit ended it early."""

    counts: Mapping[bytes, int]
    seconds: float
    is_cut: bool

    @property
    def messages(self) -> int:
        return sum(self.counts.values())

    @property
    def rates(self) -> dict[bytes, float]:
        """Messages per second by channel."""
        return {name: count / max(self.seconds, 0.001) for name, count in self.counts.items()}


class _Sampler:
    """Hears all channels that match, for a moment: also those that nobody else listens to.

    The server sends every message of that time to one connection more, so this is asked for, and
    not left running. Sharded channels have no pattern and are not heard.
    """

    def __init__(self, redis: Any, match: bytes | str = b"*") -> None:
        self.redis = redis
        self.match = checked_pattern(match) or b"*"

    @step
    def take(
        self, seconds: float = 1.0, *, most: int = MOST, most_bytes: int = MOST_BYTES
    ) -> Steps[Sample]:
        """Listen for so long, or until ``most`` messages or ``most_bytes`` of them came.

        One connection, PSUBSCRIBE, and the end of the connection. Raises what the server refuses,
        and what breaks the connection. ``seconds`` is above 0 and at most 10.
        """
        if not 0 < seconds <= LONGEST:
            raise InvalidArgument(f"{seconds} s are not above 0 and at most {LONGEST:g}")
        counts: Counter[bytes] = Counter()
        left = [most, most_bytes]

        def heard(one: Message | Gap) -> None:
            if isinstance(one, Message) and not ear.ended:
                counts[one.channel] += 1
                left[0] -= 1
                left[1] -= len(one.data)
                ear.ended = min(left) <= 0

        client = waiting(self.redis)
        ear = self._ear(client, (("PSUBSCRIBE", (self.match,)),), heard)
        try:
            took = yield from ear.for_a_while(seconds)
        finally:
            if client is not self.redis:
                yield self._close(client)
        return Sample(counts, took, ear.ended)

    _ear: Any
    _close: Any


class Sampler(_Sampler, Blocking):
    __doc__ = _Sampler.__doc__
    _ear = Ear

    @staticmethod
    def _close(client: Any) -> None:
        client.close()


class AsyncSampler(_Sampler, Awaiting):
    __doc__ = _Sampler.__doc__
    _ear = AsyncEar

    @staticmethod
    async def _close(client: Any) -> None:
        await client.aclose()
