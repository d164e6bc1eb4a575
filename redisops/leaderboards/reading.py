"""Reading a board: one script in one round trip, or plain commands where scripts are refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoPermissionError, NoScriptError

from redisops.errors import InvalidArgument
from redisops.leaderboards.model import Histogram, Look, Season, Standing
from redisops.leaderboards.naming import Keys, beside
from redisops.leaderboards.plain import Plain, Rows, histogram_of, score_word
from redisops.steps import Steps, step
from redisops.values.calls import ASK_AGAIN, checked, is_out_of_reach, known
from redisops.values.sorted_sets import scored
from redisops.windows import MOST, Clock, Window

PAGE = 10_000
"""Rows that one call gives at most."""
BUCKETS = 200
"""Buckets of a histogram at most."""


class Reading(Plain):
    """What a board says."""

    client: Any
    keys: Keys
    keep: int
    pinned: Window | None
    _clock: Clock

    @step
    def current(self) -> Steps[Window]:
        """The window that reads and writes go to: open now by the server's clock, or chosen.

        No command; TIME once a minute where there are windows.
        """
        return (yield from self._current())

    @step
    def page(self, start: int = 0, count: int = 100) -> Steps[list[Standing]]:
        """``count`` members (at most 10,000) from place ``start`` on, the best being at 0.

        One command.
        """
        look = yield from self._page(start, count)
        return list(look.standings)

    @step
    def look(self, start: int = 0, count: int = 100) -> Steps[Look]:
        """A page and the number of all members: for who looks again and again. O(page).

        Two commands in one round trip; one when the ties of a later page need a script.
        """
        return (yield from self._page(start, count, sized=True))

    @step
    def around(self, member: str | bytes, neighbours: int = 5) -> Steps[list[Standing]]:
        """The member among up to ``neighbours`` on each side, best first; [] when it is not there.

        One command. ``place`` tells which row is which.
        """
        if not 0 <= neighbours <= PAGE // 2:
            raise InvalidArgument(f"{neighbours} neighbours: 0 to {PAGE // 2} can be told")
        return (yield from self._rows("member", neighbours, PAGE, member)).standings

    @step
    def rank(self, member: str | bytes) -> Steps[Standing | None]:
        """Where the member stands, with its score; None when it is not there. One command."""
        found = yield from self._rows("member", 0, 1, member)
        return found.standings[0] if found.standings else None

    @step
    def by_score(
        self, low: float, high: float, start: int = 0, count: int = 100
    ) -> Steps[list[Standing]]:
        """Members with ``low`` <= score <= ``high``, best first, without the first ``start``.

        One command.
        """
        check_page(start, count)
        ends = (score_word(low), score_word(high))
        return (yield from self._rows("score", start, count, *ends)).standings

    @step
    def percentile(self, member: str | bytes) -> Steps[float | None]:
        """Per cent of all members that are not better than this one, itself included.

        The best has 100. Equal scores have the same, except where ranks are unique. None when it
        is not there. One command.
        """
        found = yield from self._rows("member", 0, 1, member)
        if not found.standings:
            return None
        better = found.place if self.ties == "unique" else found.better
        return 100.0 * (found.size - better) / found.size

    @step
    def at_percentile(self, percent: float) -> Steps[Standing | None]:
        """The member that has the top ``100 - percent`` per cent of places before it.

        0 gives the last, 50 the median, 100 the best; None of an empty board. One command.
        """
        found = yield from self._rows("share", share_of(percent), 1)
        return found.standings[0] if found.standings else None

    @step
    def count(self) -> Steps[int]:
        """How many members there are. One command."""
        key = yield from self._key()
        return int((yield self._fast.call("ZCARD", key)))

    @step
    def histogram(self, buckets: int = 20) -> Steps[Histogram]:
        """All members by score, in up to 200 buckets of one width. One command, nothing sampled."""
        if not 1 <= buckets <= BUCKETS:
            raise InvalidArgument(f"{buckets} buckets: 1 to {BUCKETS} can be counted")
        key = yield from self._key()
        if not known(self.client).refused():
            try:
                reply = yield self._fast.script(
                    "board_histogram", (key,), (buckets,), repeatable=True
                )
                return histogram_of(*reply, wanted=buckets)
            except NoPermissionError as error:
                self._refused(error)
        return (yield from self._histogram_by_commands(key, buckets))

    @step
    def windows(self, count: int | None = None) -> Steps[list[Season]]:
        """This window and those before it, newest first: as many as are kept, at most 1,000.

        ``count``: no more than so many. One round trip, a command for each window.
        """
        if count is not None and count < 1:
            raise InvalidArgument(f"{count} windows are asked for: 1 or more can be told")
        newest = yield from self._current()
        wanted = 1 if newest.kind == "all" else min(count or MOST, self.keep + 1, MOST)
        found = [newest.step(-back) for back in range(wanted)]
        keys = [self.keys.of(window) for window in found]
        sizes = yield self._fast.calls([("ZCARD", key) for key in keys])
        return [
            Season(window, key, int(checked(size)))
            for window, key, size in zip(found, keys, sizes, strict=True)
        ]

    @step
    def details(self, members: Sequence[str | bytes]) -> Steps[list[bytes | None]]:
        """What is known of each member beside its score, in their order. One command."""
        if not members:
            return []
        if len(members) > PAGE:
            raise InvalidArgument(f"details of {len(members)} members: {PAGE} are told at once")
        found: list[bytes | None] = yield self._fast.call("HMGET", self.keys.details, *members)
        return found

    def _current(self) -> Steps[Window]:
        if self.pinned is not None:
            return self.pinned
        return (yield from self._clock.window(self._fast))

    def _key(self) -> Steps[bytes]:
        return self.keys.of((yield from self._current()))

    def _keys_of(self, key: bytes) -> list[bytes]:
        """A window's sorted set and the books beside it, if this kind of board keeps any."""
        is_kept = self.first_wins or self.ties == "dense"
        return [key, *beside(key)] if is_kept else [key]

    def _page(self, start: int, count: int, *, sized: bool = False) -> Steps[Look]:
        check_page(start, count)
        if start and self.ties != "unique":
            found = yield from self._rows("place", start, count)
            return Look(found.size, tuple(found.standings))
        key = yield from self._key()
        page = (self._range, key, start, start + count - 1, "WITHSCORES")
        if sized:
            size, reply = map(checked, (yield self._fast.calls([("ZCARD", key), page])))
        else:
            size, reply = 0, (yield self._fast.call(*page))
        return Look(int(size), tuple(self._standings(start, 0, 0, scored(reply))))

    def _rows(self, what: str, start: float, count: int, *more: Any) -> Steps[Rows]:
        """One ask of ``board_rows.lua``, or what stands for it."""
        key = yield from self._key()
        keys = self._keys_of(key)
        if not known(self.client).refused():
            script = self._asking(keys, what, start, count, *more)
            try:
                reply = yield self._fast.script(*script, repeatable=True)
            except NoPermissionError as error:
                self._refused(error)
            else:
                return self._told(*reply)
        return (yield from self._by_commands(keys, what, start, count, *more))

    def _asking(
        self, keys: list[bytes], what: str, start: float, count: int, *more: Any
    ) -> tuple[str, list[bytes], tuple[Any, ...]]:
        arguments = (self.order, int(self.first_wins), self.ties, what, start, count, *more)
        return "board_rows", keys, (*arguments, *[""] * (8 - len(arguments)))

    def _refused(self, error: NoPermissionError) -> None:
        """This user may not run scripts: remember it for a minute. Raises what is about a key."""
        if is_out_of_reach(error) or isinstance(error, NoScriptError):
            raise error
        known(self.client).refused_until = time.monotonic() + ASK_AGAIN


def share_of(percent: float) -> float:
    """The share of all that is before the member at a percentile."""
    if not 0 <= percent <= 100:
        raise InvalidArgument(f"{percent!r} is no per cent: 0 to 100 is")
    return (100 - percent) / 100


def check_page(start: int, count: int) -> None:
    if start < 0 or not 1 <= count <= PAGE:
        raise InvalidArgument(f"{count} rows from {start}: 1 to {PAGE} rows from 0 on can be told")
