"""The Redis servers that people look at, and who may do what on each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse

from dashboard.accounts.roles import Role
from dashboard.servers import clients, secrets
from dashboard.servers.addresses import build_url
from redisops.connection.urls import Endpoint, parse_url, redacted

if TYPE_CHECKING:
    from redisops.connection import AsyncClient, Client

HOME = "home"


class Server(models.Model):
    """One Redis or Valkey: a single server, a Sentinel service or a cluster.

    Secrets are sealed (``sealed``) and leave this class only on their way to a client. The slug
    never changes: it is in people's links and binds the sealed texts to this row.
    """

    class Environment(models.TextChoices):
        PRODUCTION = "production", "Production"
        STAGING = "staging", "Staging"
        DEVELOPMENT = "development", "Development"
        NONE = "none", "Not marked"

    class Kind(models.TextChoices):
        STANDALONE = "standalone", "Standalone"
        SENTINEL = "sentinel", "Sentinel"
        CLUSTER = "cluster", "Cluster"
        UNIX = "unix", "Unix socket"

    SECRETS = ("password", "tls_key", "sentinel_password", "session_keys")
    # Of these, what no connection needs: the keys that open its services' sessions.
    ASIDE = ("session_keys",)

    name = models.CharField(max_length=80, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    environment = models.CharField(
        max_length=12, choices=Environment.choices, default=Environment.NONE
    )
    note = models.TextField(blank=True, max_length=2000)

    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.STANDALONE)
    nodes = models.CharField(max_length=1000, blank=True)
    service = models.CharField(max_length=120, blank=True)
    db = models.PositiveSmallIntegerField(default=0)
    username = models.CharField(max_length=200, blank=True)
    sentinel_username = models.CharField(max_length=200, blank=True)
    tls = models.BooleanField(default=False)
    tls_verify = models.BooleanField(default=True)
    tls_server_name = models.CharField(max_length=253, blank=True)
    tls_ca = models.TextField(blank=True)
    tls_certificate = models.TextField(blank=True)
    sealed = models.JSONField(default=dict, editable=False)

    # What the console's own work may take: percent of the server's time, commands per second.
    load_share = models.FloatField(
        default=5.0, validators=[MinValueValidator(0.1), MaxValueValidator(100)]
    )
    load_commands = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(50)]
    )
    # Since when, by whom and why nothing of the console works on it; None: all works.
    stopped_at = models.DateTimeField(null=True, editable=False)
    stopped_by = models.CharField(max_length=150, blank=True, editable=False)
    stopped_why = models.CharField(max_length=500, blank=True, editable=False)

    watched = models.BooleanField(default=True)
    declared = models.BooleanField(default=False, editable=False)
    withdrawn = models.DateTimeField(null=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    # What the person it was fetched for may do here; set by ``access.server_for``.
    role: Role | None = None
    role_of: int | None = None
    # The shape of how it is, for the frame's lists; set by ``listing.mark_states``.
    state: str = "unknown"

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("servers:show", args=[self.slug])

    @property
    def is_home(self) -> bool:
        return self.slug == HOME

    @property
    def is_production(self) -> bool:
        return self.environment == self.Environment.PRODUCTION

    @property
    def is_editable(self) -> bool:
        """Whether its address may be changed in the browser: home and declared servers are not."""
        return not (self.declared or self.is_home)

    @property
    def url(self) -> str:
        """Where it is, without any secret of this row; home is where the settings say."""
        return settings.REDIS_URL if self.is_home else build_url(self)

    @property
    def endpoint(self) -> Endpoint:
        """The same taken apart."""
        return parse_url(self.url)

    @property
    def address(self) -> str:
        """``db.example:6379``, a socket's path, or all nodes with commas: never a secret."""
        return self.endpoint.address

    @property
    def tls_in_words(self) -> str:
        if not self.endpoint.encrypted:
            return "off"
        return "verified" if self.tls_verify else "not verified"

    def protects(self, key: bytes) -> bool:
        """Whether ``key`` is the console's own: never written, its value never shown.

        It holds everywhere, not only on home: the same Redis may be known by a second name.
        """
        return key.startswith(self.protected_prefix)

    @property
    def protected_prefix(self) -> bytes:
        """What the names of the console's own keys begin with; ask once for many keys."""
        return bytes(settings.HOME_PREFIX, "utf-8")

    # --- Secrets --------------------------------------------------------------------------

    def has_secret(self, field: str) -> bool:
        return bool(self.sealed.get(field))

    def secret(self, field: str) -> str | None:
        """The secret itself; raises ``SecretUnreadable``. For clients, never for a page."""
        text = self.sealed.get(field)
        return secrets.unseal(text, self._context(field)) if text else None

    def set_secret(self, field: str, value: str) -> None:
        """Keep ``value`` sealed; an empty one forgets the secret. Not saved yet."""
        if field not in self.SECRETS:
            raise ValueError(f'"{field}" is no secret of a server: one of {self.SECRETS} is')
        sealed = dict(self.sealed)
        sealed.pop(field, None)
        if value:
            sealed[field] = secrets.seal(value, self._context(field))
        self.sealed = sealed

    def _context(self, field: str) -> str:
        return f"servers.server:{self.slug}:{field}"

    @property
    def reach(self) -> tuple[object, ...]:
        """Where a stored secret would travel and how well that is protected."""
        place = (self.kind, self.nodes, self.service)
        return (*place, self.tls, self.tls_verify, self.tls_server_name, self.tls_ca)

    # --- Connections ----------------------------------------------------------------------

    @property
    def digest(self) -> str:
        """Changes whenever the way to connect changes; the key of every process's clients."""
        return clients.digest(
            self.url,
            self.username,
            self.sentinel_username,
            self.tls_verify,
            self.tls_server_name,
            self.tls_ca,
            self.tls_certificate,
            json.dumps(
                {name: text for name, text in self.sealed.items() if name not in self.ASIDE},
                sort_keys=True,
            ),
        )

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped all console work here (``load.stop``)."""
        return self.stopped_at is not None

    def client(self) -> Client:
        """This process's blocking client, with the server's breaker; nothing to close.

        Raises ``WorkStopped`` while console work is stopped here.
        """
        return clients.blocking(self)

    def async_client(self) -> AsyncClient:
        """The running event loop's client, with the same breaker; raises as ``client`` does."""
        return clients.awaiting(self)

    def snapshot(self) -> dict[str, Any]:
        """What the audit keeps of a configuration: which secrets there are, never their text."""
        return {
            "name": self.name,
            "environment": self.environment,
            "note": self.note,
            "url": redacted(self.url),
            "username": self.username,
            "tls": self.tls_in_words,
            "stored": sorted(self.sealed),
            "watched": self.watched,
            "share": f"{self.load_share:g}%",
            "commands": self.load_commands or "no limit",
        }


class Grant(models.Model):
    """A person's or a team's role on one server."""

    server = models.ForeignKey(Server, models.CASCADE, related_name="grants")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="grants"
    )
    team = models.ForeignKey(
        "accounts.Team", models.CASCADE, null=True, blank=True, related_name="grants"
    )
    role = models.CharField(max_length=12, choices=Role.choices)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="grant_to_one",
                condition=models.Q(user__isnull=False, team__isnull=True)
                | models.Q(user__isnull=True, team__isnull=False),
            ),
            models.UniqueConstraint(fields=["server", "user"], name="grant_once_per_user"),
            models.UniqueConstraint(fields=["server", "team"], name="grant_once_per_team"),
        ]

    def __str__(self) -> str:
        return f"{self.holder}: {self.role} on {self.server}"

    @property
    def holder(self) -> str:
        return str(self.user) if self.user_id else f"team {self.team}"
