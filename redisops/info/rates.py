"""What happened between two looks at a server: per-second figures from its counters.

A counter that runs backwards was reset (CONFIG RESETSTAT) or belongs to a server that was
started anew. What came in between is then unknown, and unknown it stays: None, never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redisops.info.commands import OWN, READS, WRITES
from redisops.info.model import CommandStat, Histogram, Info


@dataclass(frozen=True)
class CommandRate:
    """One command over an interval; ``calls`` and ``errors`` per second, ``usec`` per call.

    ``share`` is its part of the time that all commands took together, 0 to 1.
    """

    name: str
    calls: float
    usec: float
    share: float
    errors: float


@dataclass(frozen=True)
class Rates:
    """Per second over ``seconds``; None where the counters do not allow a figure.

    ``p50`` and ``p99`` are milliseconds inside the server, over all commands of the interval
    but those of looking itself; they come from doubling buckets, so they are good to about a
    third. ``mean`` (milliseconds) is exact. ``cpu`` is the share of one core, 0 to 1 and above.
    """

    seconds: float
    restarted: bool = False
    commands: float | None = None
    reads: float | None = None
    writes: float | None = None
    hits: float | None = None
    misses: float | None = None
    net_in: float | None = None
    net_out: float | None = None
    evicted: float | None = None
    expired: float | None = None
    errors: float | None = None
    connections: float | None = None
    rejected: float | None = None
    cpu: float | None = None
    p50: float | None = None
    p99: float | None = None
    mean: float | None = None
    by_command: tuple[CommandRate, ...] = field(default=())

    @property
    def hit_ratio(self) -> float | None:
        """0 to 1; None when nothing was looked up."""
        if self.hits is None or self.misses is None or not self.hits + self.misses:
            return None
        return self.hits / (self.hits + self.misses)

    def top(self, count: int = 8, *, by: str = "calls") -> list[CommandRate]:
        """The busiest commands, by ``"calls"`` or by ``"time"``."""
        if by == "time":
            return sorted(self.by_command, key=lambda command: -command.share)[:count]
        return sorted(self.by_command, key=lambda command: -command.calls)[:count]


def rates(before: Info, after: Info) -> Rates:
    """The figures of the time between two readings of the same server, oldest first."""
    seconds = after.at - before.at
    if restarted(before, after):
        return Rates(seconds=max(seconds, 0.0), restarted=True)
    if seconds <= 0:
        return Rates(seconds=0.0)

    def rate(name: str) -> float | None:
        return _rate(getattr(before.stats, name), getattr(after.stats, name), seconds)

    calls = command_rates(before.commandstats, after.commandstats, seconds)
    buckets = spread(before.histograms, after.histograms)
    time_used = sum(command.calls * command.usec for command in calls)
    called = sum(command.calls for command in calls)
    return Rates(
        seconds=seconds,
        commands=rate("total_commands_processed"),
        reads=_part(calls, READS, known=bool(after.commandstats)),
        writes=_part(calls, WRITES, known=bool(after.commandstats)),
        hits=rate("keyspace_hits"),
        misses=rate("keyspace_misses"),
        net_in=rate("total_net_input_bytes"),
        net_out=rate("total_net_output_bytes"),
        evicted=rate("evicted_keys"),
        expired=rate("expired_keys"),
        errors=rate("total_error_replies"),
        connections=rate("total_connections_received"),
        rejected=rate("rejected_connections"),
        cpu=_rate(_processor(before), _processor(after), seconds),
        p50=quantile(buckets, 0.5),
        p99=quantile(buckets, 0.99),
        mean=time_used / called / 1000 if called else None,
        by_command=calls,
    )


def restarted(before: Info, after: Info) -> bool:
    """Whether another process answers than before: its run id, or an uptime that fell."""
    if before.server.run_id and after.server.run_id:
        return before.server.run_id != after.server.run_id
    earlier, later = before.server.uptime_in_seconds, after.server.uptime_in_seconds
    return earlier is not None and later is not None and later < earlier


def command_rates(
    before: Mapping[str, CommandStat], after: Mapping[str, CommandStat], seconds: float
) -> tuple[CommandRate, ...]:
    """Every command that ran in the interval, without those of looking; () after a reset."""
    calls: dict[str, tuple[int, int, int]] = {}
    if before.keys() - after.keys():
        return ()
    for name, now in after.items():
        then = before.get(name, CommandStat(0, 0))
        ran, took = now.calls - then.calls, now.usec - then.usec
        failed = (now.failed_calls + now.rejected_calls) - (then.failed_calls + then.rejected_calls)
        if ran < 0 or took < 0 or failed < 0:
            return ()
        if (ran or failed) and name not in OWN:
            calls[name] = (ran, took, failed)
    total = sum(took for _, took, _ in calls.values())
    return tuple(
        CommandRate(
            name=name,
            calls=ran / seconds,
            usec=took / ran if ran else 0.0,
            share=took / total if total else 0.0,
            errors=failed / seconds,
        )
        for name, (ran, took, failed) in calls.items()
    )


def spread(before: Mapping[str, Histogram], after: Mapping[str, Histogram]) -> dict[int, int]:
    """How many calls of the interval fell in each bucket, all commands together.

    ``{16: 90, 33: 10}``: 90 took at most 16 µs, 10 took between 16 and 33. {} when the counters
    were reset, or when nothing ran.
    """
    total: dict[int, int] = {}
    if before.keys() - after.keys():
        return {}
    for name, now in after.items():
        if name in OWN:
            continue
        then, below_now, below_then = before.get(name, {}), 0, 0
        for bound in sorted(set(now) | set(then)):
            # A bucket nobody fell in is not listed: the count up to it is that of the one below.
            up_to_now, up_to_then = now.get(bound, below_now), then.get(bound, below_then)
            inside = (up_to_now - below_now) - (up_to_then - below_then)
            if inside < 0:
                return {}
            if inside:
                total[bound] = total.get(bound, 0) + inside
            below_now, below_then = up_to_now, up_to_then
    return total


def quantile(buckets: Mapping[int, int], share: float) -> float | None:
    """Milliseconds that ``share`` of the calls stayed within; interpolated inside its bucket."""
    total = sum(buckets.values())
    if not total:
        return None
    wanted, passed = share * total, 0
    for bound in sorted(buckets):
        inside = buckets[bound]
        if passed + inside >= wanted:
            lower = bound / 2
            return (lower + (bound - lower) * (wanted - passed) / inside) / 1000
        passed += inside
    return max(buckets) / 1000


def _rate(before: float | None, after: float | None, seconds: float) -> float | None:
    if before is None or after is None or after < before:
        return None
    return (after - before) / seconds


def _part(calls: tuple[CommandRate, ...], names: frozenset[str], *, known: bool) -> float | None:
    return sum(command.calls for command in calls if command.name in names) if known else None


def _processor(info: Info) -> float | None:
    used = (info.cpu.used_cpu_sys, info.cpu.used_cpu_user)
    return None if used[0] is None or used[1] is None else used[0] + used[1]
