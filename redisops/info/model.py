"""What INFO tells, section by section, as typed values under Redis's own names.

A field is None when this server does not tell it: an older version, another flavour, or a
section that the ACL withheld (``Info.missing`` says why).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Server:
    redis_version: str | None = None
    valkey_version: str | None = None
    server_name: str | None = None
    redis_mode: str | None = None
    server_mode: str | None = None
    os: str | None = None
    process_id: int | None = None
    run_id: str | None = None
    tcp_port: int | None = None
    server_time_usec: int | None = None
    uptime_in_seconds: int | None = None
    hz: int | None = None
    config_file: str | None = None
    io_threads_active: int | None = None

    @property
    def flavour(self) -> str:
        """``"Valkey"`` or ``"Redis"``."""
        return "Valkey" if self.valkey_version else "Redis"

    @property
    def version(self) -> str | None:
        """The flavour's own version; Valkey also claims a Redis version for old clients."""
        return self.valkey_version or self.redis_version

    @property
    def mode(self) -> str | None:
        """``standalone``, ``cluster`` or ``sentinel``."""
        return self.redis_mode or self.server_mode


@dataclass(frozen=True)
class Clients:
    connected_clients: int | None = None
    cluster_connections: int | None = None
    maxclients: int | None = None
    blocked_clients: int | None = None
    tracking_clients: int | None = None
    pubsub_clients: int | None = None
    client_recent_max_input_buffer: int | None = None
    client_recent_max_output_buffer: int | None = None


@dataclass(frozen=True)
class Memory:
    """Bytes, but for the ratios."""

    used_memory: int | None = None
    used_memory_rss: int | None = None
    used_memory_peak: int | None = None
    used_memory_overhead: int | None = None
    used_memory_dataset: int | None = None
    used_memory_scripts: int | None = None
    total_system_memory: int | None = None
    maxmemory: int | None = None
    maxmemory_policy: str | None = None
    mem_fragmentation_ratio: float | None = None
    mem_fragmentation_bytes: int | None = None
    mem_not_counted_for_evict: int | None = None
    mem_replication_backlog: int | None = None
    mem_clients_normal: int | None = None
    mem_aof_buffer: int | None = None
    mem_allocator: str | None = None
    active_defrag_running: int | None = None
    lazyfree_pending_objects: int | None = None


@dataclass(frozen=True)
class Persistence:
    loading: bool | None = None
    async_loading: bool | None = None
    loading_start_time: int | None = None
    loading_total_bytes: int | None = None
    loading_loaded_bytes: int | None = None
    loading_loaded_perc: float | None = None
    loading_eta_seconds: int | None = None
    rdb_changes_since_last_save: int | None = None
    rdb_bgsave_in_progress: bool | None = None
    rdb_last_save_time: int | None = None
    rdb_last_bgsave_status: str | None = None
    rdb_last_bgsave_time_sec: int | None = None
    rdb_saves: int | None = None
    rdb_last_cow_size: int | None = None
    aof_enabled: bool | None = None
    aof_rewrite_in_progress: bool | None = None
    aof_last_rewrite_time_sec: int | None = None
    aof_last_bgrewrite_status: str | None = None
    aof_last_write_status: str | None = None
    aof_current_size: int | None = None
    aof_base_size: int | None = None
    aof_delayed_fsync: int | None = None


@dataclass(frozen=True)
class Stats:
    """Counters since the server started, or since CONFIG RESETSTAT."""

    total_connections_received: int | None = None
    total_commands_processed: int | None = None
    instantaneous_ops_per_sec: int | None = None
    total_net_input_bytes: int | None = None
    total_net_output_bytes: int | None = None
    rejected_connections: int | None = None
    sync_full: int | None = None
    sync_partial_ok: int | None = None
    sync_partial_err: int | None = None
    expired_keys: int | None = None
    expired_stale_perc: float | None = None
    evicted_keys: int | None = None
    evicted_clients: int | None = None
    keyspace_hits: int | None = None
    keyspace_misses: int | None = None
    pubsub_channels: int | None = None
    pubsub_patterns: int | None = None
    latest_fork_usec: int | None = None
    total_error_replies: int | None = None
    acl_access_denied_auth: int | None = None
    acl_access_denied_cmd: int | None = None
    acl_access_denied_key: int | None = None
    acl_access_denied_channel: int | None = None


@dataclass(frozen=True)
class Replica:
    """A replica as its primary sees it: ``lag`` in seconds, ``behind`` in bytes of the stream."""

    address: str
    state: str
    offset: int | None
    lag: int | None
    behind: int | None


@dataclass(frozen=True)
class Replication:
    role: str | None = None
    connected_slaves: int | None = None
    master_host: str | None = None
    master_port: int | None = None
    master_link_status: str | None = None
    master_last_io_seconds_ago: int | None = None
    master_sync_in_progress: bool | None = None
    master_link_down_since_seconds: int | None = None
    master_failover_state: str | None = None
    master_replid: str | None = None
    master_repl_offset: int | None = None
    slave_repl_offset: int | None = None
    slave_read_only: bool | None = None
    repl_backlog_size: int | None = None
    repl_backlog_histlen: int | None = None
    replicas: tuple[Replica, ...] = ()

    @property
    def is_replica(self) -> bool:
        return self.role == "slave"


@dataclass(frozen=True)
class CPU:
    """Seconds of processor time since the start."""

    used_cpu_sys: float | None = None
    used_cpu_user: float | None = None
    used_cpu_sys_children: float | None = None
    used_cpu_user_children: float | None = None
    used_cpu_sys_main_thread: float | None = None
    used_cpu_user_main_thread: float | None = None


@dataclass(frozen=True)
class CommandStat:
    """What one command (``get``, ``config|get``) did since the counters began; ``usec`` in all."""

    calls: int
    usec: int
    rejected_calls: int = 0
    failed_calls: int = 0


@dataclass(frozen=True)
class Percentiles:
    """Microseconds, over everything since the server started: not over an interval."""

    p50: float | None
    p99: float | None
    p999: float | None


@dataclass(frozen=True)
class Database:
    keys: int
    expires: int
    avg_ttl: int


@dataclass(frozen=True)
class ClusterNode:
    """One line of CLUSTER NODES. ``slots`` counts what a primary owns."""

    id: str
    address: str
    hostname: str
    flags: frozenset[str]
    primary_id: str | None
    linked: bool
    slots: int
    myself: bool = False

    @property
    def is_primary(self) -> bool:
        return "master" in self.flags

    @property
    def is_failing(self) -> bool:
        return "fail" in self.flags or "fail?" in self.flags


Histogram = Mapping[int, int]
"""Cumulative: microseconds (upper bound of a bucket) to how many calls took at most that."""


@dataclass(frozen=True)
class Info:
    """One server as it was at ``at`` (seconds since 1970, by the server's clock when it tells).

    ``histograms`` is LATENCY HISTOGRAM by command (Redis 7.0, Valkey), cumulative since the
    server started; two of them make the percentiles of the time between. ``missing`` names
    every section that this server did not give, with the reason in words.
    """

    at: float
    server: Server
    clients: Clients
    memory: Memory
    persistence: Persistence
    stats: Stats
    replication: Replication
    cpu: CPU
    commandstats: Mapping[str, CommandStat] = field(default_factory=dict)
    latencystats: Mapping[str, Percentiles] = field(default_factory=dict)
    errorstats: Mapping[str, int] = field(default_factory=dict)
    keyspace: Mapping[int, Database] = field(default_factory=dict)
    cluster_enabled: bool = False
    nodes: tuple[ClusterNode, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> int:
        """Keys of all databases together."""
        return sum(database.keys for database in self.keyspace.values())
