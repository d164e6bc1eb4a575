"""A change as a line of a timeline: when, in words, why. Names come from Redis: only text."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dashboard.services.history.foreign import plain
from dashboard.services.history.models import Change
from dashboard.services.history.spells import Row, has_died, of
from dashboard.services.words import IS, MARKS
from dashboard.ui import numbers

GAPS = {
    "missed": "Changes are missing",
    "lost": "Data was lost: what happened between is not known",
    "unwatched": "Nobody watched",
}
_NONE: Mapping[int, float] = {}


@dataclass(frozen=True)
class Line:
    """One change. ``shape`` is a state of ``{% state %}``; ``since`` is of a gap alone."""

    at: datetime.datetime
    service: str
    instance: str
    shape: str
    words: str
    why: str
    since: datetime.datetime | None = None
    is_gap: bool = False

    @property
    def lasted(self) -> str:
        """How long a gap was; "" where nobody knows since when."""
        if self.since is None or self.at <= self.since:
            return ""
        return numbers.duration(self.at - self.since)


def lines(changes: Iterable[Change], lasted: Mapping[int, float] = _NONE) -> list[Line]:
    """The same changes in words, in their order; ``lasted`` as ``lasting.of`` tells it."""
    return [line(one, lasted.get(one.pk)) for one in changes]


def line(change: Change, lasted: float | None = None) -> Line:
    """One change in words; ``lasted``: seconds of the trouble that it began or ended."""
    row = of(change)
    return Line(
        change.at, change.service, change.instance, shape(row), words(row, lasted),
        plain(change.why), change.since, change.is_gap,
    )  # fmt: skip


def shape(row: Row) -> str:
    """The shape of the state that it came to."""
    if row.is_gap:
        return "unknown"
    if row.suspect:
        return MARKS["silent"]
    left = row.state == "gone" and not has_died(row)
    return MARKS.get("left" if left else row.state, "unknown")


def words(row: Row, lasted: float | None = None) -> str:
    """What happened, to follow the instance's name; a gap says it all."""
    if row.is_gap:
        return GAPS.get(row.state, GAPS["missed"])
    span = "" if lasted is None else numbers.duration(lasted)
    if row.state == "gone":
        if has_died(row):
            return f"is gone; back after {span}" if span else "is gone"
        return "left"
    if row.event == "service_registered" or row.origin == "none":
        begin = f"is back after {span}" if span else "arrived"
        return f"{begin} and {IS.get(row.state, row.state)}"
    if row.suspect:
        return "is silent with many others, and kept"
    if row.state == row.origin:
        return "beats again" if row.why == "it beats again" else "changed"
    if row.state == "critical":
        return f"is critical, for {span}" if span else "is critical"
    if row.state == "passing" and row.origin in ("critical", "starting"):
        again = f"is passing again, after {span}" if span else "is passing again"
        return again if row.origin == "critical" else "is passing"
    return f"{IS.get(row.state, row.state)}, it was {plain(row.origin)}"
