"""What a board says now: a page of it, or the rows around one member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from dashboard.leaderboards.boards import showing
from dashboard.leaderboards.boards.places import Place
from dashboard.leaderboards.boards.showing import Row
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.leaderboards import Overview, Standing

ROWS = 20
NEAR = 10
"""Rows on each side of a member that is looked around."""
FURTHER = 90
"""Rows on each side of a page that it remembers, to say what moved since."""
FURTHEST = 10**12
BUCKETS, PERCENTS = 32, (50.0, 99.0)
"""Of the scores beside the rows: how many bars, and which shares are named in them."""

GONE = "There is no such board: the key is not there. It was deleted, flushed, or has expired."
TYPE = "The key holds another type of value now, which cannot be ranked."
REFUSED = "This account may not read the key."
AWAY = "The member is not on the board any more."


@dataclass(frozen=True)
class View:
    """Which rows: a page from ``start`` on, or those around a member."""

    start: int = 0
    around: bytes | None = None

    @property
    def text(self) -> str:
        """As it stands in the socket's address."""
        return f"around.{keys.to_url(self.around)}" if self.around is not None else str(self.start)


def view_of(text: str) -> View:
    """The view that ``View.text`` wrote; raises LookupError for anything else."""
    word, _, member = text.partition(".")
    if word == "around":
        try:
            return View(around=keys.from_url(member))
        except InvalidArgument as error:
            raise LookupError(str(error)) from error
    if text.isascii() and text.isdecimal() and int(text) <= FURTHEST:
        return View(int(text))
    raise LookupError(f"no view of a board: {text[:60]}")


@dataclass(frozen=True)
class Page:
    """Rows as they are now. ``state`` is "ok", "none" (no such key), "type", "refused" or "away"
    (the member looked around is not there); ``words`` say so. ``seen`` is what else was read."""

    state: str = "ok"
    size: int = 0
    rows: list[Row] = field(default_factory=list)
    base: list[Row] = field(default_factory=list)
    above: Row | None = None
    words: str = ""
    seen: Overview | None = None

    @property
    def about(self) -> dict[str, Any]:
        return {"state": self.state, "size": self.size, "words": self.words}

    @property
    def status(self) -> int:
        """Of a form that needs what could not be read."""
        return 403 if self.state == "refused" else 409


def read(place: Place, view: View, member: bytes | None = None) -> Page:
    """The rows, those further away, the member that is looked for, and the scores, for a page.

    One round trip, and a second one for details.
    """
    library = place.library()
    wanted: dict[str, Any] = {"buckets": BUCKETS, "percents": PERCENTS}
    try:
        if view.around is not None:
            seen = library.overview(member=view.around, neighbours=NEAR + FURTHER, **wanted)
            found = list(seen.near)
            first = next((n for n, one in enumerate(found) if one.member == view.around), 0)
            shown = found[max(first - NEAR, 0) : first + NEAR + 1]
        else:
            before = max(view.start - FURTHER, 0)
            count = ROWS + view.start - before + FURTHER
            seen = library.overview(
                start=before, count=count, member=member, neighbours=1, **wanted
            )
            found = list(seen.standings)
            shown = found[view.start - before :][:ROWS]
        titles = _titles(place, library, shown)
    except redis.ResponseError as error:
        return troubled(error)
    rows, base = showing.rows(shown, titles), showing.rows(found, {})
    first_place = shown[0].place if shown else None
    above = next((one for one in base if first_place and one.place == first_place - 1), None)
    state, words = state_of(seen.size, view, len(rows))
    return Page(state, seen.size, rows, base, above, words, seen)


def state_of(size: int, view: View, shown: int) -> tuple[str, str]:
    if not size:
        return "none", GONE
    return ("away", AWAY) if view.around is not None and not shown else ("ok", "")


def troubled(error: redis.ResponseError) -> Page:
    """The page of a key that cannot be ranked; anything else is raised again."""
    if "WRONGTYPE" in str(error):
        return Page("type", words=TYPE)
    if isinstance(error, redis.exceptions.NoPermissionError):
        return Page("refused", words=f"{REFUSED} {error}"[:300])
    raise error


def _titles(place: Place, library: Any, shown: Sequence[Standing]) -> Mapping[bytes, bytes]:
    if not place.details or not shown:
        return {}
    members = [one.member for one in shown]
    try:
        found = library.details(members)
    except redis.ResponseError:
        return {}  # the hash is no hash, or may not be read: members are shown by their names
    return {m: text for m, text in zip(members, found, strict=True) if text is not None}
