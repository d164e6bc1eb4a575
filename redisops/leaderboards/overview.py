"""Several readings of a board at once: what a page about it shows, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoPermissionError

from redisops.errors import InvalidArgument
from redisops.leaderboards.model import Histogram, Overview, Standing
from redisops.leaderboards.plain import Rows, histogram_of
from redisops.leaderboards.reading import BUCKETS, PAGE, Reading, check_page, share_of
from redisops.steps import Steps, step
from redisops.values.calls import checked, known

SHARES = 100
"""Per cents that one call tells at most."""


class Viewing(Reading):
    """What a board says to who looks at much of it."""

    @step
    def overview(
        self,
        *,
        start: int | None = None,
        count: int = 100,
        member: str | bytes | None = None,
        neighbours: int = 5,
        buckets: int = 0,
        percents: Sequence[float] = (),
    ) -> Steps[Overview]:
        """Any of ``page``, ``around`` with ``percentile``, ``histogram`` and ``at_percentile``.

        What is not asked for costs nothing: ``start`` asks for a page of ``count`` rows, ``member``
        for the rows around it, ``buckets`` for the histogram, ``percents`` (at most 100) for who
        stands there. A command for each, all in one round trip (each of its own moment); without
        the right to run scripts up to twelve round trips, however many per cents.
        """
        if start is not None:
            check_page(start, count)
        if not 0 <= neighbours <= PAGE // 2:
            raise InvalidArgument(f"{neighbours} neighbours: 0 to {PAGE // 2} can be told")
        if not 0 <= buckets <= BUCKETS:
            raise InvalidArgument(f"{buckets} buckets: 0 to {BUCKETS} can be counted")
        if len(percents) > SHARES:
            raise InvalidArgument(f"{len(percents)} per cents: {SHARES} are told at once")
        shares = [share_of(percent) for percent in percents]
        asked: list[tuple[Any, ...]] = []
        if start is not None:
            asked.append(("place", start, count))
        if member is not None:
            asked.append(("member", neighbours, PAGE, member))
        key = yield from self._key()
        keys = self._keys_of(key)
        found = None
        if not known(self.client).refused():
            found = yield from self._by_scripts(keys, asked, shares, buckets)
        if found is None:
            found = yield from self._in_turn(keys, asked, shares, buckets)
        rows, told, histogram = found
        sizes = [one.size for one in rows] + ([histogram.size] if histogram else [])
        page = rows.pop(0) if start is not None else None
        near = rows.pop(0) if member is not None else None
        return Overview(
            sizes[0] if sizes else (yield from self._size(key)),
            tuple(page.standings) if page else (),
            tuple(near.standings) if near else (),
            self._share_of(near, member) if near and member is not None else None,
            histogram,
            tuple(told),
        )

    def _by_scripts(
        self, keys: list[bytes], asked: Sequence[Any], shares: Sequence[float], buckets: int
    ) -> Steps[_Found | None]:
        """In one round trip; None when this user may not run scripts."""
        scripts: list[Any] = [self._asking(keys, *one) for one in asked]
        scripts += [self._asking(keys, "share", share, 1) for share in shares]
        if buckets:
            scripts.append(("board_histogram", keys[:1], (buckets,)))
        try:
            replies = [
                checked(reply) for reply in (yield self._fast.scripts(scripts, repeatable=True))
            ]
        except NoPermissionError as error:
            self._refused(error)
            return None
        histogram = histogram_of(*replies.pop(), wanted=buckets) if buckets else None
        rows = [self._told(*reply) for reply in replies]
        one_each = [found.standings[0] if found.standings else None for found in rows[len(asked) :]]
        return rows[: len(asked)], one_each, histogram

    def _in_turn(
        self, keys: list[bytes], asked: Sequence[Any], shares: Sequence[float], buckets: int
    ) -> Steps[_Found]:
        rows: list[Rows] = []
        for one in asked:
            rows.append((yield from self._by_commands(keys, *one)))
        told = yield from self._shares_by_commands(keys, shares)
        histogram = None
        if buckets:
            histogram = yield from self._histogram_by_commands(keys[0], buckets)
        return rows, told, histogram

    def _size(self, key: bytes) -> Steps[int]:
        return int((yield self._fast.call("ZCARD", key)))

    def _share_of(self, near: Rows, member: str | bytes) -> float | None:
        """The percentile of a member among the rows around it."""
        name = member.encode() if isinstance(member, str) else bytes(member)
        own = next((one for one in near.standings if one.member == name), None)
        if own is None or own.place is None:
            return None
        better = own.place
        if self.ties != "unique":
            at = next(n for n, one in enumerate(near.standings) if one.score == own.score)
            better = near.place + at if at else near.better
        return 100.0 * (near.size - better) / near.size


_Found = tuple[list[Rows], list[Standing | None], Histogram | None]
