"""Entries of a stream as Redis keeps them: an id, and fields in order with their repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redisops.errors import InvalidArgument

LAST = 2**64 - 1
"""The greatest that each of an id's two numbers can be."""
_ID = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?")

Value = bytes | str | int | float
Fields = Mapping[Any, Value] | Sequence[tuple[Any, Value]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``fields`` keeps the order and every repeat of a name.

    ``deliveries`` is how often a consumer group has handed it out, this time included; 0 where
    it was read without a group.
    """

    id: str
    fields: tuple[tuple[bytes, bytes], ...]
    deliveries: int = field(default=0, compare=False)

    def get(self, name: bytes | str, default: bytes | None = None) -> bytes | None:
        """The first value of that name; ``default`` when there is none."""
        wanted = name.encode() if isinstance(name, str) else name
        return next((value for own, value in self.fields if own == wanted), default)

    @property
    def milliseconds(self) -> int:
        """When it was added, milliseconds since 1970 by the server that made its id."""
        return order(self.id)[0]


def is_id(text: str) -> bool:
    """Whether Redis takes it as an entry's id, or as its first number alone."""
    return bool(_ID.fullmatch(text)) and all(int(part) <= LAST for part in text.split("-"))


def order(entry_id: str | bytes) -> tuple[int, int]:
    """An id as two numbers, for comparing: as text ``10-0`` would come before ``9-0``.

    Raises InvalidArgument for what is no id.
    """
    text = entry_id.decode("latin-1") if isinstance(entry_id, bytes) else entry_id
    milliseconds, _, sequence = text.partition("-")
    try:
        return int(milliseconds), int(sequence or 0)
    except ValueError:
        raise InvalidArgument(f'"{text}" is no entry id: 1700000000000-0 would be one') from None


def entries(reply: Any, deliveries: int = 0) -> list[Entry]:
    """What XRANGE answers, or the one stream of XREADGROUP, read without redis-py's callbacks.

    Entries that were deleted meanwhile (nil) are left out.
    """
    return [
        Entry(one[0].decode(), tuple(zip(it := iter(one[1]), it, strict=True)), deliveries)
        for one in reply or ()
        if one is not None and one[1] is not None
    ]


def flat(fields: Fields) -> list[Any]:
    """Fields as XADD takes them: name, value, name, value. Raises InvalidArgument for none."""
    pairs: Iterable[tuple[Any, Value]]
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    words = [word for pair in pairs for word in pair]
    if not words:
        raise InvalidArgument("an entry needs at least one field")
    if len(words) % 2:
        raise InvalidArgument("fields are pairs of name and value")
    return words
