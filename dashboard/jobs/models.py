"""What the console keeps of work that takes a while."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

if TYPE_CHECKING:
    from dashboard.jobs.kinds import Kind

Raw = bytes  # inside Job, "bytes" is a column
FAILURES_KEPT = 1000
LINES_KEPT = 500


class Job(models.Model):
    """One piece of work on one server: what was asked, where it is, and what came of it.

    The worker that holds the lease (``fence``) alone writes the progress; people write what is
    ``wanted`` of it. ``checkpoint`` and ``intent`` are the kind's own.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting to start"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNFINISHED = (State.QUEUED, State.RUNNING, State.PAUSED)
    ACTIVE = (State.QUEUED, State.RUNNING)

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=60)
    group = models.CharField(max_length=60)
    title = models.CharField(max_length=300)
    params = models.JSONField(default=dict)
    scope = models.BinaryField(default=bytes)
    reason = models.CharField(max_length=500, blank=True)
    limit = models.FloatField(null=True)  # commands per second

    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=150)
    intent_entry = models.BigIntegerField(null=True)  # the number in the audit

    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    active_seconds = models.FloatField(default=0.0)

    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    wanted = models.CharField(max_length=8, blank=True)  # "pause", "cancel"
    wanted_by = models.CharField(max_length=150, blank=True)
    wanted_at = models.DateTimeField(null=True)
    waits = models.CharField(max_length=500, blank=True)  # why nothing happens just now
    tries = models.PositiveIntegerField(default=0)  # in a row, with the server in trouble
    due = models.DateTimeField(null=True)  # not before
    error = models.TextField(blank=True)

    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)  # when a worker was last told

    checkpoint = models.JSONField(default=dict)
    intent = models.JSONField(null=True)
    done = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    nodes = models.JSONField(default=dict)  # name: {"done": 0, "failed": 0}
    reasons = models.JSONField(default=dict)  # why: how many

    commands = models.BigIntegerField(default=0)
    round_trips = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)  # waiting for the server
    slowed = models.CharField(max_length=200, blank=True)  # the pace's words
    latency = models.JSONField(default=dict)  # milliseconds: before, p50, p99; and seconds: used
    history = models.JSONField(default=dict)  # {"every": seconds, "points": [[at, units, p99]]}

    # Whether the worker before went without giving it back; set by ``leases.claim``.
    was_cut_off = False

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["state", "due"], name="jobs_by_state"),
            models.Index(fields=["server", "-id"], name="jobs_by_server"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("jobs:show", args=[self.server.slug, self.pk])

    @property
    def work(self) -> Kind:
        """The kind; raises LookupError when this version has none of that name."""
        from dashboard.jobs.kinds import kind_of

        return kind_of(self.kind)

    @property
    def is_unfinished(self) -> bool:
        return self.state in self.UNFINISHED

    @property
    def counted(self) -> int:
        """Units that are behind it, whatever became of them."""
        return self.done + self.failed + self.skipped

    @property
    def share(self) -> float | None:
        """How much is behind it, from 0 to 1; None while nobody knows how much there is."""
        if self.state == self.State.DONE:
            return 1.0
        return min(self.counted / self.total, 1.0) if self.total else None

    def is_held(self, now: datetime.datetime | None = None) -> bool:
        """Whether a worker has the lease."""
        return self.lease_until is not None and self.lease_until > (now or timezone.now())

    def overlaps(self, scope: Raw) -> bool:
        """Whether keys below ``scope`` are among those it works on."""
        return overlap(Raw(self.scope), scope)

    def note(self, text: str, at: datetime.datetime | None = None) -> None:
        """Keep a line in its log, and no more than ``LINES_KEPT`` of them."""
        Line.objects.create(job=self, text=text[:500], at=at or timezone.now())


def overlap(one: bytes, other: bytes) -> bool:
    """Whether a name can begin with both."""
    return one.startswith(other) or other.startswith(one)


class Line(models.Model):
    """One line of a job's log."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="lines")
    at = models.DateTimeField(default=timezone.now)
    text = models.CharField(max_length=500)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.text


class Failure(models.Model):
    """One key that could not be done, and why."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="failures")
    key = models.BinaryField()
    why = models.CharField(max_length=200)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.why

    @property
    def name(self) -> bytes:
        """The key as bytes, whatever the database hands out."""
        return bytes(self.key)
