"""What the console remembers of a server that cannot be asked now."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from dashboard.servers.models import Server
from dashboard.servers.sampling.samples import RECENT_POINTS, RECENT_SECONDS, Snapshot
from dashboard.ui import numbers
from redisops.resilience import BreakerState, CircuitBreaker, Trouble


@dataclass(frozen=True)
class Fact:
    """One line: a label, and a time, some words, or both."""

    label: str
    text: str = ""
    mono: bool = False
    at: datetime.datetime | None = None


@dataclass(frozen=True)
class Bar:
    """One step of the strip: answered (tall), did not (short)."""

    x: int
    answered: bool


@dataclass(frozen=True)
class Tries:
    """The last minutes as a strip: whether the sampler got answers, step by step."""

    bars: list[Bar]
    width: int
    answered: int
    unanswered: int
    begins: datetime.datetime
    seconds: int = RECENT_SECONDS


def facts(
    server: Server, trouble: Trouble, snapshot: Snapshot | None, breaker: CircuitBreaker | None
) -> list[Fact]:
    """The lines, most useful first; what is not known is left out, never guessed."""
    found = []
    if snapshot is not None and snapshot.at:
        at = datetime.datetime.fromtimestamp(snapshot.at, datetime.UTC)
        trip = snapshot.figures.get("round_trip")
        found.append(Fact("Last reply", f"in {trip:.1f} ms" if trip is not None else "", at=at))
    if trouble.detail:
        found.append(Fact("Fails with", trouble.detail[:600], mono=True))
    found.append(Fact("Address", server.address, mono=True))
    user = server.username or server.endpoint.username
    if user:
        found.append(Fact("Signs in as", user, mono=True))
    was = _was(server, snapshot)
    if was:
        found.append(Fact("Was", was))
    if breaker is not None and breaker.state is not BreakerState.CLOSED:
        found.append(
            Fact("Tried again", f"each {breaker.probe_every:g} s, by one process at a time")
        )
    return found


def _was(server: Server, snapshot: Snapshot | None) -> str:
    if snapshot is None or not snapshot.at:
        return ""
    parts = [server.get_kind_display()]
    if snapshot.version:
        parts.append(f"{snapshot.flavour} {snapshot.version}".strip())
    used, limit = snapshot.figures.get("memory"), snapshot.figures.get("limit")
    if used is not None:
        of = f" of {numbers.size(limit)}" if limit else ""
        parts.append(f"{numbers.size(used)}{of}")
    keys = snapshot.figures.get("keys")
    if keys is not None:
        parts.append(f"{numbers.exact(int(keys))} keys")
    return ", ".join(parts)


def tries(snapshot: Snapshot | None) -> Tries | None:
    """The strip; None without a sampler that has ever got an answer in this time."""
    recent = list(snapshot.recent) if snapshot is not None else []
    while recent and recent[0] is None:
        recent.pop(0)  # before the first answer nobody knows whether it was asked
    if snapshot is None or len(recent) < 2:
        return None
    answered = sum(point is not None for point in recent)
    # The strip always spans the same time: what lies before the first bar stays blank.
    first = RECENT_POINTS - len(recent)
    bars = [Bar((first + index) * 6, point is not None) for index, point in enumerate(recent)]
    begins = snapshot.slot - RECENT_POINTS * RECENT_SECONDS
    return Tries(
        bars,
        RECENT_POINTS * 6 - 2,
        answered,
        len(recent) - answered,
        datetime.datetime.fromtimestamp(begins, datetime.UTC),
    )
