"""What a step adds to the row of its job, and what the job does to the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoPermissionError

from dashboard.jobs.models import FAILURES_KEPT, LINES_KEPT, Failure, Job, Line
from redisops.pace import Pace

if TYPE_CHECKING:
    from dashboard.jobs.engine import Run
    from dashboard.jobs.work import Work

POINTS = 240
"""Points of the plot that are kept; with more, every second one goes and the rest lie wider."""


def after(job: Job, work: Work, pace: Pace, seconds: float) -> dict[str, Any]:
    """The columns as they are after the step."""
    counted = work.counted
    values: dict[str, Any] = {
        "checkpoint": work.checkpoint,
        "intent": None,
        "done": job.done + counted["done"],
        "failed": job.failed + counted["failed"],
        "skipped": job.skipped + counted["skipped"],
        "bytes": job.bytes + counted["bytes"],
        "total": work.total,
        "commands": job.commands,
        "round_trips": job.round_trips,
        "seconds": job.seconds,
        "active_seconds": seconds,
        "slowed": pace.state[:200],
    }
    if work.nodes:
        values["nodes"] = _added_nodes(job.nodes, work.nodes)
    if work.reasons:
        values["reasons"] = _added_reasons(job.reasons, work.reasons)
    units = values["done"] + values["failed"] + values["skipped"]
    history = lengthened(job.history, units, pace.latency.quantile(0.99))
    if history is not job.history:
        values["history"] = history
        values["latency"] = job.latency | figures(pace) | {"used": round(pace.used, 4)}
    return values


def append(job: Job, work: Work) -> None:
    """The step's lines and failed keys, within what is kept of each."""
    for text in work.lines:
        job.note(text)
    if work.lines:
        old = job.lines.values_list("pk", flat=True)[LINES_KEPT : LINES_KEPT + 100]
        Line.objects.filter(pk__in=list(old)).delete()
    room = FAILURES_KEPT - sum(job.reasons.values())
    kept = work.failures[: max(room, 0)]
    Failure.objects.bulk_create(Failure(job=job, key=key, why=why) for key, why in kept)


def figures(pace: Pace) -> dict[str, float]:
    """Milliseconds of the recent PINGs."""
    found = {"p50": pace.latency.quantile(0.5), "p99": pace.latency.quantile(0.99)}
    return {name: round(value * 1000, 3) for name, value in found.items() if value is not None}


def probe(run: Run, client: Any) -> None:
    """Ask with PING how quickly the server answers; before a turn's first step some times over.

    What was found before the very first step is kept as what is usual without the job. Of a slow
    answer the server itself is asked (INFO cpu) whether it was busy: on a loaded machine it is
    often this process that was kept waiting.
    """
    from dashboard.jobs.engine import FIRST_PROBES, PROBE_SECONDS

    now = time.monotonic()
    if now - run._probed < PROBE_SECONDS:
        return
    run._probed = now
    first = run.pace.latency.quantile(0.5) is None
    nodes = list(client.primaries())
    for _ in range(FIRST_PROBES if first else 1):
        slowest = max(_timed(run, node.ping) for node in nodes)
        busy = _busy(run, nodes) if run.pace.latency.is_slow(slowest) else None
        run.pace.felt(slowest, busy)
    if "before" not in run.job.latency:
        run.job.latency = {"before": figures(run.pace).get("p99", 0.0)}


def _timed(run: Run, ask: Callable[[], Any]) -> float:
    """Seconds that one small command took, at the job's pace."""
    run.pace.wait(1)
    began = time.perf_counter()
    ask()
    took = time.perf_counter() - began
    run.pace.spent(1, took, server=0.0)
    return took


def _busy(run: Run, nodes: list[Any]) -> float | None:
    """How busy the server was for others since the slow answer before; None: nobody can tell."""
    infos = []
    try:
        for node in nodes:
            run.pace.wait(1)
            infos.append(node.info("cpu"))
    except NoPermissionError:  # INFO is @dangerous: then only the answers themselves tell
        return None
    return run.busyness.told(infos, run.pace.used)


def lengthened(history: dict[str, Any], units: int, p99: float | None) -> dict[str, Any]:
    """The plot's points with one more when it is due: [seconds since 1970, units, p99 in ms]."""
    now = round(time.time(), 1)
    every = history.get("every", 1)
    points = history.get("points", [])
    if points and now - points[-1][0] < every:
        return history
    point = [now, units, round(p99 * 1000, 2) if p99 is not None else None]
    points = [*points, point]
    if len(points) > POINTS:
        points, every = points[::2], every * 2
    return {"every": every, "points": points}


def _added_nodes(known: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    nodes = {name: dict(counts) for name, counts in known.items()}
    for name, counts in more.items():
        node = nodes.setdefault(name, {"done": 0, "failed": 0})
        for what in ("done", "failed"):
            node[what] += counts[what]
    return nodes


def _added_reasons(known: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Bounded: a reason may quote something of each key, and then there are too many of them."""
    reasons = dict(known)
    for why, count in more.items():
        name = why if why in reasons or len(reasons) < 50 else "other reasons"
        reasons[name] = reasons.get(name, 0) + count
    return reasons
