"""Windows of time in the names of keys: days, ISO weeks, months, in UTC by the server's clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from redis.exceptions import NoPermissionError

from redisops.errors import InvalidArgument
from redisops.steps import Steps

Kind = Literal["all", "day", "week", "month"]
KINDS: tuple[Kind, ...] = ("all", "day", "week", "month")
KEPT = {"day": 31, "week": 53, "month": 24}
"""How many past windows are kept when a board or counter does not say."""
MOST = 1_000
"""Windows in one span at most."""
ASK_AGAIN = 60.0
"""Seconds for which the difference of the two clocks is taken to hold."""


@dataclass(frozen=True, order=True)
class Window:
    """One day, week or month: ``start`` <= time < ``end``, seconds since 1970 in UTC.

    ``label`` is what keys call it: ``2026-11-23``, ``2026-W48`` (ISO, from Monday on),
    ``2026-11``; ``all`` has neither start nor end.
    """

    start: int | None
    end: int | None
    kind: Kind
    label: str

    def step(self, count: int) -> Window:
        """The window ``count`` later, earlier when negative. InvalidArgument outside 1-9999."""
        if self.start is None:
            return self
        first = datetime.fromtimestamp(self.start, UTC).date()
        try:
            if self.kind == "month":
                month = first.year * 12 + first.month - 1 + count
                return _of(self.kind, date(month // 12, month % 12 + 1, 1))
            days = count * (7 if self.kind == "week" else 1)
            return _of(self.kind, first + timedelta(days=days))
        except (ValueError, OverflowError) as error:
            raise InvalidArgument(f"there is no window {count} from {self.label}") from error


ALL = Window(None, None, "all", "all")


def window_at(kind: Kind, seconds: float) -> Window:
    """The window of this kind that a time lies in."""
    check_kind(kind)
    return ALL if kind == "all" else _of(kind, datetime.fromtimestamp(seconds, UTC).date())


def named(kind: Kind, label: str) -> Window:
    """The window with this label; InvalidArgument, quoting it, when it is none."""
    check_kind(kind)
    if kind == "all":
        if label == "all":
            return ALL
        raise InvalidArgument(f'"{label}" is no window: the only one is "all"')
    try:
        if kind == "day":
            first = date.fromisoformat(label)
        elif kind == "week":
            first = datetime.strptime(f"{label}-1", "%G-W%V-%u").date()
        else:
            first = datetime.strptime(label, "%Y-%m").date()
        found = _of(kind, first)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.label != label:
        like = {"day": "2026-11-23", "week": "2026-W48", "month": "2026-11"}[kind]
        raise InvalidArgument(f'"{label}" is no {kind}: write it as {like}')
    return found


def span(first: Window, last: Window) -> list[Window]:
    """Every window from the first to the last, both included; [] when they are the wrong way round.

    InvalidArgument for windows of two kinds, or more than 1,000.
    """
    if first.kind != last.kind:
        raise InvalidArgument(f"{first.label} and {last.label} are windows of two kinds")
    found: list[Window] = []
    window = first
    while window.kind == "all" or window <= last:
        found.append(window)
        if window == last or window.kind == "all":
            break
        if len(found) >= MOST:
            raise InvalidArgument(f"{first.label} to {last.label} are more than {MOST} windows")
        window = window.step(1)
    return found


def check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InvalidArgument(f'"{kind}" is no kind of window: {", ".join(KINDS)}')


def _of(kind: Kind, day: date) -> Window:
    if kind == "week":
        first = day - timedelta(days=day.weekday())
        year, week, _ = first.isocalendar()
        return _between(kind, f"{year:04}-W{week:02}", first, first + timedelta(days=7))
    if kind == "month":
        first = day.replace(day=1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        return _between(kind, f"{first:%Y-%m}".rjust(7, "0"), first, after)
    return _between(kind, day.isoformat(), day, day + timedelta(days=1))


def _between(kind: Kind, label: str, first: date, after: date) -> Window:
    start, end = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (first, after))
    return Window(int(start.timestamp()), int(end.timestamp()), kind, label)


class Clock:
    """The server's clock as this process knows it: asked once a minute, counted on in between.

    Writes are checked by the server itself (their script compares TIME with the window), so that
    none ever falls into the wrong window. Where a user may not ask TIME, this machine's clock is
    taken for reading.
    """

    def __init__(self, kind: Kind) -> None:
        check_kind(kind)
        self.kind = kind
        self._server, self._mine = 0.0, float("-inf")
        self._window: Window = ALL

    def window(self, fast: Any) -> Steps[Window]:
        """The window that is open now. No command; once a minute TIME."""
        if self.kind == "all":
            return ALL
        if time.monotonic() - self._mine >= ASK_AGAIN:
            try:
                reply = yield fast.call("TIME")
            except NoPermissionError:
                self.learn((int(time.time()), int(time.time() % 1 * 1e6)))
            else:
                while isinstance(reply, dict):  # a cluster tells of each node
                    reply = next(iter(reply.values()))
                self.learn(reply)
        return self._open()

    def learn(self, reply: Sequence[Any]) -> Window:
        """Take over what the server said: seconds and microseconds. The window open now."""
        self._server, self._mine = int(reply[0]) + int(reply[1]) / 1e6, time.monotonic()
        return self._open()

    def _open(self) -> Window:
        now = self._server + time.monotonic() - self._mine
        known = self._window
        if known.start is None or known.end is None or not known.start <= now < known.end:
            self._window = window_at(self.kind, now)
        return self._window
