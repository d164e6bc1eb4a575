"""What people declared: which sorted sets are leaderboards, and how each is read."""

from __future__ import annotations

from django.db import models
from django.urls import reverse

from dashboard.accounts.models import Team
from dashboard.servers.models import Server

WINDOW = b"<window>"
"""Stands in a declared key where the label of the window goes ("2026-W47")."""
LONGEST_KEY = 1024


class Window(models.TextChoices):
    """How long one board counts before the next begins."""

    ALL = "all", "All time"
    DAY = "day", "Daily"
    WEEK = "week", "Weekly"
    MONTH = "month", "Monthly"


class Ties(models.TextChoices):
    """What rank members of one score have."""

    COMPETITION = "competition", "1, 2, 2, 4: equal scores share a rank, then ranks are left out"
    DENSE = "dense", "1, 2, 2, 3: equal scores share a rank, none is left out"
    UNIQUE = "unique", "1, 2, 3, 4: each member has a rank of its own"


class Order(models.TextChoices):
    HIGH = "high", "Highest score first"
    LOW = "low", "Lowest score first"


class Every(models.TextChoices):
    """When a season ends by itself."""

    NEVER = "", "When somebody ends it"
    DAY = "day", "Every day at 00:00 UTC"
    WEEK = "week", "Every Monday at 00:00 UTC"
    MONTH = "month", "On the first of each month at 00:00 UTC"


class Board(models.Model):
    """One declared leaderboard. ``key`` names the sorted set; with a window it holds WINDOW.

    ``details`` is a hash with a field for each member ("" for none). The top ``top`` members are
    kept for the history; ``next_look`` and ``next_end`` are when beat does so and ends a season.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="leaderboards")
    name = models.CharField(max_length=80)
    key = models.BinaryField(max_length=LONGEST_KEY)
    window = models.CharField(max_length=5, choices=Window.choices, default=Window.ALL)
    ties = models.CharField(max_length=11, choices=Ties.choices, default=Ties.COMPETITION)
    order = models.CharField(max_length=4, choices=Order.choices, default=Order.HIGH)
    first_wins = models.BooleanField(default=False)
    details = models.BinaryField(max_length=LONGEST_KEY, default=bytes, blank=True)
    team = models.ForeignKey(
        Team, models.SET_NULL, null=True, blank=True, related_name="leaderboards"
    )
    top = models.PositiveSmallIntegerField(default=10)
    every = models.CharField(max_length=5, choices=Every.choices, default="", blank=True)
    next_end = models.DateTimeField(null=True)
    next_look = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["server", "name"], name="one_board_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("leaderboards:declared", args=[self.server.slug, self.name])

    @property
    def template(self) -> bytes:
        return bytes(self.key)

    @property
    def is_windowed(self) -> bool:
        return self.window != Window.ALL

    @property
    def details_key(self) -> bytes:
        return bytes(self.details)


class Import(models.Model):
    """Scores that were uploaded and are to be written: ``body`` is compressed, see ``sheets``."""

    server = models.ForeignKey(Server, models.CASCADE, related_name="+")
    key = models.BinaryField(max_length=64 * 1024)
    by = models.CharField(max_length=150)
    name = models.CharField(max_length=200, blank=True)
    how = models.CharField(max_length=4, default="set")
    rows = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    created = models.DateTimeField(auto_now_add=True, db_index=True)
    is_begun = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.rows} scores of {self.name}"
