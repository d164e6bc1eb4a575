"""The top over time as lines of a plot, and as words."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.leaderboards.boards import showing
from dashboard.leaderboards.seasons.models import Moment, Season

MOMENTS = 500
LINES = 5


@dataclass(frozen=True)
class Line:
    """One member of the plot: most often among the first in the time shown."""

    id: str
    name: str
    style: int


@dataclass(frozen=True)
class First:
    """Who was first, from when on."""

    at: datetime.datetime
    id: str
    name: str
    score: str


@dataclass(frozen=True)
class Shown:
    """A season with its best as text."""

    season: Season
    top: list[tuple[int, str, str]]


def lines(moments: Sequence[Moment]) -> list[Line]:
    """The members that a plot shows: the first of now, then who was at the top longest."""
    if not moments:
        return []
    counted: Counter[str] = Counter()
    names: dict[str, str] = {}
    for moment in moments:
        for weight, row in enumerate(moment.top[:LINES]):
            counted[row[0]] += LINES - weight
            names[row[0]] = row[3]
    now = [row[0] for row in moments[-1].top[:LINES]]
    chosen = [*now, *(one for one, _ in counted.most_common(LINES) if one not in now)][:LINES]
    return [Line(one, names[one], style) for style, one in enumerate(chosen, 1)]


def points(moments: Sequence[Moment], shown: Sequence[Line]) -> dict[str, Any]:
    """Times, and the score of each line at each, None where it was not in the top."""
    columns: dict[str, list[float | None]] = {line.id: [] for line in shown}
    for moment in moments:
        scores = {row[0]: float(row[1]) for row in moment.top}
        for one, column in columns.items():
            score = scores.get(one)
            column.append(score if score is not None and abs(score) < 1e300 else None)
    return {
        "times": [int(moment.at.timestamp()) for moment in moments],
        "columns": list(columns.values()), "names": [line.name for line in shown],
    }  # fmt: skip


def firsts(moments: Sequence[Moment], most: int = 12) -> list[First]:
    """The changes at the very top, newest first."""
    found: list[First] = []
    for moment in moments:
        if moment.top and (not found or found[-1].id != moment.top[0][0]):
            member, score, _, name = moment.top[0]
            found.append(First(moment.at, member, name, showing.shown(float(score))))
    return found[::-1][:most]


def shown(season: Season) -> Shown:
    rows = [(row[2], row[3], showing.shown(float(row[1]))) for row in season.top]
    return Shown(season, rows)
