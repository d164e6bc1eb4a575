"""What the overview plots, as data for uPlot and as words and lines for those without it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.servers.sampling import samples
from dashboard.ui import numbers
from redisops.series import Row

MARKS = 12
TABLE_ROWS = 12
WIDTH, HEIGHT, DOT = 600.0, 160.0, 2.0


@dataclass(frozen=True)
class Span:
    """A range of time that a page shows, in steps."""

    name: str
    label: str
    seconds: int
    step: int

    @property
    def pace(self) -> str:
        """How a point was made."""
        if self.step == samples.SECONDS:
            return f"a look every {self.step} s"
        return f"{numbers.duration(self.step)} steps: means; the highest of memory, p99, clients"


SPANS = {
    span.name: span
    for span in (
        Span("15m", "15 min", 900, 2),
        Span("1h", "1 h", 3600, 10),
        Span("6h", "6 h", 6 * 3600, 60),
        Span("24h", "24 h", 24 * 3600, 120),
        Span("7d", "7 d", 7 * 24 * 3600, 600),
        Span("30d", "30 d", 30 * 24 * 3600, 1800),
    )
}
USUAL = "15m"

Unit = Callable[[float | None], str]


def per_second(value: float | None) -> str:
    return numbers.count(value)


def percent(value: float | None) -> str:
    return numbers.UNKNOWN if value is None else f"{value:.1f}%".replace(".0%", "%")


def milliseconds(value: float | None) -> str:
    return numbers.UNKNOWN if value is None else numbers.duration(value / 1000)


def rate_of_bytes(value: float | None) -> str:
    return f"{numbers.size(value)}/s"


UNITS: dict[str, Unit] = {
    "count": per_second,
    "percent": percent,
    "ms": milliseconds,
    "bytes": numbers.size,
    "bytes/s": rate_of_bytes,
}


@dataclass(frozen=True)
class Line:
    """One series; ``style`` is the number of its colour, 0 for a dashed reference."""

    field: str
    label: str
    style: int


@dataclass(frozen=True)
class Plot:
    name: str
    title: str
    unit: str
    lines: tuple[Line, ...]
    is_small: bool = False


READS, WRITES = Line("reads", "Reads", 1), Line("writes", "Writes", 2)
PLOTS = (
    Plot("commands", "Commands per second", "count", (READS, WRITES)),
    Plot("latency", "Latency inside the server", "ms",
         (Line("p50", "p50", 1), Line("p99", "p99", 2))),
    Plot("memory", "Memory", "bytes", (Line("memory", "Used", 1), Line("limit", "Limit", 0))),
    Plot("hits", "Hit rate", "percent", (Line("hit_rate", "All reads", 1),)),
    Plot("network", "Network", "bytes/s",
         (Line("net_in", "In", 1), Line("net_out", "Out", 2)), is_small=True),
    Plot("clients", "Clients", "count",
         (Line("clients", "Connected", 1), Line("blocked", "Blocked", 2)), is_small=True),
    Plot("gone", "Keys gone per second", "count",
         (Line("expired", "Expired", 1), Line("evicted", "Evicted", 2)), is_small=True),
    Plot("cpu", "CPU", "percent", (Line("cpu_percent", "Of one core", 1),), is_small=True),
)  # fmt: skip


@dataclass(frozen=True)
class Drawing:
    """One plot with its data: columns for uPlot, and the same in words, lines and a table."""

    plot: Plot
    times: Sequence[int]
    columns: dict[str, list[float | None]]

    @property
    def lines(self) -> tuple[Line, ...]:
        """Without a limit that is not set."""
        return tuple(
            line for line in self.plot.lines
            if line.style or any(self.columns[line.field])
        )  # fmt: skip

    @cached_property
    def summary(self) -> str:
        """The plot in a sentence."""
        words = [self._said(line) for line in self.lines if line.style]
        return " ".join(words) or "Nothing is known of this time."

    def _said(self, line: Line) -> str:
        unit = UNITS[self.plot.unit]
        known = [value for value in self.columns[line.field] if value is not None]
        if not known:
            return f"{line.label}: not known."
        mean = sum(known) / len(known)
        low, high = unit(min(known)), unit(max(known))
        if len(known) == 1:
            return f"{line.label}: {low}, known once."
        if low == high:
            return f"{line.label}: {low} all the time."
        return f"{line.label}: {unit(known[-1])} last, {unit(mean)} on average, {low} to {high}."

    @property
    def table(self) -> list[tuple[int, list[str]]]:
        """At most a dozen rows, newest first: the time, and each line's value there."""
        unit = UNITS[self.plot.unit]
        every = max(math.ceil(len(self.times) / TABLE_ROWS), 1)
        chosen = range(len(self.times) - 1, -1, -every)
        return [
            (self.times[index], [unit(self.columns[line.field][index]) for line in self.lines])
            for index in chosen
        ]

    @cached_property
    def top(self) -> float:
        """The upper end of the axis."""
        known = [v for line in self.lines for v in self.columns[line.field] if v is not None]
        return nice(max(known, default=0.0))

    @property
    def top_text(self) -> str:
        return UNITS[self.plot.unit](self.top)

    @property
    def paths(self) -> list[tuple[int, str]]:
        """SVG paths in a box of 600 by 160, gaps left out: what shows before or without uPlot."""
        return [(line.style, self._path(self.columns[line.field])) for line in self.lines]

    def _path(self, values: Sequence[float | None]) -> str:
        if not self.top or len(values) < 2:
            return ""
        words, pen_is_down = [], False
        for index, value in enumerate(values):
            if value is None:
                pen_is_down = False
                continue
            x = index * WIDTH / (len(values) - 1)
            y = HEIGHT - value / self.top * HEIGHT
            words.append(f"{'L' if pen_is_down else 'M'}{x:.1f} {y:.1f}")
            if not pen_is_down and values[index + 1 : index + 2] in ([], [None]):
                words.append(f"H{x + DOT:.1f}")  # alone between gaps: it is to be seen all the same
            pen_is_down = True
        return "".join(words)


def nice(value: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * 0.999)


def grid(span: Span, now: float) -> list[int]:
    """The times of a span's points; every step is there, whether anything was seen or not."""
    last = int(now // span.step) * span.step
    return list(range(last - span.seconds + span.step, last + 1, span.step))


def columns(rows: Sequence[Row], times: Sequence[int]) -> dict[str, list[float | None]]:
    """Every plotted field over the grid; None where nothing was seen."""
    place = {name: index for index, name in enumerate(samples.FIELDS)}
    by_time = {row.at: row.values for row in rows if row.good}

    def column(name: str) -> list[float | None]:
        index = place[name]
        found = (by_time.get(at, ()) for at in times)
        return [values[index] if index < len(values) else None for values in found]

    names = [line.field for plot in PLOTS for line in plot.lines]
    plain = {name: column(name) for name in names if name in place}
    ratios = [
        samples.ratio(hits, misses)
        for hits, misses in zip(column("hits"), column("misses"), strict=True)
    ]
    plain["hit_rate"] = [None if value is None else value * 100 for value in ratios]
    plain["cpu_percent"] = [None if value is None else value * 100 for value in column("cpu")]
    # Without a limit Redis says 0: nothing to draw.
    plain["limit"] = [value or None for value in plain["limit"]]
    return plain


def drawings(rows: Sequence[Row], span: Span, now: float) -> list[Drawing]:
    times = grid(span, now)
    data = columns(rows, times)
    return [
        Drawing(plot, times, {line.field: data[line.field] for line in plot.lines})
        for plot in PLOTS
    ]


def as_json(
    rows: Sequence[Row], span: Span, now: float, marks: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the page's script plots, and the id to follow from."""
    times = grid(span, now)
    data = columns(rows, times)
    newest = max((row.at for row in rows), default=None)
    return {
        "step": span.step,
        "seconds": span.seconds,
        "times": times,
        "columns": {
            name: [None if value is None else float(f"{value:.6g}") for value in values]
            for name, values in data.items()
        },
        "marks": marks[-MARKS:],
        "fields": list(samples.FIELDS),
        "folds": samples.FIELDS,
        "newest": newest,
    }
