"""What a counter says: of each window in a range, and of the whole range with nobody twice."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from redis.exceptions import NoPermissionError, ResponseError

from dashboard.servers.models import Server
from dashboard.servers.overview.charts import Drawing, Line, Plot
from redisops.errors import InvalidArgument
from redisops.uniques import Counters, Series, margin
from redisops.windows import Window, named, span, window_at

USUAL = {"day": 30, "week": 12, "month": 12, "all": 1}
MOST = 400
"""Windows of a range at most."""
EACH = {"day": "Per day", "week": "Per week", "month": "Per month", "all": "In all"}
STEP = {"day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400, "all": 86_400}


@dataclass(frozen=True)
class Counted:
    """One window: about ``count`` different members, None when the key is no counter."""

    window: Window
    key: bytes
    count: int | None
    is_open: bool = False

    @property
    def margin(self) -> int:
        return margin(self.count or 0)


@dataclass(frozen=True)
class Reading:
    """A range of windows, oldest first. ``merged`` is None when the server cannot merge them."""

    series: Series
    windows: list[Counted] = field(default_factory=list)
    merged: int | None = None
    words: str = ""

    @property
    def first(self) -> str:
        return self.windows[0].window.label if self.windows else ""

    @property
    def last(self) -> str:
        return self.windows[-1].window.label if self.windows else ""

    @property
    def margin(self) -> int:
        return margin(self.merged or 0)

    @property
    def there(self) -> list[Counted]:
        """The windows that somebody was counted in."""
        return [one for one in self.windows if one.count]

    @property
    def sum(self) -> int:
        return sum(one.count or 0 for one in self.windows)

    @property
    def each(self) -> str:
        """In how many windows a member came, on average."""
        return f"{self.sum / self.merged:.1f}" if self.merged else ""

    @property
    def mean(self) -> int | None:
        """Of the windows that are over."""
        over = [one.count or 0 for one in self.there if not one.is_open]
        return round(sum(over) / len(over)) if over else None

    @property
    def most(self) -> Counted | None:
        return max(self.there, key=lambda one: one.count or 0, default=None)

    @property
    def not_counters(self) -> int:
        return sum(1 for one in self.windows if one.count is None)

    @property
    def drawing(self) -> Drawing:
        """The windows as a line, dashed to the one that is not over; what is not there is a gap."""
        lines = Line("count", "Different", 1), Line("open", "So far", 0)
        plot = Plot("uniques", EACH[self.series.kind], "count", lines)
        times = [one.window.start or 0 for one in self.windows]
        over: list[float | None] = [
            None if one.is_open else one.count or None for one in self.windows
        ]
        is_last = [one.is_open for one in [*self.windows[1:], *self.windows[-1:]]]
        so_far: list[float | None] = [
            one.count or None if last else None
            for one, last in zip(self.windows, is_last, strict=True)
        ]
        return Drawing(plot, times, {"count": over, "open": so_far})

    @property
    def points(self) -> str:
        """The same for the page's script."""
        drawing, step = self.drawing, STEP[self.series.kind]
        data = {
            "step": step, "seconds": step * len(self.windows), "times": list(drawing.times),
            "columns": drawing.columns, "marks": [],
        }  # fmt: skip
        return json.dumps(data, separators=(",", ":"))


def range_of(series: Series, first: str, last: str) -> tuple[list[Window], str]:
    """The windows from first to last; the usual ones, and what is wrong, where that is no range."""
    now = window_at(series.kind, time.time())
    usual = span(now.step(1 - USUAL[series.kind]), now)
    if not (first or last) or series.kind == "all":
        return usual, ""
    try:
        end = named(series.kind, last) if last else now
        begin = named(series.kind, first) if first else end.step(1 - USUAL[series.kind])
        found = span(begin, end)
    except InvalidArgument as error:
        return usual, f"{error}. This is the usual range."
    if not found:
        return usual, f"{first} is after {last}. This is the usual range."
    if len(found) > MOST:
        return found[-MOST:], f"The range has {len(found)} windows. These are the last {MOST}."
    return found, ""


def read(server: Server, series: Series, windows: list[Window]) -> Reading:
    """The counts of all windows and of all together. Two round trips, two for a short range, too.

    What the server refuses is in ``words``.
    """
    now = window_at(series.kind, time.time())
    pairs = [(window, series.key(window)) for window in windows]
    pairs = [(window, key) for window, key in pairs if not server.protects(key)]
    counters = Counters(server.client())
    try:
        counts = counters.counts([key for _, key in pairs])
        found = [
            Counted(window, key, count, window == now and series.kind != "all")
            for (window, key), count in zip(pairs, counts, strict=True)
        ]
        merged = counters.merged([one.key for one in found if one.count])
    except NoPermissionError as error:
        return Reading(series, words=f"This account may not count here. {error}"[:300])
    except ResponseError as error:
        return Reading(series, words=f"The server refused to count: {error}"[:300])
    return Reading(series, found, merged)
