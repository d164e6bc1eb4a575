"""Uptime and incidents of a service and of its instances, computed from every change.

An instance is up while it is passing or warning, down while it is critical or went without
leaving; starting, draining, maintenance and not being there count for neither. A service is up
while one instance is, down while none is and one is critical or died since one was. What nobody
knows is left out of the percentage and told beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from dashboard.services.history import troubles
from dashboard.services.history.spells import (
    ABSENT,
    DOWN,
    UNKNOWN,
    UP,
    Row,
    Spell,
    clipped,
    spells,
)
from dashboard.services.history.troubles import Trouble
from dashboard.ui.numbers import duration

DAY = 86_400.0
WINDOWS = (("24 h", DAY), ("7 d", 7 * DAY), ("30 d", 30 * DAY))
MOST_INCIDENTS = 50
SLOTS = 24
TOGETHER = 60.0
"""Seconds within which those who died belong to the incident that the last one began."""
PARTLY = 0.1
"""A share of the window that is not known and must be said beside the percentage."""


@dataclass(frozen=True)
class Uptime:
    """Seconds of a window by what was so. ``percent`` is None when nothing of it counts."""

    window: str
    up: float = 0.0
    down: float = 0.0
    unknown: float = 0.0
    neither: float = 0.0
    is_repeat: bool = False
    """Whether it knows no more than the shorter window before it."""

    @property
    def percent(self) -> float | None:
        known = self.up + self.down
        return self.up / known * 100 if known else None

    @property
    def words(self) -> str:
        """``99.95%``; never 100 when it was down for a moment; a dash when nothing counts."""
        share = self.percent
        if share is None:
            return "—"
        if share == 100:
            return "100%"
        return f"{min(share, 99.99):.2f}%"

    @property
    def counted(self) -> float | None:
        """Seconds that the percentage is of, where that is much less than the window; else None."""
        known = self.up + self.down
        return known if known and self.unknown > PARTLY * (known + self.unknown) else None

    @property
    def told(self) -> str:
        """The percentage with what it is of: ``100% of 4 min``."""
        return self.words if self.counted is None else f"{self.words} of {duration(self.counted)}"

    @property
    def state(self) -> str:
        """How it is to be coloured."""
        share = self.percent
        if share is None:
            return "off"
        return "ok" if share >= 99.9 else "warn" if share >= 99 else "bad"


@dataclass(frozen=True)
class Incident:
    """From the first critical instance, or from when none was up, to when neither was so.

    ``end`` is None while it lasts. ``is_down``: at some time none was up. ``unknown``: seconds of
    it of which nobody knows. ``cause`` is the change that it began with.
    """

    start: float
    end: float | None
    is_down: bool
    instances: tuple[str, ...]
    cause: Row | None = None
    unknown: float = 0.0

    @property
    def lasted(self) -> float | None:
        """Seconds; None while it lasts."""
        return None if self.end is None else self.end - self.start


@dataclass
class Record:
    """A service, or one instance, over the time of the longest window."""

    spells: list[Spell]
    start: float
    end: float
    incidents: list[Incident] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    """Incidents of single instances."""

    @cached_property
    def uptimes(self) -> list[Uptime]:
        """The windows, shortest first."""
        found: list[Uptime] = []
        for name, seconds in WINDOWS:
            one = self._uptime(name, self.end - seconds)
            known = one.up + one.down + one.neither
            before = found[-1] if found else None
            if before and known < before.up + before.down + before.neither + 1:
                one = replace(one, is_repeat=True)
            found.append(one)
        return found

    @cached_property
    def slots(self) -> list[Uptime]:
        """The last 24 h by the hour, oldest first."""
        width = DAY / SLOTS
        begin = self.end - DAY
        return [self._uptime("", begin + n * width, begin + (n + 1) * width) for n in range(SLOTS)]

    @cached_property
    def bars(self) -> list[tuple[int, str, str]]:
        """The slots as bars: where, which class, in words. Not known is ``n``, absent ``o``."""
        found = []
        for place, slot in enumerate(self.slots):
            kind, words = "o", "not in service"
            if slot.up or slot.down:
                kind = "u" if not slot.down else "x" if slot.down > slot.up else "w"
                words = f"up {slot.told}"
            elif slot.unknown:
                kind, words = "n", "not known"
            ago = SLOTS - place
            when = f"{ago} h to {ago - 1} h ago" if ago > 1 else "the last hour"
            found.append((place * 3, kind, f"{when}: {words}"))
        return found

    def _uptime(self, name: str, start: float, end: float | None = None) -> Uptime:
        end = self.end if end is None else end
        sums: dict[str, float] = defaultdict(float)
        for one in clipped(self.spells, start, end):
            sums[one.kind if one.kind in (UP, DOWN, UNKNOWN) else "neither"] += one.end - one.start
        return Uptime(name, sums[UP], sums[DOWN], sums[UNKNOWN], sums["neither"])


def of_instance(
    rows: Iterable[Row],
    known_from: float,
    end: float,
    now: tuple[str, bool] | None,
    watched: float | None = None,
) -> Record:
    """One instance; ``rows`` hold its changes and the gaps of its service, oldest first.

    Nothing is known before ``known_from``, nor after ``watched`` when that is given.
    """
    start = end - WINDOWS[-1][1]
    begin = min(max(known_from, start), end)
    last = end if watched is None else min(max(watched, begin), end)
    rows = list(rows)
    found = spells(rows, begin, last, now)
    name = next((row.instance for row in rows if not row.is_gap), "")
    own = troubles.newest(troubles.of(name, found, rows, last))
    if begin > start:
        found.insert(0, Spell(start, begin, UNKNOWN))
    if last < end:
        found.append(Spell(last, end, UNKNOWN))
    return Record(found, start, end, troubles=own)


def of_service(
    rows: Sequence[Row],
    known_from: float,
    end: float,
    now: Mapping[str, tuple[str, bool]],
    watched: float | None = None,
) -> Record:
    """The service as a whole, with its incidents, newest first. ``now``: the states of all."""
    start = end - WINDOWS[-1][1]
    begin = min(max(known_from, start), end)
    last = end if watched is None else min(max(watched, begin), end)
    gaps = [row for row in rows if row.is_gap]
    by_instance: dict[str, list[Row]] = {name: [] for name in now}
    for row in rows:
        if not row.is_gap:
            by_instance.setdefault(row.instance, []).append(row)
    sweep = _Sweep(start, begin)
    single: list[Trouble] = []
    for name, own in by_instance.items():
        merged = sorted([*own, *gaps], key=lambda row: row.at) if gaps else own
        found = spells(merged, begin, last, now.get(name))
        sweep.add(name, found)
        single += troubles.of(name, found, own, last)
    for gap in gaps:
        sweep.hide(max(gap.since, begin), min(gap.at, last))
    record = sweep.done(last, end, rows)
    record.troubles = troubles.newest(single)
    return record


class _Sweep:
    """Goes along the borders of all spells and says of each moment how the service was."""

    def __init__(self, start: float, begin: float) -> None:
        self.start, self.begin = start, begin
        # (time, what counts, by how much, whose); what ends comes before what begins.
        self.borders: list[tuple[float, int, str, str]] = []

    def add(self, name: str, found: Iterable[Spell]) -> None:
        for one in found:
            kind = "dead" if one.died else one.kind
            if kind in (UP, DOWN, UNKNOWN, "dead"):
                self.borders.append((one.start, 1, kind, name))
                self.borders.append((one.end, -1, kind, name))

    def hide(self, start: float, end: float) -> None:
        """Nobody knows anything of this time."""
        if end > start:
            self.borders.append((start, 1, "hidden", ""))
            self.borders.append((end, -1, "hidden", ""))

    def done(self, last: float, end: float, rows: Sequence[Row]) -> Record:
        record = Record([], self.start, end)
        _append(record.spells, self.start, self.begin, UNKNOWN)
        counts: dict[str, int] = defaultdict(int)
        alive: dict[str, set[str]] = defaultdict(set)
        dead_since: set[str] = set()
        lately: list[tuple[float, str]] = []
        fresh: set[str] = set()
        open_: _Open | None = None
        at = self.begin
        borders = sorted(self.borders)
        for index, (time, change, kind, name) in enumerate(borders):
            if time >= last:
                break  # what lasts until now has not ended
            counts[kind] += change
            (alive[kind].add if change > 0 else alive[kind].discard)(name)
            if kind == "dead":
                (dead_since.add if change > 0 else dead_since.discard)(name)
                lately.append((time, name))
            if kind in (DOWN, "dead") and change > 0:
                fresh.add(name)
            if index + 1 < len(borders) and borders[index + 1][0] == time:
                continue
            after = borders[index + 1][0] if index + 1 < len(borders) else last
            if counts[UP]:
                dead_since.clear()  # who died before was replaced
            how = _how(counts, dead_since)
            _append(record.spells, max(time, at), after, how)
            at = max(after, at)
            if how == DOWN and not (open_ and open_.is_down):
                fresh |= _together(lately, time) & alive["dead"]
            bad = (alive[DOWN], dead_since)
            open_ = self._incident(record, open_, time, after, how, bad, fresh)
            fresh.clear()
        _append(record.spells, at, last, ABSENT)
        _append(record.spells, last, end, UNKNOWN)
        if open_ is not None:
            record.incidents.append(open_.ended(None))
        causes = {row.at: row for row in rows if not row.is_gap}
        newest = record.incidents[::-1][:MOST_INCIDENTS]
        record.incidents = [replace(one, cause=causes.get(one.start)) for one in newest]
        return record

    def _incident(
        self, record: Record, open_: _Open | None, start: float, end: float, how: str,
        bad: tuple[set[str], set[str]], fresh: set[str],
    ) -> _Open | None:  # fmt: skip
        """``bad``: who is down or dead; ``fresh``: who came to be so since the last call."""
        if how == UNKNOWN:
            if open_ is not None:
                open_.unknown += end - start
            return open_
        is_bad = how == DOWN or (how == UP and any(bad))
        if is_bad:
            open_ = open_ or _Open(start, names=bad[0] | bad[1])
            open_.is_down |= how == DOWN
            open_.names |= fresh
        elif open_ is not None:
            record.incidents.append(open_.ended(start))
            open_ = None
        return open_


@dataclass
class _Open:
    start: float
    is_down: bool = False
    names: set[str] = field(default_factory=set)
    unknown: float = 0.0

    def ended(self, end: float | None) -> Incident:
        return Incident(
            self.start, end, self.is_down, tuple(sorted(self.names)), unknown=self.unknown
        )


def _together(lately: list[tuple[float, str]], time: float) -> set[str]:
    """Who died within a minute before: the last one of them is not the only one."""
    found = set()
    for at, name in reversed(lately):
        if at < time - TOGETHER:
            break
        found.add(name)
    return found


def _how(counts: Mapping[str, int], dead: set[str]) -> str:
    if counts["hidden"]:
        return UNKNOWN
    if counts[UP]:
        return UP
    if counts[DOWN] or dead:
        return DOWN
    return UNKNOWN if counts[UNKNOWN] else ABSENT


def _append(found: list[Spell], start: float, end: float, kind: str) -> None:
    if end <= start:
        return
    if found and found[-1].kind == kind and found[-1].end == start:
        found[-1] = found[-1]._replace(end=end)
    else:
        found.append(Spell(start, end, kind))
