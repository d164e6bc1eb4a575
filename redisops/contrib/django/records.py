"""The SQL copy of a session, as an abstract model for a project to make its own."""

from __future__ import annotations

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class SessionRecord(AbstractBaseSession):
    """One session's copy in SQL: what carries it while Redis is away, and what revokes it.

    ``session_key`` holds the session's *handle*, a digest of the id in the cookie, and
    ``session_data`` is sealed: a dump of this table signs nobody in. A row outlives its
    revocation until ``expire_date``, so that a hash which comes back from an old Redis
    snapshot stays dead.
    """

    principal = models.CharField(max_length=64, blank=True, db_index=True)
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField()
    last_seen = models.DateTimeField()
    ends = models.DateTimeField(help_text="The absolute end; nothing moves it.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    stale = models.BooleanField(
        default=False, help_text="Redis missed the last save: what it holds is older than this row."
    )

    class Meta(AbstractBaseSession.Meta):
        abstract = True
        indexes = [
            # What every process asks once a second: the few rows Redis must not be trusted on.
            models.Index(
                fields=["expire_date"],
                name="%(app_label)s_%(class)s_marked",
                condition=models.Q(revoked_at__isnull=False) | models.Q(stale=True),
            )
        ]
