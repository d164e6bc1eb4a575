"""What is kept of every watched server: figures over time, and a snapshot of now.

Home holds it (Redis holds what machines produce): series in bounded space by
``redisops.series``, the last look as one JSON document, and the sampler's own notes beside it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.conf import settings

from dashboard.servers.models import HOME, Server
from redisops.connection import AsyncClient, Client
from redisops.series import AsyncSeries, Fold, Series

SECONDS = 2
STALE = 10
"""Seconds after which the last look is no longer "now"."""
YOUNG = 3 * SECONDS
"""Seconds that a new server is given until its first look."""

# New figures are added at the end; none is ever taken away (see ``redisops.series``).
FIELDS: dict[str, Fold] = {
    "commands": "mean",
    "reads": "mean",
    "writes": "mean",
    "p50": "mean",
    "p99": "max",
    "mean": "mean",
    "memory": "max",
    "rss": "max",
    "limit": "last",
    "hits": "mean",
    "misses": "mean",
    "clients": "max",
    "blocked": "max",
    "net_in": "mean",
    "net_out": "mean",
    "evicted": "mean",
    "expired": "mean",
    "errors": "mean",
    "rejected": "mean",
    "cpu": "mean",
    "keys": "last",
    "behind": "max",
    "round_trip": "mean",
}
RECENT_SECONDS, RECENT_POINTS = 20, 45  # the sparkline's fifteen minutes
HOUR_POINTS = 61


@dataclass
class Snapshot:
    """What is known of one server. Everything in it is plain JSON.

    ``at`` is when it last answered, ``figures`` what it said then. ``failing`` is what is wrong
    with reaching it now: since, last, cause, sentence, next, detail, tries; None while it
    answers. Lists of ``recent`` (commands/s, 20 s a point) and ``hour`` (one minute a point:
    time, memory, hit ratio) end with the newest; None stands for a gap.
    """

    slot: int = 0
    at: float | None = None
    figures: dict[str, float | None] = field(default_factory=dict)
    failing: dict[str, Any] | None = None
    flavour: str = ""
    version: str = ""
    topology: str = ""
    uptime: int | None = None
    policy: str = ""
    maxclients: int | None = None
    peak: int | None = None
    fragmentation: float | None = None
    system_memory: int | None = None
    loading: dict[str, Any] | None = None
    persistence: dict[str, Any] = field(default_factory=dict)
    replication: dict[str, Any] = field(default_factory=dict)
    shards: list[dict[str, Any]] = field(default_factory=list)
    keyspace: list[dict[str, Any]] = field(default_factory=list)
    top: list[dict[str, Any]] = field(default_factory=list)
    top_seconds: float = 0.0
    error_kinds: dict[str, int] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    recent: list[float | None] = field(default_factory=list)
    hour: list[list[float | None]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def hit_ratio(self) -> float | None:
        return ratio(self.figures.get("hits"), self.figures.get("misses"))

    @property
    def key_count(self) -> float | None:
        """Keys of all databases and shards together."""
        return self.figures.get("keys")

    @property
    def memory_share(self) -> float | None:
        """Of ``maxmemory``; None where there is no limit."""
        used, limit = self.figures.get("memory"), self.figures.get("limit")
        return used / limit if used is not None and limit else None

    def is_fresh(self, now: float | None = None) -> bool:
        """Whether the sampler looked within the last seconds, whatever it found."""
        return (now or time.time()) - self.slot < STALE

    def dumps(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def loads(cls, text: bytes | None) -> Snapshot:
        """The snapshot; an empty one for None. Fields of another version are left out."""
        kept = json.loads(text) if text else {}
        known = {spec.name for spec in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in known})


def ratio(hits: float | None, misses: float | None) -> float | None:
    """0 to 1; None when nothing was looked up."""
    if hits is None or misses is None or not hits + misses:
        return None
    return hits / (hits + misses)


def home() -> Server:
    """The console's own Redis, without asking SQL for its row."""
    return Server(slug=HOME, name="Home")


def prefix() -> str:
    return f"{settings.HOME_PREFIX}series:"


def series(client: Client | None = None) -> Series:
    return Series(client or home().client(), prefix(), FIELDS)


def async_series(client: AsyncClient | None = None) -> AsyncSeries:
    return AsyncSeries(client or home().async_client(), prefix(), FIELDS)


def name(server: Server) -> str:
    """A server's name in the series: its row, because a slug may be given again."""
    return str(server.pk)


def series_key(server: Server, part: str) -> str:
    """The key on home that holds one part of what is kept of a server."""
    return f"{prefix()}{{{name(server)}}}:{part}"


def slot(now: float | None = None) -> int:
    """The step that a moment lies in, in whole seconds."""
    return int((time.time() if now is None else now) // SECONDS) * SECONDS


def beat() -> None:
    """Say that the sampler has just kept what it saw. One command."""
    home().client().set(f"{prefix()}beat", 1, ex=STALE)


def is_beating() -> bool:
    """Whether the sampler kept something within the last seconds, of whichever server."""
    return bool(home().client().exists(f"{prefix()}beat"))


def snapshots(servers: list[Server]) -> dict[int, Snapshot]:
    """What is known of each server, by primary key; one round trip. Empty ones are left out."""
    found = series().documents([name(server) for server in servers])
    return {int(one): Snapshot.loads(text) for one, text in found.items()}
