"""Take keys from a server for an archive: small ones whole, many at once; large ones in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from redisops.archives.model import PLAIN, Dropped, Large, Part
from redisops.bulk import _Bulk
from redisops.dumps import MAX_BYTES, Dump, OutOfReach, TooBig, _Dumps
from redisops.resilience.causes import words_of
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values import calls, facts
from redisops.values.facts import KeyRow
from redisops.values.sorted_sets import scored

MIB = 1024 * 1024
WHOLE_ROWS, WHOLE_BYTES = 1_000, 256 * 1024
PAGE_ROWS, PAGE_BYTES = 5_000, MIB
FAIR_ROWS = 100  # of a key whose size the server does not tell
_ALL = 1 << 40
_COUNTS = {
    "string": "STRLEN", "list": "LLEN", "hash": "HLEN", "set": "SCARD", "zset": "ZCARD",
    "stream": "XLEN",
}  # fmt: skip

Found = Part | Large | OutOfReach | TooBig | None


class _Reading:
    """The keys of one server or cluster on their way into an archive."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def server(self) -> Steps[str]:
        """The server's name and version for the header, "" when it is not told. One round trip."""
        [node, *_] = yield from calls.nodes(self.redis)
        [reply] = yield from calls.send(self.redis, [(node, ("INFO", "server"))])
        if calls.is_refused(reply):
            return ""
        about = calls.checked(reply)
        valkey = about.get("valkey_version")
        return f"Valkey {valkey}" if valkey else f"Redis {about.get('redis_version', '')}".strip()

    @step
    def dumps(self, keys: Sequence[bytes], *, budget: int = 16 * MIB) -> Steps[list[Found]]:
        """Each key as a Part with its DUMP payload, None when it is gone, or why not.

        Fewer than ``keys`` when they are more than ``budget`` bytes. Cost: see ``Dumps.take``.
        """
        taken = yield from _Dumps.take.body(_Dumps(self.redis), keys, budget=budget)
        return [_dumped(one) if isinstance(one, Dump) else one for one in taken]

    @step
    def read(self, keys: Sequence[bytes], *, budget: int = 4 * MIB) -> Steps[list[Found]]:
        """Each key as a Part with its elements, None when it is gone, or why not.

        A ``Large`` one ends the list: get its parts by ``page``. Types other than the six come as
        dumps. Fewer than ``keys`` when they take about ``budget`` bytes. Three round trips, four
        when there are streams, and those of ``Dumps.take`` for other types.
        """
        rows = yield from facts.describe(self.redis, keys)
        ends = yield from _Bulk.expiries.body(_Bulk(self.redis), keys)
        plan: list[tuple[KeyRow, int | None] | None] = []
        total, large = 0, None
        for described, end in zip(rows, ends, strict=True):
            if described is None or end == -2:
                plan.append(None)
                continue
            row = described[0]
            at = None if end is None or end < 0 else end
            if row.type in PLAIN and not _is_whole(row):
                large = Large(row.key, row.type, at, row.length or 0, _page(row), _first(row.type))
                break
            size = row.memory or WHOLE_BYTES // 4
            if plan and total + size > budget:
                break
            total += size
            plan.append((row, at))
        found = yield from self._whole(plan)
        return [*found, large] if large else found

    @step
    def page(self, large: Large) -> Steps[tuple[Part | Dropped, Large | None]]:
        """The next part of a large key, and where the one after it begins (None: it was the last).

        Dropped when the key is gone or another, or a string or list has another length by now:
        the parts before are then no value. Elements that come or go meanwhile in other types are
        as the server's scan finds them. One round trip.
        """
        try:
            length, value, place, last_id = yield from self._window(large)
        except ResponseError as error:
            if calls.is_refused(error) or not _is_of_the_key(error):
                raise
            return Dropped(large.key, large.number), None
        moved = large.type in ("string", "list") and length != large.length
        if moved or length == 0:
            return Dropped(large.key, large.number), None
        is_last = place is None
        part = Part(
            large.key, large.type, large.expires_at, value, large.number, is_last, large.start,
            last_id if is_last else "",
        )  # fmt: skip
        if place is None:
            return part, None
        start = large.start + len(value)
        return part, large._replace(place=place, number=large.number + 1, start=start)

    # --- Whole ------------------------------------------------------------------------------

    def _whole(self, plan: Sequence[tuple[KeyRow, int | None] | None]) -> Steps[list[Found]]:
        found: list[Found] = [None] * len(plan)
        plain: list[int] = []
        streams: list[int] = []
        others: list[int] = []
        for n, one in enumerate(plan):
            if one is None:
                continue
            row = one[0]
            if row.type == facts.UNKNOWN:
                found[n] = OutOfReach(row.key, "the console's user may not read this key")
            elif row.type == "stream":
                streams.append(n)
            else:
                (plain if row.type in PLAIN else others).append(n)
        rows = {n: one for n, one in enumerate(plan) if one is not None}
        yield from self._plain({n: rows[n] for n in plain}, found)
        yield from self._streams({n: rows[n] for n in streams}, found)
        if others:
            keys = [rows[n][0].key for n in others]
            dumps = yield from _Dumps.take.body(_Dumps(self.redis), keys, max_bytes=MAX_BYTES // 4)
            for n, taken in zip(others, dumps, strict=True):
                found[n] = _dumped(taken) if isinstance(taken, Dump) else taken
        return found

    def _plain(self, rows: dict[int, Any], found: list[Found]) -> Steps[None]:
        yield from calls.nodes(self.redis)
        replies = yield from calls.send(
            self.redis,
            [(calls.node_of(self.redis, row.key), _all_of(row)) for row, _ in rows.values()],
        )
        for (n, (row, at)), reply in zip(rows.items(), replies, strict=True):
            if isinstance(reply, Exception):
                if not _is_of_the_key(reply):
                    raise reply
                found[n] = OutOfReach(row.key, words_of(reply))
                continue
            value = _elements(row.type, reply)
            if value or (row.type == "string" and reply is not None):
                found[n] = Part(row.key, row.type, at, value)

    def _streams(self, rows: dict[int, Any], found: list[Found]) -> Steps[None]:
        if not rows:
            return
        asked = [_entries_call(row.key, "-", WHOLE_ROWS * 4) for row, _ in rows.values()]
        try:
            replies = yield from calls.run(self.redis, asked)
        except calls.ScriptsRefused as refused:
            for n, (row, _) in rows.items():
                why = f"a stream is read by a script, and +{refused} is missing"
                found[n] = OutOfReach(row.key, why)
            return
        for (n, (row, at)), reply in zip(rows.items(), replies, strict=True):
            if isinstance(reply, Exception):
                if not _is_of_the_key(reply):
                    raise reply
                is_gone = "no such key" in str(reply)
                found[n] = None if is_gone else OutOfReach(row.key, words_of(reply))
                continue
            _, entries, last_id = _entries(reply)
            found[n] = Part(row.key, row.type, at, entries, last_id=last_id)

    # --- Pages ------------------------------------------------------------------------------

    def _window(self, large: Large) -> Steps[tuple[int, Any, Any, str]]:
        """(length now, elements, the next place or None, a stream's last id)."""
        key, place, count = large.key, large.place, large.page
        if large.type == "stream":
            [reply] = yield from calls.run(self.redis, [_entries_call(key, str(place), count)])
            length, entries, last_id = _entries(calls.checked(reply))
            more = len(entries) == count
            return length, entries, f"({entries[-1][0]}" if more else None, last_id
        yield from calls.nodes(self.redis)
        node = calls.node_of(self.redis, key)
        while True:
            replies = yield from calls.send(
                self.redis, [(node, (_COUNTS[large.type], key)), (node, _some_of(large))]
            )
            length, reply = map(calls.checked, replies)
            if large.type not in ("hash", "set"):
                elements = _elements(large.type, reply)
                after = int(large.place) + len(elements)
                return length, elements, after if elements and after < length else None, ""
            cursor, elements = int(reply[0]), _elements(large.type, reply[1])
            if elements or not cursor:
                return length, elements, cursor or None, ""
            large = large._replace(place=cursor)  # a scan may find nothing and still go on


def _dumped(dump: Dump) -> Part:
    return Part(dump.key, dump.type, dump.expires_at, dump.payload, is_dump=True)


def _is_whole(row: KeyRow) -> bool:
    """Whether the value is small enough to be read at once, in company."""
    if row.length is None:
        return False
    if row.type == "string":
        return row.length <= WHOLE_BYTES
    if row.memory is None:
        return row.length <= FAIR_ROWS
    return row.length <= WHOLE_ROWS and row.memory <= WHOLE_BYTES


def _page(row: KeyRow) -> int:
    """How many elements (bytes of a string) one part has."""
    if row.type == "string":
        return PAGE_BYTES
    if not row.memory or not row.length:
        return FAIR_ROWS
    return max(1, min(PAGE_ROWS, PAGE_BYTES * row.length // row.memory))


def _first(kind: str) -> int | str:
    return "-" if kind == "stream" else 0


def _all_of(row: KeyRow) -> tuple[Any, ...]:
    """The command that reads a small value whole; its size is known."""
    match row.type:
        case "string":
            return ("GET", row.key)
        case "list":
            return ("LRANGE", row.key, 0, -1)
        case "hash":
            return ("HGETALL", row.key)
        case "set":
            return ("SMEMBERS", row.key)
        case _:
            return ("ZRANGE", row.key, 0, -1, "WITHSCORES")


def _some_of(large: Large) -> tuple[Any, ...]:
    place, last = large.place, int(large.place) + large.page - 1
    match large.type:
        case "string":
            return ("GETRANGE", large.key, place, last)
        case "list":
            return ("LRANGE", large.key, place, last)
        case "hash":
            return ("HSCAN", large.key, place, "COUNT", large.page)
        case "set":
            return ("SSCAN", large.key, place, "COUNT", large.page)
        case _:
            return ("ZRANGE", large.key, place, last, "WITHSCORES")


def _elements(kind: str, reply: Any) -> Any:
    match kind:
        case "string":
            return reply or b""
        case "hash":
            return list(reply.items())
        case "zset":
            return scored(reply)
        case _:
            return list(reply)


def _entries_call(key: bytes, first: str, count: int) -> calls.Call:
    return calls.Call("stream_window", key, ("XRANGE", first, "+", count, _ALL, _ALL, count, 0))


def _entries(reply: Any) -> tuple[int, list[Any], str]:
    """(length of the stream, its entries with their fields, its last id)."""
    info, flat, _, _ = reply
    about = dict(zip(info[::2], info[1::2], strict=True))
    entries = [
        (id.decode(), list(zip(parts[::4], parts[2::4], strict=True)))
        for id, parts in zip(flat[::3], flat[2::3], strict=True)
    ]
    return about[b"length"], entries, about[b"last-generated-id"].decode()


def _is_of_the_key(error: Exception) -> bool:
    return isinstance(error, ResponseError) and (
        calls.is_refused(error) or calls.is_wrong_type(error) or "no such key" in str(error)
    )


class Reading(_Reading, Blocking):
    """Keys for an archive, through a blocking client."""


class AsyncReading(_Reading, Awaiting):
    """Keys for an archive, through an awaiting client."""
