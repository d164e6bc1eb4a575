"""Managed services that keep CONFIG for themselves, and where they have the setting."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.servers.models import Server


@dataclass(frozen=True)
class Host:
    """A service, known by how its addresses end, and where it keeps limit and policy."""

    name: str
    ends: tuple[str, ...]
    policy: str
    limit: str


HOSTS = (
    Host("Amazon MemoryDB", (".memorydb.amazonaws.com",),
         "set maxmemory-policy in the cluster's parameter group",
         "follows from the node type"),
    Host("Amazon ElastiCache", (".cache.amazonaws.com",),
         "set maxmemory-policy in the cache's parameter group",
         "follows from the node type, less reserved-memory-percent"),
    Host("Azure Cache for Redis", (".redis.cache.windows.net",),
         "choose maxmemory-policy under Advanced settings",
         "follows from the tier, less maxmemory-reserved"),
    Host("Azure Managed Redis", (".redis.azure.net", ".redisenterprise.cache.azure.net"),
         "choose the eviction policy of the database",
         "follows from the size of the instance"),
    Host("Redis Cloud", (".redislabs.com", ".redis-cloud.com", ".redns.redis-cloud.com"),
         "choose the data eviction policy of the database",
         "is the memory limit of the database"),
    Host("Upstash", (".upstash.io",),
         "switch Eviction on or off for the database; it has one policy of its own",
         "follows from the plan"),
    Host("Aiven", (".aivencloud.com",),
         "set the advanced option for the maxmemory policy of the service",
         "follows from the plan"),
    Host("DigitalOcean", (".db.ondigitalocean.com",),
         "choose the eviction policy in the settings of the database",
         "follows from the size of the node"),
)  # fmt: skip


def of(server: Server) -> Host | None:
    """The service behind a server's address, if it is one of those."""
    names = [host.lower().rstrip(".") for host, _ in server.endpoint.hosts]
    return next(
        (host for host in HOSTS if any(name.endswith(end) for name in names for end in host.ends)),
        None,
    )
