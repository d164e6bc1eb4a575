"""Rows of the audit. They keep names as text and point at nothing: what they tell of may go."""

from __future__ import annotations

import datetime
from typing import Any

from django.db import models

from dashboard.audit import actions, chain


class Result(models.TextChoices):
    INTENT = "intent", "Begun"
    OK = "ok", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"
    UNKNOWN = "unknown", "Result unknown"


class Entry(models.Model):
    """One row of the chain. Never changed, never deleted: ``manage.py audit_verify`` would tell.

    ``number`` counts from 1 without a gap. A change outside SQL has two rows: its intention, and
    its outcome, which names the intention's number.
    """

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    server = models.CharField(max_length=60, blank=True)
    action = models.CharField(max_length=100)
    target = models.CharField(max_length=1000, blank=True)
    target_bytes = models.BinaryField(blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    result = models.CharField(max_length=8, choices=Result.choices)
    reason = models.CharField(max_length=500, blank=True)
    intent = models.BigIntegerField(null=True)
    key_id = models.CharField(max_length=8)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "entries"
        constraints = [
            # One outcome for each intention.
            models.UniqueConstraint(fields=["intent"], name="audit_one_outcome"),
        ]
        indexes = [
            models.Index(fields=["server", "-number"]),
            models.Index(fields=["actor", "-number"]),
            models.Index(fields=["action", "-number"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.actor} {self.action} {self.result}"

    @property
    def title(self) -> str:
        """The action in words, whatever came of it."""
        return actions.title(self.action)

    @property
    def sentence(self) -> str:
        """What happened in words, with the outcome before it unless it was done."""
        is_done = self.result == Result.OK
        # A request that was refused has only its path as a target, which tells nobody anything.
        is_path = not self.target_bytes and self.target.startswith("/")
        target = "" if is_path and not is_done else self.target
        outcome = "" if is_done else Result(self.result).label
        return actions.sentence(self.action, target, outcome)

    def content(self) -> dict[str, Any]:
        """All that the seal covers, spelled the same before saving and after reading."""
        return {
            "number": self.number,
            "at": self.at.astimezone(datetime.UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "address": self.address,
            "request_id": self.request_id,
            "server": self.server,
            "action": self.action,
            "target": self.target,
            "target_bytes": bytes(self.target_bytes).hex(),
            "before": self.before,
            "after": self.after,
            "result": self.result,
            "reason": self.reason,
            "intent": self.intent,
            "key_id": self.key_id,
            "prev_hash": self.prev_hash,
        }


class Head(models.Model):
    """Where the chain ends: one row, sealed, so that the last entries cannot vanish unseen."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=chain.START)
    key_id = models.CharField(max_length=8)
    seal = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"up to {self.number}"

    def content(self) -> dict[str, Any]:
        return {"number": self.number, "hash": self.hash, "key_id": self.key_id}
