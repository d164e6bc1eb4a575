"""Passes: what one walk over all keys of a server found, kept to look at and to compare."""

from __future__ import annotations

import datetime

from django.db import models
from django.utils import timezone

from dashboard.jobs.models import Job
from dashboard.servers.models import Server


class Pass(models.Model):
    """One walk over all keys of a server.

    ``state`` is what a walk goes on from (``redisops.survey.Survey.state``), written every few
    seconds and emptied at the end; ``figures`` is the result (``Figures.packed``), empty until
    then. Both are compressed JSON. ``address`` is the server's digest at the start: a row that
    leads elsewhere now has other keys. ``saves`` counts how often ``state`` was written.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="passes")
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="+")
    address = models.CharField(max_length=64)
    delimiter = models.BinaryField(default=b":")
    is_thorough = models.BooleanField(default=False)
    begun = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True)
    counted = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    bytes = models.BigIntegerField(null=True)
    state = models.BinaryField(null=True)
    figures = models.BinaryField(null=True)
    saves = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["server", "-id"], name="passes_by_server")]

    def __str__(self) -> str:
        return f"{self.counted} keys of {self.server}, {self.begun:%Y-%m-%d %H:%M}"

    @property
    def is_done(self) -> bool:
        return self.ended is not None

    @property
    def is_running(self) -> bool:
        """Whether its job is not at an end; a paused one is running, too."""
        return not self.is_done and self.job is not None and self.job.is_unfinished

    @property
    def at(self) -> datetime.datetime:
        """What its figures are as of: its end, or where it is."""
        return self.ended or timezone.now()
