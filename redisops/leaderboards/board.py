"""Leaderboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar, get_args

from redis.crc import key_slot

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.leaderboards.model import Order, Ties
from redisops.leaderboards.naming import Keys
from redisops.leaderboards.plain import score_word
from redisops.leaderboards.writing import Writing
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import is_cluster
from redisops.windows import KEPT, Clock, Kind, Window, named

MOST_IN_UNION = 1_000_000
_Own = TypeVar("_Own", bound="_Leaderboard")


class _Leaderboard(Writing):
    """Members ranked by score in one sorted set for each window of time.

    Members are bytes (a str is taken as UTF-8), scores any float but NaN, places rows from 0 and
    ranks from 1, by the tie rule: of the scores 9, 7, 7, 5 ``"competition"`` makes 1 2 2 4,
    ``"dense"`` 1 2 2 3, ``"unique"`` 1 2 3 4. Equal scores stand in the order of their names, from
    the last on where the highest score is best (as ZREVRANGE has them); with ``first_wins`` in the
    order in which they were reached, and ranks are unique unless another rule is given.

    ``window`` says what a season is: ``day``, ``week`` (ISO, from Monday on) or ``month`` in UTC by
    the server's clock, or ``all``. A write goes into the window that is open when the server does
    it; a window expires when ``keep`` later ones are over (default 31 days, 53 weeks, 24 months).

    Keys: ``<prefix>{<name>}:<window>``, e.g. ``leaderboard:{race}:2026-W48``, and beside it
    ``:order`` (first-wins) and ``:scores`` (dense), all in one slot of a cluster. Write those
    two kinds only through this class: they keep books of their own. How first-wins
    keeps the scores what they are: the member's name in the sorted set begins with 8 bytes, which
    count who reached a score before whom, so that equal scores sort by it; a hash knows the bytes
    of each member. No bit of the score is given up.

    Reads are plain commands or one script, in one round trip; without the right to run scripts
    plain commands in up to four. A key of another type raises redis.ResponseError, as do all
    refusals of the server.
    """

    _path: Any  # how the twin takes the fast path of a client

    def __init__(
        self,
        redis: Any,
        name: str | bytes,
        *,
        window: Kind = "all",
        ties: Ties | None = None,
        first_wins: bool = False,
        keep: int | None = None,
        order: Order = "high",
        prefix: str = "leaderboard:",
    ) -> None:
        ties = ties or ("unique" if first_wins else "competition")
        if ties not in get_args(Ties):
            raise InvalidArgument(f'"{ties}" is no tie rule: {", ".join(get_args(Ties))}')
        if order not in get_args(Order):
            raise InvalidArgument(f'"{order}" is no order: {", ".join(get_args(Order))}')
        self.client = redis
        self.keys = Keys(prefix, name)
        self.window = window
        self.ties = ties
        self.first_wins = first_wins
        self.order = order
        self.keep = KEPT.get(window, 0) if keep is None else keep
        if self.keep < 0 or self.keep > 5_000:
            raise InvalidArgument(f"{keep} windows cannot be kept: 0 to 5,000 can")
        self.pinned: Window | None = None
        self._clock = Clock(window)
        self._fast: Any = self._path(redis)

    @classmethod
    def over(
        cls: type[_Own],
        redis: Any,
        key: str | bytes,
        *,
        ties: Ties | None = None,
        order: Order = "high",
        first_wins: bool = False,
    ) -> _Own:
        """Any sorted set as a board, whoever wrote it, without windows.

        ``first_wins`` and dense ranks are for a key that a board of that kind writes (or that
        only this one writes): its books lie beside it, as ``<key>:order`` and ``<key>:scores``, on
        a cluster in the same slot only if the key has a hash tag (InvalidArgument otherwise).
        Where the book of scores does not know the score, dense ranks are None. ``details`` are in
        the hash ``<key>:details``.
        """
        raw = key.encode() if isinstance(key, str) else key
        board = cls(redis, "over", ties=ties, order=order, first_wins=first_wins)
        slots = {key_slot(one) for one in board._keys_of(raw)}
        if len(slots) > 1 and is_cluster(redis):
            raise InvalidArgument("on a cluster such a board has a hash tag in its key")
        board.keys = Keys("", "over", raw)
        return board

    def at(self: _Own, window: Window | str) -> _Own:
        """The board of one window, past or to come, by its label (``2026-W48``). No command."""
        chosen = named(self.window, window) if isinstance(window, str) else window
        if chosen.kind != self.window:
            raise InvalidArgument(f"{chosen.label} is no {self.window}")
        board = self._copy()
        board.pinned = chosen
        return board

    def archive(self: _Own, label: str | bytes) -> _Own:
        """The board that ``reset(archive_to=label)`` kept, to read. No command."""
        board = self._copy()
        board.keys = Keys("", "archive", self.keys.archive(label))
        board.keys.details = self.keys.details
        board.window, board._clock, board.pinned = "all", Clock("all"), None
        return board

    @step
    def union(
        self,
        boards: Sequence[_Leaderboard],
        into: str | bytes,
        *,
        how: Literal["sum", "max", "min"] = "sum",
        weights: Sequence[float] | None = None,
        ttl: int | None = 3600,
        most: int = MOST_IN_UNION,
    ) -> Steps[int]:
        """Make the sorted set ``into`` (a whole key, replaced) of these boards; its members.

        It costs the server about a second for a million members, in which it does nothing else:
        with more than ``most`` members in all of them InvalidArgument is raised and nothing
        changes. It expires after ``ttl`` seconds (None: never); ``Leaderboard.over(redis, into)``
        reads it. On a cluster all keys must be in one slot: windows of one board are, and
        ``union_key(label)`` is. First-wins boards cannot be added up: their names are marked.
        One command.
        """
        if not boards or len(boards) > 1_000:
            raise InvalidArgument(f"a union of {len(boards)} boards: 1 to 1,000 can be added up")
        if any(board.first_wins for board in boards):
            raise InvalidArgument("boards in which the first wins cannot be added up")
        if how not in ("sum", "max", "min"):
            raise InvalidArgument(f'"{how}" is no way to add boards up: sum, max, min')
        weighed = [score_word(weight) for weight in weights or [1.0] * len(boards)]
        if len(weighed) != len(boards):
            raise InvalidArgument(f"{len(weighed)} weights for {len(boards)} boards")
        keys = [into.encode() if isinstance(into, str) else into]
        for board in boards:
            keys.append((yield from board._key()))
        if is_cluster(self.client) and len({key_slot(key) for key in keys}) > 1:
            raise InvalidArgument("on a cluster only boards of one slot can be added up")
        size, total = yield self._fast.script(
            "board_union", keys, (most, "" if ttl is None else ttl, how.upper(), *weighed)
        )
        if size < 0:
            raise InvalidArgument(f"{total:,} members are more than {most:,} at once")
        return int(size)

    def union_key(self, label: str) -> bytes:
        """A key in the slot of this board, for a union of its windows."""
        return self.keys.start + b"union:" + label.encode()

    def key(self, window: Window | str) -> bytes:
        """The sorted set of a window, by its label. No command; ``current()`` tells the window."""
        chosen = named(self.window, window) if isinstance(window, str) else window
        return self.keys.of(chosen)

    def _copy(self: _Own) -> _Own:
        board = object.__new__(type(self))
        board.__dict__.update(self.__dict__)
        return board


class Leaderboard(_Leaderboard, Blocking):
    __doc__ = _Leaderboard.__doc__
    _path = Fast.of


class AsyncLeaderboard(_Leaderboard, Awaiting):
    __doc__ = _Leaderboard.__doc__
    _path = AsyncFast.of
