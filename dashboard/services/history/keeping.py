"""How long history is kept: 35 days, and at most so many rows of one server."""

from __future__ import annotations

import datetime

from django.db.models import Q

from dashboard.servers.models import Server
from dashboard.services.history.models import Change, Followed

DAYS = 35
MOST = 500_000
"""Rows of one server: who changes every second loses the oldest, and the pages say from when on."""
AT_ONCE = 2_000
BATCHES = 50


def tidy(now: datetime.datetime | None = None) -> int:
    """Delete what is too old or too much, in small bites; how many rows. The rest next time."""
    moment = now or datetime.datetime.now(datetime.UTC)
    removed = 0
    for server in Server.objects.all():
        cut = moment - datetime.timedelta(days=DAYS)
        rows = Change.objects.filter(server=server).order_by("-at", "-pk")
        beyond = rows.values_list("at", flat=True)[MOST : MOST + 1]
        cut = max([cut, *beyond])
        removed += _remove(server, cut)
    return removed


def _remove(server: Server, before: datetime.datetime) -> int:
    removed = 0
    old = Change.objects.filter(server=server, at__lt=before)
    for _ in range(BATCHES):
        keys = list(old.order_by("at").values_list("pk", flat=True)[:AT_ONCE])
        if not keys:
            break
        removed += Change.objects.filter(pk__in=keys).delete()[0]
    if removed:
        followed = Followed.objects.filter(server=server)
        followed.filter(Q(known_from__lt=before)).update(known_from=before)
    return removed
