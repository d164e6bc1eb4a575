"""Collects what happened to the services of a server into SQL: called once a second.

Redis keeps the last events of each service in order, so nothing is lost while the console is away;
what was trimmed meanwhile is told as a gap. Any number of collectors may run: each moves a service
on from where it stands, and only the first one's rows stay.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Iterator, Sequence

from channels.db import database_sync_to_async

from dashboard.servers.models import Server
from dashboard.services.history import following, recording
from dashboard.services.history.models import Change, Collecting, Followed
from dashboard.services.history.recording import Place
from redisops.connection import AsyncClient
from redisops.services import AsyncRegistry
from redisops.services.timeline import FIRST, AsyncTimeline, Head

LIST_SECONDS = 2.0
SWEPT_AT_ONCE = 2_500
"""Services that one call asks when they were swept: more than that take turns."""
READ_AT_ONCE = 1_000
"""Services whose events are read in one round trip, and kept in one transaction ..."""
EVENTS_AT_ONCE = 5_000
"""... as long as they are not more than so many events, as far as versions tell."""
EVENTS_OF_ONE = 1_000
SPARE = 32
"""Events read beyond those that are expected: foreign entries of a stream are passed over."""
GAP_SECONDS = 10.0
"""Seconds without a sweep after which is said that nobody watched."""
SAVE_SECONDS = 10.0

_places: dict[tuple[int, str], Place] = {}


async def collect(server: Server, redis: AsyncClient, services: Sequence[str] | None = None) -> int:
    """Keep what happened since the last call; how many rows. Call it from one loop.

    ``services`` as the caller lists them; None to ask Redis for them every 2 s. One round trip
    when nothing happened (and those for the list of services), one more for each thousand services
    to which something did; some ten statements of SQL for these, and one for each 70 rows. Raises
    the errors of ``redis`` and of SQL; what was not kept is kept by the next call.
    """
    place = await _place(server)
    if services is None and time.monotonic() - place.listed > LIST_SECONDS:
        services = await AsyncRegistry(redis).services(10_000)
        place.listed = time.monotonic()
    if services is not None and services != place.services:
        place.services = list(services)
        for one in place.swept.keys() - set(place.services):
            del place.swept[one]
    timeline = AsyncTimeline(redis)
    heads = [head for head in await timeline.heads(place.services, _turn(place)) if head.epoch]
    rows, swept = _swept(place, heads)
    newest = max((at for at, _ in swept.values()), default=0.0)
    is_due = newest > place.swept_before and time.monotonic() - place.saved > SAVE_SECONDS
    kept = 0
    try:
        if rows or is_due:
            kept += await _kept(server, place, [], [], rows, newest)
        for part, counts in _parts(place, heads):
            after = {head.service: _start(place, head) for head in part}
            pages = await timeline.events(after, counts)
            kept += await _kept(server, place, part, pages)
            await asyncio.sleep(0)  # checks go on between
    except BaseException:
        # What was written is not known: where each service stands is asked of SQL again.
        forget(server)
        raise
    place.swept |= swept
    return kept


_kept = database_sync_to_async(recording.keep)


def forget(server: Server) -> None:
    """Look up in SQL again how far this server was collected."""
    _places.pop((server.pk, server.digest), None)


async def _place(server: Server) -> Place:
    key = (server.pk, server.digest)
    if key not in _places:
        for other in [one for one in _places if one[0] == server.pk]:
            del _places[other]  # of a configuration that was changed
        _places[key] = await database_sync_to_async(_loaded)(server)
    return _places[key]


def _loaded(server: Server) -> Place:
    rows = Followed.objects.filter(server=server)
    swept = Collecting.objects.filter(server=server).values_list("swept", flat=True).first()
    return Place({row.service: row for row in rows}, swept.timestamp() if swept else 0.0)


def _turn(place: Place) -> set[str]:
    """Who is asked for the last sweep this time."""
    if len(place.services) <= SWEPT_AT_ONCE:
        return set(place.services)
    start = place.turn % len(place.services)
    place.turn = start + SWEPT_AT_ONCE
    return set((place.services + place.services)[start : start + SWEPT_AT_ONCE])


def _swept(
    place: Place, heads: Sequence[Head]
) -> tuple[list[Change], dict[str, tuple[float, float]]]:
    """The services that nobody swept for a while, until somebody did again; and the last sweeps.

    Who was asked some seconds ago was swept in between all the same, as long as this collector was
    there all the time.
    """
    rows, now, clock = [], _now(), time.monotonic()
    swept: dict[str, tuple[float, float]] = {}
    if clock - place.looked > GAP_SECONDS:
        place.unbroken_since = clock
    place.looked = clock
    for head in heads:
        if not head.swept:
            continue
        before, asked = place.swept.get(head.service, (place.swept_before, float("-inf")))
        between = clock - asked if asked >= place.unbroken_since else 0.0
        known = place.followed.get(head.service)
        is_same = known is not None and known.epoch == head.epoch
        if known and is_same and before and head.swept > before + GAP_SECONDS + between:
            rows.append(following.unwatched(known, before, head.swept, now))
        swept[head.service] = (head.swept, clock)
    return rows, swept


def _parts(place: Place, heads: Sequence[Head]) -> Iterator[tuple[list[Head], dict[str, int]]]:
    """Those that moved, so many at a time, and how many events of each are to be read."""
    part: list[Head] = []
    counts: dict[str, int] = {}
    expected = 0
    for head in heads:
        known = place.followed.get(head.service)
        if known is not None and (known.epoch, known.version) == (head.epoch, head.version):
            continue
        is_on = known is not None and known.epoch == head.epoch and known.version < head.version
        news = head.version - known.version if known is not None and is_on else head.version
        part.append(head)
        counts[head.service] = min(news + SPARE, EVENTS_OF_ONE)
        expected += counts[head.service] - SPARE
        if len(part) == READ_AT_ONCE or expected >= EVENTS_AT_ONCE:
            yield part, counts
            part, counts, expected = [], {}, 0
    if part:
        yield part, counts


def _start(place: Place, head: Head) -> str:
    known = place.followed.get(head.service)
    is_same = known is not None and known.epoch == head.epoch and known.version < head.version
    return known.place if known is not None and is_same else FIRST


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
