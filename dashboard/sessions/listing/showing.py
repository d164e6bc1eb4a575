"""A session as a row and as a page shows it; values only to those who may see them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from redisops import decoders, keys
from redisops.sessions.browsing import Row
from redisops.sessions.foreign import is_pickle
from redisops.sessions.layouts import LABELS
from redisops.sessions.listing import TOUCH_SECONDS

LONGEST = 4_000
LATELY = 1.5 * TOUCH_SECONDS
_LIMITS = decoders.Limits(input=64 * 1024, output=64 * 1024, text=LONGEST, seconds=0.05)


@dataclass(frozen=True)
class Line:
    """One row of the list."""

    row: Row

    @property
    def label(self) -> str:
        return LABELS[self.row.kind]

    @property
    def id(self) -> str:
        return keys.to_url(self.row.name)

    @property
    def short(self) -> str:
        """The beginning of an id. All of it would let its reader be that person."""
        return self.row.named.id[:8]

    @property
    def is_endless(self) -> bool:
        return self.row.left is None

    @property
    def is_lately(self) -> bool:
        """Whether it was seen about a minute ago: the library writes that once a minute."""
        seen = self.row.content.seen
        return self.row.kind == "redisops" and seen is not None and time.time() - seen < LATELY

    @property
    def is_just_now(self) -> bool:
        """Whether it began within the minute: then it was not seen a minute ago."""
        since = self.row.content.since
        return self.is_lately and since is not None and time.time() - since < TOUCH_SECONDS

    @property
    def seen(self) -> float | None:
        """When it was last seen, in seconds since 1970: never before it began."""
        seen, since = self.row.content.seen, self.row.content.since
        return seen if seen is None or since is None else max(seen, since)

    @property
    def comes_back(self) -> bool:
        """Whether the service has a copy of it in a database of its own."""
        return self.row.kind == "django-db"


@dataclass(frozen=True)
class Value:
    """One value of a session: as text, or why not."""

    name: str
    text: str = ""
    why: str = ""


def values_of(row: Row, fields: dict[str, bytes | None]) -> list[Value]:
    """What a session holds, for those who may see it. Never runs what a value says."""
    if row.named.is_hash:
        return [_field(name, data) for name, data in fields.items()]
    return [Value(_cut(name, 200), _text(value)) for name, value in row.content.values.items()]


def names_of(row: Row, fields: dict[str, bytes | None]) -> list[Value]:
    """Only what the values are called."""
    names = fields if row.named.is_hash else row.content.values
    return [Value(_cut(str(name), 200)) for name in names]


def title_of(row: Row) -> str:
    """The page's heading: whose session it is, where it tells."""
    who = row.content.who
    return f"A session of {_cut(who, 80)}" if who else "A session"


def _field(name: str, data: bytes | None) -> Value:
    name = _cut(name, 200)
    if data is None:
        return Value(name, why="sealed, or too long")
    if is_pickle(data):
        return Value(name, why="a pickle, which is never opened here")
    shown = decoders.decode(data, limits=_LIMITS)
    return Value(name, shown.text)


def _text(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr, indent=1)
    except (TypeError, ValueError, RecursionError):  # keys that JSON has not, or too deep
        return "This cannot be shown."
    return _cut(text, LONGEST)


def _cut(text: str, most: int) -> str:
    text = text.encode("utf-8", "replace").decode()  # halves of characters, as JSON can say them
    return text if len(text) <= most else text[:most] + "…"
