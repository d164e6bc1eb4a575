"""What the overview of one server shows, as values for its templates."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from dashboard.servers.models import Server
from dashboard.servers.overview import verdict
from dashboard.servers.sampling.samples import Snapshot
from dashboard.ui import numbers

PARTS = ("verdict", "figures", "shards", "durability", "keyspace", "top")


@dataclass(frozen=True)
class Figure:
    """One number of the strip: value, unit, and a line of sense."""

    label: str
    value: str
    unit: str
    sense: str
    title: str = ""


def context(server: Server, snapshot: Snapshot, now: float | None = None) -> dict[str, Any]:
    """What every part of the page needs."""
    now = time.time() if now is None else now
    return {
        "server": server,
        "snapshot": snapshot,
        "verdict": verdict.judge(server, snapshot, now),
        "figures": figures(snapshot),
        "stale": snapshot.failing is not None or not snapshot.is_fresh(now),
        "as_of": snapshot.at,
        "replicas": snapshot.replication.get("replicas", []),
        "durability": durability(snapshot, now),
    }


def parts(server: Server, snapshot: Snapshot) -> dict[str, str]:
    """The parts of the page that a look changes, rendered once for all who watch.

    They hold nothing that depends on who looks.
    """
    values = context(server, snapshot)
    return {name: render_to_string(f"servers/_{name}.html", values).strip() for name in PARTS}


def figures(snapshot: Snapshot) -> list[Figure]:
    """The six numbers that belong together."""
    return [
        _commands(snapshot), _latency(snapshot), _memory(snapshot), _hits(snapshot),
        _evicted(snapshot), _clients(snapshot),
    ]  # fmt: skip


def _commands(snapshot: Snapshot) -> Figure:
    now = snapshot.figures
    sense = "counted from the next look on"
    if now.get("reads") is not None:
        reads, writes = numbers.count(now["reads"]), numbers.count(now["writes"])
        sense = f"{reads} reads, {writes} writes"
    elif now.get("commands") is not None:
        sense = snapshot.missing.get("commandstats", "reads and writes not told apart")
    return Figure("Commands/s", numbers.count(now.get("commands")), "", sense)


def _latency(snapshot: Snapshot) -> Figure:
    now = snapshot.figures
    p99, mean = now.get("p99"), now.get("mean")
    if p99 is not None:
        value, _, unit = numbers.duration(p99 / 1000).partition(" ")
        title = "Inside the server, without the network; INFO and the like left out"
        return Figure("p99 latency", value, unit, f"p50 {_ms(now.get('p50'))}", title)
    if mean is not None:
        value, _, unit = numbers.duration(mean / 1000).partition(" ")
        why = "no percentiles: needs Redis 7.0" if snapshot.missing.get("latency") else ""
        return Figure("Mean latency", value, unit, why or "of all commands")
    return Figure("p99 latency", numbers.UNKNOWN, "", "no command was timed")


def _memory(snapshot: Snapshot) -> Figure:
    now = snapshot.figures
    used, limit = now.get("memory"), now.get("limit")
    value, _, unit = numbers.size(used).partition(" ")
    change = _change(snapshot, 1, used)
    grown = (
        f", {_signed(numbers.size(abs(change)), change)} in {_since(snapshot)}" if change else ""
    )
    share = snapshot.memory_share
    if share is not None and limit:
        same_unit = numbers.size(limit).partition(" ")[2] == unit
        of = f"of {numbers.size(limit)}" if same_unit else f"{unit} of {numbers.size(limit)}"
        return Figure("Memory", value, of, f"{percent(share)}{grown}")
    return Figure("Memory", value, unit, f"no limit set{grown}" if used is not None else "")


def percent(share: float) -> str:
    """34%, from a share between 0 and 1; what is little is not called nothing."""
    return "under 1%" if 0 < share < 0.01 else f"{share:.0%}"


def _hits(snapshot: Snapshot) -> Figure:
    ratio = snapshot.hit_ratio
    if ratio is None:
        known = snapshot.figures.get("hits") is not None
        return Figure(
            "Hit rate", numbers.UNKNOWN, "", "nothing was looked up" if known else "not known yet"
        )
    change = _change(snapshot, 2, ratio)
    points = f"{abs(change) * 100:.1f}" if change is not None else "0.0"
    sense = "steady" if points == "0.0" or change is None else (
        f"{_signed(points, change)} points in {_since(snapshot)}"
    )  # fmt: skip
    return Figure("Hit rate", f"{ratio * 100:.1f}".removesuffix(".0"), "%", sense)


def _evicted(snapshot: Snapshot) -> Figure:
    evicted, expired = snapshot.figures.get("evicted"), snapshot.figures.get("expired")
    sense = f"{numbers.count(expired)} expired/s"
    if snapshot.policy:
        sense = f"{snapshot.policy}, {sense}"
    return Figure("Evicted", numbers.count(evicted), "/s", sense)


def _clients(snapshot: Snapshot) -> Figure:
    now = snapshot.figures
    of = f"of {numbers.exact(snapshot.maxclients)}" if snapshot.maxclients else ""
    blocked = numbers.count(now.get("blocked"))
    rejected = now.get("rejected")
    refused = f"{numbers.count(rejected)} rejected" + ("/s" if rejected else "")
    return Figure("Clients", numbers.count(now.get("clients")), of, f"{blocked} blocked, {refused}")


def _change(snapshot: Snapshot, index: int, now: float | None) -> float | None:
    """How much a figure changed since its first known point of the hour; ``now`` is what stands
    beside it, which is newer than the last point."""
    known = [value for point in snapshot.hour if (value := point[index]) is not None]
    return None if now is None or len(known) < 2 else now - known[0]


def _since(snapshot: Snapshot) -> str:
    """The hour, or the shorter time that is known."""
    start, end = snapshot.hour[0][0] or 0, snapshot.hour[-1][0] or 0
    minutes = round((end - start) / 60)
    return "the hour" if minutes >= 58 else f"{minutes} min"


def _signed(text: str, change: float) -> str:
    return f"{'+' if change > 0 else numbers.MINUS}{text}"


def _ms(value: float | None) -> str:
    return numbers.UNKNOWN if value is None else numbers.duration(value / 1000)


def durability(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """What a restart would cost, from what INFO says of RDB and AOF."""
    kept = snapshot.persistence
    if not kept:
        return {}
    saved = kept.get("rdb_last_save_time")
    took = kept.get("rdb_last_bgsave_time_sec")
    changes = kept.get("rdb_changes_since_last_save")
    aof = bool(kept.get("aof_enabled"))
    saves = kept.get("rdb_saves")
    was_saved = saves != 0 or kept.get("rdb_bgsave_in_progress")
    since = "since the save" if was_saved else "since it started"
    risk = "at most about 1 s of writes" if aof else _at_risk(changes, since)
    return {
        "saved": datetime.datetime.fromtimestamp(saved, datetime.UTC)
        if saved and saves != 0
        else None,
        "took": None
        if took is None or took < 0
        else numbers.duration(took)
        if took
        else "under 1 s",
        "save_ok": kept.get("rdb_last_bgsave_status") == "ok",
        "saving": bool(kept.get("rdb_bgsave_in_progress")),
        "aof": aof,
        "aof_ok": kept.get("aof_last_write_status") == "ok"
        and kept.get("aof_last_bgrewrite_status") == "ok",
        "aof_size": kept.get("aof_current_size"),
        "risk": risk,
    }


def _at_risk(changes: int | None, since: str) -> str:
    if changes is None:
        return "not known"
    if changes == 0:
        return f"nothing: no change {since}"
    return f"{numbers.exact(changes)} change{'s' if changes > 1 else ''} {since}"
