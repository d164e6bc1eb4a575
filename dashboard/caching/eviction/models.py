"""What people changed about eviction, and whether it outlives a restart."""

from __future__ import annotations

from django.db import models

from dashboard.servers.models import Server


class EvictionChange(models.Model):
    """One change of ``maxmemory`` and ``maxmemory-policy``, from what to what.

    ``before`` and ``after`` are settings as CONFIG spells them, of each primary. ``kept`` says what
    CONFIG REWRITE answered, "" when it was not asked.
    """

    class Result(models.TextChoices):
        DONE = "done", "Done"
        UNKNOWN = "unknown", "Result unknown"

    class Kept(models.TextChoices):
        NO = "", "Not written"
        WRITTEN = "written", "Written"
        NO_FILE = "no file", "No file"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Could not be written"

    server = models.ForeignKey(Server, models.CASCADE, related_name="eviction_changes")
    at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    result = models.CharField(max_length=8, choices=Result.choices, default=Result.DONE)
    kept = models.CharField(max_length=8, choices=Kept.choices, blank=True, default="")
    takes_back = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.server}, {self.at:%Y-%m-%d %H:%M}"
