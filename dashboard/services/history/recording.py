"""One part of what was read, into SQL: in one transaction, in as few statements as there may be."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from dashboard.servers.models import Server
from dashboard.services import history
from dashboard.services.history import bounds, following
from dashboard.services.history.bounds import Day, chunks
from dashboard.services.history.models import Change, Collecting, Followed
from redisops.services.timeline import Head, Page

POSITION = ("epoch", "turn", "version", "place")
MOVES = [*POSITION, "known_from", "last_at"]
LEFT_OUT = ["epoch", "version", "at", "why"]


@dataclass
class LeftOut:
    """The gap that stands for a service's changes that were too many for a day."""

    row: Change
    count: int


@dataclass
class Place:
    """What this process knows of a server's services between two calls."""

    followed: dict[str, Followed]
    swept_before: float
    services: list[str] = field(default_factory=list)
    listed: float = float("-inf")
    looked: float = float("-inf")
    unbroken_since: float = 0.0
    turn: int = 0
    swept: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of each service its last sweep (the server's clock), and when that was asked (ours)."""
    saved: float = 0.0
    left: dict[str, LeftOut] = field(default_factory=dict)
    beyond: set[str] = field(default_factory=set)
    """Services for which there is no room."""

    def swept_of(self, service: str) -> float:
        """When it was last seen swept; 0 for never."""
        known = self.swept.get(service)
        return known[0] if known else self.swept_before


def keep(
    server: Server, place: Place, heads: Sequence[Head], pages: Iterable[Page],
    gaps: Sequence[Change] = (), newest: float = 0.0,
) -> int:  # fmt: skip
    """Write what these pages say, where the services stand then, and who wants to know.

    Some ten statements for a thousand services, and one for each 70 or so rows. Of two collectors
    the second one finds that its services were moved on, and takes up from there. Returns how many
    rows were written; raises what SQL and listeners raise, with nothing written.
    """
    by_service, now = {page.service: page for page in pages}, _now()
    with transaction.atomic():
        book, _ = Collecting.objects.select_for_update().get_or_create(server=server)
        mine = _ours(server, place, heads)
        mine, forgotten = _with_room(book, place, mine)
        steps = [_step(server, place, head, by_service[head.service], now) for head in mine]
        gaps = _untold(server, gaps)
        left = _Left(place, Day(book, now))
        rows = [row for step in steps for row in left.kept(step)]
        rows += [row for row in gaps if left.day.takes(place.followed[row.service], 1)]
        moved = [step.followed for step in steps]
        Followed.objects.bulk_create(
            moved, update_conflicts=True, unique_fields=["server", "service"], update_fields=MOVES
        )
        Change.objects.bulk_create(rows)
        Change.objects.bulk_update(left.longer, LEFT_OUT, batch_size=100)
        happened = [*(row for step in steps for row in step.rows), *gaps]
        if happened:
            for listener in history.listeners:
                listener(happened)
        if newest > place.swept_before:
            book.swept = following.moment(newest)
        book.save()
    for name in forgotten:
        place.followed.pop(name, None)
        left.open.pop(name, None)
    place.followed |= {one.service: one for one in moved}
    place.left = left.open
    if newest:
        place.saved = time.monotonic()
        place.swept_before = max(place.swept_before, newest)
    return len(rows)


def _ours(server: Server, place: Place, heads: Sequence[Head]) -> list[Head]:
    """Those that stand where this collector knows them to; of others it learns where they are."""
    there: dict[str, tuple[object, ...]] = {}
    for part in chunks([head.service for head in heads]):
        rows = Followed.objects.filter(server=server, service__in=part)
        there |= {name: tuple(at) for name, *at in rows.values_list("service", *POSITION)}
    mine, moved = [], []
    for head in heads:
        known = place.followed.get(head.service)
        if there.get(head.service) == (None if known is None else _position(known)):
            mine.append(head)
        else:
            moved.append(head.service)
            place.followed.pop(head.service, None)
    for part in chunks(moved):
        rows = Followed.objects.filter(server=server, service__in=part)
        place.followed |= {row.service: row for row in rows}
    return mine


def _position(of: Followed) -> tuple[object, ...]:
    return tuple(getattr(of, name) for name in POSITION)


def _with_room(
    book: Collecting, place: Place, mine: list[Head]
) -> tuple[list[Head], list[str]]:  # fmt: skip
    """Without the new ones for which there is no room; and who was forgotten for the others."""
    new = [head.service for head in mine if head.service not in place.followed]
    forgotten: list[str] = []
    if new:
        listed = set(place.services)
        room, forgotten = bounds.make_room(book, place.followed.values(), listed, len(new))
        refused = set(new[room:])
        place.beyond = {one for one in place.beyond - set(new) if one in listed} | refused
        mine = [head for head in mine if head.service not in refused]
    book.beyond = len(place.beyond)
    return mine, forgotten


def _step(
    server: Server, place: Place, head: Head, page: Page, now: datetime.datetime
) -> following.Step:
    known = place.followed.get(head.service)
    swept = place.swept_of(head.service)
    if known is None:
        return following.read_on(following.fresh(server.pk, head), head, page, now)
    if known.epoch != head.epoch or known.version > head.version:
        begun = following.begun_anew(known, head, swept, now)
    else:
        step = following.read_on(known, head, page, now)
        if not step.is_new_era:
            return step
        # The page began after the old place: all of the stream is read by the next call.
        return following.begun_anew(known, head, swept, now)
    step = following.read_on(begun.followed, head, page, now)
    return following.Step(begun.rows + step.rows, step.followed)


def _untold(server: Server, gaps: Sequence[Change]) -> list[Change]:
    """Without those that another collector wrote."""
    told: set[tuple[str, str, int]] = set()
    for part in chunks(gaps):
        known = Change.objects.filter(server=server, version__in={row.version for row in part})
        told |= set(known.values_list("service", "epoch", "version"))
    return [row for row in gaps if (row.service, row.epoch, row.version) not in told]


class _Left:
    """Rows that the day has no room for become one gap of their service, which grows."""

    def __init__(self, place: Place, day: Day) -> None:
        self.day, self.open = day, dict(place.left)
        self.longer: list[Change] = []

    def kept(self, step: following.Step) -> list[Change]:
        """What is written of a step: its rows, a gap in their place, or nothing more."""
        one, rows = step.followed, step.rows
        if not rows:
            return []
        if self.day.takes(one, len(rows)):
            self.open.pop(one.service, None)
            return rows
        known = self.open.get(one.service)
        if known is not None and known.row.epoch == rows[-1].epoch:
            known.count += len(rows)
            following.grow(known.row, rows, known.count, bounds.A_DAY)
            self.longer.append(known.row)
            return []
        gap = following.left_out(one, rows, bounds.A_DAY)
        self.open[one.service] = LeftOut(gap, len(rows))
        return [gap]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
