"""Many boards at once, for a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, is_refused, is_wrong_type
from redisops.values.sorted_sets import scored

MOST = 500
"""Boards that one call looks at."""


@dataclass(frozen=True)
class Glance:
    """``size`` members and the first of them; ``why`` is "" or what kept it from being told:
    "type" (another type is there), "refused" (this user may not read the key), "error"."""

    size: int = 0
    member: bytes | None = None
    score: float = 0.0
    why: str = ""


class _Boards:
    """Sorted sets of one server or cluster."""

    _path: Any  # how the twin takes the fast path of a client

    def __init__(self, redis: Any) -> None:
        self._fast = self._path(redis)

    @step
    def glance(self, keys: Sequence[tuple[bytes, bool]]) -> Steps[list[Glance]]:
        """Size and best member of up to 500 keys, each with whether the highest score is best.

        In their order; of an absent key the size is 0. Two commands a key, one round trip.
        """
        asked: list[tuple[Any, ...]] = []
        for key, is_high in keys[:MOST]:
            first = "ZREVRANGE" if is_high else "ZRANGE"
            asked += [("ZCARD", key), (first, key, 0, 0, "WITHSCORES")]
        replies = yield self._fast.calls(asked)
        return [_glance(*replies[at : at + 2]) for at in range(0, len(replies), 2)]

    @step
    def scores(self, key: bytes, members: Sequence[bytes]) -> Steps[list[float | None]]:
        """The scores of up to 1,000 members of one sorted set, None for who is not in it.

        Not of boards in which the first wins, whose names are marked. A command a member, one
        round trip. Raises redis.ResponseError for a key of another type.
        """
        asked = [("ZSCORE", key, member) for member in members[: 2 * MOST]]
        replies = yield self._fast.calls(asked)
        return [None if one is None else float(one) for one in map(checked, replies)]


def _glance(size: Any, best: Any) -> Glance:
    for reply in (size, best):
        if isinstance(reply, Exception):
            why = "type" if is_wrong_type(reply) else "refused" if is_refused(reply) else "error"
            return Glance(why=why)
    rows = scored(best)
    return Glance(int(size), *rows[0]) if rows else Glance(int(size))


class Boards(_Boards, Blocking):
    """Sorted sets of one server or cluster, through a blocking client."""

    _path = Fast.of


class AsyncBoards(_Boards, Awaiting):
    """Sorted sets of one server or cluster, through an awaiting client."""

    _path = AsyncFast.of
