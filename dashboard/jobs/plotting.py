"""The plot of a job: units per second, from the counts that were kept."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

from dashboard.jobs.models import Job
from dashboard.servers.overview.charts import Drawing, Line, Plot

POINTS = 200


def drawing(job: Job, label: str) -> Drawing:
    """Units per second over the job's time; a pause is zero, what is not known is not drawn."""
    _, times, rates = series(job)
    # The limit is in commands, the line in units: it is drawn only where one is the other.
    plot = Plot("job", f"{label}s per second", "count", (Line("rate", "Per second", 1),))
    return Drawing(plot, times, {"rate": rates})


def series(job: Job) -> tuple[int, list[int], list[float | None]]:
    """Step in seconds, times, and units per second in each step."""
    points = job.history.get("points", [])
    if len(points) < 2:
        return 1, [], []
    first, last = points[0][0], points[-1][0]
    every = max(job.history.get("every", 1), math.ceil((last - first) / POINTS), 1)
    times = [int(first) + every * n for n in range(1, int((last - first) / every) + 1)]
    counts = _at([first, *times], points, 3.0 * job.history.get("every", 1))
    rates: list[float | None] = [
        (after - before) / every for before, after in itertools.pairwise(counts)
    ]
    return every, times, rates


def as_json(job: Job) -> str:
    """What the page's script plots."""
    every, times, rates = series(job)
    data: dict[str, Any] = {
        "step": every, "seconds": max(len(times), 10) * every, "times": times,
        "columns": {"rate": [None if one is None else round(one, 2) for one in rates]},
        "marks": [],
    }  # fmt: skip
    return json.dumps(data, separators=(",", ":"))


def rate_now(job: Job, seconds: float = 10.0) -> float | None:
    """Units per second over the last seconds that are known; None with too little known."""
    points = job.history.get("points", [])
    if len(points) < 2:
        return None
    last = points[-1]
    earlier = next((one for one in reversed(points[:-1]) if last[0] - one[0] >= seconds), points[0])
    spent = last[0] - earlier[0]
    return (last[1] - earlier[1]) / spent if spent > 0 else None


def _at(times: list[float], points: list[Any], pause: float) -> list[float]:
    """The count at each time: between two points it grew evenly, but not over a pause."""
    found, place = [], 0
    for at in times:
        while place + 1 < len(points) and points[place + 1][0] <= at:
            place += 1
        when, count = points[place][:2]
        if place + 1 < len(points):
            after, more = points[place + 1][:2]
            if 0 < after - when <= pause:
                count += (more - count) * max(0.0, at - when) / (after - when)
        found.append(float(count))
    return found
