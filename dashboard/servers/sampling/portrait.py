"""From one look at a server to the snapshot that pages show: figures, shards, events.

Pure functions: the snapshot and the notes of before, and the look, give those of after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from dashboard.servers.models import Server
from dashboard.servers.sampling.look import Look
from dashboard.servers.sampling.samples import (
    HOUR_POINTS,
    RECENT_POINTS,
    RECENT_SECONDS,
    SECONDS,
    Snapshot,
)
from dashboard.ui import numbers
from redisops import info
from redisops.info import Info, Rates

EVENTS = 30
TOP = 8
TOP_SECONDS = 60
ASK_AGAIN = 600
CHEAP = 1_000  # microseconds that the histograms of latency may take at every look
MOST_UNTIMED = 300
SUMMED = (
    "commands", "reads", "writes", "hits", "misses", "net_in", "net_out", "evicted", "expired",
    "errors", "rejected", "cpu",
)  # fmt: skip
Note = dict[str, Any]


def paint(
    server: Server, before: Snapshot, note: Note, look: Look, slot: int
) -> tuple[Snapshot, Note]:
    """The snapshot and the notes after a look; neither argument is changed."""
    if look.trouble is not None:
        return _unanswered(before, note, look, slot), note | _sums(note, slot, None)
    now = max(seen.at for seen in look.nodes.values())
    kept = {name: info.from_plain(one) for name, one in note.get("nodes", {}).items()}
    rates = {
        name: info.rates(kept[name], seen) for name, seen in look.nodes.items() if name in kept
    }
    if not look.timed:
        look = _with_histograms(look, kept, rates)
    figures = _figures(look, kept, rates)
    if not look.timed:  # what was said last; the mean of all commands is of this look
        figures |= {name: before.figures.get(name) for name in ("p50", "p99")}
    events = [*before.events, *_events(before, look, rates, slot)][-EVENTS:]
    top, seconds, bases = _top(note, look, now)
    after = dataclasses.replace(
        _portrait(look),
        slot=slot,
        at=now,
        figures=figures,
        top=top,
        top_seconds=seconds,
        shards=_shards(look, rates),
        events=events,
        topology=server.get_kind_display() if server.kind else "",
    )
    sums = _sums(note, slot, figures["commands"])
    lacks = _lacks(note, look, rates, slot)
    after.missing |= {name: why for name, (why, _) in lacks.items()}
    after.recent = _recent(before, note, slot)
    after.hour = _hour(before, after, slot)
    return after, {
        "nodes": {name: info.to_plain(seen) for name, seen in look.nodes.items()},
        "lacks": lacks,
        "untimed": _untimed(note, look, kept),
        **bases,
        **sums,
    }


def _untimed(note: Note, look: Look, kept: Mapping[str, Info]) -> int:
    """How many looks from here on leave the histograms of latency out.

    They can take a server 100 ms, which everybody waits for: at most a 5,000th of its time goes
    there, and they are asked every ten minutes at least. What they take is told by INFO.
    """
    if not look.timed:
        return int(max(0, note.get("untimed", 0) - 1))
    took = 0.0
    for name, seen in look.nodes.items():
        now = seen.commandstats.get("latency|histogram")
        then = kept[name].commandstats.get("latency|histogram") if name in kept else None
        if now and then and now.calls > then.calls:
            took = max(took, (now.usec - then.usec) / (now.calls - then.calls))
    return 0 if took < CHEAP else min(MOST_UNTIMED, int(took * 5_000 / 1e6 / SECONDS))


def _with_histograms(look: Look, kept: Mapping[str, Info], rates: Mapping[str, Rates]) -> Look:
    """The look with the histograms of before, for the next that asks; none of a process before."""
    nodes = {
        name: dataclasses.replace(seen, histograms=kept[name].histograms)
        if name in rates and not rates[name].restarted
        else seen
        for name, seen in look.nodes.items()
    }
    return dataclasses.replace(look, nodes=nodes)


# --- Figures ------------------------------------------------------------------------------


def _figures(
    look: Look, kept: Mapping[str, Info], rates: Mapping[str, Rates]
) -> dict[str, float | None]:
    nodes = look.nodes.values()
    complete = len(rates) == len(look.nodes)
    figures: dict[str, float | None] = {
        name: _sum(getattr(rate, name) for rate in rates.values()) if complete else None
        for name in SUMMED
    }
    spread: dict[int, int] = {}
    for name in rates if complete else ():
        if not rates[name].restarted:
            between = info.spread(kept[name].histograms, look.nodes[name].histograms)
            for bound, count in between.items():
                spread[bound] = spread.get(bound, 0) + count
    means = [(rate.mean, rate.commands or 0) for rate in rates.values() if rate.mean is not None]
    weight = sum(part for _, part in means)
    return {
        **figures,
        "p50": info.quantile(spread, 0.5),
        "p99": info.quantile(spread, 0.99),
        "mean": sum(mean * part for mean, part in means) / weight if weight else None,
        "memory": _sum(seen.memory.used_memory for seen in nodes),
        "rss": _sum(seen.memory.used_memory_rss for seen in nodes),
        "limit": _sum(seen.memory.maxmemory for seen in nodes),
        "clients": _sum(seen.clients.connected_clients for seen in nodes),
        "blocked": _sum(seen.clients.blocked_clients for seen in nodes),
        "keys": _sum(seen.keys if "keyspace" not in seen.missing else None for seen in nodes),
        "behind": max(
            (
                replica.behind
                for seen in nodes
                for replica in seen.replication.replicas
                if replica.behind is not None
            ),
            default=None,
        ),
        "round_trip": look.seconds * 1000 / max(len(look.nodes), 1),
    }


def _sum(values: Iterable[float | None]) -> float | None:
    """None as soon as one part is not known: a total that lacks a shard is no total."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _top(note: Note, look: Look, now: float) -> tuple[list[dict[str, Any]], float, Note]:
    """The busiest commands of the last minute or two, and the counters they are reckoned from."""
    current = {name: info.to_plain(seen) for name, seen in look.nodes.items()}
    base, following = note.get("base"), note.get("next")
    if base is None or following is None:
        base = base or [now, current]
        following = [now, current]
    elif now - following[0] >= TOP_SECONDS:
        base, following = following, [now, current]
    seconds = now - base[0]
    totals: dict[str, list[float]] = {}
    for name, seen in look.nodes.items():
        if name not in base[1] or seconds <= 0:
            continue
        between = info.rates(info.from_plain(base[1][name]), seen)
        if between.restarted:  # the old counters are gone: reckon anew from here
            fresh = [now, current]
            return [], 0.0, {"base": fresh, "next": fresh}
        for command in between.by_command:
            total = totals.setdefault(command.name, [0.0, 0.0, 0.0])
            total[0] += command.calls
            total[1] += command.calls * command.usec
            total[2] += command.errors
    busy = sum(time for _, time, _ in totals.values())
    top: list[dict[str, Any]] = [
        {
            "name": name.replace("|", " ").upper(),
            "calls": calls,
            "usec": time / calls if calls else 0.0,
            "share": time / busy if busy else 0.0,
            "errors": errors,
        }
        for name, (calls, time, errors) in totals.items()
    ]
    top.sort(key=lambda command: command["calls"], reverse=True)
    shown = [command for command in top if command["calls"] >= 0.05 or command["share"] >= 0.01]
    return shown[:TOP], seconds, {"base": base, "next": following}


def _lacks(note: Note, look: Look, rates: Mapping[str, Rates], slot: int) -> dict[str, list[Any]]:
    """What was refused and need not be asked at every look: why, and when it was asked last.

    A refused command counts in the server's own errors and its ACL log. Another process, or
    another right, may answer: it is asked again after a restart and every ten minutes.
    """
    reasons = [seen.missing["latency"] for seen in look.nodes.values() if "latency" in seen.missing]
    refused: dict[str, list[Any]] = {"latency": [reasons[0], slot]} if reasons else {}
    if any(rate.restarted for rate in rates.values()):
        return refused
    kept = note.get("lacks", {})
    return {name: one for name, one in kept.items() if slot - one[1] < ASK_AGAIN} | refused


# --- Series for the eye -------------------------------------------------------------------


def _sums(note: Note, slot: int, commands: float | None) -> Note:
    """The running sum of the sparkline's present point: ``[point, sum, looks]``."""
    point = slot // RECENT_SECONDS
    started, total, looks = note.get("sum", [point, 0.0, 0])
    if started != point:
        total, looks = 0.0, 0
    if commands is not None:
        total, looks = total + commands, looks + 1
    return {"sum": [point, total, looks]}


def _recent(before: Snapshot, note: Note, slot: int) -> list[float | None]:
    """The sparkline: a point is added when its twenty seconds are over."""
    point = slot // RECENT_SECONDS
    started, total, looks = note.get("sum", [point, 0.0, 0])
    if started == point:
        return before.recent
    gap: list[float | None] = [None] * min(point - started - 1, RECENT_POINTS)
    return [*before.recent, total / looks if looks else None, *gap][-RECENT_POINTS:]


def _hour(before: Snapshot, after: Snapshot, slot: int) -> list[list[float | None]]:
    """Memory and hit ratio, once a minute for an hour: what "in the hour" is reckoned from."""
    if before.hour and slot - (before.hour[-1][0] or 0) < 60:
        return before.hour
    return [*before.hour, [slot, after.figures.get("memory"), after.hit_ratio]][-HOUR_POINTS:]


# --- Words and states ---------------------------------------------------------------------


def _unanswered(before: Snapshot, note: Note, look: Look, slot: int) -> Snapshot:
    trouble = look.trouble
    assert trouble is not None
    was = before.failing
    failing = {
        "since": was["since"] if was else slot,
        "last": slot,
        "tries": (was["tries"] if was else 0) + (1 if look.tried else 0),
        "cause": str(trouble.cause),
        "sentence": trouble.sentence,
        "next": trouble.next_step,
        "detail": trouble.detail[:500],
    }
    events = before.events
    if was is None:
        events = [*events, _event(slot, "lost", f"Stopped answering: {trouble.detail[:120]}")]
    recent = _recent(before, note, slot)
    return dataclasses.replace(
        before, slot=slot, failing=failing, events=events[-EVENTS:], recent=recent
    )


def _events(
    before: Snapshot, look: Look, rates: Mapping[str, Rates], slot: int
) -> list[dict[str, Any]]:
    found = []
    if before.failing is not None:
        lasted = numbers.duration(slot - before.failing["since"])
        found.append(_event(slot, "back", f"Answers again after {lasted}"))
    several = len(look.nodes) > 1
    for name, rate in rates.items():
        if rate.restarted:
            found.append(_event(slot, "restart", f"{name} restarted" if several else "Restarted"))
    role = _first(look).replication.role
    was = before.replication.get("role")
    if was and role and role != was and not several:
        found.append(
            _event(slot, "role", "Became a replica" if role == "slave" else "Became a primary")
        )
    return found


def _event(slot: int, kind: str, text: str) -> dict[str, Any]:
    return {"at": slot, "kind": kind, "text": text}


def _portrait(look: Look) -> Snapshot:
    """What is said of the server as a whole, from its first node; totals over all."""
    nodes, first = list(look.nodes.values()), _first(look)
    persistence = first.persistence
    return Snapshot(
        flavour=first.server.flavour,
        version=first.server.version or "",
        uptime=min((seen.server.uptime_in_seconds or 0 for seen in nodes), default=None),
        policy=first.memory.maxmemory_policy or "",
        maxclients=_whole(_sum(seen.clients.maxclients for seen in nodes)),
        peak=_whole(_sum(seen.memory.used_memory_peak for seen in nodes)),
        fragmentation=first.memory.mem_fragmentation_ratio,
        system_memory=first.memory.total_system_memory,
        loading=_loading(first),
        persistence={
            spec.name: getattr(persistence, spec.name) for spec in dataclasses.fields(persistence)
        },
        replication={
            spec.name: getattr(first.replication, spec.name)
            for spec in dataclasses.fields(first.replication)
            if spec.name != "replicas"
        }
        | {"replicas": [dataclasses.asdict(one) for one in first.replication.replicas]},
        keyspace=_keyspace(nodes),
        error_kinds=_error_kinds(nodes),
        missing={name: why for seen in nodes for name, why in seen.missing.items()},
    )


def _first(look: Look) -> Info:
    return next(iter(look.nodes.values()))


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _loading(seen: Info) -> dict[str, Any] | None:
    persistence = seen.persistence
    if not persistence.loading:
        return None
    return {
        "percent": persistence.loading_loaded_perc,
        "eta": persistence.loading_eta_seconds,
        "total": persistence.loading_total_bytes,
    }


def _keyspace(nodes: Iterable[Info]) -> list[dict[str, Any]]:
    """Keys by database, all shards together; a cluster has database 0 only."""
    found: dict[int, list[int]] = {}
    for seen in nodes:
        for index, database in seen.keyspace.items():
            total = found.setdefault(index, [0, 0, 0])
            total[0] += database.keys
            total[1] += database.expires
            total[2] = max(total[2], database.avg_ttl)
    return [
        {"db": index, "keys": keys, "expires": expires, "avg_ttl": ttl}
        for index, (keys, expires, ttl) in sorted(found.items())
    ][:64]


def _error_kinds(nodes: Iterable[Info]) -> dict[str, int]:
    found: dict[str, int] = {}
    for seen in nodes:
        for kind, count in seen.errorstats.items():
            found[kind[:40]] = found.get(kind[:40], 0) + count
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:8])


def _shards(look: Look, rates: Mapping[str, Rates]) -> list[dict[str, Any]]:
    """A cluster's primaries with their replicas; [] for anything else."""
    if not any(seen.cluster_enabled for seen in look.nodes.values()):
        return []
    found = []
    for name, seen in look.nodes.items():
        rate = rates.get(name)
        replicas = [dataclasses.asdict(one) for one in seen.replication.replicas]
        behind = [one["lag"] for one in replicas if one["lag"] is not None]
        found.append(
            {
                "name": name,
                "memory": seen.memory.used_memory,
                "limit": seen.memory.maxmemory,
                "commands": rate.commands if rate else None,
                "keys": seen.keys,
                "replicas": replicas,
                "lag": max(behind, default=None),
                "behind": max(
                    (r["behind"] for r in replicas if r["behind"] is not None), default=None
                ),
                "error": "",
            }
        )
    found += [
        {"name": name, "memory": None, "limit": None, "commands": None, "keys": None,
         "replicas": [], "lag": None, "behind": None, "error": trouble.detail[:200]}
        for name, trouble in look.failed.items()
    ]  # fmt: skip
    return sorted(found, key=lambda shard: (not shard["error"], shard["name"]))
