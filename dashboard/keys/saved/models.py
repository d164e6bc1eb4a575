"""What a person keeps of the key browser: views with a name, and the keys opened lately."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from dashboard.servers.models import Server
from redisops import keys


class SavedView(models.Model):
    """A list of keys by its address: pattern, filters, folder and sorting, under a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    server = models.ForeignKey(Server, models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.TextField(blank=True, max_length=12_000)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["user", "server", "name"], name="one_view_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class RecentKey(models.Model):
    """A key that a person opened. ``digest`` is SHA-256 of the name, which may be 512 MB long."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    server = models.ForeignKey(Server, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    key = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "server", "digest"], name="a_key_once")
        ]
        indexes = [models.Index(fields=["user", "server", "-at"], name="recent_keys_by_time")]

    def __str__(self) -> str:
        return keys.printable(self.name)

    @property
    def name(self) -> bytes:
        return bytes(self.key)
