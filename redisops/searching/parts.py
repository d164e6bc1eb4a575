"""What a value is made of: the pieces that are looked at one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from redisops.searching.grammar import Query

JSON = "ReJSON-RL"
LENGTHS = {
    "hash": "HLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN",
}  # fmt: skip
TYPES = ("string", *LENGTHS, JSON)
NOTES = {
    "cut": "only the beginning was looked at",
    "elements": "only the first elements were looked at",
    "large": "too large to be looked at",
    "slow": "unpacking took too long, and the rest was not looked at",
    "packed": "not all of it could be unpacked",
    "type": "of a type that cannot be searched",
    "reach": "out of this user's reach",
    "refused": "not looked at, because a right is missing",
}


@dataclass(slots=True)
class Known:
    """A key's type, its bytes (None: not told) and its length."""

    type: str
    size: int | None = None
    length: int = 0
    notes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Part:
    part: str
    name: bytes
    data: bytes
    total: int


def parts(known: Known, verb: str, reply: Any, query: Query) -> Iterator[Part]:
    """The pieces of a value that are looked at one by one."""
    # The whole of a value or an element is compared, or a path followed: names are no values.
    named = query.kind in ("contains", "matches")
    match verb:
        case "GETRANGE":
            size = known.size if known.size is not None else len(reply)
            yield Part("value", b"", reply, max(size, len(reply)))
        case "HGET":
            yield _part("field", query.field, reply)
        case "JSON.GET":
            yield _part("value", b"", reply)
        case "HSCAN":
            for name, value in reply[1].items():
                if named:
                    yield _part("field name", name, name)
                yield _part("field", name, value)
        case "XRANGE":
            for entry, fields in reply:
                for name, value in fields.items() if fields else ():
                    place = entry + b" " + name
                    if query.kind == "field" and name != query.field:
                        continue
                    if named:
                        yield _part("field name", place, name)
                    yield _part("entry", place, value)
        case _:
            rows = reply[1] if verb == "SSCAN" else reply
            part = "element" if verb == "LRANGE" else "member"
            for n, row in enumerate(rows):
                yield _part(part, b"%d" % n if part == "element" else b"", row)


def _part(part: str, name: bytes, data: Any) -> Part:
    data = data.encode() if isinstance(data, str) else bytes(data)
    return Part(part, name, data, len(data))
