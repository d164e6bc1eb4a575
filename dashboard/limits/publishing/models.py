"""What should be published on each server, and what is known of it there."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from dashboard.publishing.models import Publication as Published
from dashboard.servers.models import Server


class Publication(Published):
    """One server's document of rate limits."""

    server = models.OneToOneField(Server, models.CASCADE, related_name="limits_publication")
    trouble_since = models.DateTimeField(null=True)
    # Whether a second person must let changes through where the server is production.
    second_person = models.BooleanField(default=False)

    def in_trouble(self, trouble: str) -> dict[str, Any]:
        """The columns that say so, and since when."""
        since = (self.trouble_since or timezone.now()) if trouble else None
        return {"trouble": trouble, "trouble_since": since}
