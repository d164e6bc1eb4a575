"""Which board an address means: a sorted set by its key, read as it was declared if it was."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any, TypeVar

from django.http import Http404
from django.urls import reverse

from dashboard.leaderboards.boards.models import WINDOW, Board, Order, Ties
from dashboard.servers.models import Server
from redisops import keys, windows
from redisops.errors import InvalidArgument
from redisops.leaderboards import AsyncLeaderboard, Leaderboard
from redisops.leaderboards.naming import beside

_Kind = TypeVar("_Kind", Leaderboard, AsyncLeaderboard)
SHOWN_WINDOWS = 8
MOST_BOARDS = 500


@dataclass(frozen=True)
class Place:
    """One sorted set of a server. ``board`` is None for one that nobody declared; ``order`` is
    which score is best here, as declared or as the page was asked for; ``archive`` is the label
    of a season that the library moved away, "" for the board itself."""

    server: Server
    key: bytes
    board: Board | None = None
    label: str = ""
    order: str = Order.HIGH
    archive: str = ""

    @property
    def name(self) -> str:
        if self.board is None:
            return keys.printable(self.key)
        return f"{self.board.name}, season of {self.archive}" if self.archive else self.board.name

    @property
    def ties(self) -> str:
        return self.board.ties if self.board else Ties.COMPETITION

    @property
    def is_kept(self) -> bool:
        """Whether more than the sorted set belongs to it, which only the library keeps right."""
        return self.board is not None and (self.board.first_wins or self.board.ties == Ties.DENSE)

    @property
    def books(self) -> list[bytes]:
        """The keys beside the sorted set that the library keeps for a board of this kind."""
        if not self.is_kept or self.board is None:
            return []
        order, scores = beside(self.key)
        kept = [order] if self.board.first_wins else []
        return [*kept, scores] if self.board.ties == Ties.DENSE else kept

    @property
    def expires_at(self) -> int | None:
        """When a window of the library expires, in ms since 1970; None for other boards."""
        if not self.is_kept or self.board is None or self.archive or not self.board.is_windowed:
            return None
        window = windows.named(self.board.window, self.label)  # type: ignore[arg-type]
        end = window.step(self.library().keep).end
        return None if end is None else int(end) * 1000

    @property
    def details(self) -> bytes:
        return self.board.details_key if self.board else b""

    @property
    def is_high(self) -> bool:
        return self.order == Order.HIGH

    @property
    def digest(self) -> tuple[Any, ...]:
        """What two places must share to be read as one."""
        board = self.board
        told = (board.pk, board.changed.isoformat()) if board else ()
        return (self.server.pk, self.server.digest, self.key, self.order, told)

    def library(self) -> Leaderboard:
        return self._opened(Leaderboard, self.server.client())

    def async_library(self, client: Any) -> AsyncLeaderboard:
        return self._opened(AsyncLeaderboard, client)

    def _opened(self, kind: type[_Kind], client: Any) -> _Kind:
        order: Any = self.order
        if self.is_kept and self.board is not None and self.archive:
            opened = kind.over(
                client, self.key, ties=self.ties, order=order,  # type: ignore[arg-type]
                first_wins=self.board.first_wins,
            )  # fmt: skip
        elif self.is_kept and self.board is not None:
            prefix, name = layout(self.board.template) or ("", "")
            ties: Any = self.board.ties
            opened = kind(
                client, name, window=self.board.window, ties=ties,  # type: ignore[arg-type]
                first_wins=self.board.first_wins, order=order, prefix=prefix,
            )  # fmt: skip
            opened = opened.at(self.label)
        else:
            opened = kind.over(client, self.key, ties=self.ties, order=order)  # type: ignore[arg-type]
        if self.details:
            opened.keys.details = self.details
        return opened

    # --- Addresses -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The page: by name for the window of now, else by the key."""
        if self.board is not None and self.key == key_of(self.board):
            return self.board.get_absolute_url()
        return self.at("show")

    def at(self, route: str) -> str:
        return reverse(f"leaderboards:{route}", args=[self.server.slug, self.key])


def of_key(server: Server, key: bytes, order: str = "") -> Place:
    """The board at a key; one SQL query. Raises Http404 for a key of the console itself."""
    if server.protects(key):
        raise Http404("the console's own key")
    for board in Board.objects.filter(server=server).select_related("team")[:MOST_BOARDS]:
        label = label_in(board, key)
        if label is not None:
            return Place(server, key, board, label, _order(order) or board.order)
        season = season_in(board, key)
        if season:
            return Place(server, key, board, "", _order(order) or board.order, season)
    return Place(server, key, order=_order(order) or Order.HIGH)


def of_name(server: Server, name: str, label: str = "", order: str = "") -> Place:
    """A declared board in the window of that label, the one of now without it; or Http404."""
    board = find(server, name)
    try:
        key = key_of(board, label)
    except InvalidArgument as error:
        raise Http404(str(error)) from error
    return Place(server, key, board, label or current(board).label, _order(order) or board.order)


def find(server: Server, name: str) -> Board:
    """The declaration of that name, or Http404."""
    found = Board.objects.filter(server=server, name=name).select_related("team", "server").first()
    if found is None:
        raise Http404(f"no leaderboard {name}")
    return found


def current(board: Board) -> windows.Window:
    """The window of now, by this machine's clock."""
    return windows.window_at(board.window, time.time())  # type: ignore[arg-type]


def key_of(board: Board, label: str = "") -> bytes:
    """The key of a window; raises InvalidArgument for a label that is none."""
    window = windows.named(board.window, label) if label else current(board)  # type: ignore[arg-type]
    return board.template.replace(WINDOW, window.label.encode(), 1)


def label_in(board: Board, key: bytes) -> str | None:
    """The label of the window that this key of the board is for; None when it is none of its."""
    if not board.is_windowed:
        return "all" if key == board.template else None
    start, _, end = board.template.partition(WINDOW)
    if not (key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end)):
        return None
    label = key[len(start) : len(key) - len(end)]
    try:
        return windows.named(board.window, label.decode()).label  # type: ignore[arg-type]
    except (InvalidArgument, UnicodeDecodeError):
        return None


def season_in(board: Board, key: bytes) -> str:
    """The label of the archive of a board with books that this key is; "" when it is none.

    Others are sorted sets as any: their seasons open as they are.
    """
    if not (board.first_wins or board.ties == Ties.DENSE):
        return ""
    start = board.template[: board.template.find(b"}") + 1] + b":archive:"
    label = key[len(start) :]
    return keys.printable(label) if key.startswith(start) and b":" not in label else ""


def layout(template: bytes) -> tuple[str, str] | None:
    """The prefix and the name that the library has such keys for; None when it has none such."""
    found = re.fullmatch(rb"([^{}]*)\{([^{}]+)\}:(?:<window>|all)", template)
    try:
        return (found[1].decode(), found[2].decode()) if found else None
    except UnicodeDecodeError:
        return None


def windows_of(place: Place) -> list[tuple[str, str, bool]]:
    """The last windows of its board, newest first: (label, address, whether it is this one)."""
    if place.board is None or not place.board.is_windowed or place.archive:
        return []
    found, window = [], current(place.board)
    for _ in range(SHOWN_WINDOWS):
        found.append(window.label)
        window = window.step(-1)
    if place.label not in found:
        found.append(place.label)
    url = place.board.get_absolute_url()
    return [(label, f"{url}?window={label}", label == place.label) for label in found]


def _order(text: str) -> str:
    return text if text in Order.values else ""
