"""The rows of a value as HTML, each written in one pass, as ``rows`` does for the list of keys.

What came from a server goes through ``escape``; the rest is digits, units and constants of ours.
"""

from __future__ import annotations

from html import escape
from typing import Any

from django.utils.safestring import SafeString

from dashboard.keys.browsing import rows, showing
from dashboard.keys.browsing.decoding import Line
from dashboard.keys.browsing.pane import Pane
from dashboard.keys.browsing.showing import Shown
from dashboard.ui import numbers
from dashboard.ui.templatetags import ui
from redisops import keys
from redisops.values.pages import HashRow, ListRow, SortedSetRow, StreamEntry

EMPTY = '<span class="val-i"><span class="c">empty</span></span>'
NO_TTL = '<span class="dim">—</span>'
NAME = 200
LATEST = 253_402_300_800_000  # milliseconds since 1970; beyond it no calendar has a year


def cell(shown: Shown) -> SafeString:
    """One value on one line, with how it was written and how much there is of it."""
    if not shown.length:
        return SafeString(EMPTY)
    words = []
    if shown.label:
        words.append(shown.label)
    if not shown.is_whole:
        words.append(numbers.size(shown.length))
    if shown.is_text and not shown.line.strip():
        words.append("white space")
    if shown.moment is not None:
        words.append(f"= {showing.clock(shown.moment)}")
    note = f' <span class="c">{escape(", ".join(words))}</span>' if words else ""
    return SafeString(
        f'<span class="val-i"><bdi class="{_kind(shown)}">{escape(shown.line)}</bdi>{note}</span>'
    )


def _kind(shown: Shown) -> str:
    if shown.is_number:
        return "m"
    if shown.is_text:
        return "s q"
    return "c" if shown.label == "unknown bytes" else ""


def value_rows(pane: Pane, part: str = "") -> SafeString:
    """The ``<tr>`` elements of a collection: up to the opened one, or those ``"after"`` it."""
    lines = pane.lines
    end = pane.told["element"] + 1 if pane.opened else len(lines)
    shown = lines[end:] if part == "after" else lines[:end]
    return SafeString("".join([_row(pane, line) for line in shown]))


def _row(pane: Pane, line: Line) -> str:
    url = escape(line.url)
    before, after, is_sought = _around(pane, line.row)
    selected = rows.SELECTED if line.is_open or is_sought else ""
    return (
        f'<tr{selected}>{before}<td class="mono">'
        f'<a class="open" href="{url}#open" hx-get="{url}">{cell(line.cell)}</a></td>{after}</tr>'
    )


def _around(pane: Pane, row: Any) -> tuple[str, str, bool]:
    """The cells before and after a row's value, and whether it is what somebody looked for."""
    if isinstance(row, HashRow):
        name = escape(keys.printable(row.field.data)) or "(empty)"
        more = "…" if row.field.is_cut else ""
        expires = ""
        if pane.has_field_ttls:
            expires = f'<td class="num">{NO_TTL if row.ttl is None else rows.left(row.ttl)}</td>'
        return f'<td class="mono c-field"><bdi>{name}{more}</bdi></td>', expires, False
    if isinstance(row, ListRow):
        return f'<td class="num mono dim c-n">{numbers.exact(row.index)}</td>', "", False
    if isinstance(row, SortedSetRow):
        rank = f'<td class="num mono dim c-n">{numbers.exact(row.rank)}</td>'
        is_sought = row.member.data == getattr(pane.page, "sought", None)
        return "" if pane.circle else rank, _score_or_place(pane, row), is_sought
    return "", "", False


def _score_or_place(pane: Pane, row: SortedSetRow) -> str:
    if pane.told["show"] != "geo" and not pane.circle:
        return f'<td class="num mono">{score(row.score)}</td>'
    place = [_decimal(row.longitude, 5), _decimal(row.latitude, 5)]
    if pane.circle:
        place.append(_decimal(row.distance, 0))
    return "".join(f'<td class="num mono">{number}</td>' for number in place)


def _decimal(value: float | None, places: int) -> str:
    return numbers.UNKNOWN if value is None else f"{value:.{places}f}"


def score(value: float) -> str:
    """A score in full: 1,234,567, or all digits that tell it from its neighbours."""
    if abs(value) < 2**53 and value == int(value):
        return numbers.exact(int(value))
    return repr(value)


def entry_rows(pane: Pane, may_change: int = 0) -> SafeString:
    """The ``<tr>`` elements of a stream's page; with ``may_change`` each can be deleted."""
    urls = [pane.entry_url(entry.id) if may_change else "" for entry, _ in pane.entries]
    rows = zip(pane.entries, urls, strict=True)
    return SafeString("".join([_entry(entry, fields, url) for (entry, fields), url in rows]))


def _entry(entry: StreamEntry, fields: list[tuple[Any, Shown]], url: str) -> str:
    at = ui.when(entry.time / 1000 if entry.time < LATEST else None)
    told = " ".join(
        [f'<bdi class="dim">{_name(name.data)}</bdi>={cell(value)}' for name, value in fields]
    )
    id = escape(entry.id)
    remove = ""
    if url:
        remove = (
            f' <a class="rm" href="{escape(url)}" hx-get="{escape(url)}" hx-target="#value"'
            f' aria-label="Delete the entry {id}">Delete…</a>'
        )
    return f'<tr><td>{at}<br><span class="id">{id}</span></td><td>{told}{remove}</td></tr>'


def _name(name: bytes) -> str:
    return rows.cut(name, NAME) or "(empty)"
