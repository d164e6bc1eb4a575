"""What a board's replies mean, and how it is read by plain commands where scripts are refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from redisops.errors import InvalidArgument
from redisops.leaderboards.model import Bucket, Histogram, Order, Standing, Ties
from redisops.steps import Steps
from redisops.values.calls import checked
from redisops.values.sorted_sets import scored

MARK = 8
"""Bytes before a member's name in a first-wins board."""
WHOLE = 20
"""Whole numbers that a bucket has at most where its width is made one of them."""


class Plain:
    """Without the right to run scripts: the same, in up to four round trips, not of one moment."""

    order: Order
    ties: Ties
    first_wins: bool
    _fast: Any

    @property
    def _range(self) -> str:
        return "ZREVRANGE" if self.order == "high" else "ZRANGE"

    def _told(
        self, size: int, place: int = 0, better: int = 0, scores: int = 0, rows: Any = ()
    ) -> Rows:
        standings = self._standings(place, better, scores, scored(rows))
        return Rows(int(size), int(place), int(better), standings)

    def _standings(
        self, place: int, better: int, scores: int, rows: Sequence[tuple[bytes, float]]
    ) -> list[Standing]:
        """Ranks by the tie rule, from how many members and scores are better than the first row."""
        found: list[Standing] = []
        rank = (scores if self.ties == "dense" else better) + 1
        is_known = rank > 0
        before: float | None = None
        for at, (member, score) in enumerate(rows, place):
            if self.ties == "unique":
                rank = at + 1
            elif before is not None and score != before:
                rank = rank + 1 if self.ties == "dense" else at + 1
            before = score
            found.append(Standing(self._member(member), score, rank if is_known else None, at))
        return found

    def _member(self, name: bytes) -> bytes:
        return name[MARK:] if self.first_wins else name

    def _by_commands(
        self, keys: list[bytes], what: str, start: float, count: int, *more: Any
    ) -> Steps[Rows]:
        """What board_rows.lua returns, in up to four round trips: not of one moment."""
        key, high = keys[0], self.order == "high"
        first, last = int(start), int(start) + count - 1
        if what == "member":
            name = more[0].encode() if isinstance(more[0], str) else bytes(more[0])
            if self.first_wins:
                mark = yield self._fast.call("HGET", keys[1], b":" + name)
                name = (mark or b"") + name if mark else b""
            rank = "ZREVRANK" if high else "ZRANK"
            size, place = map(
                checked, (yield self._fast.calls([("ZCARD", key), (rank, key, name)]))
            )
            if place is None:
                return self._told(size)
            first, last = max(int(place) - int(start), 0), int(place) + int(start)
        elif what == "score":
            ahead = self._better(key, more[1] if high else more[0])
            size, before, within = map(
                checked,
                (yield self._fast.calls([("ZCARD", key), ahead, ("ZCOUNT", key, *more[:2])])),
            )
            first, last = before + int(start), before + min(int(start) + count, within) - 1
        else:
            size = yield self._fast.call("ZCARD", key)
            if what == "share":
                first = last = min(math.floor(size * start), size - 1)
        if first > last or first >= size or first < 0:
            return self._told(size)
        reply = yield self._fast.call(self._range, key, first, last, "WITHSCORES")
        rows = scored(reply)
        if not rows or self.ties == "unique":
            return self._told(size, first, first, 0, reply)
        score = score_word(rows[0][1])
        asked = [self._better(key, score)]
        if self.ties == "dense":
            asked += [self._better(keys[2], score), ("ZCOUNT", keys[2], score, score)]
        counts = [checked(one) for one in (yield self._fast.calls(asked))]
        scores = 0
        if self.ties == "dense":
            scores = counts[1] if counts[2] else -1
        return self._told(size, first, counts[0], scores, reply)

    def _shares_by_commands(
        self, keys: list[bytes], shares: Sequence[float]
    ) -> Steps[list[Standing | None]]:
        """The member at each share of all, from the top: in up to three round trips."""
        size = int((yield self._fast.call("ZCARD", keys[0])))
        if not size or not shares:
            return [None] * len(shares)
        places = [min(math.floor(size * share), size - 1) for share in shares]
        rows = yield self._fast.calls(
            [(self._range, keys[0], place, place, "WITHSCORES") for place in places]
        )
        found = [scored(checked(row)) for row in rows]
        asked: list[tuple[Any, ...]] = []
        for one in found:
            score = score_word(one[0][1]) if one else "0"
            asked.append(self._better(keys[0], score))
            if self.ties == "dense":
                asked += [self._better(keys[2], score), ("ZCOUNT", keys[2], score, score)]
        counts = [int(checked(one)) for one in (yield self._fast.calls(asked))]
        told: list[Standing | None] = []
        each = len(asked) // len(found)
        for at, (place, one) in enumerate(zip(places, found, strict=True)):
            better, *books = counts[at * each : (at + 1) * each]
            scores = (books[0] if books[1] else -1) if books else 0
            told += self._standings(place, better, scores, one) or [None]
        return told

    def _better(self, key: bytes, score: str) -> tuple[Any, ...]:
        if self.order == "high":
            return ("ZCOUNT", key, f"({score}", "+inf")
        return ("ZCOUNT", key, "-inf", f"({score}")

    def _histogram_by_commands(self, key: bytes, buckets: int) -> Steps[Histogram]:
        one = ("WITHSCORES", "LIMIT", 0, 1)
        replies = yield self._fast.calls(
            [
                ("ZCARD", key),
                ("ZCOUNT", key, "-inf", "-inf"),
                ("ZCOUNT", key, "+inf", "+inf"),
                ("ZRANGEBYSCORE", key, "(-inf", "(+inf", *one),
                ("ZREVRANGEBYSCORE", key, "(+inf", "(-inf", *one),
            ]
        )
        size, below, above, low, high = map(checked, replies)
        if not low or not high:
            return histogram_of(size, below, above, "", "", [], wanted=buckets)
        ends = scored(low)[0][1], scored(high)[0][1]
        edges = _edges(*ends, buckets)
        asked = [
            ("ZCOUNT", key, repr(edges[at]), f"({edge!r}" if at + 2 < len(edges) else repr(ends[1]))
            for at, edge in enumerate(edges[1:])
        ]
        counts = [checked(count) for count in (yield self._fast.calls(asked))]
        return histogram_of(size, below, above, *ends, counts, wanted=buckets)


class Rows:
    """Standings, with what a percentile is made of."""

    __slots__ = ("better", "place", "size", "standings")

    def __init__(self, size: int, place: int, better: int, standings: list[Standing]) -> None:
        self.size, self.place, self.better = size, place, better
        self.standings = standings


def score_word(value: float) -> str:
    """A score as the server reads it; InvalidArgument for NaN and what is no number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgument(f"{value!r:.80} is no score: a number is") from error
    if math.isnan(number):
        raise InvalidArgument("NaN is no score: it is neither above nor below another")
    return repr(number)


def _edges(low: float, high: float, buckets: int) -> list[float]:
    """Where the buckets begin, and where the last one ends, as board_histogram.lua has them."""
    if low == high:
        return [low, high]
    count = buckets
    if low % 1 == 0 and high % 1 == 0 and high - low < WHOLE * count:
        step = math.ceil((high - low + 1) / count)
        count = math.ceil((high - low + 1) / step)
        return [low + step * n for n in range(count + 1)]
    between = [low * (1 - n / count) + high * (n / count) for n in range(1, count)]
    return [low, *between, high]


def histogram_of(
    size: Any, below: Any, above: Any, low: Any, high: Any, counts: Any, *, wanted: int
) -> Histogram:
    if not counts:
        return Histogram(int(size), (), int(below), int(above))
    edges = _edges(float(low), float(high), wanted)
    buckets = tuple(Bucket(edges[at], edges[at + 1], int(count)) for at, count in enumerate(counts))
    return Histogram(int(size), buckets, int(below), int(above))
