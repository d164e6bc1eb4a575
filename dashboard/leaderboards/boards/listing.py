"""The list of boards: the declared ones, and other sorted sets as far as they are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboard.leaderboards.boards import places, showing
from dashboard.leaderboards.boards.models import Board, Ties
from dashboard.leaderboards.boards.places import MOST_BOARDS, Place
from dashboard.servers import finding
from dashboard.servers.finding import Found
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.leaderboards.many import Boards, Glance
from redisops.leaderboards.plain import MARK

EACH = 30
"""Sorted sets on a page that nobody declared."""
DECLARED = 150
ALL = 250
"""So many sorted sets are looked at for one page: two commands each, one round trip."""
LONGEST_IN_ADDRESS = 1_500
WHY = {"type": "another type is there", "refused": "this account may not read it",
       "error": "the server refused it"}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One board of the list, with how many members it has and who is first."""

    place: Place
    glance: Glance

    @property
    def first(self) -> str:
        if self.glance.member is None:
            return ""
        board = self.place.board
        marked = board is not None and board.first_wins  # bytes before the name say who was first
        return showing.short(self.glance.member[MARK if marked else 0 :])

    @property
    def score(self) -> str:
        return showing.shown(self.glance.score) if self.glance.member is not None else ""

    @property
    def state(self) -> tuple[str, str]:
        if self.glance.why:
            return ("warn", WHY[self.glance.why])
        return ("ok", "") if self.glance.size else ("off", "no members now")

    @property
    def is_long(self) -> bool:
        """Whether the name fits no address."""
        return len(self.place.key) > LONGEST_IN_ADDRESS


@dataclass(frozen=True)
class Listed:
    """``known`` says how far the server was looked through for the others."""

    declared: list[Line] = field(default_factory=list)
    others: list[Line] = field(default_factory=list)
    known: Found = field(default_factory=Found)
    total: int = 0
    at: int = 0
    pages: int = 1
    is_sorted: bool = False

    @property
    def verdict(self) -> str:
        many = len(self.declared)
        told = f"{many} declared, " if many else "None declared, "
        return f"{told}{numbers.exact(self.total)} other sorted set{'s' * (self.total != 1)} known."

    @property
    def before(self) -> int | None:
        return self.at - 1 if self.at else None

    @property
    def after(self) -> int | None:
        return self.at + 1 if self.at + 1 < self.pages else None


def look_on(server: Server) -> None:
    """Look through the next part of the server for sorted sets."""
    finding.found(server, "zset", look_on=True)


def of(server: Server, page: str) -> Listed:
    """One SQL query, what is known of the server's keys, and one round trip for all rows."""
    boards = list(Board.objects.filter(server=server).select_related("team", "server"))
    known = finding.found(server, "zset")
    declared = [_place(board) for board in boards[:DECLARED]]
    taken = {place.key for place in declared}
    others = [
        key
        for key in known.names
        if key not in taken and not any(_is_of(board, key) for board in boards[:MOST_BOARDS])
    ]
    # Few enough to look at all: the largest come first, else they are in the order of names.
    is_all = len(others) <= ALL
    wanted, at = _page_of(page, len(others))
    asked = others if is_all else others[at * EACH : (at + 1) * EACH]
    places_asked = [*declared, *(Place(server, key) for key in asked)]
    keys = [(one.key, one.is_high) for one in places_asked]
    glances = Boards(server.client()).glance(keys)
    lines = [Line(place, glance) for place, glance in zip(places_asked, glances, strict=True)]
    rest = lines[len(declared) :]
    gone = [one.place.key for one in rest if _is_gone(one.glance)]
    finding.strike(server, "zset", gone)
    rest = [one for one in rest if not _is_gone(one.glance)]
    if is_all:
        rest = sorted(rest, key=lambda one: -one.glance.size)[at * EACH : (at + 1) * EACH]
    total = len(others) - len(gone)
    return Listed(lines[: len(declared)], rest, known, total, at, wanted, is_all)


def _is_of(board: Board, key: bytes) -> bool:
    """Whether the key is a window or an archive of a declared board, or the book beside one."""
    if board.ties == Ties.DENSE:
        key = key.removesuffix(b":scores")
    return places.label_in(board, key) is not None or bool(places.season_in(board, key))


def _page_of(page: str, count: int) -> tuple[int, int]:
    """How many pages there are, and which one was asked for."""
    pages = max(-(-count // EACH), 1)
    is_one = page.isascii() and page.isdecimal() and len(page) < 9
    return pages, min(int(page), pages - 1) if is_one else 0


def _is_gone(glance: Glance) -> bool:
    return glance.why == "type" or not (glance.size or glance.why)


def _place(board: Board) -> Place:
    return Place(
        board.server, places.key_of(board), board, places.current(board).label, board.order
    )
