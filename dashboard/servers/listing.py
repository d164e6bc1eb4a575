"""Servers as rows of a list: what each is, how it is, who may do what."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from dashboard.accounts.roles import Role
from dashboard.servers import clients
from dashboard.servers.access import role_found
from dashboard.servers.models import Server
from dashboard.servers.overview import verdict
from dashboard.servers.sampling import samples
from dashboard.servers.sampling.samples import Snapshot
from redisops.connection import Features
from redisops.errors import RedisopsError
from redisops.resilience import deadline

PATIENCE = 0.5
FRESH = 2.0

# Commands that pages can do without, and what they are for.
WISHED = {
    "MEMORY": "the size of keys",
    "XAUTOCLAIM": "taking over stuck stream entries",
    "HEXPIRE": "the expiry of single fields",
    "FUNCTION": "functions",
    "ACL": "users and their rights",
    "LATENCY": "latency by command",
    "LMPOP": "popping from several lists",
    "SINTERCARD": "sizes of intersections",
}
WORST_FIRST = ("bad", "unreachable", "warn", "changing", "unknown", "off", "ok")


@dataclass(frozen=True)
class Row:
    """One server of the table."""

    server: Server
    state: str
    word: str
    role: Role

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN


def rows(servers: Sequence[Server]) -> list[Row]:
    """Rows with the sampler's last look, worst first; one round trip to home, none elsewhere."""
    seen = last_looks(servers)
    found = [_row(server, seen.get(server.pk)) for server in servers]
    return sorted(found, key=lambda row: (WORST_FIRST.index(row.state), row.server.name.casefold()))


def last_looks(servers: Sequence[Server]) -> dict[int, Snapshot]:
    """What the sampler last saw; {} while home is away, because it is an extra everywhere.

    It runs outside the page's own deadline and cost: those are about the server it shows.
    """

    def ask() -> dict[int, Snapshot]:
        try:
            with deadline(PATIENCE):
                return samples.snapshots(list(servers))
        except (RedisError, RedisopsError):
            return {}

    return contextvars.Context().run(ask) if servers else {}


_states: dict[int, tuple[float, str]] = {}
_states_lock = threading.Lock()


def mark_states(servers: Sequence[Server]) -> None:
    """Set ``state`` on each row for the frame's lists; asked at most every 2 s by this process."""
    now = time.monotonic()
    with _states_lock:
        old = [server for server in servers if _states.get(server.pk, (0.0, ""))[0] < now]
    if old:
        seen = last_looks(old)
        with _states_lock:
            for server in old:
                state, _ = state_of(server, seen.get(server.pk))
                if state == "ok" and clients.is_troubled(server.slug):
                    state = "unreachable"  # this process knows before the sampler does
                _states[server.pk] = (now + FRESH, state)
    with _states_lock:
        for server in servers:
            server.state = _states[server.pk][1]


def forget_states() -> None:
    with _states_lock:
        _states.clear()


def _row(server: Server, snapshot: Snapshot | None) -> Row:
    state, word = state_of(server, snapshot)
    return Row(server, state, word, role_found(server))


def state_of(server: Server, snapshot: Snapshot | None) -> tuple[str, str]:
    """The shape and the word for how a server is, as far as the sampler knows."""
    if server.withdrawn is not None:
        return "off", "No longer declared"
    told = verdict.judge(server, snapshot)
    return told.state, told.word


def gaps(features: Features) -> list[tuple[str, str, str]]:
    """What pages would use and this server does not have: command, what for, why not."""
    return [(name, use, why) for name, use in WISHED.items() if (why := features.lacks(name))]
