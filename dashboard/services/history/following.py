"""From what Redis holds to the rows that are kept: computed here, without a command or a query."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.services.history.models import Change, Followed
from redisops.services.model import Event
from redisops.services.timeline import FIRST, Head, Page

MISSED, LOST, UNWATCHED = "missed", "lost", "unwatched"
_FIRST_DAY = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """What one page of events adds, and where the service stands then."""

    rows: list[Change]
    followed: Followed
    is_new_era: bool = False


def begun_anew(followed: Followed, head: Head, swept: float, now: datetime.datetime) -> Step:
    """The service lives in another epoch: what it said there is read from its first event on."""
    since = max(filter(None, [followed.last_at, _moment(swept, now)]), default=None)
    then = _copy(followed)
    then.turn += 1  # never again an era that was: an old copy may be loaded, epoch and all
    why = "Its data was lost or removed, and it began anew."
    if head.epoch == followed.epoch:
        why = "Versions came again: a copy that knew less took its place."
    then.epoch = _clean(head.epoch, 64)
    then.version, then.place, then.last_at = 0, FIRST, now
    row = _gap(then, LOST, min(since, now) if since else None, now, 0, why)
    return Step([row], then, is_new_era=True)


def read_on(followed: Followed, head: Head, page: Page, now: datetime.datetime) -> Step:
    """The rows of a page: each event once, and a gap for each run of versions that is missing.

    ``is_new_era`` when versions went back: nothing of the page was used then.
    """
    then, rows = _copy(followed), []
    if page.events and page.events[0].version <= followed.version and followed.version:
        return Step([], then, is_new_era=True)
    for event in page.events:
        if event.version <= then.version:
            continue  # the same version twice in one stream: the first one counts
        at = _moment(event.at, now) or now
        if event.version > then.version + 1:
            if then.known_from is None:
                then.known_from = at  # trimmed before anybody looked
            else:
                rows.append(_missed(then, event.version - 1, at))
        then.known_from = then.known_from or at
        rows.append(_change(then, event, at))
        then.version, then.last_at = event.version, at
    then.place = page.place
    if page.is_whole and head.version > then.version:
        if then.known_from is not None:
            rows.append(_missed(then, head.version, now, page.trouble))
        then.known_from = then.known_from or now
        then.version, then.last_at = head.version, now
    return Step(rows, then)


def unwatched(followed: Followed, since: float, until: float, now: datetime.datetime) -> Change:
    """Nobody swept the service from ``since`` to ``until`` (seconds by its server's clock)."""
    first, last = _moment(since, now), _moment(until, now) or now
    why = "Nobody swept, or Redis was away: who stopped then was noticed later, or not at all."
    return _gap(followed, UNWATCHED, first, last, -int(until * 1000), why)


def left_out(of: Followed, rows: Sequence[Change], most: int) -> Change:
    """One gap in the place of rows for which their day has no room. ``of`` stands after them."""
    first = rows[0].since if rows[0].is_gap and rows[0].since else rows[0].at
    gap = _gap(of, MISSED, first, first, of.version, "")
    grow(gap, rows, len(rows), most)
    return gap


def grow(gap: Change, rows: Sequence[Change], count: int, most: int) -> None:
    """These rows are left out, too: ``count`` in all. Not saved yet."""
    what = "1 change is" if count == 1 else f"{count:,} changes are"
    gap.version, gap.at = rows[-1].version, max(gap.at, rows[-1].at)
    gap.why = f"{what} left out: of one day a server's history takes {most:,}."


def moment(seconds: float) -> datetime.datetime | None:
    """A time by the server's clock; None for none, or for one that cannot be."""
    return _moment(seconds, datetime.datetime.now(datetime.UTC))


def _moment(seconds: float, now: datetime.datetime) -> datetime.datetime | None:
    try:
        found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return found if _FIRST_DAY < found < now + _DAY else None


def _missed(of: Followed, last: int, at: datetime.datetime, trouble: str = "") -> Change:
    count = last - of.version
    what = "1 change is" if count == 1 else f"{count:,} changes are"
    why = f"{what} not known: trimmed, refused or unreadable. {trouble}".strip()
    return _gap(of, MISSED, of.last_at, max(at, of.last_at or at), last, why)


def _gap(
    of: Followed,
    kind: str,
    since: datetime.datetime | None,
    at: datetime.datetime,
    version: int,
    why: str,
) -> Change:
    return Change(
        server_id=of.server_id, service=of.service, epoch=of.era, version=version,
        event=Change.GAP, state=kind, since=since, at=at, why=_clean(why, 500),
    )  # fmt: skip


def _change(of: Followed, event: Event, at: datetime.datetime) -> Change:
    return Change(
        server_id=of.server_id, service=of.service, instance=event.id, epoch=of.era,
        version=event.version, event=event.event, from_state=_clean(event.origin, 20),
        state=event.state, suspect=event.suspect, why=_clean(event.why, 500), at=at,
    )  # fmt: skip


def _clean(text: str, most: int) -> str:
    """Whoever writes to Redis chooses these words, and PostgreSQL takes no NUL and no surrogate."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:most]


def _copy(of: Followed) -> Followed:
    fields = ("server_id", "service", "epoch", "turn", "version", "place")
    return Followed(
        **{name: getattr(of, name) for name in fields}, known_from=of.known_from, last_at=of.last_at
    )


def fresh(server_id: int, head: Head) -> Followed:
    """A service that is seen for the first time: all that its stream holds is read."""
    return Followed(server_id=server_id, service=head.service, epoch=_clean(head.epoch, 64))
