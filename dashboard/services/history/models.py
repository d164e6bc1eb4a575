"""The changes of services, and how far they were collected."""

from __future__ import annotations

from django.db import models

from dashboard.servers.models import Server


class Change(models.Model):
    """One visible change of an instance, or a gap: a span of which is not known what happened.

    Times are by the clock of the server that it happened on. Of an event ``version`` counts by one
    within service and ``epoch``; so that two collectors keep each once. ``from_state`` is "none" of
    who was not there, ``state`` "gone" of who left.

    A gap (``event`` "gap", no instance) lasts from ``since`` (None: nobody knows) to ``at``, and
    ``state`` says why: "missed" (its events were trimmed or refused; its version is the last
    missing one), "lost" (Redis lost its data: the first row of another epoch, version 0) or
    "unwatched" (nobody swept, or Redis was away; its version is -``at`` in ms).
    """

    GAP = "gap"

    server = models.ForeignKey(Server, models.CASCADE, related_name="service_changes")
    service = models.CharField(max_length=100)
    instance = models.CharField(max_length=200, blank=True)
    epoch = models.CharField(max_length=80)
    version = models.BigIntegerField()
    event = models.CharField(max_length=24)
    from_state = models.CharField(max_length=20, blank=True)
    state = models.CharField(max_length=20)
    suspect = models.BooleanField(default=False)
    why = models.CharField(max_length=500, blank=True)
    since = models.DateTimeField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "service", "epoch", "version"], name="one_change_of_a_version"
            )
        ]
        indexes = [
            models.Index(fields=["server", "at"], name="changes_by_time"),
            models.Index(fields=["server", "service", "at"], name="changes_of_service"),
            models.Index(
                fields=["server", "service", "instance", "at"], name="changes_of_instance"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.instance}: {self.from_state} to {self.state}"

    @property
    def is_gap(self) -> bool:
        """Whether it stands for what is not known."""
        return self.event == self.GAP


class Followed(models.Model):
    """How far a service's events were collected: the last version of an epoch, its stream entry.

    ``turn`` counts how often it began anew (data lost, a replica that knew less took over, an old
    copy loaded). ``known_from``: all that happened since is kept, but for gaps.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="services_followed")
    service = models.CharField(max_length=100)
    epoch = models.CharField(max_length=64)
    turn = models.PositiveIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    place = models.CharField(max_length=45, default="0-0")
    known_from = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["server", "service"], name="one_place_of_a_service")
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.version} of {self.epoch}"

    @property
    def era(self) -> str:
        """The epoch as its changes are kept under."""
        return f"{self.epoch}~{self.turn}" if self.turn else self.epoch


class Collecting(models.Model):
    """When the services of a server were last swept, as the collector saw it, and what it left out.

    Of the day (UTC) ``day``: ``day_rows`` changes were kept, ``left_out`` were too many. ``beyond``
    services are not followed, and ``forgotten`` that are gone made room for others.
    """

    server = models.OneToOneField(Server, models.CASCADE, related_name="services_collecting")
    swept = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    day_rows = models.PositiveIntegerField(default=0)
    left_out = models.PositiveBigIntegerField(default=0)
    beyond = models.PositiveIntegerField(default=0)
    forgotten = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"services of {self.server}"
