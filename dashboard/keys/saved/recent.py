"""The keys that a person opened lately on a server."""

from __future__ import annotations

import hashlib
from typing import Any

import structlog
from django.db import DatabaseError
from django.utils import timezone

from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS
from dashboard.keys.saved.models import RecentKey
from dashboard.servers.models import Server

log = structlog.get_logger(__name__)

KEPT = 30


def remember(user: Any, server: Server, key: bytes) -> None:
    """Put ``key`` first among the keys of ``user`` on ``server``; the oldest beyond 30 go.

    A list of convenience: a page is shown whether or not it can be kept.
    """
    if len(key) > LONGEST_IN_ADDRESS:
        return  # there is no address to come back by
    digest = hashlib.sha256(key).hexdigest()
    mine = RecentKey.objects.filter(user=user, server=server)
    try:
        if mine.values_list("digest", flat=True).first() == digest:
            return
        row = RecentKey(user=user, server=server, digest=digest, key=key, at=timezone.now())
        RecentKey.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["user", "server", "digest"],
            update_fields=["at"],
        )
        stale = list(mine.values_list("pk", flat=True)[KEPT : KEPT * 2])
        if stale:
            RecentKey.objects.filter(pk__in=stale).delete()
    except DatabaseError as error:
        log.warning("an opened key was not remembered", server=server.slug, error=str(error))


def of(user: Any, server: Server) -> list[RecentKey]:
    """Newest first."""
    return list(RecentKey.objects.filter(user=user, server=server)[:KEPT])
