"""What a declared board was an hour ago and at midnight, as far as its history has kept it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from dashboard.leaderboards.boards.places import Place

NEAR = datetime.timedelta(minutes=25)
"""The history looks every 10 min, and later when a server was away."""
HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Past:
    """The best of one moment. ``name`` is what a button of it is called in the page's script;
    ``is_whole``: nobody else was on the board."""

    name: str
    label: str
    at: datetime.datetime
    rows: list[list[Any]]
    is_whole: bool

    def as_json(self) -> dict[str, Any]:
        """``{at: ms since 1970, rows: [[member id, rank, raw score], ...], whole}``"""
        rows = [[row[0], row[2], row[1]] for row in self.rows]
        return {"at": int(self.at.timestamp() * 1000), "rows": rows, "whole": self.is_whole}


def pasts_of(place: Place) -> list[Past]:
    """An hour ago and 00:00 UTC, where the history has a moment of this window close by.

    Nothing of a season that is over, of a board that nobody declared, or in the other order. Two
    SQL queries at most, and one for the season.
    """
    board = place.board
    if board is None or place.archive or place.order != board.order:
        return []
    now = timezone.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    season = board.seasons.filter(is_undone=False).first()
    kept = board.moments.filter(window=place.label)
    if season is not None:
        kept = kept.filter(at__gt=season.ended)
    found = []
    for name, label, at in (("hour", "1 h", now - HOUR), ("midnight", "Since 00:00", midnight)):
        near = list(kept.filter(at__gte=at - NEAR, at__lte=at + NEAR))
        if near:
            moment = min(near, key=lambda one: abs(one.at - at))
            whole = moment.members <= len(moment.top)
            found.append(Past(name, label, moment.at, moment.top, whole))
    return found
