"""Streams: entries by id or time in both directions, groups, consumers and what is pending."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.steps import Steps
from redisops.values import calls
from redisops.values.common import (
    WHOLE,
    batch,
    cut,
    facts,
    pieces,
    plain,
    plainly,
    script,
    without_scripts,
)
from redisops.values.facts import KeyRow
from redisops.values.options import BUDGET, View
from redisops.values.pages import (
    PendingEntry,
    PendingSummary,
    Piece,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamPage,
)
from redisops.values.positions import Changed, entry, position

MOST_GROUPS = 1000


def read(redis: Any, row: KeyRow, at: str | None, view: View) -> Steps[StreamPage]:
    """Entries after or before ``at``, with the stream's facts and its groups."""
    ascending = view.order in ("asc", "head")
    place = entry(at)
    # Going back is reading the other way from the first entry shown, then turning that round.
    upward = ascending if place is None else place[0] == "a"
    low, high = str(view.start or "-"), str(view.end or "+")
    if place is not None:
        low, high = (f"({place[1]}", high) if upward else (low, f"({place[1]}")
    command = "XRANGE" if upward else "XREVRANGE"
    at_once = batch(row, view.count)
    notes = []
    try:
        info, flat, groups, more = yield from script(
            redis, "stream_window", row.key, command, low, high, view.count, view.limit, BUDGET,
            at_once, MOST_GROUPS,
        )  # fmt: skip
        about = _named(info)
        found = [_entry(flat[n], flat[n + 1], pieces(flat[n + 2])) for n in range(0, len(flat), 3)]
    except calls.ScriptsRefused as refused:
        row = without_scripts(row, refused)
        about, groups, found = yield from _by_commands(
            redis, row.key, (command, row.key, *((low, high) if upward else (high, low))),
            at_once, view,
        )  # fmt: skip
        more = len(found) == at_once
        notes = [WHOLE] if any(cut.is_cut for e in found for f in e.fields for cut in f) else []
    except ResponseError as error:
        if "no such key" in str(error):
            raise Changed(row.type) from None
        raise

    ends = {_id(about.get("first-entry")), _id(about.get("last-entry"))}
    onward = bool(found) and bool(more) and found[-1].id not in ends
    rows = found if upward is ascending else found[::-1]
    going_back = upward is not ascending
    has_next = bool(rows) and (going_back or onward)
    has_previous = bool(rows) and (onward if going_back else place is not None)
    after, before = ("a", "b") if ascending else ("b", "a")
    return StreamPage(
        **facts(row, about["length"], notes), rows=tuple(rows),
        order="asc" if ascending else "desc",
        next=position("stream", after + rows[-1].id) if has_next else None,
        previous=position("stream", before + rows[0].id) if has_previous else None,
        first_id=_id(about.get("first-entry")), last_id=_id(about.get("last-entry")),
        last_generated_id=_text(about["last-generated-id"]),
        entries_added=about.get("entries-added"),
        max_deleted_id=_text(about.get("max-deleted-entry-id")) or None,
        groups=tuple(_group(flat) for flat in groups or ()), group_count=about["groups"],
    )  # fmt: skip


def consumers(redis: Any, key: bytes, group: bytes, count: int) -> Steps[list[StreamConsumer]]:
    """The first consumers of a group."""
    try:
        rows = yield from script(redis, "stream_consumers", key, group, count)
    except calls.ScriptsRefused:
        [rows] = yield from plain(redis, key, ("XINFO", "CONSUMERS", key, group))
    named = [_named(row) for row in rows[:count]]
    return [
        StreamConsumer(row["name"], row["pending"], row["idle"], row.get("inactive"))
        for row in named
    ]


def pending(
    redis: Any, key: bytes, group: bytes, at: str | None, count: int, consumer: bytes | None
) -> Steps[PendingSummary]:
    """The sums of a group's pending entries, and a page of them."""
    place = entry(at)
    View(count=count)
    if place is not None and place[0] != "a":
        raise InvalidArgument(f"position {at!r} is not one that a page of pending entries gave")
    listing: tuple[Any, ...] = (
        "XPENDING",
        key,
        group,
        f"({place[1]}" if place else "-",
        "+",
        count,
    )
    if consumer is not None:
        listing = (*listing, consumer)
    sums, rows = yield from plain(
        redis, key, ("XPENDING", key, group), (*listing, {"parse_detail": True})
    )
    entries = [
        PendingEntry(
            _text(row["message_id"]), row["consumer"],
            row["time_since_delivered"], row["times_delivered"],
        )
        for row in rows
    ]  # fmt: skip
    return PendingSummary(
        sums["pending"], _text(sums["min"]) or None, _text(sums["max"]) or None, tuple(entries),
        position("stream", "a" + entries[-1].id) if len(entries) == count else None,
    )  # fmt: skip


def _by_commands(
    redis: Any, key: bytes, listing: tuple[Any, ...], count: int, view: View
) -> Steps[tuple[dict[str, Any], Any, list[StreamEntry]]]:
    info, groups, entries = yield from plainly(
        redis, key, ("XINFO", "STREAM", key), ("XINFO", "GROUPS", key), (*listing, "COUNT", count)
    )
    if isinstance(info, ResponseError) and "no such key" in str(info):
        raise Changed("stream")
    about = _named(calls.checked(info))
    found = [
        _entry(id, len(fields), [cut(p, view.limit) for pair in fields.items() for p in pair])
        for id, fields in calls.checked(entries)
        if fields is not None
    ]
    return about, calls.checked(groups), found


def _entry(id: bytes, size: int, parts: list[Piece]) -> StreamEntry:
    name = id.decode()
    fields = tuple(zip(parts[::2], parts[1::2], strict=True))
    return StreamEntry(name, int(name.partition("-")[0]), fields, size)


def _named(row: Any) -> dict[str, Any]:
    """A row of XINFO by names: a flat list from a script, a dict from the client."""
    if isinstance(row, dict):
        return {_text(name): value for name, value in row.items()}
    return dict(zip(map(_text, row[::2]), row[1::2], strict=True))


def _group(row: Any) -> StreamGroup:
    named = _named(row)
    return StreamGroup(
        named["name"], named["consumers"], named["pending"], _text(named["last-delivered-id"]),
        named.get("entries-read"), named.get("lag"),
    )  # fmt: skip


def _id(entry: Any) -> str | None:
    """The id of XINFO's first or last entry: a bare id from a script, else (id, fields)."""
    if entry is None:
        return None
    return _text(entry if isinstance(entry, bytes | str) else entry[0])


def _text(word: Any) -> str:
    return word.decode() if isinstance(word, bytes) else str(word or "")
