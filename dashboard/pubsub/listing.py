"""Which channels somebody listens to: a few bounded commands, the console's own left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import NoPermissionError

from dashboard.pubsub.presets import PRESETS, kind_of
from dashboard.pubsub.wanted import LONGEST, is_own
from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import NotSupported
from redisops.pubsub import Sample, Sampler
from redisops.pubsub.channels import AsyncChannels, Channels, Overview
from redisops.resilience import diagnose
from redisops.steps import Awaiting, Blocking, Steps, step

LOOKED_AT = 1_000
SHOWN = 100
SAMPLED = 1.0
SAMPLED_MESSAGES = 5_000
LABELS = {one.code: one.label for one in PRESETS}


@dataclass
class Channel:
    """One channel: subscribers by name, and messages per second (None: not counted)."""

    name: bytes
    subscribers: int | None
    rate: float | None = None
    is_sharded: bool = False

    @property
    def printable(self) -> str:
        return keys.printable(self.name[:200]) + ("…" if len(self.name) > 200 else "")

    @property
    def whole(self) -> str:
        """As it is typed into a form or an address; "" when it is too long or empty for that."""
        return keys.printable(self.name) if 0 < len(self.name) <= LONGEST else ""

    @property
    def kind(self) -> str:
        return "shard" if self.is_sharded else "channel"

    @property
    def label(self) -> str:
        """Whose channel it looks like, in words; "" when nobody's we know."""
        return LABELS.get(kind_of(self.name), "")


@dataclass
class Listing:
    """``known``: channels on the server, ours included; None: not told. ``missing``: why nothing
    is listed, in a sentence. ``patterns`` counts subscriptions to patterns, whose names Redis does
    not tell. ``has_shards`` is whether the server knows sharded channels.
    """

    channels: list[Channel] = field(default_factory=list)
    known: int | None = None
    is_all: bool = True
    patterns: int | None = None
    has_shards: bool = False
    missing: str = ""
    more: int = 0

    @property
    def sentence(self) -> str:
        """The verdict on top of the page."""
        if self.missing:
            return f"The channels are not listed. {self.missing}"
        count = len(self.channels) + self.more
        if not count and not self.patterns:
            return "Nobody listens to a channel now."
        about = "" if self.is_all else "more than "
        said = f"{about}{count:,} channel{'' if count == 1 else 's'} with subscribers"
        if self.patterns:
            said += f", {self.patterns:,} pattern{'' if self.patterns == 1 else 's'} subscribed to"
        return f"{said}. Redis keeps no message: who does not listen misses it."

    def rated(self, rates: dict[bytes, float]) -> Listing:
        """With what was heard: channels that nobody subscribes to by name are heard, too."""
        for one in self.channels:
            one.rate = rates.get(one.name, 0.0)
        known = {one.name for one in self.channels}
        heard = [Channel(name, 0, rate) for name, rate in rates.items() if name not in known]
        every = sorted([*self.channels, *heard], key=lambda one: (-(one.rate or 0), one.name))
        self.more += max(0, len(every) - SHOWN)
        self.channels = every[:SHOWN]
        return self


class _Look:
    def __init__(self, server: Server, found: Any) -> None:
        self.server = server
        self.found = found

    @step
    def all(self) -> Steps[Listing]:
        """Channels, sharded ones and the count of patterns: at most three trips to each node."""
        try:
            seen: Overview = yield self.found.overview(LOOKED_AT)
        except NoPermissionError as error:
            return Listing(missing=diagnose(error).sentence)
        rows = [Channel(name, count) for name, count in seen.subscribers.items()]
        rows += [Channel(name, count, is_sharded=True) for name, count in seen.sharded.items()]
        rows = [one for one in rows if not is_own(self.server, one.name)]
        rows.sort(key=lambda one: (-(one.subscribers or 0), one.name))
        more, listed = max(0, len(rows) - SHOWN), seen.listed
        return Listing(
            rows[:SHOWN], listed.known, listed.is_all, seen.patterns, seen.has_shards, more=more
        )


class Look(_Look, Blocking):
    """``Look(server, Channels(client)).all()``"""


class AsyncLook(_Look, Awaiting):
    """The same, awaiting."""


@dataclass
class Measured:
    """What a moment's listening to every channel told. ``missing``: why it told nothing."""

    channels: list[Channel] = field(default_factory=list)
    messages: int = 0
    seconds: float = 0.0
    is_cut: bool = False
    more: int = 0
    missing: str = ""

    @property
    def sentence(self) -> str:
        if self.missing:
            return f"Nothing was measured. {self.missing}"
        lasted = f"{self.seconds:.1f} s"
        if not self.messages:
            return f"Nothing was published in {lasted}."
        count = len(self.channels) + self.more
        where = "1 channel" if count == 1 else f"{count:,} channels"
        what = "1 message" if self.messages == 1 else f"{self.messages:,} messages"
        end = " It ended there, so as not to weigh on the server." if self.is_cut else ""
        return f"{what} on {where} in {lasted}.{end}"


def measured(server: Server, subscribers: dict[bytes, int | None]) -> Measured:
    """Listen to every channel for a second, and count: also where nobody listens by name."""
    try:
        sample: Sample = Sampler(server.client()).take(SAMPLED, most=SAMPLED_MESSAGES)
    except (NoPermissionError, NotSupported) as error:
        return Measured(missing=diagnose(error).sentence)
    rows = [
        Channel(name, subscribers.get(name, 0), rate) for name, rate in sample.rates.items()
        if not is_own(server, name)
    ]  # fmt: skip
    rows.sort(key=lambda one: (-(one.rate or 0), one.name))
    heard = sum(sample.counts[one.name] for one in rows)
    return Measured(
        rows[:SHOWN], heard, sample.seconds, sample.is_cut, max(0, len(rows) - SHOWN)
    )  # fmt: skip


def listed(server: Server) -> Listing:
    """What a page shows; raises what the server raises, but a missing right, which it names."""
    found: Listing = Look(server, Channels(server.client())).all()
    return found


async def listed_async(server: Server) -> Listing:
    """The same from the running loop."""
    found: Listing = await AsyncLook(server, AsyncChannels(server.async_client())).all()
    return found
