"""Declared leaderboards in the palette, by name."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest

from dashboard.leaderboards.boards.models import Board
from dashboard.servers.access import may_here
from dashboard.ui.palette import Hit, matches

MOST = 200


def hits(request: HttpRequest, query: str) -> Iterator[Hit]:
    """The boards of the page's server whose name holds every word of the query; one SQL query."""
    server = getattr(request, "server", None)
    if server is None or not query or not may_here(request, "leaderboards.read"):
        return
    for board in Board.objects.filter(server=server).select_related("server")[:MOST]:
        if matches(query, board.name):
            yield Hit(board.name, board.get_absolute_url(), "Go to", "leaderboard", "trophy")
