"""What was heard since the last look: every message counted, as many kept as can be read.

Of a flood each channel keeps its newest, an equal share for all: a loud channel does not hide a
quiet one, and muting it on one page leaves the others something to read. A row says how many
were left out beside it, so that rows and what they say add up to all that was heard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from redisops.pubsub.model import Message

ROWS = 25
"""Rows of one look: 200 a second at eight looks a second."""
LANES = 100
KEPT_BYTES = 4_000
RATED = 1_000


@dataclass(frozen=True)
class Heard:
    """One message as it is kept: its number here, and the beginning of its data."""

    number: int
    at: float
    channel: bytes
    pattern: bytes | None
    data: bytes
    size: int


@dataclass
class Taken:
    """A message to show, and how many are left out around it; ``upto`` is the last of these."""

    heard: Heard
    left_out: int
    upto: int


@dataclass
class _Lane:
    kept: deque[Heard] = field(default_factory=lambda: deque(maxlen=ROWS))
    count: int = 0


class Collector:
    """Bounded whatever comes: LANES channels with ROWS messages of KEPT_BYTES each."""

    def __init__(self) -> None:
        self.number = 0
        self._taken = 0  # the number up to which all is accounted for
        self._lanes: dict[bytes, _Lane] = {}
        self._counts: dict[bytes, int] = {}

    def add(self, message: Message) -> None:
        self.number += 1
        channel = message.channel
        if channel in self._counts or len(self._counts) < RATED:
            self._counts[channel] = self._counts.get(channel, 0) + 1
        lane = self._lanes.get(channel)
        if lane is None:
            if len(self._lanes) >= LANES:
                return
            lane = self._lanes[channel] = _Lane()
        lane.count += 1
        lane.kept.append(
            Heard(
                self.number, message.at, channel, message.pattern,
                message.data[:KEPT_BYTES], len(message.data),
            )
        )  # fmt: skip

    def take(self) -> list[Taken]:
        """The messages to show, in their order; all that came since the last call is in them."""
        lanes, self._lanes = list(self._lanes.values()), {}
        before, self._taken = self._taken, self.number
        chosen = sorted(_shared(lanes), key=lambda one: one.number)
        if not chosen:
            return []
        rows = []
        for one in chosen:
            rows.append(Taken(one, one.number - before - 1, one.number))
            before = one.number
        rows[-1].left_out += self.number - before
        rows[-1].upto = self.number
        return rows

    def rates(self, seconds: float) -> dict[bytes, float]:
        """Messages per second by channel since the last call."""
        counts, self._counts = self._counts, {}
        return {name: count / max(seconds, 0.001) for name, count in counts.items()}


def _shared(lanes: list[_Lane]) -> list[Heard]:
    """At most ROWS messages, the same number from each lane as far as it has them."""
    lanes.sort(key=lambda lane: len(lane.kept))
    chosen: list[Heard] = []
    for place, lane in enumerate(lanes):
        share = (ROWS - len(chosen)) // (len(lanes) - place)
        if len(lanes) - place > ROWS - len(chosen):
            share = 1 if len(chosen) < ROWS else 0
        chosen += list(lane.kept)[-share:] if share else []
    return chosen
