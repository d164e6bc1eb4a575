"""Make a key of any type where there is none. Script: ``edit_create``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from redisops.edits.documents import check_json
from redisops.edits.edit import Edit, Reply, check_times
from redisops.edits.outcomes import Saved, Version
from redisops.edits.sorted_sets import SetPlace, score
from redisops.edits.streams import check_id
from redisops.errors import InvalidArgument

Kind = Literal[
    "string", "list", "hash", "set", "zset", "geo", "hyperloglog", "stream", "json", "vectorset"
]
COMMANDS = {
    "string": "SET", "list": "RPUSH", "hash": "HSET", "set": "SADD", "zset": "ZADD",
    "geo": "GEOADD", "hyperloglog": "PFADD", "stream": "XADD", "json": "JSON.SET",
    "vectorset": "VADD",
}  # fmt: skip
_COLUMNS = {
    "string": 1,
    "list": 1,
    "hash": 2,
    "set": 1,
    "zset": 2,
    "geo": 3,
    "hyperloglog": 1,
    "json": 1,
}
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Create(Edit):
    """Make the key, only if there is none, to expire at ``expires_at`` (ms since 1970) or never.

    ``rows`` by ``kind``: string (data,) · list (element,) … · hash (field, value) … ·
    set (member,) … · zset (member, score) … · geo (member, longitude, latitude) … ·
    hyperloglog (element,) … · stream (id, name, value, name, value …) … · json (text,) ·
    vectorset (element, number, number …) …: bytes throughout, at most 10,000 rows. Rows that
    the server would refuse are refused here (InvalidArgument), so that no half of a key is made.
    """

    kind: Kind
    rows: tuple[tuple[bytes, ...], ...]
    expires_at: int | None = None

    operation = "create"
    script = "edit_create"
    commands = ("EVALSHA",)
    no_undo = "A new key is undone by deleting it."

    def check(self) -> None:
        check_times(self.expires_at)
        one = self.kind in ("string", "json")
        if not 1 <= len(self.rows) <= (1 if one else MOST_ROWS):
            most = "exactly one row" if one else f"from 1 to {MOST_ROWS:,} rows"
            raise InvalidArgument(f"{len(self.rows)} rows: a new {self.kind} has {most}")
        for row in self.rows:
            if self.kind in _COLUMNS and len(row) != _COLUMNS[self.kind]:
                raise InvalidArgument(
                    f"a row of a {self.kind} has {_COLUMNS[self.kind]} parts, not {len(row)}"
                )
        _CHECKS.get(self.kind, _no_check)(self.rows)

    @property
    def intended(self) -> Version:
        return Version.of(self.rows[0][0]) if self.kind in ("string", "json") else Version(b"")

    def arguments(self) -> tuple[Any, ...]:
        flat: list[bytes] = []
        for row in self.rows:
            if self.kind in ("stream", "vectorset"):
                flat.append(b"%d" % (len(row) - 1))
            flat.extend(row if self.kind not in ("zset", "geo") else (*row[1:], row[0]))
        return (self.kind, self.expires_at or "", *flat)

    def saved(self, reply: Reply) -> Saved:
        return Saved(None, Version(), self.intended, self.no_undo)


def _no_check(rows: Sequence[tuple[bytes, ...]]) -> None:
    pass


def _scores(rows: Sequence[tuple[bytes, ...]]) -> None:
    for _, number in rows:
        score(number)


def _places(rows: Sequence[tuple[bytes, ...]]) -> None:
    for member, longitude, latitude in rows:
        SetPlace(b"", member, score(longitude), score(latitude))


def _entries(rows: Sequence[tuple[bytes, ...]]) -> None:
    last = (0, 0)
    for id, *flat in rows:
        if not flat or len(flat) % 2 or len(flat) > 2000:
            raise InvalidArgument("an entry has an id and from 1 to 1,000 names with values")
        if id == b"*":
            if len(rows) > 1 and last != (0, 0):
                raise InvalidArgument("give every entry its own id, or leave all to the server")
            continue
        check_id(id.decode(errors="replace"))
        parts = id.decode().split("-")
        number = (int(parts[0]), int(parts[1]) if len(parts) > 1 and parts[1] != "*" else 0)
        if "*" in id.decode() or number <= last or rows[0][0] == b"*":
            raise InvalidArgument(f"the id {id.decode()} must be whole and above the one before")
        last = number


def _documents(rows: Sequence[tuple[bytes, ...]]) -> None:
    check_json(rows[0][0])


def _vectors(rows: Sequence[tuple[bytes, ...]]) -> None:
    for row in rows:
        if not 2 <= len(row) <= 4097 or len(row) != len(rows[0]):
            raise InvalidArgument("every vector of a set has the same number of dimensions")
        if any(abs(score(number)) == float("inf") for number in row[1:]):
            raise InvalidArgument("a vector has finite numbers")


_CHECKS = {
    "zset": _scores, "geo": _places, "stream": _entries, "json": _documents, "vectorset": _vectors,
}  # fmt: skip
