"""INFO as typed values, and what two readings say about the time between them.

before = info.read(redis)
...
after = info.read(redis)
info.rates(before, after).hit_ratio
"""

from redisops.info.counters import from_plain, to_plain
from redisops.info.model import (
    CPU,
    Clients,
    ClusterNode,
    CommandStat,
    Database,
    Info,
    Memory,
    Percentiles,
    Persistence,
    Replica,
    Replication,
    Server,
    Stats,
)
from redisops.info.rates import (
    CommandRate,
    Rates,
    command_rates,
    quantile,
    rates,
    restarted,
    spread,
)
from redisops.info.reading import AsyncInspector, Inspector, SlowCommand, build, read

__all__ = [
    "CPU",
    "AsyncInspector",
    "Clients",
    "ClusterNode",
    "CommandRate",
    "CommandStat",
    "Database",
    "Info",
    "Inspector",
    "Memory",
    "Percentiles",
    "Persistence",
    "Rates",
    "Replica",
    "Replication",
    "Server",
    "SlowCommand",
    "Stats",
    "build",
    "command_rates",
    "from_plain",
    "quantile",
    "rates",
    "read",
    "restarted",
    "spread",
    "to_plain",
]
