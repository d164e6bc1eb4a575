"""The latency of checks as a plot, of a service and of one instance: for uPlot, and in words and
lines without it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import structlog
from redis.exceptions import RedisError

from dashboard.servers.models import Server
from dashboard.servers.overview.charts import SPANS, Drawing, Line, Plot, Span, grid
from dashboard.services.history import latency
from redisops.errors import RedisopsError
from redisops.series import Row
from redisops.services.rings import SLOTS, Ring

log = structlog.get_logger(__name__)

USUAL = "1h"
TITLE = "Latency of its checks"
PLOT = Plot(
    "latency", TITLE, "ms",
    (Line("median", "Median", 1), Line("worst", "Slowest", 2)),
)  # fmt: skip
NAMES = ("15m", "1h", "24h", "7d", "30d")


OWN = Plot("instance", "Latency of its own checks", "ms", (Line("slowest", "Slowest", 1),))
RECENT = 32
"""Slots of a spark."""


def own_of(ring: Ring | None) -> dict[str, Any]:
    """What a page needs to show how long one instance's checks took: ``own_*``. No command.

    Where checks failed is a gap with a mark.
    """
    if ring is None:
        return {"own_drawing": None}
    empty = SLOTS - len(ring.codes)
    first = ring.times[0]
    times = [round(first - n * ring.seconds) for n in range(empty, 0, -1)]
    times += [round(at) for at in ring.times]
    unknown: list[float | None] = [None] * empty
    drawing = Drawing(OWN, times, {"slowest": unknown + ring.ms})
    marks = [
        {"at": round(at), "word": "failed"}
        for at, failed in zip(ring.times, ring.failed, strict=True)
        if failed
    ]
    width = round(ring.seconds)
    points = _points(drawing, width, SLOTS * width, marks)
    failed = sum(ring.failed)
    return {
        "own_drawing": drawing, "own_points": points, "own_every": ring.seconds,
        "own_seconds": len(ring.codes) * ring.seconds, "own_failed": failed,
    }  # fmt: skip


def recent(ring: Ring | None) -> list[float | None]:
    """The last checks of an instance for a spark, oldest first."""
    return [] if ring is None else ring.ms[-RECENT:]


def _points(
    drawing: Drawing, step: int, seconds: int, marks: list[dict[str, Any]] | None = None
) -> str:
    """The data of a plot for the browser."""
    data = {
        "step": step, "seconds": seconds, "times": drawing.times, "marks": marks or [],
        "columns": {
            name: [None if one is None else float(f"{one:.6g}") for one in values]
            for name, values in drawing.columns.items()
        },
    }  # fmt: skip
    return json.dumps(data, separators=(",", ":"))


def spans() -> list[Span]:
    """The ranges that a page offers."""
    return [SPANS[name] for name in NAMES]


def latency_of(
    server: Server, service: str, wanted: str, now: float, title: str = TITLE
) -> dict[str, Any]:
    """What a page needs to show it: ``plot_*``. One round trip to home; says when home is away."""
    span = SPANS[wanted] if wanted in NAMES else SPANS[USUAL]
    context: dict[str, Any] = {
        "plot_span": span, "plot_spans": spans(), "plot_missing": "", "plot_title": title,
    }  # fmt: skip
    try:
        found = latency.series().read(
            latency.name_of(server, service), now - span.seconds, now, span.step
        )
    except (RedisError, RedisopsError) as error:
        log.warning("services.no_latency", error=type(error).__name__)
        return context | {"plot_missing": "The console's own Redis did not answer."}
    drawing = _drawing(found.rows, span, now, title)
    if not any(value is not None for value in drawing.columns["worst"]):
        return context
    return context | {
        "drawing": drawing, "points": _points(drawing, span.step, span.seconds)
    }  # fmt: skip


def _drawing(rows: list[Row], span: Span, now: float, title: str) -> Drawing:
    times = grid(span, now)
    by_time = {row.at: row.values for row in rows if row.good}
    places = {name: place for place, name in enumerate(latency.FIELDS)}

    def column(name: str) -> list[float | None]:
        place = places[name]
        values = (by_time.get(at, ()) for at in times)
        return [one[place] if place < len(one) else None for one in values]

    plot = replace(PLOT, title=title)
    return Drawing(plot, times, {line.field: column(line.field) for line in PLOT.lines})
