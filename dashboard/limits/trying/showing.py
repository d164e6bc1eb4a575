"""A run as the page shows it: a sentence, figures, plots, and the callers it is about."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.limits.trying.running import MOST, Run, Side
from dashboard.servers.overview.charts import Drawing, Line, Plot
from dashboard.ui import numbers

POINTS = 300
ROWS = 12
REFUSED = Plot("refused", "Refused per second, draft against live", "count",
               (Line("refused_draft", "Draft", 1), Line("refused_live", "Live", 0)))  # fmt: skip
ALLOWED = Plot("allowed", "Let through per second", "count",
               (Line("allowed_draft", "Draft", 1), Line("allowed_live", "Live", 2),
                Line("asked", "Asked for", 0)), is_small=True)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One caller: requests, and refused by each policy; ``state`` and ``change`` say the change."""

    name: str
    asked: int
    live: int | None
    draft: int

    @property
    def is_other(self) -> bool:
        """Whether the draft treats this caller otherwise than live does."""
        return self.live is not None and self.live != self.draft

    @property
    def state(self) -> str:
        if self.live == 0 and self.draft:
            return "warn"
        return "ok" if self.live and not self.draft else ""

    @property
    def change(self) -> str:
        if self.live is None or self.live == self.draft:
            return "the same" if self.live is not None else ""
        if self.state:
            return "newly refused" if self.state == "warn" else "no longer refused"
        share = abs(self.draft - self.live) / self.live
        return f"{share:.0%} {'more' if self.draft > self.live else 'fewer'}"


class Shown:
    """Everything that the templates of a run need; made once for a page."""

    def __init__(self, run: Run, words: str) -> None:
        self.run = run
        self.of = words
        self.draft = run.sides["draft"]
        self.live: Side | None = run.sides.get("live")
        self.step = max(math.ceil(run.seconds / POINTS), 1)

    @property
    def total(self) -> int:
        return self.run.traffic.total

    @property
    def sentence(self) -> str:
        """The verdict: what the draft refuses, against live."""
        if not self.total:
            return "There was no request in this time: nothing can be said."
        told = f"The draft refuses {_of(self.draft, self.total)}"
        if self.live is None:
            return f"{told}."
        if self.live.total == self.draft.total:
            return f"{told}; so does live."
        return f"{told}; live refuses {_of(self.live, self.total)}."

    @property
    def part(self) -> str:
        """What of the traffic was run, when not all of it."""
        if not self.run.is_part:
            return ""
        lasted = numbers.duration(self.run.seconds)
        return (
            f"A try is at most {numbers.exact(MOST)} decisions: this is {lasted} of "
            f"{numbers.duration(len(self.run.whole.counts))}, with {numbers.exact(self.total)} of "
            f"{numbers.exact(self.run.whole.total)} requests."
        )

    @cached_property
    def rows(self) -> list[Row]:
        """All callers that sent anything."""
        names = [caller.name for caller in self.run.traffic.callers]
        live = None if self.live is None else self.live.denied_of
        draft = self.draft.denied_of
        return [
            Row(names[who], asked, live[who] if live is not None else None, draft[who])
            for who, asked in self.run.asked_of.most_common()
        ]  # fmt: skip

    @property
    def shown_rows(self) -> list[Row]:
        """Those it would treat otherwise come first, then those who are refused most."""
        ranked = sorted(
            self.rows,
            key=lambda row: (not row.is_other, -abs(row.draft - (row.live or 0)), -row.draft),
        )
        return ranked[:ROWS]

    @property
    def others(self) -> int:
        return sum(row.is_other for row in self.rows)

    @property
    def figures(self) -> list[tuple[str, str, str, str]]:
        """Label, value, sense, and the state of the sense."""
        found = [
            ("Requests", numbers.exact(self.total),
             f"by {numbers.exact(len(self.rows))} caller{'s' * (len(self.rows) != 1)}", ""),
            ("By the draft", numbers.exact(self.draft.total), _share(self.draft), ""),
        ]  # fmt: skip
        if self.live is None:
            return found
        freed = [row for row in self.rows if row.state == "ok"]
        now = [row for row in self.rows if row.live]
        newly = [row for row in self.rows if row.state == "warn"]
        words = newly[0].name if len(newly) == 1 else "callers" if newly else "nobody"
        return [
            found[0],
            ("Refused live", numbers.exact(self.live.total), _share(self.live), ""),
            found[1],
            ("Callers freed", str(len(freed)), f"of {len(now)} refused now", ""),
            ("Newly refused", str(len(newly)), words, "warn" if newly else ""),
        ]

    # --- Plots ----------------------------------------------------------------------------

    @cached_property
    def times(self) -> list[int]:
        start = self.run.traffic.start
        return [start + at for at in range(0, self.run.seconds, self.step)]

    @cached_property
    def columns(self) -> dict[str, list[float | None]]:
        """Means per second over each step."""
        found = {
            "refused_draft": self.draft.denied,
            "allowed_draft": self.draft.allowed,
            "asked": self.run.traffic.counts,
        }
        if self.live is not None:
            found |= {"refused_live": self.live.denied, "allowed_live": self.live.allowed}
        return {name: self._means(counts) for name, counts in found.items()}

    def _means(self, counts: Sequence[int]) -> list[float | None]:
        pieces = [counts[at : at + self.step] for at in range(0, len(counts), self.step)]
        return [sum(piece) / len(piece) for piece in pieces]

    @property
    def drawings(self) -> list[Drawing]:
        return [Drawing(self._known(plot), self.times, self.columns) for plot in (REFUSED, ALLOWED)]

    def _known(self, plot: Plot) -> Plot:
        lines = tuple(line for line in plot.lines if line.field in self.columns)
        return Plot(plot.name, plot.title, plot.unit, lines, plot.is_small)

    @property
    def as_json(self) -> str:
        """What the page's script plots."""
        columns = {
            name: [None if value is None else round(value, 3) for value in values]
            for name, values in self.columns.items()
        }
        data: dict[str, Any] = {
            "step": self.step, "seconds": max(len(self.times), 2) * self.step,
            "times": self.times, "columns": columns, "marks": [],
        }  # fmt: skip
        return json.dumps(data, separators=(",", ":"))


def _of(side: Side, total: int) -> str:
    if not side.total:
        return "nothing"
    return (
        f"{numbers.exact(side.total)} of {numbers.exact(total)} requests ({percent(side.share())})"
    )


def _share(side: Side) -> str:
    share = side.share()
    return "" if share is None else f"{percent(share)} of requests"


def percent(share: float | None) -> str:
    """3.1%, 0.29%, 100%: two digits that count."""
    if share is None:
        return numbers.UNKNOWN
    value = share * 100
    digits = 0 if value >= 9.95 or value == 0 else 1 if value >= 0.995 else 2
    text = f"{value:.{digits}f}%"
    return "under 0.01%" if value and text == "0.00%" else text
