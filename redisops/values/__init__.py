"""Read a value of any type and any size, one page at a time.

Nothing here reads a whole collection: a page of a million-member sorted set costs what a
page of a small one costs. See :mod:`redisops.values.pages` for what comes back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack

from redis.exceptions import NoPermissionError, ResponseError

from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values import (
    calls,
    downloads,
    facts,
    lists,
    modules,
    scanned,
    sorted_sets,
    streams,
    strings,
)
from redisops.values.common import facts as about
from redisops.values.downloads import ValueChanged
from redisops.values.facts import KeyRow
from redisops.values.options import Options, View
from redisops.values.pages import ChangedPage, PendingSummary, StreamConsumer, ValuePage
from redisops.values.positions import Changed

__all__ = ["AsyncValues", "ValueChanged", "Values"]


class _Values:
    """The values of one server, read in pages."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def read(
        self, key: bytes, *, at: str | None = None, count: int = 100, **options: Unpack[Options]
    ) -> Steps[ValuePage | None]:
        """One page of the key's value; None when there is no such key. Two round trips.

        ``at`` is the ``next`` or ``previous`` of an earlier page; ``count`` the number of
        rows (1 to 1,000), fewer when elements are large: a page holds about 1 MiB. See
        :class:`Options` for the views of each type. When the key changes its type or goes
        away meanwhile the result is a ``ChangedPage``. Raises InvalidArgument for an option
        or position that breaks a rule, redis.exceptions.NoPermissionError for a key or a
        type's commands that are out of this user's reach.
        """
        view = View(count=count, **options)
        [described] = yield from facts.describe(self.redis, [key], head=strings.HEAD)
        if described is None:
            return None
        row, head = described
        if row.type == facts.UNKNOWN:
            what = "the key" if facts.OUT_OF_REACH in row.missing else "the TYPE command"
            raise NoPermissionError(f"this user has no permissions to access {what}")
        try:
            return (yield from self._page(row, head, at, view))
        except Changed as changed:
            was = str(changed)
        except ResponseError as error:
            if not calls.is_wrong_type(error):
                raise
            was = row.type
        [described] = yield from facts.describe(self.redis, [key])
        now = described[0] if described else KeyRow(key, "none")
        return ChangedPage(**about(now), was=was)

    def _page(self, row: KeyRow, head: bytes, at: str | None, view: View) -> Steps[ValuePage]:
        match row.type:
            case "string":
                return (yield from strings.read(self.redis, row, at, view, head))
            case "list":
                return (yield from lists.read(self.redis, row, at, view))
            case "hash":
                return (yield from scanned.read_hash(self.redis, row, at, view))
            case "set":
                return (yield from scanned.read_set(self.redis, row, at, view))
            case "zset":
                return (yield from sorted_sets.read(self.redis, row, at, view))
            case "stream":
                return (yield from streams.read(self.redis, row, at, view))
            case modules.JSON:
                return (yield from modules.read_json(self.redis, row, view))
            case _:
                return (yield from modules.read_other(self.redis, row, view))

    @step
    def consumers(
        self, key: bytes, group: bytes, *, count: int = 1000
    ) -> Steps[list[StreamConsumer]]:
        """The first ``count`` consumers of a stream's group. One round trip.

        Raises redis.ResponseError when there is no such stream or group.
        """
        return (yield from streams.consumers(self.redis, key, group, count))

    @step
    def pending(
        self, key: bytes, group: bytes, *, at: str | None = None, count: int = 100,
        consumer: bytes | None = None,
    ) -> Steps[PendingSummary]:  # fmt: skip
        """A page of the group's pending entries, oldest first, with the sums. One round trip.

        Raises redis.ResponseError when there is no such stream or group.
        """
        return (yield from streams.pending(self.redis, key, group, at, count, consumer))

    @step
    def _chunk(self, download: downloads.Download) -> Steps[bytes]:
        return (yield from download.chunk(self.redis))


class Values(_Values, Blocking):
    """The values of one server, read in pages by a blocking client."""

    def chunks(self, key: bytes, size: int = 64 * 1024) -> Iterator[bytes]:
        """The whole value as a stream of bytes, a window of it in memory at a time.

        A string gives its bytes. A collection gives JSON lines: a header, one line for each
        row, and a last line that says how many rows there were and whether the key changed
        meanwhile (see docs/redisops/values.md). Bytes that are not UTF-8 stand as
        ``{"base64": "..."}``. A string that is seen to change while it is read raises
        ``ValueChanged``, because the bytes already given are then of no use; other types
        are read as they are. Nothing comes out when there is no such key. One round trip
        for each chunk, and a few to begin and to end.
        """
        download = downloads.Download(key, size)
        while not download.done:
            if chunk := self._chunk(download):
                yield chunk


class AsyncValues(_Values, Awaiting):
    """The values of one server, read in pages by an awaiting client."""

    async def chunks(self, key: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
        """As ``Values.chunks``, to be iterated with ``async for``."""
        download = downloads.Download(key, size)
        while not download.done:
            if chunk := await self._chunk(download):
                yield chunk
