"""Dead letters: looked at, and added again to the stream that they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.crc import key_slot
from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.streams.dead import HEAD, DeadLetter, dead_key, letter
from redisops.streams.groups import check_id
from redisops.streams.model import Entry, entries, order
from redisops.streams.pending import MOST_VALUES
from redisops.values import calls
from redisops.values.common import script

MOST_AT_ONCE = 200
_LIMIT = 2_048  # bytes of a field or value that a page of letters keeps
_BUDGET = 512 * 1024


@dataclass(frozen=True)
class Letters:
    """A page of a dead-letter stream, newest first, each value cut to 2,048 bytes.

    ``others`` are ids of entries that are no dead letters; ``length`` counts the whole stream;
    ``next`` is the id to go on before, None at the end.
    """

    letters: tuple[DeadLetter, ...]
    others: tuple[str, ...]
    length: int
    next: str | None
    missing: str = ""


class _DeadLetters:
    """The dead-letter stream of ``stream``, at ``<stream>:dead``."""

    _fast: Any

    def __init__(self, redis: Any, stream: str | bytes) -> None:
        self.redis = redis
        self.stream = stream.encode() if isinstance(stream, str) else stream
        self.key = dead_key(self.stream)

    @property
    def is_atomic(self) -> bool:
        """Whether one script can do it: on a cluster only where both streams are in one slot."""
        return not calls.is_cluster(self.redis) or key_slot(self.key) == key_slot(self.stream)

    @step
    def count(self) -> Steps[int]:
        """How many there are; 0 when there is no such stream. One command."""
        return int((yield self.redis.xlen(self.key)))

    @step
    def page(self, before: str | None = None, *, count: int = 50) -> Steps[Letters]:
        """The newest ``count`` before an id. One round trip; without the right to scripts two."""
        if not 1 <= count <= MOST_AT_ONCE:
            raise InvalidArgument(f"{count} letters are not between 1 and {MOST_AT_ONCE}")
        end = f"({check_id(before, special=())}" if before else "+"
        if before and order(before) == (0, 0):
            end = before  # Redis takes no interval that ends before it; it is no entry's id
        try:
            info, flat, _, more = yield from script(
                self.redis, "stream_window", self.key,
                "XREVRANGE", "-", end, count, _LIMIT, _BUDGET, 10, 0,
            )  # fmt: skip
        except calls.ScriptsRefused as refused:
            return (yield from self._plainly(end, count, str(refused)))
        except ResponseError as error:
            if "no such key" in str(error):
                return Letters((), (), 0, None)
            raise
        named = dict(zip(info[::2], info[1::2], strict=True))
        found = [Entry(flat[n].decode(), _pairs(flat[n + 2][::2])) for n in range(0, len(flat), 3)]
        return _letters(found, named[b"length"], is_more=bool(more))

    def _plainly(self, end: str, count: int, missing: str) -> Steps[Letters]:
        length = yield self.redis.xlen(self.key)
        reply = yield self._fast.call("XREVRANGE", self.key, end, "-", "COUNT", count)
        found = entries(reply)
        return _letters(found, length, is_more=len(found) == count, missing=missing)

    @step
    def ids(self, after: str | None, until: str, *, count: int = MOST_AT_ONCE) -> Steps[list[str]]:
        """Ids by rising order, after one and up to another. One round trip."""
        start = f"({check_id(after, special=())}" if after else "-"
        until = check_id(until, special=("+",))
        try:
            reply = yield from script(
                self.redis, "stream_window", self.key,
                "XRANGE", start, until, count, 0, _BUDGET, 10, 0,
            )  # fmt: skip
            return [reply[1][n].decode() for n in range(0, len(reply[1]), 3)]
        except calls.ScriptsRefused:
            reply = yield self._fast.call("XRANGE", self.key, start, until, "COUNT", count)
            return [one.id for one in entries(reply)]
        except ResponseError as error:
            if "no such key" in str(error):
                return []
            raise

    @step
    def replay(self, ids: Sequence[str], *, after_cut: bool = False) -> Steps[list[str]]:
        """Add the entries again to their stream, under new ids, and take the letters away.

        All groups of the stream get them. A word for each: the new id; ``gone`` when the letter is
        there no more; ``foreign`` when it is none of this stream; ``missing`` when there is no
        stream; ``refused: ...`` with the server's words. One script where both streams are in one
        slot: then each is replayed or is not. Else it is added first and then taken away; what
        may have been cut off between is not done again with ``after_cut``: its word is ``perhaps``.
        """
        if len(ids) > MOST_AT_ONCE:
            raise InvalidArgument(f"{len(ids)} letters are more than {MOST_AT_ONCE} at once")
        words = ["many"] * len(ids)
        if self.is_atomic:
            told = yield self._fast.script(
                "dead_replay", (self.key, self.stream), (len(HEAD), MOST_VALUES, *ids)
            )
            words = [word.decode("utf-8", "replace") for word in told]
        for n, word in enumerate(words):
            if word == "many":
                words[n] = yield from self._apart(ids[n], after_cut)
        return words

    def _apart(self, id: str, after_cut: bool) -> Steps[str]:  # noqa: FBT001
        found = entries((yield self._fast.call("XRANGE", self.key, id, id)))
        if not found:
            return "gone"
        read = letter(found[0])
        if read is None or read.stream != self.stream or not read.fields:
            return "foreign"
        if after_cut:
            return "perhaps"
        flat = [part for pair in read.fields for part in pair]
        added = yield self._fast.call("XADD", self.stream, "NOMKSTREAM", "*", *flat)
        if added is None:
            return "missing"
        yield self._fast.call("XDEL", self.key, id)
        return str(added.decode())


class DeadLetters(_DeadLetters, Blocking):
    __doc__ = _DeadLetters.__doc__

    def __init__(self, redis: Any, stream: str | bytes) -> None:
        super().__init__(redis, stream)
        self._fast = Fast.of(redis)


class AsyncDeadLetters(_DeadLetters, Awaiting):
    __doc__ = _DeadLetters.__doc__

    def __init__(self, redis: Any, stream: str | bytes) -> None:
        super().__init__(redis, stream)
        self._fast = AsyncFast.of(redis)


def _letters(found: Sequence[Entry], length: int, *, is_more: bool, missing: str = "") -> Letters:
    read = [(one.id, letter(one)) for one in found]
    return Letters(
        tuple(one for _, one in read if one is not None),
        tuple(id for id, one in read if one is None),
        length, found[-1].id if found and is_more else None, missing,
    )  # fmt: skip


def _pairs(parts: Sequence[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(zip(parts[::2], parts[1::2], strict=False))
