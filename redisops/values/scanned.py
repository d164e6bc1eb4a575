"""Hashes and sets: pages by HSCAN and SSCAN."""

from __future__ import annotations

from typing import Any, NamedTuple

from redisops import keys as names
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
from redisops.values.pages import HashPage, HashRow, Piece, SetPage
from redisops.values.positions import numbers, position

MATCHED = 500  # COUNT of a call with a pattern, and how many such calls a page makes at most
CALLS = 4


class _Window(NamedTuple):
    row: KeyRow
    parts: list[Piece]
    ttls: list[int] | None
    length: int
    scanned: int
    next: str | None
    notes: list[str]


def read_hash(redis: Any, row: KeyRow, at: str | None, view: View) -> Steps[HashPage]:
    """Fields from ``at`` on, with the expiry of each where the server has that."""
    found = yield from _window(redis, row, at, view, "hash")
    ttls = found.ttls if found.ttls is not None else [-1] * (len(found.parts) // 2)
    rows = tuple(
        HashRow(found.parts[2 * n], found.parts[2 * n + 1], ttl / 1000 if ttl >= 0 else None)
        for n, ttl in enumerate(ttls)
    )
    return HashPage(
        **facts(found.row, found.length, found.notes), rows=rows, next=found.next,
        field_ttls=found.ttls is not None, scanned=found.scanned,
    )  # fmt: skip


def read_set(redis: Any, row: KeyRow, at: str | None, view: View) -> Steps[SetPage]:
    """Members from ``at`` on."""
    found = yield from _window(redis, row, at, view, "set")
    return SetPage(
        **facts(found.row, found.length, found.notes), rows=tuple(found.parts), next=found.next,
        scanned=found.scanned,
    )  # fmt: skip


def _window(redis: Any, row: KeyRow, at: str | None, view: View, kind: str) -> Steps[_Window]:
    cursor, skip = numbers(at, kind)
    pattern = names.pattern(view.match) or b""
    count = MATCHED if pattern else batch(row, view.count)
    command = "HSCAN" if kind == "hash" else "SSCAN"
    state = calls.known(redis)
    expiry = kind == "hash" and "HPTTL" not in state.unsupported
    notes = []
    try:
        length, onward, skip, scanned, flat, ttls = yield from script(
            redis, "scan_window", row.key, command, cursor, skip, view.count, pattern, count,
            CALLS if pattern else max(1, view.count // count), view.limit, BUDGET, int(expiry),
        )  # fmt: skip
        if expiry and flat and ttls is None:
            state.unsupported.add("HPTTL")
        parts = pieces(flat)
    except calls.ScriptsRefused as refused:
        row = without_scripts(row, refused)
        length, onward, skip, scanned, parts = yield from _by_commands(
            redis, row, (command, cursor, skip), pattern, count, view
        )
        ttls = None
        notes = [WHOLE] if any(part.is_cut for part in parts) else []
    onward = int(onward)
    return _Window(
        row, parts, ttls, present(row, length), min(scanned, length),
        position(kind, onward, skip) if onward or skip else None, notes,
    )  # fmt: skip


def _by_commands(
    redis: Any, row: KeyRow, place: tuple[str, int, int], pattern: bytes, count: int, view: View
) -> Steps[tuple[int, int, int, int, list[Piece]]]:
    """One SCAN call and the length, where scripts are refused."""
    command, cursor, skip = place
    width = 2 if command == "HSCAN" else 1
    length, (onward, batch) = yield from plain(
        redis, row.key,
        ("HLEN" if width == 2 else "SCARD", row.key),
        (command, row.key, cursor, *((b"MATCH", pattern) if pattern else ()), "COUNT", count),
    )  # fmt: skip
    flat = [part for pair in batch.items() for part in pair] if width == 2 else list(batch)
    rows = flat[skip * width : (skip + view.count) * width]
    shown = skip + len(rows) // width
    scanned = max(len(rows) // width, count if pattern else 0)
    parts = [cut(part, view.limit) for part in rows]
    if shown * width < len(flat):
        return length, cursor, shown, scanned, parts
    return length, onward, 0, scanned, parts
