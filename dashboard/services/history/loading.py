"""The kept changes of a service, ready to compute with; what was read before is not read again."""

from __future__ import annotations

import datetime
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import QuerySet

from dashboard.servers.models import Server
from dashboard.services.history.models import Change, Followed
from dashboard.services.history.spells import Row
from dashboard.services.history.uptime import WINDOWS

MOST = 10_000
"""Changes of one page: who has more in 30 days is known from a later time on, and it is said."""
KEPT = 50_000
"""Changes that a process keeps at hand, of all services that somebody looks at."""
WHOLE_SECONDS = 60.0
"""Seconds after which all are read again: two collectors may write in another order than they
count in, and what is too old is deleted."""
_COLUMNS = ("pk", "at", "instance", "from_state", "state", "suspect", "why", "since", "event")


class Loaded(NamedTuple):
    """``rows`` oldest first; ``known_from``: all that happened since is among them, seconds since
    1970. ``is_followed``: whether the service was ever collected; ``is_cut``: there were more."""

    rows: list[Row]
    known_from: float
    is_followed: bool
    is_cut: bool = False


@dataclass(frozen=True)
class _Kept:
    """Rows as they were read, by time, and the last one written among them: its key and time."""

    rows: list[Row]
    is_cut: bool
    last: tuple[int, float]
    read_at: float


_kept: OrderedDict[tuple[int, int, str], _Kept] = OrderedDict()
_lock = threading.Lock()


def load(server: Server, service: str, now: float) -> Loaded:
    """What is kept of the last 30 days. Two queries: of the changes those that came since the last
    time that this process asked, all of them once a minute."""
    followed = Followed.objects.filter(server=server, service=service).first()
    if followed is None or followed.known_from is None:
        return Loaded([], now, followed is not None)
    start = now - WINDOWS[-1][1]
    changes = Change.objects.filter(server=server, service=service)
    key = (server.pk, followed.pk, service)
    with _lock:
        known = _kept.get(key)
    found = (_read_on(changes, known, start) if known else None) or _read(changes, start)
    _keep(key, found)
    known_from = followed.known_from.timestamp()
    if found.is_cut:
        known_from = max(known_from, found.rows[0].at)
    return Loaded(found.rows, known_from, is_followed=True, is_cut=found.is_cut)


def _read(changes: QuerySet[Change], start: float) -> _Kept:
    """All of them, the newest ``MOST``."""
    since = datetime.datetime.fromtimestamp(start, datetime.UTC)
    newest = changes.filter(at__gte=since).order_by("-at", "-pk")
    values = list(newest.values_list(*_COLUMNS)[: MOST + 1])
    last = max(((one[0], one[1].timestamp()) for one in values), default=(0, 0.0))
    rows = _rows(values[:MOST][::-1])
    return _Kept(_by_time(rows), len(values) > MOST, last, time.monotonic())


def _read_on(changes: QuerySet[Change], known: _Kept, start: float) -> _Kept | None:
    """What was known, and what was written since; None when all must be read."""
    if not known.rows or time.monotonic() - known.read_at > WHOLE_SECONDS:
        return None
    # The last one itself comes too: if it is another one now, what is known is of another past.
    later = changes.filter(pk__gte=known.last[0]).order_by("pk")
    values = list(later.values_list(*_COLUMNS)[: MOST + 1])
    if not values or len(values) > MOST or (values[0][0], values[0][1].timestamp()) != known.last:
        return None
    if len(values) == 1:
        return known
    rows = [*known.rows, *_rows(values[1:])]
    rows = [row for row in _by_time(rows) if row.at >= start]
    last = values[-1][0], values[-1][1].timestamp()
    return _Kept(rows[-MOST:], known.is_cut or len(rows) > MOST, last, known.read_at)


def _keep(key: tuple[int, int, str], found: _Kept) -> None:
    with _lock:
        _kept[key] = found
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(len(one.rows) for one in _kept.values()) > KEPT:
            _kept.popitem(last=False)


def _rows(values: Iterable[tuple[Any, ...]]) -> list[Row]:
    return [
        Row(
            at.timestamp(), who, was, now_is, suspect, why, since.timestamp() if since else 0.0,
            event,
        )
        for _, at, who, was, now_is, suspect, why, since, event in values
    ]  # fmt: skip


def _by_time(rows: list[Row]) -> list[Row]:
    """The clock may have been set back; equal ones keep their order."""
    rows.sort(key=lambda row: row.at)
    return rows
