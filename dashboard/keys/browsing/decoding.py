"""What an opened key holds, decoded: whole, or row by row, or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.keys.browsing import plots
from dashboard.keys.browsing.links import Links
from dashboard.keys.browsing.showing import Shown
from dashboard.ui import numbers
from redisops import keys
from redisops.values.pages import (
    HashPage,
    HashRow,
    HyperLogLogPage,
    JsonPage,
    ListPage,
    ListRow,
    ModulePage,
    Piece,
    SetPage,
    SortedSetPage,
    StreamEntry,
    StreamPage,
    StringPage,
)


@dataclass(frozen=True)
class Line:
    """One row of a table: its value, and where it opens."""

    number: int
    row: Any
    cell: Shown
    url: str
    is_open: bool = False

    @property
    def name(self) -> str:
        """What the opened row is called: its field, its index, or what it is."""
        if isinstance(self.row, HashRow):
            return keys.printable(self.row.field.data[:200]) or "(empty)"
        if isinstance(self.row, ListRow):
            return f"element {numbers.exact(self.row.index)}"
        return "member"


class Decoding(Links):
    """The value as it is shown. Decoding takes a bounded time for the whole page."""

    @cached_property
    def whole(self) -> Shown:
        """A string's window, or the dump of a module's value, decoded as chosen."""
        page = self.page
        if isinstance(page, JsonPage | ModulePage):
            piece = page.text if isinstance(page, JsonPage) else page.dump
            how = "json" if isinstance(page, JsonPage) and self.told["decode"] == "auto" else None
            return self.screen.whole(piece or b"", how)
        assert isinstance(page, StringPage | HyperLogLogPage)
        length = page.length if page.offset == 0 and page.length is not None else len(page.data)
        how = "hex" if isinstance(page, HyperLogLogPage) else None
        return self.screen.whole(Piece(page.data, max(length, len(page.data))), how)

    @property
    def window_last(self) -> int:
        """The last byte of the window, counted from 0 as GETRANGE does."""
        assert isinstance(self.page, StringPage | HyperLogLogPage)
        return max(self.page.offset + len(self.page.data) - 1, 0)

    @cached_property
    def lines(self) -> list[Line]:
        """The rows of a collection, decoded for a table."""
        page = self.page
        if isinstance(page, HashPage):
            return [self._line(n, row, row.value) for n, row in enumerate(page.rows)]
        if isinstance(page, ListPage):
            return [self._line(n, row, row.value) for n, row in enumerate(page.rows)]
        if isinstance(page, SortedSetPage):
            return [self._line(n, row, row.member) for n, row in enumerate(page.rows)]
        if isinstance(page, SetPage):
            return [self._line(n, row, row) for n, row in enumerate(page.rows)]
        return []

    @cached_property
    def _lines_url(self) -> str:
        url = self.moved()
        return f"{url}{'&' if '?' in url else '?'}element="

    def _line(self, number: int, row: Any, piece: Piece) -> Line:
        url = f"{self._lines_url}{number}"
        return Line(number, row, self.screen.short(piece), url, number == self.told["element"])

    @cached_property
    def entries(self) -> list[tuple[StreamEntry, list[tuple[Piece, Shown]]]]:
        """A stream's entries, their values decoded; names are shown as they are."""
        assert isinstance(self.page, StreamPage)
        return [
            (entry, [(name, self.screen.short(value)) for name, value in entry.fields])
            for entry in self.page.rows
        ]

    @cached_property
    def opened(self) -> tuple[Line, Shown] | None:
        """The element that was opened, in full; None when the page has no such row any more."""
        number = self.told["element"]
        if number is None or number >= len(self.lines):
            return None
        line = self.lines[number]
        piece = line.row
        if isinstance(self.page, HashPage | ListPage):
            piece = line.row.value
        elif isinstance(self.page, SortedSetPage):
            piece = line.row.member
        return line, self.screen.whole(piece, self.told["decode"])

    @cached_property
    def map(self) -> plots.Map | None:
        if not isinstance(self.page, SortedSetPage):
            return None
        places = [
            (row.longitude, row.latitude, line.cell.line)
            for row, line in zip(self.page.rows, self.lines, strict=True)
            if row.longitude is not None and row.latitude is not None
        ]
        return plots.Map.of(places, self.circle) if places else None

    @cached_property
    def bitmap(self) -> plots.Bitmap | None:
        if not isinstance(self.page, StringPage) or self.page.bits is None:
            return None
        return plots.Bitmap.of(self.page.bits)
