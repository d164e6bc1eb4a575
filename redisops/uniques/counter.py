"""Counters of different members, by window, on HyperLogLog."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from redis.crc import key_slot

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.leaderboards.naming import Keys
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, is_cluster
from redisops.windows import KEPT, Clock, Kind, Window, named, span

ERROR = 0.0081
"""Standard error of a count: two of three are at most 0.81 % off, 19 of 20 at most 1.62 %."""
AT_ONCE = 10_000
"""Members of one ``add`` at most."""


def margin(count: int, deviations: float = 2.0) -> int:
    """How far off a count may be: ``count`` +- this, in 19 of 20 cases."""
    return math.ceil(count * ERROR * deviations)


_Own = TypeVar("_Own", bound="_Uniques")


class _Uniques:
    """How many different members there were in each window, as an estimate within 0.81 %.

    A window costs 12 kB at most. ``window``, ``keep`` and ``prefix`` are those of a Leaderboard;
    the keys are ``<prefix>{<name>}:<window>``, all in one slot, so that windows merge on a
    cluster, too. A member counts in the window that is open when the server adds it.
    """

    _path: Any  # how the twin takes the fast path of a client

    def __init__(
        self, redis: Any, name: str | bytes, *, window: Kind = "day", keep: int | None = None,
        prefix: str = "uniques:",
    ) -> None:  # fmt: skip
        self.client = redis
        self.keys = Keys(prefix, name)
        self.window = window
        self.keep = KEPT.get(window, 0) if keep is None else keep
        if self.keep < 0 or self.keep > 5_000:
            raise InvalidArgument(f"{keep} windows cannot be kept: 0 to 5,000 can")
        self.pinned: Window | None = None
        self._clock = Clock(window)
        self._fast: Any = self._path(redis)

    def at(self: _Own, window: Window | str) -> _Own:
        """The counter of one window, past or to come, by its label. No command."""
        counter = object.__new__(type(self))
        counter.__dict__.update(self.__dict__)
        counter.pinned = self._named(window)
        return counter

    @step
    def current(self) -> Steps[Window]:
        """The window that is open now by the server's clock. No command; TIME once a minute."""
        return (yield from self._current())

    def _current(self) -> Steps[Window]:
        if self.pinned is not None:
            return self.pinned
        return (yield from self._clock.window(self._fast))

    @step
    def add(self, *members: str | bytes) -> Steps[bool]:
        """Count up to 10,000 members; whether the count changed. One command."""
        if not members:
            return False
        if len(members) > AT_ONCE:
            raise InvalidArgument(f"{len(members)} members: {AT_ONCE} can be counted at once")
        window = yield from self._current()
        if window.start is None:
            return bool((yield self._fast.call("PFADD", self.keys.of(window), *members)))
        while True:
            last = window.step(self.keep).end
            is_chosen = self.pinned is not None
            ends = ("", "", last) if is_chosen else (window.start, window.end, last)
            reply = yield self._fast.script(
                "uniques_add", (self.keys.of(window),), (*ends, *members)
            )
            if reply[0] != b"window":
                return bool(reply[0])
            window = self._clock.learn(reply[1:])

    @step
    def count(self, window: Window | str | None = None) -> Steps[int]:
        """How many different members in a window, the open one by default. One command."""
        chosen = (yield from self._current()) if window is None else window
        return int((yield self._fast.call("PFCOUNT", self.keys.of(self._named(chosen)))))

    @step
    def counts(self, first: Window | str, last: Window | str) -> Steps[list[tuple[Window, int]]]:
        """The count of each window from first to last; 0 where there is none. One round trip."""
        windows = span(self._named(first), self._named(last))
        counts = yield from _counts(self._fast, [self.keys.of(window) for window in windows])
        return list(zip(windows, counts, strict=True))

    @step
    def merge_count(self, first: Window | str, last: Window | str) -> Steps[int]:
        """How many different members from the first window to the last, each counted once.

        Nothing is stored. One command; about 10 microseconds of the server for each window.
        """
        windows = span(self._named(first), self._named(last))
        if not windows:
            return 0
        keys = [self.keys.of(window) for window in windows]
        return int((yield self._fast.call("PFCOUNT", *keys)))

    def key(self, window: Window | str) -> bytes:
        """The HyperLogLog of a window. No command."""
        return self.keys.of(self._named(window))

    def _named(self, window: Window | str) -> Window:
        chosen = named(self.window, window) if isinstance(window, str) else window
        if chosen.kind != self.window:
            raise InvalidArgument(f"{chosen.label} is no {self.window}")
        return chosen


class Uniques(_Uniques, Blocking):
    __doc__ = _Uniques.__doc__
    _path = Fast.of


class AsyncUniques(_Uniques, Awaiting):
    __doc__ = _Uniques.__doc__
    _path = AsyncFast.of


def _counts(fast: Any, keys: Sequence[bytes]) -> Steps[list[int]]:
    """PFCOUNT of each. One round trip."""
    replies = yield fast.calls([("PFCOUNT", key) for key in keys])
    return [int(checked(reply)) for reply in replies]


def one_slot(client: Any, keys: Sequence[bytes]) -> bool:
    """Whether the server can merge these counters: anywhere but on a cluster it can."""
    return not is_cluster(client) or len({key_slot(key) for key in keys}) < 2
