"""What namespaces did, as services tell Redis once a second: sums, rows of the list, a verdict."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.caching.namespaces.models import CachePolicy
from dashboard.caching.namespaces.units import percent, written_seconds
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.cache import Minute, Statistics
from redisops.cache.policy import NAMESPACE

MINUTES = 15
NOW = 2
"""Minutes that "now" is made of: the one that runs and the one before."""
ROWS = 50
MOST = 1000


@dataclass(frozen=True)
class Sums:
    """The figures of some minutes added up; ``seconds`` is how long they were."""

    figures: Mapping[str, int]
    seconds: float

    def of(self, name: str) -> int:
        """One figure. No ``[…]``: a template would take every attribute for a figure."""
        return self.figures.get(name, 0)

    @property
    def served(self) -> int:
        """Reads that had a value at once: from Redis, from the process, or a stale one."""
        return self.of("hits") + self.of("local") + self.of("stale")

    @property
    def reads(self) -> int:
        return self.served + self.of("misses")

    @property
    def ratio(self) -> float | None:
        """The share of reads that were served; None when nobody read."""
        return self.served / self.reads if self.reads else None

    @property
    def share(self) -> str:
        return percent(self.ratio)

    @property
    def rate(self) -> float:
        """Reads per second."""
        return self.reads / self.seconds if self.seconds else 0.0

    @property
    def load(self) -> float | None:
        """Seconds that a load took on average; None without loads."""
        return self.of("load_us") / 1e6 / self.of("loads") if self.of("loads") else None

    @property
    def saved(self) -> float | None:
        """Seconds of the source that served reads would have cost; None where nobody knows."""
        return None if self.load is None else self.load * self.served


def sums(minutes: Iterable[Minute], seconds: float) -> Sums:
    """All of them together."""
    figures: dict[str, int] = {}
    for one in minutes:
        for name, count in one.figures.items():
            figures[name] = figures.get(name, 0) + count
    return Sums(figures, seconds)


def lately(minutes: list[Minute], now: float, count: int = MINUTES) -> Sums:
    """The last ``count`` minutes, the running one among them."""
    first = int(now) // 60 * 60 - (count - 1) * 60
    return sums((one for one in minutes if one.at >= first), now - first)


@dataclass(frozen=True)
class Row:
    """One namespace of the list. ``policy`` is what people decided, None where the code does."""

    namespace: str
    used: float | None
    policy: CachePolicy | None
    sums: Sums
    points: list[float | None]

    @property
    def is_named_well(self) -> bool:
        """Whether a cache of the library can have this name; others were written by somebody."""
        return NAMESPACE.fullmatch(self.namespace) is not None

    @property
    def loads(self) -> int:
        return self.sums.of("loads")

    @property
    def stale(self) -> int:
        return self.sums.of("stale")

    @property
    def prevented(self) -> int:
        return self.sums.of("prevented")

    @property
    def stored(self) -> int:
        """Bytes that were stored in that time."""
        return self.sums.of("bytes")

    @property
    def ttl(self) -> str:
        """How long an entry is fresh as people decided, "" where the code does."""
        if self.policy is None or self.policy.archived:
            return ""
        seconds = self.policy.body.get("ttl")
        return written_seconds(seconds) if isinstance(seconds, int | float) else ""


@dataclass(frozen=True)
class Look:
    """One page of the list. ``total`` namespaces are known, ``all`` is the sum of those shown."""

    rows: list[Row] = field(default_factory=list)
    total: int = 0
    page: int = 0

    @property
    def all(self) -> Sums:
        return sums(
            (Minute(0, dict(row.sums.figures)) for row in self.rows),
            max((row.sums.seconds for row in self.rows), default=0.0),
        )

    @property
    def has_more(self) -> bool:
        return (self.page + 1) * ROWS < self.total

    @property
    def verdict(self) -> str:
        """What is so now."""
        found = self.all
        used = sum(1 for row in self.rows if row.sums.reads)
        if not found.reads:
            return f"Nobody read from a cache here in the last {MINUTES} min."
        said = f"{found.share} of {numbers.count(found.reads)} reads in the last {MINUTES} min were"
        names = "one namespace" if used == 1 else f"{used} namespaces"
        load = found.load
        cost = (
            f"; {numbers.count(found.of('loads'))} loads took {numbers.duration(load)} each."
            if load is not None
            else "; nothing had to be loaded."
        )
        return f"{said} served by the caches of {names}{cost}"


def look(server: Server, words: str = "", page: int = 0) -> Look:
    """The namespaces that services used lately, then those that only people know of.

    Two round trips. Raises Redis's errors.
    """
    statistics = Statistics(server.client())
    used = dict(statistics.namespaces(MOST))
    policies = decided(server)
    names = [*used, *(name for name in policies if name not in used)]
    wanted = words.casefold().split()
    names = [name for name in names if all(word in name.casefold() for word in wanted)]
    shown = names[page * ROWS : (page + 1) * ROWS]
    minutes = statistics.minutes_many(shown, MINUTES) if shown else {}
    now = time.time()
    rows = [row(name, used.get(name), policies.get(name), minutes[name], now) for name in shown]
    return Look(rows, len(names), page)


def decided(server: Server) -> dict[str, CachePolicy]:
    """By namespace, what people decided. One query."""
    return {one.namespace: one for one in CachePolicy.objects.filter(server=server)}


def row(
    name: str, used: float | None, policy: CachePolicy | None, minutes: list[Minute], now: float
) -> Row:
    """A line of the list from what services told."""
    by_time = {one.at: sums([one], 60.0).ratio for one in minutes}
    last = int(now) // 60 * 60
    points = [by_time.get(at) for at in range(last - (MINUTES - 1) * 60, last + 1, 60)]
    return Row(name, used, policy, lately(minutes, now), points)


@dataclass(frozen=True)
class Figure:
    """One number of the strip."""

    label: str
    value: str
    unit: str
    sense: str


def strip(minutes: list[Minute], now: float) -> list[Figure]:
    """The figures of one namespace."""
    found, present = lately(minutes, now), lately(minutes, now, NOW)
    long = f"in the last {MINUTES} min"
    saved = found.saved
    return [
        Figure("Hit ratio now", present.share, "", f"{found.share} {long}"),
        Figure("Reads", numbers.count(round(present.rate, 1)), "/s",
               f"{numbers.count(found.reads)} {long}"),
        Figure("Loads", numbers.count(found.of("loads")), "",
               f"{numbers.duration(found.load)} each" if found.load is not None else long),
        Figure("Source time saved", numbers.duration(saved and round(saved, 1)), "",
               "by reads that were served"),
        Figure("Stale served", numbers.count(found.of("stale")), "", "while it was refreshed"),
        Figure("Loads prevented", numbers.count(found.of("prevented")), "",
               "by waiting for another's"),
    ]  # fmt: skip


def verdict(minutes: list[Minute], now: float) -> str:
    """One namespace in a sentence."""
    found = lately(minutes, now)
    if not found.reads:
        return f"Nobody read from it in the last {MINUTES} min."
    said = f"{found.share} of {numbers.exact(found.reads)} reads in the last {MINUTES} min"
    if found.load is None:
        return f"{said} were served at once; nothing had to be loaded."
    return (
        f"{said} were served at once; {numbers.exact(found.of('loads'))} loads took "
        f"{numbers.duration(found.load)} each."
    )


def troubles(minutes: list[Minute], now: float) -> list[tuple[str, str]]:
    """What went wrong in the last minutes: a few words, and what they mean."""
    found = lately(minutes, now)
    known: list[tuple[str, Any, str]] = [
        ("failures", "loads failed", "The source raised an error; stale values were served where "
                                     "the policy has a stale time."),
        ("down", "reads had no answer from Redis", "What they got stands in the policy."),
        ("poisoned", "values were not the library's", "Damaged, or written by something else below "
                     "the namespace's keys; each was a miss."),
        ("too_big", "values were too large to store", "The policy says how large they may be."),
        ("unstored", "loads were not stored", "They lasted longer than their lease, were "
                     "invalidated meanwhile, or Redis refused the write."),
    ]  # fmt: skip
    return [
        (f"{numbers.exact(found.of(name))} {what}", meaning)
        for name, what, meaning in known
        if found.of(name)
    ]
