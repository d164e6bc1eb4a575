"""A whole value as a stream of bytes, read window by window.

Strings come as they are. Collections come as JSON lines, because their elements are any bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from redis.exceptions import ResponseError

from redisops import keys as names
from redisops.errors import InvalidArgument, NotSupported, RedisopsError
from redisops.steps import Steps
from redisops.values import calls, facts
from redisops.values.common import batch, plain, script
from redisops.values.facts import KeyRow
from redisops.values.modules import JSON
from redisops.values.sorted_sets import scored

_REREAD = 8  # windows of a string that are read again at the end
_ROWS = 1000
_WHOLE = 2**40
_LARGEST_DUMP = 64 * 1024 * 1024
_COLLECTIONS = ("list", "hash", "set", "zset", "stream")


class ValueChanged(RedisopsError):
    """The value changed while it was being read: what was read belongs to two values."""


class Download:
    """The state of one download; ``chunk`` until ``done``."""

    def __init__(self, key: bytes, size: int) -> None:
        if not 1024 <= size <= 16 * 1024 * 1024:
            raise InvalidArgument(f"size {size} must be from 1,024 to 16,777,216 bytes")
        self.key = key
        self.size = size
        self.done = False
        self._row: KeyRow | None = None
        self._place: Any = 0  # bytes of a string, index, rank, cursor, or the last id read
        self._rows = 0
        self._digests: list[bytes] = []

    def chunk(self, redis: Any) -> Steps[bytes]:
        """The next bytes; none at all when the key does not exist."""
        if self._row is None:
            return (yield from self._begin(redis))
        if self._row.type == "string":
            return (yield from self._string(redis, self._row))
        if self._row.type in _COLLECTIONS:
            return (yield from self._lines(redis, self._row))
        return (yield from self._module(redis, self._row))

    def _begin(self, redis: Any) -> Steps[bytes]:
        [described] = yield from facts.describe(redis, [self.key])
        if described is None:
            self.done = True
            return b""
        self._row = row = described[0]
        if row.type not in _COLLECTIONS:
            return b""
        return _line({
            "key": names.printable(self.key), "key_base64": base64.b64encode(self.key).decode(),
            "type": row.type, "length": row.length, "ttl": row.ttl,
        })  # fmt: skip

    def _string(self, redis: Any, row: KeyRow) -> Steps[bytes]:
        length, data = yield from plain(
            redis, self.key, ("STRLEN", self.key),
            ("GETRANGE", self.key, self._place, self._place + self.size - 1),
        )  # fmt: skip
        if length != row.length and row.length is not None:
            raise ValueChanged(
                f"the string had {row.length} bytes at first and {length} at {self._place}"
            )
        self._digests.append(_digest(data))
        self._place += len(data)
        if len(data) < self.size or self._place >= length:
            yield from self._compare(redis)
            self.done = True
        result: bytes = data
        return result

    def _compare(self, redis: Any) -> Steps[None]:
        """Read some windows again: a SET of the same length meanwhile shows in them."""
        last = len(self._digests) - 1
        if last < 1:
            return
        again = sorted({last * n // (_REREAD - 1) for n in range(_REREAD)})
        for n in again:  # one at a time: never more than a window in memory
            [data] = yield from plain(
                redis, self.key,
                ("GETRANGE", self.key, n * self.size, (n + 1) * self.size - 1),
            )  # fmt: skip
            if _digest(data) != self._digests[n]:
                raise ValueChanged(f"the string's bytes from {n * self.size} on were replaced")

    def _lines(self, redis: Any, row: KeyRow) -> Steps[bytes]:
        wanted = max(1, min(batch(row, _ROWS), batch(row, _ROWS) * self.size // (1024 * 1024)))
        try:
            if row.type == "stream":
                rows, more = yield from self._entries(redis, wanted)
            else:
                rows, more = yield from self._window(redis, row.type, wanted)
        except ResponseError as error:
            if not calls.is_wrong_type(error) and "no such key" not in str(error):
                raise
            rows, more = [], False  # another value now: the last line says so
        self._rows += len(rows)
        lines = b"".join(map(_line, rows))
        return lines if more else lines + (yield from self._end(redis))

    def _window(
        self, redis: Any, kind: str, wanted: int
    ) -> Steps[tuple[list[dict[str, Any]], bool]]:
        """The next rows of any collection but a stream, and whether there are more."""
        [reply] = yield from plain(redis, self.key, self._command(kind, wanted))
        rows = _rows(kind, reply)
        if kind in ("hash", "set"):
            self._place = int(reply[0])
            return rows, self._place != 0
        self._place += len(rows)
        return rows, len(rows) == wanted

    def _entries(self, redis: Any, wanted: int) -> Steps[tuple[list[dict[str, Any]], bool]]:
        """The next entries of a stream, by script: the client would drop repeated fields."""
        first = f"({self._place}" if self._place else "-"
        try:
            _, flat, _, _ = yield from script(
                redis, "stream_window", self.key, "XRANGE", first, "+", wanted,
                _WHOLE, _WHOLE, wanted, 0,
            )  # fmt: skip
            found = [
                (id, list(zip(parts[::4], parts[2::4], strict=True)))
                for id, parts in zip(flat[::3], flat[2::3], strict=True)
            ]
        except calls.ScriptsRefused:
            [entries] = yield from plain(
                redis, self.key, ("XRANGE", self.key, first, "+", "COUNT", wanted)
            )
            found = [(id, list(fields.items())) for id, fields in entries if fields is not None]
        rows = [
            {"id": id.decode(), "fields": [[_shown(f), _shown(v)] for f, v in fields]}
            for id, fields in found
        ]
        self._place = rows[-1]["id"] if rows else self._place
        return rows, len(rows) == wanted

    def _command(self, kind: str, count: int) -> tuple[Any, ...]:
        first, last = self._place, self._place + count - 1 if kind in ("list", "zset") else 0
        match kind:
            case "list":
                return ("LRANGE", self.key, first, last)
            case "zset":
                return ("ZRANGE", self.key, first, last, "WITHSCORES")
            case _:
                return ("HSCAN" if kind == "hash" else "SSCAN", self.key, first, "COUNT", count)

    def _end(self, redis: Any) -> Steps[bytes]:
        [described] = yield from facts.describe(redis, [self.key])
        self.done = True
        was, now = self._row, described[0] if described else None
        changed = was is None or now is None or (now.type, now.length) != (was.type, was.length)
        return _line({"end": True, "rows": self._rows, "changed": changed})

    def _module(self, redis: Any, row: KeyRow) -> Steps[bytes]:
        """A module's value has no windows: whole, up to a size."""
        self.done = True
        if row.memory is None or row.memory > _LARGEST_DUMP:
            raise NotSupported(
                f"a value of type {row.type} can only be read whole, and this one has "
                f"{row.memory} bytes: at most {_LARGEST_DUMP} are read"
            )
        command = ("JSON.GET", self.key) if row.type == JSON else ("DUMP", self.key)
        [data] = yield from plain(redis, self.key, command)
        return data or b""


def _rows(kind: str, reply: Any) -> list[dict[str, Any]]:
    """The reply's rows as JSON objects."""
    match kind:
        case "list":
            return [{"value": _shown(value)} for value in reply]
        case "hash":
            return [{"field": _shown(f), "value": _shown(v)} for f, v in reply[1].items()]
        case "set":
            return [{"member": _shown(member)} for member in reply[1]]
        case _:
            return [{"member": _shown(m), "score": _score(score)} for m, score in scored(reply)]


def _score(score: float) -> float | str:
    """A number, or the text of an infinite one, which JSON has no number for."""
    return score if abs(score) != float("inf") else str(score)


def _shown(data: bytes) -> str | dict[str, str]:
    """Text when the bytes are UTF-8, else an object that says they are base64."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
