"""What the wall calls the state of an instance and of a service: worst first, each with a word."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from dashboard.services import words
from redisops.services.model import BY_ITSELF, GONE_FOR, Event, Instance
from redisops.services.overview import Seen

BEATS = 3
LEFT_FOR = 15.0
"""Seconds for which somebody who left in order is still shown."""
EMPTY_FOR = 86_400.0
ON_PURPOSE = frozenset(["draining", "maintenance"])
STEADY = 1_000
"""Beats that are never further apart than so many ms are told once: one is due in a second."""

_LEVELS = {
    "critical": "bad", "silent": "bad", "gone": "warn", "flapping": "warn", "late": "warn",
    "warning": "warn", "starting": "ok", "draining": "ok", "maintenance": "ok", "passing": "ok",
    "left": "ok",
}  # fmt: skip
# kind: its rank (worst first), the level of its service, its mark, its word in a count
KINDS: dict[str, tuple[int, str, str, str]] = {
    kind: (rank, level, words.MARKS[kind], words.counted(kind))
    for rank, (kind, level) in enumerate(_LEVELS.items())
}
LEVELS = {"bad": 0, "warn": 1, "ok": 2}


@dataclass(frozen=True)
class Judged:
    """A service (or the part of it that was asked for) as it stands.

    ``kinds`` are its instances with what each is called; ``lost`` who went without a word in the
    last minutes (``GONE_FOR``), ``left`` who left in order a moment ago, by their last change.
    """

    seen: Seen
    kinds: tuple[tuple[Instance, str], ...]
    lost: tuple[Event, ...] = ()
    left: tuple[Event, ...] = ()

    @cached_property
    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _, kind in self.kinds:
            found[kind] = found.get(kind, 0) + 1
        if self.lost:
            found["gone"] = len(self.lost)
        return found

    @cached_property
    def up(self) -> int:
        """Instances that get traffic."""
        return sum(one.is_routed for one, _ in self.kinds)

    @property
    def total(self) -> int:
        return len(self.kinds) + len(self.lost)

    @cached_property
    def level(self) -> str:
        """bad, warn or ok."""
        if self.is_empty:
            return "bad" if self.seen.instances == () and self.died else "ok"
        levels = {KINDS[kind][1] for kind in self.counts}
        if not self.up and levels & {"bad", "warn"}:
            return "bad"
        if self.seen.trouble or self.seen.reading.malformed:
            levels.add("warn")
        return min(levels, key=LEVELS.__getitem__)

    @cached_property
    def pulse(self) -> tuple[int, int]:
        """When its next beat is due and the time between two beats, ms; (0, 0) if nobody beats.

        Where many beat one after the other, a beat is always due within a second.
        """
        beats: list[tuple[int, int]] = []
        for one, _ in self.kinds:
            end = self.seen.ends.get(one.id)
            if end:
                apart = round(one.ttl * 1000 / BEATS)
                beats.append((end - apart * (BEATS - 1), apart))
        now = self.seen.at * 1000
        coming = sorted(beat for beat in beats if beat[0] > now)
        if not coming:
            return 0, 0
        due, apart = coming[0]
        longest = max(apart for _, apart in coming)
        times = [round(now), *(at for at, _ in coming if at < now + longest), round(now) + longest]
        if max(b - a for a, b in pairwise(times)) <= STEADY:
            return STEADY, STEADY
        return due, apart

    @property
    def is_empty(self) -> bool:
        return not self.kinds and not self.lost

    @property
    def died(self) -> Event | None:
        """The last change of a service that nobody is left of, where it went without a word."""
        last = next(iter(self.seen.events), None)
        if last is None or self.seen.instances or not has_died(last):
            return None
        return last if self.seen.at - last.at < EMPTY_FOR else None

    @cached_property
    def since(self) -> float:
        """Since when the longest of them is as it is, seconds since 1970; infinite for nobody."""
        return min((one.since for one, _ in self.kinds), default=math.inf)

    @cached_property
    def silent(self) -> tuple[int, float]:
        """How many are silent, and when the first of their leases ended (ms; infinite: unknown)."""
        ids = [one.id for one, kind in self.kinds if kind == "silent"]
        ends = self.seen.ends
        return len(ids), min((ends[id] for id in ids if id in ends), default=math.inf)

    @cached_property
    def verdict(self) -> tuple[str, str]:
        """Mark and words of the service: of the worst that is so."""
        if self.is_empty:
            return ("bad", "nobody up") if self.died else ("off", "nobody registered")
        counts = self.counts
        worst = min(counts, key=lambda kind: KINDS[kind][0])
        _, level, mark, word = KINDS[worst]
        if worst in ("critical", "silent") or (self.level == "bad" and not self.up):
            return mark, f"{self.up} of {self.total} up"
        if worst == "passing" and self.level == "warn":
            return "warn", "not all readable"
        if level == "ok":
            others = [f"{n} {KINDS[kind][3]}" for kind, n in counts.items() if kind != "passing"]
            return mark, ", ".join([f"{self.up} of {self.total}", *others])
        # The mark of the service is of its level: a loss is red on who is gone alone.
        return "warn" if mark == "bad" else mark, f"{counts[worst]} {word}"


def judged(seen: Seen) -> Judged:
    """A whole service."""
    there = {one.id for one in seen.instances}
    lost, left = _gone(seen, there)
    return Judged(seen, tuple((one, kind_of(seen, one)) for one in seen.instances), lost, left)


def kind_of(seen: Seen, one: Instance) -> str:
    """What the wall calls the state of an instance, by the clock of when it was looked at."""
    if one.suspect:
        return "silent"
    if one.state == "critical":
        return "critical"
    if one.id in seen.flapping:
        return "flapping"
    if one.state in ("passing", "warning"):
        end = seen.ends.get(one.id)
        if end is not None and end / 1000 - seen.at < one.ttl / BEATS:
            return "late"
        return one.state
    return one.state if one.state in KINDS else "passing"


def has_died(event: Event) -> bool:
    """Whether it went without leaving: who was drained or in maintenance left on purpose."""
    return event.state == "gone" and event.why in BY_ITSELF and event.origin not in ON_PURPOSE


def _gone(seen: Seen, there: Collection[str]) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    lost, left, known = [], [], set(there)
    for event in seen.events:  # newest first: the last word on each counts
        if event.id in known:
            continue
        known.add(event.id)
        age = seen.at - event.at
        if event.state != "gone":
            continue
        if has_died(event):
            if age < GONE_FOR:
                lost.append(event)
        elif age < (GONE_FOR if event.why in BY_ITSELF else LEFT_FOR):
            left.append(event)
    return tuple(lost), tuple(left)
