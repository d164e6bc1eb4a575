"""Whom to tell of what, how every service stands, and what was told: the outbox and its log."""

from __future__ import annotations

import datetime
import json
import uuid
import zoneinfo
from typing import Any

from django.db import models
from django.utils import timezone

from dashboard.servers import secrets
from dashboard.servers.models import Server


class Kind(models.TextChoices):
    WEBHOOK = "webhook", "Signed webhook"
    SLACK = "slack", "Slack-compatible webhook"
    MAIL = "mail", "E-mail"


class Severity(models.TextChoices):
    WARNING = "warning", "Warning and worse"
    CRITICAL = "critical", "Critical only"


RANKS = {"": 0, "warning": 1, "critical": 2}


class Rule(models.Model):
    """Tells one place of services whose name matches ``pattern`` (``*`` and ``?``).

    ``sealed`` holds the address and the signing secret, ``place`` what people may see of the
    address. ``wait`` seconds gather what happens together; ``remind`` minutes, 0 for never.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="notice_rules")
    name = models.CharField(max_length=80)
    pattern = models.CharField(max_length=100, default="*")
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.CRITICAL)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.WEBHOOK)
    place = models.CharField(max_length=300, blank=True)
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    sealed = models.TextField(editable=False)
    wait = models.PositiveSmallIntegerField(default=10)
    remind = models.PositiveIntegerField(default=0)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    critical_passes = models.BooleanField(default=True)
    paused = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["server", "name"], name="one_notice_rule_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def context(self) -> str:
        """What its sealed text is bound to."""
        return f"services.rule:{self.key}"

    def secret(self) -> dict[str, str]:
        """``address`` and ``secret``; raises ``SecretUnreadable``. For sending, never a page."""
        found: dict[str, str] = json.loads(secrets.unseal(self.sealed, self.context))
        return found

    def seal(self, address: str, secret: str) -> None:
        """Keep both sealed. Not saved yet."""
        said = json.dumps({"address": address, "secret": secret})
        self.sealed = secrets.seal(said, self.context)

    def quiet_until(self, now: datetime.datetime) -> datetime.datetime | None:
        """When the quiet hours end that ``now`` is in; None outside of them. Half open."""
        if self.quiet_from is None or self.quiet_to is None or self.quiet_from == self.quiet_to:
            return None
        zone = zoneinfo.ZoneInfo(self.time_zone)
        local = now.astimezone(zone)
        at, begin, end = local.time(), self.quiet_from, self.quiet_to
        over_midnight = begin > end
        within = at >= begin or at < end if over_midnight else begin <= at < end
        if not within:
            return None
        day = local.date() + datetime.timedelta(days=int(over_midnight and at >= begin))
        # In an hour that a clock change leaves out, the end would lie before now.
        until = datetime.datetime.combine(day, end, zone).astimezone(datetime.UTC)
        return max(until, now + datetime.timedelta(seconds=1))


class Tally(models.Model):
    """Which instances of a service are in trouble, folded from its changes in their order.

    ``entries``: by instance ``[state, since, until, why]``; state is warning, silent, critical or
    gone, times are seconds since 1970; after ``until`` (0: never) nobody waits for it any more.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="service_tallies")
    service = models.CharField(max_length=100)
    epoch = models.CharField(max_length=80)
    version = models.BigIntegerField(default=0)
    entries: Any = models.JSONField(default=dict)
    turned = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["server", "service"], name="one_tally_of_a_service")
        ]

    def __str__(self) -> str:
        return f"{self.service}: {len(self.entries)} in trouble"


class Standing(models.Model):
    """What a rule's place was told last of a service, and when to look again (``due``)."""

    rule = models.ForeignKey(Rule, models.CASCADE, related_name="standings")
    service = models.CharField(max_length=100)
    told = models.CharField(max_length=10, blank=True)
    told_at = models.DateTimeField(null=True)
    begun = models.DateTimeField(null=True)
    due = models.DateTimeField(null=True, db_index=True)
    turns: Any = models.JSONField(default=list)
    flapping = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "service"], name="one_standing_of_a_service")
        ]

    def __str__(self) -> str:
        return f"{self.service}: {self.told or 'well'}"


class State(models.TextChoices):
    WAITING = "waiting", "Waits"
    SENT = "sent", "Delivered"
    GIVEN_UP = "given_up", "Given up"


class Delivery(models.Model):
    """One notification: written before it is sent, kept as the log.

    ``id`` is the same in each try, so that a receiver that got it twice can tell. ``answer`` is
    what came of the last try, in words.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(Server, models.CASCADE, related_name="service_deliveries")
    rule = models.ForeignKey(Rule, models.SET_NULL, null=True, related_name="deliveries")
    rule_name = models.CharField(max_length=80)
    place = models.CharField(max_length=300)
    service = models.CharField(max_length=100, blank=True)
    what = models.CharField(max_length=12)
    severity = models.CharField(max_length=10, blank=True)
    title = models.CharField(max_length=300)
    body: Any = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try = models.DateTimeField(default=timezone.now)
    created = models.DateTimeField(default=timezone.now)
    done = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created", "pk"]
        indexes = [
            models.Index(fields=["server", "-created"], name="deliveries_by_time"),
            models.Index(fields=["state", "next_try"], name="deliveries_due"),
        ]

    def __str__(self) -> str:
        return self.title


class Mute(models.Model):
    """Nobody is told of a service (``instance`` "") or of one instance of it ``until`` then."""

    server = models.ForeignKey(Server, models.CASCADE, related_name="service_mutes")
    service = models.CharField(max_length=100)
    instance = models.CharField(max_length=200, blank=True)
    until = models.DateTimeField()
    why = models.CharField(max_length=200)
    author = models.CharField(max_length=150)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["until", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "service", "instance"], name="one_mute_of_an_instance"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.instance}".strip()
