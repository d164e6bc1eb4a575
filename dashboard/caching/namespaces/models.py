"""What people decided on cache namespaces: policies, every version of each, what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse

from dashboard.publishing.models import Policy, Publication, Version, What
from dashboard.servers.models import Server

if TYPE_CHECKING:
    from redisops import cache


class CachePolicy(Policy):
    """The policy of one namespace of one server; ``body`` is that of its newest version.

    An ``archived`` one was given back to the services' code; its versions stay.
    """

    server = models.ForeignKey(Server, models.CASCADE, related_name="cache_policies")
    namespace = models.CharField(max_length=100)

    class Meta:
        ordering = ["namespace"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "namespace"], name="one_cache_policy_of_a_namespace"
            )
        ]

    def __str__(self) -> str:
        return self.namespace

    def get_absolute_url(self) -> str:
        return reverse("caching:policy", args=[self.server.slug, self.namespace])

    def as_policy(self) -> cache.Policy:
        """The library's policy. Raises InvalidArgument for what this version cannot read."""
        return read(self.body, self.namespace)

    def told(self) -> dict[str, Any]:
        """What the audit keeps of it."""
        return {**super().told(), "given back": True} if self.archived else super().told()


class CachePolicyVersion(Version):
    """One version of a policy, never changed afterwards."""

    policy = models.ForeignKey(CachePolicy, models.CASCADE, related_name="versions")
    what = models.CharField(max_length=10, choices=What.said("Given back to the code"))

    class Meta(Version.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "number"], name="one_cache_version_of_a_number"
            )
        ]

    def as_policy(self) -> cache.Policy:
        """The library's policy as it was in this version."""
        return read(self.body, self.policy.namespace)


class CachePublication(Publication):
    """One server's document of cache policies."""

    server = models.OneToOneField(Server, models.CASCADE, related_name="caching_publication")


def read(body: dict[str, Any], namespace: str) -> cache.Policy:
    """A stored body as the library's policy; raises InvalidArgument for one it cannot read."""
    from redisops.cache import read_policy

    return read_policy({**body, "namespace": namespace})
