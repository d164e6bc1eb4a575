"""What is left of a board as it was: seasons that ended, and its top at moments between."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from dashboard.leaderboards.boards.models import LONGEST_KEY, Board

Top = list[list[Any]]
"""``[[member id, score as Redis spells it, rank, its name as shown], ...]``, best first."""


class Season(models.Model):
    """One season that ended: its top, and the key that its members were moved to ("" for none).

    ``is_undone``: somebody took the end back, and the board is under its own key again.
    """

    board = models.ForeignKey(Board, models.CASCADE, related_name="seasons")
    number = models.PositiveIntegerField()
    archive = models.BinaryField(max_length=2 * LONGEST_KEY, default=bytes)
    window = models.CharField(max_length=20, blank=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(default=timezone.now)
    members = models.BigIntegerField(default=0)
    top = models.JSONField(default=list)
    by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    removal = models.BigIntegerField(null=True)
    is_undone = models.BooleanField(default=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["board", "number"], name="one_season_of_a_number")
        ]

    def __str__(self) -> str:
        return f"{self.board} season {self.number}"

    @property
    def archive_key(self) -> bytes:
        return bytes(self.archive)

    @property
    def since_key(self) -> bytes:
        """Where that is which was scored between the end and its undoing, if anything was."""
        return self.archive_key + b"-since"


class Moment(models.Model):
    """The top of a board at one time; ``window`` is the label of the window it was read in."""

    board = models.ForeignKey(Board, models.CASCADE, related_name="moments")
    at = models.DateTimeField(default=timezone.now)
    window = models.CharField(max_length=20, blank=True)
    members = models.BigIntegerField(default=0)
    top = models.JSONField(default=list)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["board", "at"], name="board_moments_by_time")]

    def __str__(self) -> str:
        return f"{self.board} at {self.at}"
