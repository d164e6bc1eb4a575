"""How a policy's use is shown: a sentence, figures, a plot, and who came most."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string

from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.trying.showing import percent
from dashboard.limits.using.reading import SECONDS, Reading
from dashboard.publishing.versions import readable
from dashboard.servers.models import Server
from dashboard.servers.overview.charts import Drawing, Line, Plot
from dashboard.ui import numbers
from redisops import keys
from redisops.limits.policies import Policy
from redisops.limits.subjects import entries
from redisops.limits.use import Step, Top

PLOT = Plot("use", "Requests per second", "count",
            (Line("allowed", "Allowed", 1), Line("denied", "Refused", 2),
             Line("shadow", "Would refuse", 3)))  # fmt: skip
STEP = 3
"""Seconds to a point of the plot: 300 of them are what its width can show."""
NOW = 10
Column = list[float | None]
SHOWN = 60
LISTED = 50
PARTS = ("mode", "verdict", "figures", "exceptions", "tops")
TOPS = (("denied", "Refused most"), ("shadow", "Would be refused most"), ("allowed", "Busiest"))


@dataclass(frozen=True)
class Entry:
    """One subject of a top list with about how many requests, ``error`` more or less."""

    subject: bytes
    count: int
    error: int

    @property
    def name(self) -> str:
        text = keys.printable(self.subject[:SHOWN])
        return f"{text}…" if len(self.subject) > SHOWN else text

    @property
    def url(self) -> str:
        return keys.to_url(self.subject)


@dataclass(frozen=True)
class Ranking:
    """One top list of so many minutes; ``error`` is the most by which a count may be wrong."""

    title: str
    entries: list[Entry]
    total: int
    minutes: int = 15

    @property
    def error(self) -> int:
        return max((entry.error for entry in self.entries), default=0)


def rankings(reading: Reading) -> list[Ranking]:
    """The lists that have anybody in them; who is busiest is always there."""
    found = [ranking(reading.tops[outcome], title) for outcome, title in TOPS]
    return [one for one in found if one.entries or one.title == "Busiest"]


def ranking(top: Top, title: str, minutes: int = 15) -> Ranking:
    return Ranking(title, [Entry(*entry) for entry in top.entries], top.total, minutes)


@dataclass(frozen=True)
class Excepted:
    """A ban or an exemption of one subject that has not ended."""

    subject: bytes
    until: float
    reason: str = ""
    is_ban: bool = False

    @property
    def name(self) -> str:
        return Entry(self.subject, 0, 0).name

    @property
    def url(self) -> str:
        return keys.to_url(self.subject)


def excepted(row: LimitPolicy) -> dict[str, Any]:
    """Those of one policy that are shown, and how many more there are."""
    policy, _ = readable(row)
    found = exceptions(policy) if policy is not None else []
    return {"exceptions": found[:LISTED], "more_exceptions": max(len(found) - LISTED, 0)}


def exceptions(policy: Policy) -> list[Excepted]:
    """Those in force, bans first, the one that ends first at the top."""
    now, whole = time.time(), policy.subject
    found = [
        Excepted(of, ban.until, ban.reason, is_ban=True)
        for of, ban in entries(whole, policy.banned)
    ]
    found += [Excepted(of, one.until) for of, one in entries(whole, policy.exempt)]
    in_force = [one for one in found if one.until > now]
    return sorted(in_force, key=lambda one: (not one.is_ban, one.until))


def parts(server: Server, row: LimitPolicy, reading: Reading) -> dict[str, Any]:
    """What the socket replaces on the page, as HTML; ``recent`` are the newest seconds as data."""
    context = {
        "server": server, "policy": row, **shown(reading), "rankings": rankings(reading),
        **excepted(row),
    }  # fmt: skip
    templates = {name: f"limits/using/_{name}.html" for name in PARTS}
    rendered = {name: render_to_string(path, context) for name, path in templates.items()}
    return {**rendered, "recent": reading.newest}


def shown(reading: Reading) -> dict[str, Any]:
    allowed, denied, shadow = reading.sums(SECONDS)
    now = [count / NOW for count in reading.sums(NOW)]
    asked = allowed + denied + shadow
    words = (
        f"{percent(denied / asked)} of {numbers.exact(asked)} requests" if asked else "none came"
    )
    return {
        "asked": asked, "denied": denied, "would": shadow,
        "share": percent(denied / asked) if asked else "",
        "would_share": percent(shadow / asked) if asked else "",
        "figures": [
            ("Allowed now", numbers.count(now[0]), "/s", f"mean of {NOW} s"),
            ("Refused now", numbers.count(now[1]), "/s", f"mean of {NOW} s"),
            ("Refused, 15 min", numbers.exact(denied), "", words),
            ("Would refuse, 15 min", numbers.exact(shadow), "", "counted in shadow"),
        ],
    }  # fmt: skip


def drawing(reading: Reading) -> Drawing:
    return Drawing(PLOT, *points(reading.seconds))


def as_json(reading: Reading) -> str:
    """What the page's script plots, second by second, and the id to follow from."""
    data = {"until": reading.until, "rows": reading.seconds, "step": STEP, "seconds": SECONDS}
    return json.dumps(data, separators=(",", ":"))


def plotted(times: list[int], columns: dict[str, Column], step: int, seconds: int) -> str:
    """Points as ``plots.js`` takes them."""
    told = {
        name: [None if value is None else round(value, 3) for value in values]
        for name, values in columns.items()
    }
    data = {"step": step, "seconds": seconds, "times": times, "columns": told, "marks": []}
    return json.dumps(data, separators=(",", ":"))


def points(steps: list[Step], size: int = STEP) -> tuple[list[int], dict[str, Column]]:
    """Means per second over pieces of ``size`` steps, as a plot takes them."""
    pieces = [steps[at : at + size] for at in range(0, len(steps), size)]
    columns: dict[str, Column] = {
        line.field: [sum(step[place] for step in piece) / len(piece) for piece in pieces]
        for place, line in enumerate(PLOT.lines, 1)
    }
    return [piece[0].at for piece in pieces], columns
