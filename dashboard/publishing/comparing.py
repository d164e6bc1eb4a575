"""What Celery does for published policies: compare SQL with Redis, and mend Redis.

The tasks are the areas' own, since a task has a name; each is a line.
"""

from __future__ import annotations

import datetime
from typing import Any

import redis
import structlog
from django.core.cache import cache
from django.utils import timezone

from dashboard.publishing import looking, writing
from dashboard.publishing.kinds import Kind
from dashboard.publishing.schedule import EVERY
from dashboard.servers.models import Server
from redisops.errors import RedisopsError

log = structlog.get_logger(__name__)

ACTOR = "publisher"
LONGEST_PAUSE = 300


def reconcile(kind: Kind, compare: Any) -> int:
    """Have every server with policies looked at by the task ``compare``, each by itself.

    A slow one holds no other up.
    """
    published = kind.table._default_manager.filter(version__gt=0)
    servers = Server.objects.filter(
        pk__in=published.values("server"), withdrawn=None, stopped_at=None
    )
    found = list(servers.values_list("pk", flat=True))
    for pk in found:
        compare.apply_async(args=[pk], expires=2 * EVERY, ignore_result=True)
    return len(found)


def compare(kind: Kind, pk: int) -> str:
    """Compare one server's Redis with what was decided, one round trip; publish what differs.

    Any number of workers at once are safe: one has the lease, and publishing never goes back.
    """
    server = Server.objects.filter(pk=pk, stopped_at=None).first()
    if server is None or not _lease(kind, pk):
        return ""
    seen = looking.state(kind, server)
    if seen.kind not in ("none", "published", "unknown"):
        # Somebody may have saved while Redis was asked: what is wanted now counts.
        seen = looking.state(kind, server)
    row = seen.row
    if seen.kind == "none":
        return ""
    if seen.kind == "unknown":
        row.note_trouble(seen.sentence, is_write=False)
    elif seen.kind == "published":
        if row.published != row.version or row.trouble or row.failures:
            row.note_well()
    elif _is_due(row):
        _mend(kind, server, seen)
    return seen.kind


def _lease(kind: Kind, pk: int) -> bool:
    """Whether no other worker looked at this server within the last seconds."""
    try:
        return bool(cache.add(f"{kind.area}:compare:{pk}", 1, timeout=EVERY - 1))
    except (redis.RedisError, RedisopsError) as error:
        # Home is away: two may look at once, which costs a round trip and harms nothing.
        log.warning("no lease to compare policies", kind=kind.area, server=pk, error=str(error))
        return True


def _is_due(row: Any) -> bool:
    """Whether to write again: each write is audited, so one that always fails is tried seldom."""
    if not row.failures or row.failed_at is None:
        return True
    pause = min(LONGEST_PAUSE, EVERY * 2 ** min(row.failures, 8))
    waited: datetime.timedelta = timezone.now() - row.failed_at
    return waited >= datetime.timedelta(seconds=pause)


def _mend(kind: Kind, server: Server, seen: looking.State) -> None:
    why = {
        "missing": f"Redis had no {kind.what}",
        "unreadable": "Redis had a document that could not be read",
        "differs": "Redis had other policies of the same version",
        "newer": "Redis had a newer version, such as one from a backup",
        "waiting": "Redis had an older version",
    }[seen.kind]
    done = writing.publish(kind, ACTOR, server, why, above=seen.above)
    if done.is_well and seen.row.published == seen.row.version:
        seen.row.note_mended(why)
