"""What ``rates`` needs of a reading, as plain JSON values: to keep it until the next one."""

from __future__ import annotations

from typing import Any

from redisops.info.model import (
    CPU,
    Clients,
    CommandStat,
    Info,
    Memory,
    Persistence,
    Replication,
    Server,
    Stats,
)

_STATS = (
    "total_connections_received",
    "total_commands_processed",
    "total_net_input_bytes",
    "total_net_output_bytes",
    "rejected_connections",
    "expired_keys",
    "evicted_keys",
    "keyspace_hits",
    "keyspace_misses",
    "total_error_replies",
)


def to_plain(info: Info) -> dict[str, Any]:
    """The counters of a reading as lists, dicts and numbers."""
    return {
        "at": info.at,
        "run_id": info.server.run_id,
        "uptime": info.server.uptime_in_seconds,
        "stats": [getattr(info.stats, name) for name in _STATS],
        "cpu": [info.cpu.used_cpu_sys, info.cpu.used_cpu_user],
        "commands": {
            name: [stat.calls, stat.usec, stat.rejected_calls, stat.failed_calls]
            for name, stat in info.commandstats.items()
        },
        "histograms": {
            name: [number for pair in buckets.items() for number in pair]
            for name, buckets in info.histograms.items()
        },
    }


def from_plain(kept: dict[str, Any]) -> Info:
    """A reading that holds nothing but the counters; good for ``rates`` alone."""
    return Info(
        at=kept["at"],
        server=Server(run_id=kept["run_id"], uptime_in_seconds=kept["uptime"]),
        clients=Clients(),
        memory=Memory(),
        persistence=Persistence(),
        stats=Stats(**dict(zip(_STATS, kept["stats"], strict=False))),
        replication=Replication(),
        cpu=CPU(used_cpu_sys=kept["cpu"][0], used_cpu_user=kept["cpu"][1]),
        commandstats={name: CommandStat(*numbers) for name, numbers in kept["commands"].items()},
        histograms={
            name: dict(zip(flat[::2], flat[1::2], strict=True))
            for name, flat in kept["histograms"].items()
        },
    )
