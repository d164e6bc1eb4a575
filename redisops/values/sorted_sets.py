"""Sorted sets: by rank, by score, the page that holds a member, and as places on a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisops.steps import Steps
from redisops.values import calls
from redisops.values.common import (
    WHOLE,
    batch,
    cut,
    facts,
    plain,
    present,
    script,
    without_scripts,
)
from redisops.values.facts import KeyRow
from redisops.values.options import BUDGET, View
from redisops.values.pages import Piece, SortedSetPage, SortedSetRow
from redisops.values.positions import numbers, position

_ANY = "Stopped at the number asked for: other members inside the circle may be nearer."


def read(redis: Any, row: KeyRow, at: str | None, view: View) -> Steps[SortedSetPage]:
    """Members by rank from ``at`` on, of the score range or around the member asked for."""
    if view.near is not None:
        return (yield from _near(redis, row, view))
    first, _ = numbers(at, "zset")
    desc = view.order in ("desc", "tail")
    count = batch(row, view.count)
    low, high = view.min or "-inf", view.max or "+inf"
    ranged = bool(view.min or view.max)
    notes = []
    try:
        reply = yield from script(
            redis, "zset_window", row.key, "desc" if desc else "asc", first, count,
            low, high, _below(low) if ranged else "",
            int(view.member is not None and at is None), view.member or b"",
            int(view.geo), view.limit, BUDGET,
        )  # fmt: skip
        size, base, in_range, first, found, flat, places = reply
        members = [
            (Piece(flat[n], flat[n + 1]), float(flat[n + 2])) for n in range(0, len(flat), 3)
        ]
    except calls.ScriptsRefused as refused:
        row = without_scripts(row, refused)
        size, base, in_range, first, found, members, places = yield from _by_commands(
            redis, row, first, count, (low, high) if ranged else None, desc, view, at
        )
        notes = [WHOLE] if any(member.is_cut for member, _ in members) else []

    lowest = base + in_range - first - len(members) if desc else base + first
    rows = [
        SortedSetRow(rank, member, score, *_place(places, rank - lowest))
        for rank, (member, score) in enumerate(members, lowest)
    ]
    end = first + len(rows)
    return SortedSetPage(
        **facts(row, present(row, size), notes), rows=tuple(rows[:: -1 if desc else 1]),
        order="desc" if desc else "asc", in_range=in_range, sought=view.member, found=found,
        next=position("zset", end) if rows and end < in_range else None,
        previous=position("zset", max(first - count, 0)) if first else None,
    )  # fmt: skip


def _below(low: str) -> str:
    """The highest score that the range leaves out, as ZCOUNT takes it."""
    return low[1:] if low.startswith("(") else f"({low}"


def _place(places: Sequence[Any] | None, n: int) -> tuple[float | None, float | None]:
    if not places or places[n] is None:
        return None, None
    longitude, latitude = places[n]
    return float(longitude), float(latitude)


def _near(redis: Any, row: KeyRow, view: View) -> Steps[SortedSetPage]:
    longitude, latitude, metres = view.near or (0.0, 0.0, 0.0)
    wanted = batch(row, view.count)
    try:
        size, *flat = yield from script(
            redis, "geo_near", row.key, longitude, latitude, metres, wanted + 1, view.limit
        )
        found: list[Any] = [
            (Piece(flat[n], flat[n + 1]), *map(float, flat[n + 2 : n + 6]))
            for n in range(0, len(flat), 6)
        ]
    except calls.ScriptsRefused as refused:
        row = without_scripts(row, refused)
        size, members = yield from plain(
            redis, row.key, ("ZCARD", row.key),
            ("GEOSEARCH", row.key, "FROMLONLAT", longitude, latitude, "BYRADIUS", metres, "m",
             "ASC", "COUNT", wanted + 1, "ANY", "WITHDIST", "WITHHASH", "WITHCOORD"),
        )  # fmt: skip
        found = [
            (cut(member, view.limit), float(distance), float(score), *map(float, place))
            for member, distance, score, place in members
        ]
    complete = len(found) <= wanted
    rows = tuple(
        SortedSetRow(None, member, score, east, north, distance)
        for member, distance, score, east, north in found[:wanted]
    )
    return SortedSetPage(
        **facts(row, present(row, size), [] if complete else [_ANY]), rows=rows, order="asc",
        in_range=len(rows), complete=complete,
    )  # fmt: skip


def _by_commands(
    redis: Any, row: KeyRow, first: int, count: int, scores: tuple[str, str] | None, desc: bool,  # noqa: FBT001
    view: View, at: str | None,
) -> Steps[Any]:  # fmt: skip
    """What zset_window.lua returns, in two or three trips."""
    asked: list[tuple[Any, ...]] = [("ZCARD", row.key)]
    if scores:
        asked.append(("ZCOUNT", row.key, "-inf", _below(scores[0])))
        asked.append(("ZCOUNT", row.key, *scores))
    if view.member is not None:
        asked.append(("ZRANK", row.key, view.member))
    size, *rest = yield from plain(redis, row.key, *asked)
    base, in_range = rest[:2] if scores else (0, size)
    found = rest[-1] if view.member is not None else None
    if found is not None and at is None and base <= found < base + in_range:
        place = base + in_range - 1 - found if desc else found - base
        first = place - place % count

    low, high = base + first, base + min(first + count, in_range) - 1
    if desc:
        low, high = base + max(in_range - first - count, 0), base + in_range - 1 - first
    if low > high or first >= in_range:
        return size, base, in_range, first, found, [], None
    [members] = yield from plain(redis, row.key, ("ZRANGE", row.key, low, high, "WITHSCORES"))
    pairs = scored(members)
    places = None
    if view.geo and pairs:
        [places] = yield from plain(redis, row.key, ("GEOPOS", row.key, *(m for m, _ in pairs)))
    cuts = [(cut(member, view.limit), score) for member, score in pairs]
    return size, base, in_range, first, found, cuts, places


def scored(members: Sequence[Any]) -> list[tuple[bytes, float]]:
    """Members with their scores: RESP2 answers WITHSCORES flat, RESP3 in pairs."""
    if members and isinstance(members[0], list | tuple):
        members = [part for pair in members for part in pair]
    return [(members[n], float(members[n + 1])) for n in range(0, len(members), 2)]
