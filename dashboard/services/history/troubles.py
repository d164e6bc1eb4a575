"""When one instance was critical or gone, and when it was back: incidents beside a service's own.

Of a service with others up it is no incident that one of them hangs or dies; who is on call looks
for it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dashboard.services.history.spells import DOWN, UNKNOWN, Row, Spell
from redisops.services.model import GONE_FOR

CALM = 600.0
"""Seconds that an instance is well between two incidents; what comes sooner belongs to the first
one, so that one which flaps is a line and not a page."""
MOST = 50


@dataclass(frozen=True)
class Trouble:
    """One instance from when it was first critical or gone (seconds since 1970) to when it was not.

    ``end`` is None while it lasts, or when nobody knows how it ended. ``times`` it was so, for
    ``down`` seconds together, the last part of it since ``again``; ``was_gone``: at some time it
    had died; ``is_gone``: in that last part. ``cause`` is the change that it began with.
    ``is_open``: it is so now; ``is_missed``: and somebody still waits for it.
    """

    instance: str
    start: float
    end: float | None
    down: float = 0.0
    was_gone: bool = False
    is_gone: bool = False
    again: float = 0.0
    is_open: bool = False
    is_missed: bool = False
    times: int = 1
    cause: Row | None = None

    @property
    def word(self) -> str:
        """What it was, or is now."""
        return "Gone" if (self.is_gone if self.is_open else self.was_gone) else "Critical"

    @property
    def shape(self) -> str:
        return "bad" if self.is_missed else "warn"


def of(name: str, found: Sequence[Spell], rows: Iterable[Row], last: float) -> list[Trouble]:
    """The incidents of an instance, oldest first, at most the newest ``MOST``.

    ``found`` are its spells in their order until ``last`` (until then the present is known), and
    ``rows`` the changes that they come from.
    """
    runs: list[Trouble] = []
    before = ""
    for one in found:
        if one.kind != DOWN:
            if runs and runs[-1].is_open:
                runs[-1] = _closed(runs[-1], one)
            before = one.kind
            continue
        if runs and runs[-1].is_open:
            runs[-1] = _on(runs[-1], one)
        elif runs and one.start - (runs[-1].end or runs[-1].start + runs[-1].down) < CALM:
            again = runs[-1].times + (before != UNKNOWN)
            runs[-1] = _on(replace(runs[-1], is_open=True, end=None, times=again), one)
        else:
            runs.append(_on(Trouble(name, one.start, None, is_open=True), one))
    if runs and runs[-1].is_open:
        waits = not runs[-1].is_gone or last - runs[-1].again < GONE_FOR
        runs[-1] = replace(runs[-1], is_missed=waits)
    causes = {row.at: row for row in rows if not row.is_gap}
    return [replace(one, cause=causes.get(one.start)) for one in runs[-MOST:]]


def newest(found: Iterable[Trouble]) -> list[Trouble]:
    """Those that somebody waits for first, then by when they ended or began again: ``MOST``."""
    return sorted(
        found, key=lambda one: (not one.is_missed, -(one.end or one.again), one.instance)
    )[:MOST]


def _on(run: Trouble, spell: Spell) -> Trouble:
    return replace(
        run, down=run.down + spell.end - spell.start, was_gone=run.was_gone or spell.died,
        is_gone=spell.died, again=spell.start,
    )  # fmt: skip


def _closed(run: Trouble, spell: Spell) -> Trouble:
    """It ended with what came then; nobody knows how, where that is not known."""
    return replace(run, is_open=False, end=None if spell.kind == UNKNOWN else spell.start)
