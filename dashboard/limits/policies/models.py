"""What people decided on rate limits: policies, every version of each, and changes that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse

from dashboard.accounts.models import Team
from dashboard.publishing.models import Policy, Version, What
from dashboard.servers.models import Server

if TYPE_CHECKING:
    from redisops.limits import policies as limits


class LimitPolicy(Policy):
    """One policy of one server as it is decided now; ``body`` is that of its newest version.

    A deleted one is ``archived``: its name stays taken, its versions stay, it can be restored.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="limit_policies")
    name = models.CharField(max_length=80)
    team = models.ForeignKey(
        Team, models.SET_NULL, null=True, blank=True, related_name="limit_policies"
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["server", "name"], name="one_policy_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("limits:show", args=[self.server.slug, self.name])

    def as_policy(self) -> limits.Policy:
        """The library's policy, with this version's number and the owning team's name."""
        return read(self.body, name=self.name, version=self.version, owner=self.team)

    def told(self) -> dict[str, Any]:
        """What the audit keeps of it."""
        return {**super().told(), "team": str(self.team or "")}

    @property
    def mode(self) -> str:
        """``off``, ``shadow`` or ``enforce``, without reading the whole body."""
        return str(self.body.get("mode", "enforce"))


class PolicyVersion(Version):
    """One version of a policy, never changed afterwards."""

    policy = models.ForeignKey(LimitPolicy, models.CASCADE, related_name="versions")
    what = models.CharField(max_length=10, choices=What.choices)
    team = models.CharField(max_length=60, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)

    class Meta(Version.Meta):
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="one_version_of_a_number")
        ]

    def as_policy(self) -> limits.Policy:
        """The library's policy as it was in this version."""
        return read(self.body, name=self.policy.name, version=self.number, owner=self.team)


class PendingChange(models.Model):
    """A change that somebody asked for and that a second person must let through.

    ``seen`` is the version it was made from, 0 for a new policy: when the policy has gone on since,
    it can only be turned down.
    """

    class State(models.TextChoices):
        OPEN = "open", "Waits for a second person"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Turned down"
        WITHDRAWN = "withdrawn", "Withdrawn"

    server = models.ForeignKey(Server, models.CASCADE, related_name="limit_changes")
    policy = models.ForeignKey(LimitPolicy, models.CASCADE, null=True, related_name="changes")
    name = models.CharField(max_length=80)
    what = models.CharField(max_length=10, choices=What.choices)
    seen = models.PositiveIntegerField(default=0)
    body = models.JSONField()
    team = models.ForeignKey(Team, models.SET_NULL, null=True, related_name="+")
    author = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_why = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["server", "state"], name="limit_changes_by_state")]

    def __str__(self) -> str:
        return f"{self.get_what_display()} {self.name}"

    def get_absolute_url(self) -> str:
        return reverse("limits:pending", args=[self.server.slug, self.pk])

    @property
    def title(self) -> str:
        """What is asked for: "Change orders-per-user"."""
        verbs = {"create": "Create", "archive": "Delete", "restore": "Restore"}
        verbs["roll_back"] = "Roll back"
        return f"{verbs.get(self.what, 'Change')} {self.name}"

    def as_policy(self) -> limits.Policy:
        """The library's policy as it would be."""
        return read(self.body, name=self.name, version=self.seen + 1, owner=self.team)


def read(
    body: dict[str, Any], *, name: str, version: int, owner: Team | str | None
) -> limits.Policy:
    """A stored body as the library's policy; raises ``InvalidArgument`` for one it cannot read."""
    from redisops.limits import policies as limits

    owned = "" if owner is None else str(owner)
    return limits.Policy.from_dict({**body, "name": name, "version": version, "owner": owned})
