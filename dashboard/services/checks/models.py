"""What people decided on the checks of a service."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.db import models

from dashboard.servers.models import Server
from dashboard.services.checks.spec import Check
from redisops.services import Terms

JUDGING = ("rise", "fall", "start_period")
"""The terms that are decided here; those of leases stay as they are."""


class ServiceCheck(models.Model):
    """How the instances of one service are checked and judged, on one server.

    ``spec`` holds what ``Check.as_dict`` gives and counts in the mode "written"; ``terms`` what of
    ``Terms`` was decided. The watcher publishes the terms again where Redis lost them.
    """

    class Mode(models.TextChoices):
        OWN = "own", "As each instance asks for when it registers"
        WRITTEN = "written", "As written here, for all instances"
        NONE = "none", "Not at all: heartbeats alone count"

    server = models.ForeignKey(Server, models.CASCADE, related_name="service_checks")
    service = models.CharField(max_length=100)
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.WRITTEN)
    spec = models.JSONField(default=dict)
    terms = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    author = models.CharField(max_length=150, blank=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["service"]
        constraints = [
            models.UniqueConstraint(fields=["server", "service"], name="one_check_of_a_service")
        ]

    def __str__(self) -> str:
        return f"check of {self.service}"

    def as_check(self) -> Check:
        """Raises InvalidArgument for a spec of another version of the console."""
        return Check.of(self.spec)

    def merged(self, published: Terms) -> Terms:
        """What is published with what was decided here in it; raises InvalidArgument."""
        known = {name: self.terms[name] for name in JUDGING if name in self.terms}
        return dataclasses.replace(published, **known)

    def told(self) -> dict[str, Any]:
        """For the audit."""
        return {"mode": self.mode, **self.spec, **self.terms}
