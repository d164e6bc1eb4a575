"""What a search is about to do, said before it starts; from the newest survey, asks no server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboard.keys.searching.scope import Scope
from dashboard.keys.survey import reading
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops import keys
from redisops.searching import Bounds, Query

EACH = 3  # commands for one value, about
SCANNED = 1_000  # names that one SCAN brings


@dataclass(frozen=True)
class Cost:
    """``keys`` and ``bytes`` are at most, where ``is_bound``; None when nobody has counted."""

    scope: Scope
    server: Server
    query: Query | None
    keys: int | None = None
    bytes: float | None = None
    names: int = 0
    is_bound: bool = False
    counted: Any = None

    @property
    def what(self) -> str:
        """Which keys, and for what."""
        scope, name = self.scope, self.server.name
        if scope.pattern is None:
            keys_told = f"Every key of {name}"
        elif scope.prefix:
            keys_told = f"Every key of {name} that begins with {keys.printable(scope.prefix)}"
        else:
            keys_told = f"Every key of {name} that matches {keys.printable(scope.match)}"
        looked_for = f" for {self.query.masked}" if self.query else ""
        filters = f"{scope.words}," if scope.words else ""
        return f"{keys_told}{filters} is searched{looked_for}."

    @property
    def price(self) -> str:
        """About what it costs; "" when the keys were never counted."""
        if self.keys is None:
            return ""
        most = "at most about" if self.is_bound else "about"
        number = numbers.exact(self.keys)
        told = f"That is {most} {number} key{'' if self.keys == 1 else 's'}"
        commands = numbers.count(self.keys * EACH + self.names / SCANNED)
        size = f", {numbers.size(self.bytes)} in memory" if self.bytes is not None else ""
        return f"{told}{size}: about {commands} commands, all of them reading."

    @property
    def ceiling(self) -> str:
        """How gently."""
        share, name = self.server.load_share, self.server.name
        return f"at no more than {share:g}% of {name}'s time" if share < 100 else (
            f"as fast as {name} answers"
        )  # fmt: skip


def cost_of(server: Server, scope: Scope, query: Query | None) -> Cost:
    """What searching ``scope`` costs, by the newest count of the server's keys."""
    known, _ = reading.newest(server)
    if scope.only is not None:
        return Cost(scope, server, query, 1)
    if known is None:
        return Cost(scope, server, query)
    figures = known.figures
    # The deepest counted folder that holds all of them.
    place = scope.start.rpartition(figures.delimiter)
    folder = place[0] + place[1]
    found = figures.folder(folder)
    while found is None:
        place = folder.removesuffix(figures.delimiter).rpartition(figures.delimiter)
        folder = place[0] + place[1]
        found = figures.folder(folder) if folder else figures.root
    is_folder = scope.pattern in (None, keys.glob_escape(folder) + b"*")
    count, size = found.keys, found.bytes.value if found.bytes.measured else None
    if scope.type:
        count, size = found.types.get(scope.type, (0, 0)) if found.types else (count, size)
    return Cost(
        scope, server, query, round(count), size, figures.counted,
        not is_folder or bool(scope.filter), known.made.at,
    )  # fmt: skip


def bounds_words(bounds: Bounds | None = None) -> str:
    """What of each value is looked at."""
    bounds = bounds or Bounds()
    size = numbers.size(bounds.value)
    return f"Of each value the first {size} and the first {bounds.elements:,} elements."
