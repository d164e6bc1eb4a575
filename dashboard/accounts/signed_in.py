"""Where a person is signed in, for the pages that show it and end it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest
from django.utils import timezone

from dashboard.accounts import agents, sessions
from dashboard.accounts.models import User
from dashboard.audit import record
from redisops.sessions import handle_of

OTHERS = "others"
ALL = "all"


@dataclass(frozen=True)
class Row:
    """One session as a table shows it."""

    handle: str
    browser: str
    agent: str
    address: str
    created: datetime
    last_seen: datetime
    ends: datetime
    is_current: bool


def rows(user: User, *, current: str | None = None) -> list[Row]:
    """A person's live sessions, this one first, then the last seen first; at most 200."""
    mine = handle_of(current) if current else ""
    live = user.sessions.filter(revoked_at=None, expire_date__gt=timezone.now())
    found = [
        Row(
            handle=one.pk,
            browser=agents.words(one.agent),
            agent=one.agent,
            address=one.address,
            created=one.created,
            last_seen=one.last_seen,
            ends=one.ends,
            is_current=one.pk == mine,
        )
        for one in live.order_by("-last_seen")[:200]
    ]
    return sorted(found, key=lambda row: not row.is_current)


def end(request: HttpRequest, user: User, which: str, *, keep: str | None = None) -> int:
    """End one session by its handle, all ``others`` than ``keep``, or ``all``; how many.

    Recorded first: a mark in SQL cannot be taken back by a row that could not be written.
    """
    own = handle_of(keep) if keep else ""
    if which in (OTHERS, ALL):
        record(request, "accounts.revoke", target=user.username, after={"sessions": which})
        return sessions.revoke_all(user, keep=keep if which == OTHERS else None)
    if not user.sessions.filter(pk=which, revoked_at=None).exclude(pk=own).exists():
        raise Http404
    record(request, "accounts.revoke", target=user.username, after={"sessions": which[:8]})
    return sessions.SessionStore.revoke(str(user.pk), which)
