"""What an instance was, from when to when: from its changes and the gaps, and nothing guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dashboard.services.history.foreign import plain
from dashboard.services.history.models import Change
from redisops.services.model import BY_ITSELF, GONE_FOR

UP, DOWN, PLANNED, ABSENT, UNKNOWN = "up", "down", "planned", "absent", "unknown"
KINDS = {
    "passing": UP, "warning": UP, "critical": DOWN, "starting": PLANNED, "draining": PLANNED,
    "maintenance": PLANNED, "none": ABSENT, "gone": ABSENT,
}  # fmt: skip
BACK_WITHIN = GONE_FOR
"""Seconds after a loss of data in which an instance may still register again: the longest lease."""


class Row(NamedTuple):
    """A change as it is computed with; times are seconds. A gap has no ``instance``."""

    at: float
    instance: str
    origin: str
    state: str
    suspect: bool
    why: str
    since: float = 0.0
    event: str = ""

    @property
    def is_gap(self) -> bool:
        return self.event == Change.GAP

    @property
    def cause(self) -> str:
        """Why, fit to be read."""
        return plain(self.why, 200)


class Spell(NamedTuple):
    """From ``start`` to ``end`` (seconds) it was ``kind``; ``died``: it went without leaving."""

    start: float
    end: float
    kind: str
    died: bool = False


def of(change: Change) -> Row:
    """A kept change as a row."""
    since = change.since.timestamp() if change.since else 0.0
    return Row(
        change.at.timestamp(), change.instance, change.from_state, change.state, change.suspect,
        change.why, since, change.event,
    )  # fmt: skip


def kind_of(state: str, *, suspect: bool = False) -> str:
    """What a state counts as: suspects are listed, and nobody knows whether they live."""
    return UNKNOWN if suspect else KINDS.get(state, UNKNOWN)


def has_died(row: Row) -> bool:
    """Whether the instance went without having been let go."""
    return (
        row.state == "gone"
        and row.origin not in ("draining", "maintenance")
        and row.why in BY_ITSELF
    )


def spells(
    rows: Iterable[Row], start: float, end: float, now: tuple[str, bool] | None
) -> list[Spell]:
    """What one instance was, from ``start`` to ``end``, without a hole between.

    ``rows`` are its changes and the gaps of its service since ``start``, oldest first; ``now`` is
    its state now and whether it is suspect, None when it is not there.
    """
    walk = _Walk(start)
    for row in rows:
        if row.at < start:
            continue
        if row.is_gap:
            walk.gap(row)
        else:
            walk.change(row)
    return walk.ended(end, now)


def clipped(found: Sequence[Spell], start: float, end: float) -> list[Spell]:
    """Their parts between two times."""
    return [
        one._replace(start=max(one.start, start), end=min(one.end, end))
        for one in found
        if one.end > start and one.start < end
    ]


class _Walk:
    """Goes along the rows; ``kind`` is None while only what comes next can say it."""

    def __init__(self, start: float) -> None:
        self.found: list[Spell] = []
        self.at = start
        self.kind: str | None = None
        self.died = False
        self.lost = False

    def change(self, row: Row) -> None:
        if self.kind is None:
            self._until(row.at, kind_of(row.origin))
        else:
            self._until(row.at, self.kind)
        self.died = has_died(row)
        self.kind = DOWN if self.died else kind_of(row.state, suspect=row.suspect)
        self.lost = False

    def gap(self, row: Row) -> None:
        self._until(min(row.since, row.at), self.kind or UNKNOWN)
        if row.state == "unwatched":
            self._until(row.at, UNKNOWN)
            return
        self.died = False
        self._until(row.at, UNKNOWN)
        self.kind, self.lost = None, row.state == "lost"

    def ended(self, end: float, now: tuple[str, bool] | None) -> list[Spell]:
        kind = self.kind
        if kind is None:
            kind = ABSENT if now is None else kind_of(now[0], suspect=now[1])
        self._until(end, kind)
        return self.found

    def _until(self, end: float, kind: str) -> None:
        if self.lost and kind == ABSENT:
            # It may have lived on: who lost its data cannot say until it registered again.
            self._add(min(end, self.at + BACK_WITHIN), UNKNOWN)
            self.lost = False
        self._add(end, kind)

    def _add(self, end: float, kind: str) -> None:
        if end <= self.at:
            return
        died = self.died and kind == DOWN
        last = self.found[-1] if self.found else None
        if last is not None and (last.kind, last.died) == (kind, died):
            self.found[-1] = last._replace(end=end)
        else:
            self.found.append(Spell(self.at, end, kind, died))
        self.at = end
