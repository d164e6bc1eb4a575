"""Read INFO and what belongs to it from one server, in one round trip."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from redisops.info import parse
from redisops.info.model import (
    CPU,
    Clients,
    Info,
    Memory,
    Persistence,
    Replication,
    Server,
    Stats,
)
from redisops.replies import text
from redisops.steps import Awaiting, Blocking, Steps, step

SECTIONS = {
    "server": "",
    "clients": "",
    "memory": "",
    "persistence": "",
    "stats": "",
    "replication": "",
    "cpu": "",
    "commandstats": "",
    "latencystats": "needs Redis 7.0 or Valkey",
}
"""What INFO ALL should hold, and the usual reason when it does not. Errorstats and keyspace are
left out of a healthy INFO when they are empty."""


@dataclass(frozen=True)
class SlowCommand:
    """One entry of the slow log: ``duration`` in seconds, ``command`` as it was sent, cut.

    ``client`` is its address, ``name`` what it calls itself.
    """

    id: int
    at: float
    duration: float
    command: bytes
    client: str
    name: str = ""


class _Inspector:
    """What one server says about itself.

    Give it a client of one server; on a cluster, one per node (``client.primaries()``).
    """

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def read(self, *, cluster: bool = False, histograms: bool = True) -> Steps[Info]:
        """Everything in one round trip: INFO ALL, with CLUSTER NODES and LATENCY HISTOGRAM.

        Ask for ``cluster`` and ``histograms`` only where they are known to work: a refused
        command counts in the server's own error statistics and in its ACL log. A refused or
        unknown one is named in ``missing``; a refused INFO raises ``redis.NoPermissionError``.
        """
        pipe = self.redis.pipeline(transaction=False)
        # Names as bytes: redis-py looks its parsers up by text, and leaves these replies alone.
        pipe.execute_command(b"INFO", b"ALL")
        if cluster:
            pipe.execute_command(b"CLUSTER", b"NODES")
        if histograms:
            pipe.execute_command(b"LATENCY", b"HISTOGRAM")
        replies = list((yield pipe.execute(raise_on_error=False)))
        told = replies.pop(0)
        if isinstance(told, Exception):
            raise told
        missing: dict[str, str] = {}
        nodes = _given("cluster", replies.pop(0), missing) if cluster else None
        latency = _given("latency", replies.pop(0), missing) if histograms else None
        return build(told, nodes=nodes, latency=latency, missing=missing)

    @step
    def slowest(self, count: int = 5, *, among: int = 128) -> Steps[list[SlowCommand]]:
        """The ``count`` slowest of the last ``among`` entries of the slow log, slowest first.

        One command. Raises ``redis.NoPermissionError`` where SLOWLOG is refused.
        """
        entries = yield self.redis.slowlog_get(among)
        commands = [
            SlowCommand(
                id=int(entry["id"]),
                at=float(entry["start_time"]),
                duration=entry["duration"] / 1_000_000,
                command=entry["command"],
                client=text(entry.get("client_address", b"")),
                name=text(entry.get("client_name", b"")),
            )
            for entry in entries
        ]
        return sorted(commands, key=lambda command: -command.duration)[:count]


class Inspector(_Inspector, Blocking):
    """What one server says about itself, blocking."""


class AsyncInspector(_Inspector, Awaiting):
    """What one server says about itself, awaiting."""


def read(redis: Any, *, cluster: bool = False, histograms: bool = True) -> Info:
    """``Inspector(redis).read()``: one server's INFO as typed values, one round trip."""
    return Inspector(redis).read(cluster=cluster, histograms=histograms)


def build(
    text: bytes,
    *,
    nodes: Any = None,
    latency: Any = None,
    missing: Mapping[str, str] | None = None,
) -> Info:
    """The values in an INFO text; for replies that were read some other way."""
    found = parse.sections(text if isinstance(text, bytes) else str(text).encode())
    absent = dict(missing or {})
    for name, why in SECTIONS.items():
        if name not in found:
            absent[name] = why or "INFO does not tell it here"
    server = parse.section(Server, found.get("server", {}))
    replication = found.get("replication", {})
    at = server.server_time_usec
    return Info(
        at=time.time() if at is None else at / 1_000_000,
        server=server,
        clients=parse.section(Clients, found.get("clients", {})),
        memory=parse.section(Memory, found.get("memory", {})),
        persistence=parse.section(Persistence, found.get("persistence", {})),
        stats=parse.section(Stats, found.get("stats", {})),
        replication=parse.section(Replication, replication, replicas=parse.replicas(replication)),
        cpu=parse.section(CPU, found.get("cpu", {})),
        commandstats=parse.commandstats(found.get("commandstats", {})),
        latencystats=parse.latencystats(found.get("latencystats", {})),
        errorstats=parse.errorstats(found.get("errorstats", {})),
        keyspace=parse.keyspace(found.get("keyspace", {})),
        cluster_enabled=found.get("cluster", {}).get("cluster_enabled") == "1",
        nodes=parse.cluster_nodes(nodes) if isinstance(nodes, bytes) else (),
        histograms=parse.histograms(latency),
        missing=absent,
    )


def _given(what: str, reply: Any, missing: dict[str, str]) -> Any:
    """The reply, or None with its error under ``missing``; connection errors are raised."""
    if isinstance(reply, redis.ResponseError):
        missing[what] = str(reply)
        return None
    if isinstance(reply, Exception):
        raise reply
    return reply
