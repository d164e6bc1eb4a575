"""One stream: add, read both ways, trim, delete."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redisops.connection.waiting import waiting
from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.keys import hash_tag
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.model import Entry, Fields, entries, flat
from redisops.tail import AsyncTail, Tail

WINDOW = 3_600.0
MOST_AT_ONCE = 10_000
MOST_KEYED_FIELDS = 3_900  # a script cannot hand more arguments to one command


class _Stream:
    """One stream. ``redis`` is what ``connect`` gave, or a plain redis-py client.

    Fields may be a mapping or pairs; repeats of a name are kept, and names and values come back
    as bytes. Every method is one command and one round trip unless it says otherwise. Raises
    redis.ResponseError (WRONGTYPE) when the key is no stream.
    """

    _fast: Any

    def __init__(self, redis: Any, key: bytes | str) -> None:
        self.redis = redis
        self.key = key.encode() if isinstance(key, str) else bytes(key)

    @step
    def add(
        self,
        fields: Fields,
        *,
        id: str = "*",
        max_length: int | None = None,
        min_id: str | None = None,
        approximate: bool = True,
        idempotency: bytes | str | None = None,
        window: float = WINDOW,
    ) -> Steps[str]:
        """Add one entry; its id. Trims by length or by id in the same step.

        With ``idempotency`` an entry is added once for each such key within ``window`` seconds
        (one script and one string key, see ``beside``; at most 3,900 fields); a repetition
        gives the id of the first. That makes it safe to try again after UnknownResult.
        ``approximate`` lets whole nodes go, which is much cheaper.
        """
        rest = [*trimming(max_length, min_id, approximate=approximate), id, *flat(fields)]
        if idempotency is None:
            added = yield self._fast.call("XADD", self.key, *rest)
        else:
            name, keys, args = keyed(self.key, idempotency, rest, window)
            added, _ = yield self._fast.script(name, keys, args)
        return str(added.decode())

    @step
    def add_many(
        self,
        many: Sequence[Fields],
        *,
        max_length: int | None = None,
        min_id: str | None = None,
        approximate: bool = True,
    ) -> Steps[list[str]]:
        """Add up to 10,000 entries in their order; their ids. One round trip.

        No transaction: when the server refuses one of them (raised), others may have been added.
        """
        if len(many) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(many)} entries are more than {MOST_AT_ONCE} at once")
        trim = trimming(max_length, min_id, approximate=approximate)
        commands = [("XADD", self.key, *trim, "*", *flat(fields)) for fields in many]
        replies = yield self._fast.calls(commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return [reply.decode() for reply in replies]

    @step
    def range(
        self, first: str = "-", last: str = "+", count: int = 100, *, newest_first: bool = False
    ) -> Steps[list[Entry]]:
        """Up to ``count`` entries from ``first`` to ``last``, both included; ``(id`` excludes.

        An id may be only its milliseconds. ``newest_first`` begins at ``last``.
        """
        if newest_first:
            reply = yield self._fast.call("XREVRANGE", self.key, last, first, "COUNT", count)
        else:
            reply = yield self._fast.call("XRANGE", self.key, first, last, "COUNT", count)
        return entries(reply)

    @step
    def entry(self, id: str) -> Steps[Entry | None]:
        """The entry of this id; None when it is not there (any more)."""
        reply = yield self._fast.call("XRANGE", self.key, id, id, "COUNT", 1)
        found = entries(reply)
        return found[0] if found else None

    @step
    def length(self) -> Steps[int]:
        """How many entries there are; 0 for a stream that does not exist."""
        count = yield self._fast.call("XLEN", self.key)
        return int(count)

    @step
    def delete(self, ids: Sequence[str]) -> Steps[int]:
        """Delete entries by id; how many there were. Groups keep them as pending, without fields.

        At most 10,000 at once.
        """
        if not ids:
            return 0
        if len(ids) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(ids)} ids are more than {MOST_AT_ONCE} at once")
        count = yield self._fast.call("XDEL", self.key, *ids)
        return int(count)

    @step
    def trim(
        self,
        *,
        max_length: int | None = None,
        min_id: str | None = None,
        approximate: bool = True,
    ) -> Steps[int]:
        """Let the oldest entries go; how many went. Exact trimming of many takes the server long.

        Raises InvalidArgument unless exactly one of length and id is given.
        """
        words = trimming(max_length, min_id, approximate=approximate)
        if not words:
            raise InvalidArgument("trim by max_length or by min_id")
        count = yield self._fast.call("XTRIM", self.key, *words)
        return int(count)


class Stream(_Stream, Blocking):
    __doc__ = _Stream.__doc__

    def __init__(self, redis: Any, key: bytes | str) -> None:
        super().__init__(redis, key)
        self._fast = Fast.of(redis)

    def tail(self, after: str | None = None) -> Tail:
        """Follow it from an id on, holes named (see redisops.tail), on a connection of its own.

        Whoever asked closes ``tail.redis`` at the end.
        """
        return Tail(waiting(self.redis), self.key, after)


class AsyncStream(_Stream, Awaiting):
    __doc__ = _Stream.__doc__

    def __init__(self, redis: Any, key: bytes | str) -> None:
        super().__init__(redis, key)
        self._fast = AsyncFast.of(redis)

    def tail(self, after: str | None = None) -> AsyncTail:
        """As ``Stream.tail``."""
        return AsyncTail(waiting(self.redis), self.key, after)


def trimming(max_length: int | None, min_id: str | None, *, approximate: bool) -> list[Any]:
    """The words of XADD and XTRIM that trim; none without a limit."""
    if max_length is not None and min_id is not None:
        raise InvalidArgument("trim by max_length or by min_id, not by both")
    about = "~" if approximate else "="
    if max_length is not None:
        if max_length < 0:
            raise InvalidArgument(f"max_length {max_length} is below 0")
        return ["MAXLEN", about, max_length]
    return [] if min_id is None else ["MINID", about, min_id]


def keyed(
    key: bytes, idempotency: bytes | str, rest: list[Any], window: float
) -> tuple[str, list[bytes], list[Any]]:
    """The script that adds once: its name, keys and arguments."""
    if not idempotency:
        raise InvalidArgument("an idempotency key has at least one byte")
    if not 0 < window <= 366 * 86_400:
        raise InvalidArgument(f"window {window} s is not above 0 and at most 366 days")
    if len(rest) > 2 * MOST_KEYED_FIELDS:
        raise InvalidArgument(
            f"an entry with an idempotency key has at most {MOST_KEYED_FIELDS:,} fields"
        )
    return "stream_add", [key, beside(key, b":once:", idempotency)], [int(window * 1000), *rest]


def beside(key: bytes, kind: bytes, name: bytes | str) -> bytes:
    """A key about something of this stream, in its slot on a cluster: ``{<stream>}<kind><hash>``.

    Raises InvalidArgument for a stream whose name has braces but no hash tag.
    """
    plain = name.encode() if isinstance(name, str) else name
    digest = hashlib.sha256(plain).hexdigest()[:32].encode()
    if hash_tag(key) is not None:
        return key + kind + digest
    if b"}" in key or not key:
        raise InvalidArgument(f'"{key!r}" has a brace but no hash tag: no key can stand beside it')
    return b"{" + key + b"}" + kind + digest
