"""Cutting a stream at its old end: what goes, and what each consumer group would lose by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.info import MOST_GROUPS, named
from redisops.streams.model import is_id
from redisops.values import calls

LOOK = 10_000
"""Entries that a preview looks at, at most; what lies beyond is told as not counted."""
BATCH = 100


@dataclass(frozen=True)
class Trim:
    """Keep the newest ``max_length`` entries, or those from ``min_id`` on: one of both.

    ``approximate`` lets the server keep up to a node (100 entries by default) more, which is
    much cheaper for it. Raises InvalidArgument for a rule that is none.
    """

    max_length: int | None = None
    min_id: str | None = None
    approximate: bool = False

    def __post_init__(self) -> None:
        if (self.max_length is None) == (self.min_id is None):
            raise InvalidArgument("trim by a length or by an id: one of both")
        if self.max_length is not None and not 0 <= self.max_length < 2**63:
            raise InvalidArgument(f"{self.max_length} is no number of entries to keep")
        if self.min_id is not None and not is_id(self.min_id):
            raise InvalidArgument(f'"{self.min_id[:60]}" is no entry id, as 1700000000000-0')

    @property
    def words(self) -> tuple[Any, ...]:
        """As XTRIM takes it."""
        rule = ("MAXLEN", self.max_length) if self.min_id is None else ("MINID", self.min_id)
        return (rule[0], "~" if self.approximate else "=", rule[1])


@dataclass(frozen=True)
class GroupLoss:
    """What a group would lose: entries in hand, and entries that it has not read.

    None where that is not known; a pending entry that is gone can be claimed by nobody.
    """

    name: bytes
    pending: int | None
    unread: int | None

    @property
    def is_safe(self) -> bool:
        return self.pending == 0 and self.unread == 0


@dataclass(frozen=True)
class Preview:
    """What a trim would do now. ``going`` is None when more than ``LOOK`` entries would go.

    ``first_kept`` is the id of the oldest entry that stays, "" for none, None where that was not
    reached. An approximate trim takes at most this.
    """

    length: int
    going: int | None
    first_kept: str | None
    groups: tuple[GroupLoss, ...]

    @property
    def is_nothing(self) -> bool:
        return self.going == 0


class StreamGone(InvalidArgument):
    """There is no stream of that name."""


class _Trimming:
    """Trims one stream."""

    _fast: Any

    def __init__(self, redis: Any, key: bytes) -> None:
        self.redis = redis
        self.key = key

    @step
    def preview(self, trim: Trim) -> Steps[Preview]:
        """What ``trim`` would take and what each group would lose. One round trip, no write.

        Raises ``calls.ScriptsRefused`` without the right to scripts that read, StreamGone,
        redis-py's ResponseError for another type.
        """
        how, value = ("id", trim.min_id) if trim.max_length is None else ("length", trim.max_length)
        [reply] = yield from calls.run(
            self.redis,
            [calls.Call("stream_trim_facts", self.key, (how, value, LOOK, BATCH, MOST_GROUPS))],
        )
        if isinstance(reply, ResponseError) and "no such key" in str(reply):
            raise StreamGone("There is no stream of this name.")
        length, going, stays, *groups = calls.checked(reply)
        is_known = going >= 0
        kept = stays.decode() if isinstance(stays, bytes) else str(stays)
        empties = is_known and going == length
        return Preview(
            length, going if is_known else None, kept or ("" if empties else None),
            tuple(_loss(row, lost, length, going if is_known else None) for row, lost in groups),
        )  # fmt: skip

    @step
    def trim(self, trim: Trim) -> Steps[int]:
        """How many entries went. One command, sent once: UnknownResult when its reply is lost."""
        return int((yield self._fast.call("XTRIM", self.key, *trim.words)))


class Trimming(_Trimming, Blocking):
    """Trims one stream, blocking."""

    def __init__(self, redis: Any, key: bytes) -> None:
        super().__init__(redis, key)
        self._fast = Fast.of(redis)


class AsyncTrimming(_Trimming, Awaiting):
    """Trims one stream, awaiting."""

    def __init__(self, redis: Any, key: bytes) -> None:
        super().__init__(redis, key)
        self._fast = AsyncFast.of(redis)


def _loss(row: Any, pending: int, length: int, going: int | None) -> GroupLoss:
    """A group's unread entries are the newest ``lag``: those beyond what stays are lost."""
    about = named(row)
    lag = about.get("lag")
    unread = 0 if lag == 0 or going == 0 else None
    if lag is not None and going is not None:
        unread = max(lag - (length - going), 0)
    return GroupLoss(about["name"], pending if pending >= 0 else None, unread)
