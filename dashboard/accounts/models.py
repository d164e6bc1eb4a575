"""People, their teams, where they are signed in, who tried to be, and their API tokens."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.urls import reverse

from redisops.contrib.django.records import SessionRecord


class User(AbstractUser):
    """A person who signs in. ``is_superuser`` makes an admin of every server."""

    must_change_password = models.BooleanField(
        default=False, help_text="The password was made by somebody else; only the owner's will do."
    )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the person; a new password, or being disabled, ends every session of theirs."""
        fields = kwargs.get("update_fields")
        new_password = self.pk is not None and self._password is not None  # type: ignore[attr-defined]
        disabled = not self.is_active and (fields is None or "is_active" in fields)

        super().save(*args, **kwargs)

        if new_password or disabled:
            from dashboard.accounts import sessions

            sessions.revoke_all(self)

    def get_absolute_url(self) -> str:
        return reverse("accounts:user", args=[self.pk])

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class Session(SessionRecord):
    """One sign-in: the SQL copy of the session that lives in home Redis."""

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")

    @classmethod
    def get_session_store_class(cls) -> type:
        from dashboard.accounts.sessions import SessionStore

        return SessionStore


class Team(models.Model):
    """People who own key prefixes together."""

    name = models.CharField(max_length=60, unique=True)
    members = models.ManyToManyField(User, related_name="teams", blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("accounts:team", args=[self.pk])


class OwnedPrefix(models.Model):
    """Keys that a team answers for: those on ``server`` (or on any) that begin with ``prefix``.

    ``prefix`` is in the printable spelling of ``redisops.keys``, because key names are bytes.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="prefixes")
    server = models.SlugField(blank=True, help_text="A server's slug; empty means every server.")
    prefix = models.CharField(max_length=200)

    class Meta:
        ordering = ["server", "prefix"]
        constraints = [
            models.UniqueConstraint(fields=["server", "prefix"], name="one_owner_of_a_prefix")
        ]

    def __str__(self) -> str:
        return f"{self.server or '*'} {self.prefix}"


class SignInAttempt(models.Model):
    """A try to sign in that has not succeeded, kept as long as the throttle counts it.

    ``account`` is a digest: people type passwords into the wrong field.
    """

    at = models.DateTimeField(db_index=True)
    account = models.CharField(max_length=44)
    address = models.CharField(max_length=64)

    class Meta:
        indexes = [
            models.Index(fields=["account", "at"], name="attempt_by_account"),
            models.Index(fields=["address", "at"], name="attempt_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.address} at {self.at:%Y-%m-%d %H:%M:%S}"


class ApiToken(models.Model):
    """What a program shows instead of a person: it may what its owner may, of ``scopes`` alone.

    The token itself is not here: ``digest`` is its SHA-256 (see ``accounts.tokens``), ``start`` the
    few characters by which people tell one from another. ``servers`` are slugs; ``services`` are
    names of services or beginnings of them with ``*``, to which it is limited; empty: any.
    """

    owner = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    start = models.CharField(max_length=12, editable=False)
    scopes = models.JSONField(default=list)
    servers = models.JSONField(default=list)
    services = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, editable=False)
    last_address = models.CharField(max_length=45, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    revoked_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering = ["-created", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"
