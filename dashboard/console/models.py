"""What each person typed, on each server."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from dashboard.servers.models import Server

KEPT = 200
LONGEST = 4_000


class Line(models.Model):
    """One command line, its secrets masked. ``token`` marks the submission it came with: a form
    that is sent twice is run once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="console_lines")
    server = models.ForeignKey(Server, models.CASCADE, related_name="console_lines")
    text = models.CharField(max_length=LONGEST)
    at = models.DateTimeField(auto_now_add=True)
    token = models.UUIDField(unique=True, null=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "server", "-id"])]

    def __str__(self) -> str:
        return self.text
