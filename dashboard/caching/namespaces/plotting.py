"""What a namespace did over an hour, a day, a month: for uPlot, and in words and lines without."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Q

from dashboard.audit import actions
from dashboard.audit.models import Entry
from dashboard.caching.namespaces.figures import Sums, sums
from dashboard.servers.models import Server
from dashboard.servers.overview.charts import Drawing, Line, Plot, Span
from dashboard.ui import numbers
from redisops.cache import Minute, Statistics

SPANS = {
    span.name: span
    for span in (
        Span("1h", "1 h", 3600, 60),
        Span("24h", "24 h", 86_400, 300),
        Span("30d", "30 d", 30 * 86_400, 3600),
    )
}
USUAL = "1h"
PLOTS = (
    Plot("ratio", "Hit ratio", "percent", (Line("ratio", "Served at once", 1),)),
    Plot("reads", "Reads per second", "count",
         (Line("hits", "From Redis", 1), Line("local", "In the process", 2),
          Line("misses", "Missed", 3))),
    Plot("loads", "Loads per second", "count",
         (Line("loads", "Loaded", 1), Line("prevented", "Prevented", 2),
          Line("failures", "Failed", 3)), is_small=True),
    Plot("took", "Mean load time", "ms", (Line("took", "Of one load", 1),), is_small=True),
    Plot("stale", "Served stale and refreshed early, per second", "count",
         (Line("stale", "Stale", 1), Line("early", "Early", 2)), is_small=True),
    Plot("bytes", "Bytes stored", "bytes/s", (Line("bytes", "Stored", 1),), is_small=True),
)  # fmt: skip
MARKS = 12
SETTLED = 10
"""Seconds of a step before it is drawn: what services told of less says little."""


def span_of(name: str) -> Span:
    """The range that was asked for, or the usual one."""
    return SPANS.get(name, SPANS[USUAL])


def read(server: Server, namespace: str, span: Span) -> list[Minute]:
    """What is known of the range. One round trip; raises Redis's errors."""
    statistics = Statistics(server.client())
    if span.step >= 3600:
        return statistics.hours(namespace, span.seconds // 3600)
    return statistics.minutes(namespace, span.seconds // 60)


def drawings(minutes: list[Minute], span: Span, now: float) -> list[Drawing]:
    """Every plot of the range; None where nobody told of any use."""
    last = int(now) // span.step * span.step
    if now - last < SETTLED:
        last -= span.step
    times = list(range(last - span.seconds + span.step, last + 1, span.step))
    steps: dict[int, list[Minute]] = {}
    for one in minutes:
        steps.setdefault(one.at // span.step * span.step, []).append(one)
    found = [
        sums(steps[at], min(float(span.step), now - at)) if at in steps else None for at in times
    ]
    return [
        Drawing(
            plot, times,
            {line.field: [_value(line.field, one) for one in found] for line in plot.lines},
        )
        for plot in PLOTS
    ]  # fmt: skip


def _value(name: str, found: Sums | None) -> float | None:
    if found is None:
        return None
    if name == "ratio":
        return None if found.ratio is None else found.ratio * 100
    if name == "took":
        return None if found.load is None else found.load * 1000
    return found.of(name) / found.seconds


def marks(server: Server, namespace: str, since: float) -> list[dict[str, Any]]:
    """What people did to the namespace, as words beside lines of the plots. One query."""
    entries = Entry.objects.filter(
        Q(target=namespace) | Q(target__startswith=f"{namespace} "), server=server.slug,
        action__startswith="caching.", result="ok", at__gte=numbers.moment(since),
    )  # fmt: skip
    found = [
        {"at": one.at.timestamp(), "word": actions.mark(one.action)} for one in entries[:MARKS]
    ]
    return [one for one in reversed(found) if one["word"]]


def as_json(drawn: list[Drawing], span: Span, marked: list[dict[str, Any]]) -> str:
    """What the page's script plots."""
    data: dict[str, Any] = {
        "step": span.step, "seconds": span.seconds, "times": drawn[0].times,
        "marks": marked,
        "columns": {
            name: [None if one is None else float(f"{one:.6g}") for one in values]
            for drawing in drawn for name, values in drawing.columns.items()
        },
    }  # fmt: skip
    return json.dumps(data, separators=(",", ":"))
