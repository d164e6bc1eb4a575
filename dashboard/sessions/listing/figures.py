"""How many sessions there were, over time: a series on home of what the last whole walk counted."""

from __future__ import annotations

import json
import time
from typing import Any

import structlog
from django.conf import settings

from dashboard.servers.models import Server
from dashboard.servers.overview.charts import Drawing, Line, Plot, Span, grid
from dashboard.servers.sampling import samples
from dashboard.sessions.listing import finding
from redisops.resilience import diagnose
from redisops.series import Fold, Point, Series

log = structlog.get_logger(__name__)

EVERY = 30
FIELDS: dict[str, Fold] = {"sessions": "mean", "endless": "max"}
SPANS = {
    "1h": Span("1h", "1 h", 3600, 60),
    "24h": Span("24h", "24 h", 24 * 3600, 600),
    "30d": Span("30d", "30 d", 30 * 24 * 3600, 6 * 3600),
}
PLOT = Plot(
    "sessions", "Concurrent sessions", "count",
    (Line("sessions", "Sessions", 1), Line("endless", "Without an expiry", 2)),
)  # fmt: skip


def series() -> Series:
    return Series(samples.home().client(), f"{settings.HOME_PREFIX}concurrent:", FIELDS)


def count(now: float | None = None) -> int:
    """Look on at every server whose page somebody opened this week; how many walks ended.

    Each look is a point once a walk went through: a walk of many looks would else leave most of
    the plot empty. What it counted holds until the next one ends. ``now``: other than the clock's.
    """
    ended, followed, points = 0, [], []
    now = time.time() if now is None else now
    at = int(now) // EVERY * EVERY
    for server in Server.objects.filter(withdrawn=None):
        was = finding.recall(server)
        if was is None or now - was.opened > finding.FOLLOWED:
            continue
        followed.append(str(server.pk))
        try:
            seen = finding.look(server, was)
        except finding.HOME_TROUBLE as error:
            log.info("sessions not counted", server=server.slug, cause=str(diagnose(error).cause))
            continue
        finding.keep(server, seen)
        ended += seen.cursor is None
        if seen.is_complete:
            figures = {"sessions": float(seen.sum), "endless": float(seen.endless_sum)}
            points.append(Point(str(server.pk), at, figures))
    try:
        kept = series()
        kept.record(points)
        kept.fold(followed, now)
    except finding.HOME_TROUBLE as error:
        log.warning("counted sessions are not kept", error=str(error))
    return ended


def plotted(server: Server, wanted: str, now: float) -> dict[str, Any]:
    """What a page needs to plot them: ``plot_*``. One round trip to home."""
    span = SPANS.get(wanted, SPANS["1h"])
    context: dict[str, Any] = {
        "plot_span": span, "plot_spans": list(SPANS.values()), "plot_missing": ""
    }  # fmt: skip
    try:
        found = series().read(str(server.pk), now - span.seconds, now, span.step)
    except finding.HOME_TROUBLE as error:
        log.warning("no plot of sessions", error=type(error).__name__)
        return context | {"plot_missing": "The console's own Redis did not answer."}
    times = grid(span, now)
    by_time = {row.at: row.values for row in found.rows if row.good}
    columns: dict[str, list[float | None]] = {}  # whole: half a session is none
    for place, name in enumerate(FIELDS):
        known = [by_time.get(at, ()) for at in times]
        columns[name] = [_whole(one[place]) if len(one) > place else None for one in known]
    if not any(one is not None for one in columns["sessions"]):
        return context
    data = {"step": span.step, "seconds": span.seconds, "times": times, "marks": [],
            "columns": columns}  # fmt: skip
    points = json.dumps(data, separators=(",", ":"))
    return context | {"drawing": Drawing(PLOT, times, columns), "points": points}


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
