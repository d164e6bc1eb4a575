"""What the pages show of removals: sums, and the entries of one, page by page and by name."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Min, Sum
from django.utils import timezone

from dashboard.servers.models import Server
from dashboard.undo import marks
from dashboard.undo.keeping import offered_on
from dashboard.undo.models import Chunk, Removal
from redisops.keyspace import KeyRow, Keyspace

PAGE = 50
ROWS = 100
# Names that one request compares with the filter; the next one goes on from there.
MOST_LOOKED_AT = 100_000


@dataclass(frozen=True)
class Row:
    """One entry. ``place`` names it in a form; ``now`` is what is there, when that was asked."""

    place: str
    key: bytes
    type: str
    size: int
    expires: datetime.datetime | None
    mark: int
    is_edit: bool
    now: KeyRow | None = None

    @property
    def shape(self) -> str:
        return marks.WORDS[self.mark][0]

    @property
    def word(self) -> str:
        return marks.WORDS[self.mark][1]

    @property
    def why(self) -> str:
        return marks.WORDS[self.mark][2]

    @property
    def is_offered(self) -> bool:
        return self.mark != marks.STAYED

    @property
    def has_expired(self) -> bool:
        return self.expires is not None and self.expires <= timezone.now()


@dataclass
class Entries:
    """A page of entries; ``next`` goes on after it, ``looked_at`` says how many were compared."""

    rows: list[Row] = field(default_factory=list)
    next: str = ""
    looked_at: int = 0


def removals(server: Server, before: int | None) -> tuple[list[Removal], int | None]:
    """A page of what can come back, newest first, and where the next begins."""
    found = offered_on(server)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    return rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None


def sums(server: Server) -> dict[str, Any]:
    """How much the bin holds of one server."""
    return offered_on(server).aggregate(
        removals=Count("pk"),
        keys=Sum("offered", default=0),
        size=Sum("size", default=0),
        first=Min("until"),
    )


def entries(removal: Removal, match: bytes, after: str) -> Entries:
    """The entries whose name holds ``match``, from the place ``after`` on."""
    number, place = place_of(after) or (0, -1)
    page = Entries()
    chunks = removal.chunks.filter(pk__gte=number).order_by("pk").defer("body")
    for chunk in chunks.iterator(chunk_size=4):
        facts = chunk.open_facts()
        told = bytes(chunk.marks)
        for n in range(place + 1 if chunk.pk == number else 0, chunk.count):
            page.looked_at += 1
            if match in facts.keys[n]:
                page.rows.append(_row(chunk, n, facts, told[n]))
            if len(page.rows) == ROWS or page.looked_at == MOST_LOOKED_AT:
                page.next = f"{chunk.pk}.{n}"
                return page
    return page


def counts(removal: Removal) -> Counter[int]:
    """How many entries have each mark."""
    found: Counter[int] = Counter()
    for told in removal.chunks.values_list("marks", flat=True).iterator(chunk_size=200):
        found.update(bytes(told))
    return found


def look(server: Server, rows: Sequence[Row]) -> list[Row]:
    """The rows with what is at their names now; one round trip."""
    found = Keyspace(server.client()).describe([row.key for row in rows]) if rows else []
    return [Row(**{**vars(row), "now": now}) for row, now in zip(rows, found, strict=True)]


def place_of(text: str) -> tuple[int, int] | None:
    """The chunk and the position that a place names."""
    number, _, at = text.partition(".")
    if number.isascii() and number.isdigit() and at.isascii() and at.isdigit():
        return (int(number), int(at)) if len(text) < 30 else None
    return None


def chosen(removal: Removal, places: Sequence[str]) -> dict[int, list[int]]:
    """The places of a form that are in this removal, by chunk."""
    asked: dict[int, list[int]] = {}
    for found in filter(None, map(place_of, places)):
        asked.setdefault(found[0], []).append(found[1])
    known = removal.chunks.filter(pk__in=list(asked)).values_list("pk", "count")
    return {number: sorted({n for n in asked[number] if n < count}) for number, count in known}


def _row(chunk: Chunk, n: int, facts: Any, mark: int) -> Row:
    at = facts.expiries[n]
    return Row(
        place=f"{chunk.pk}.{n}",
        key=facts.keys[n],
        type=facts.types[n],
        size=facts.sizes[n],
        expires=_moment(at),
        mark=mark,
        is_edit=chunk.is_edit,
    )


def _moment(milliseconds: int | None) -> datetime.datetime | None:
    """A point in time; the last one that Python knows for what lies beyond."""
    if milliseconds is None:
        return None
    seconds = min(milliseconds / 1000, 253402300799.0)
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
