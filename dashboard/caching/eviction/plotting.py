"""Memory against its limit, and keys evicted and expired, from what the sampler keeps."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from dashboard.caching.eviction.models import EvictionChange
from dashboard.servers.models import Server
from dashboard.servers.overview import charts
from dashboard.servers.overview.charts import Drawing, Span
from dashboard.servers.sampling import samples
from redisops.errors import RedisopsError
from redisops.resilience import deadline
from redisops.series import Row

SECONDS = 1.0
SHOWN = ("memory", "gone")
USUAL = "1h"


@dataclass(frozen=True)
class Plots:
    """The drawings of a span, their points as JSON, and why there are none."""

    span: Span
    drawings: list[Drawing]
    points: str
    missing: str
    evicted: float | None
    expired: float | None


def span_of(told: str) -> Span:
    return charts.SPANS.get(told, charts.SPANS[USUAL])


def plots(server: Server, span: Span) -> Plots:
    """One round trip to home; without home the page goes on without them."""
    now = time.time()
    rows: list[Row] = []
    missing = ""
    try:
        with deadline(SECONDS):
            rows = samples.series().read(
                samples.name(server), now - span.seconds, now, span.step
            ).rows  # fmt: skip
    except (RedisError, RedisopsError):
        missing = "The console's own Redis, which keeps the history, does not answer."
    drawn = [one for one in charts.drawings(rows, span, now) if one.plot.name in SHOWN]
    by_field = charts.columns(rows, charts.grid(span, now))
    points = charts.as_json(rows, span, now, _marks(server, now - span.seconds))
    names = {line.field for one in drawn for line in one.plot.lines}
    points["columns"] = {
        name: values for name, values in points["columns"].items() if name in names
    }
    return Plots(
        span, drawn, json.dumps(points), missing,
        _count(by_field["evicted"], span), _count(by_field["expired"], span),
    )  # fmt: skip


def _count(rates: list[float | None], span: Span) -> float | None:
    """How many in the span, from rates per second; gaps are left out."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) * span.step if known else None


def _marks(server: Server, since: float) -> list[dict[str, Any]]:
    rows = EvictionChange.objects.filter(server=server).order_by("-at")[: charts.MARKS]
    return [
        {"at": round(row.at.timestamp()), "word": "eviction"}
        for row in reversed(rows)
        if row.at.timestamp() >= since
    ]
