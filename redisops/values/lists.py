"""Lists: a window from the head or from the tail."""

from __future__ import annotations

from typing import Any

from redisops.steps import Steps
from redisops.values import calls
from redisops.values.common import (
    WHOLE,
    batch,
    cut,
    facts,
    pieces,
    plain,
    present,
    script,
    without_scripts,
)
from redisops.values.facts import KeyRow
from redisops.values.options import BUDGET, View
from redisops.values.pages import ListPage, ListRow
from redisops.values.positions import numbers, position


def read(redis: Any, row: KeyRow, at: str | None, view: View) -> Steps[ListPage]:
    """Elements from ``at`` on, counted from the end that is read from."""
    first, _ = numbers(at, "list")
    tail = view.order in ("tail", "desc")
    at_once = batch(row, view.count)
    notes = []
    try:
        length, *flat = yield from script(
            redis, "list_window", row.key, first, view.count, "tail" if tail else "head",
            view.limit, BUDGET, at_once,
        )  # fmt: skip
        found = pieces(flat)
    except calls.ScriptsRefused as refused:
        row = without_scripts(row, refused)
        low, high = (-first - at_once, -first - 1) if tail else (first, first + at_once - 1)
        length, elements = yield from plain(
            redis, row.key, ("LLEN", row.key), ("LRANGE", row.key, low, high)
        )
        found = [cut(element, view.limit) for element in elements[:: -1 if tail else 1]]
        notes = [WHOLE] if any(piece.is_cut for piece in found) else []

    length = present(row, length)
    end = first + len(found)
    rows = tuple(
        ListRow(length - 1 - n if tail else n, piece) for n, piece in enumerate(found, first)
    )
    return ListPage(
        **facts(row, length, notes), rows=rows, order="tail" if tail else "head",
        next=position("list", end) if found and end < length else None,
        previous=position("list", max(first - view.count, 0)) if first else None,
    )  # fmt: skip
