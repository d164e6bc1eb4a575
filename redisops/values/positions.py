"""Positions inside a value: short opaque words, checked before they reach a server."""

from __future__ import annotations

import re

from redisops.errors import InvalidArgument

_KINDS = {"s": "string", "l": "list", "h": "hash", "e": "set", "z": "zset", "x": "stream"}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}
_POSITION = re.compile(r"([slhez])(\d{1,20})(?:\.(\d{1,9}))?|(x)([ab])(\d{1,20}-\d{1,20})")
_LARGEST = 2**64 - 1


class Changed(Exception):
    """The key is not of the type that it was: its message is the type it was."""


def numbers(at: str | None, kind: str) -> tuple[int, int]:
    """The two numbers of a position in a value of this kind; (0, 0) is the beginning."""
    found = _parsed(at, kind)
    if found is None:
        return 0, 0
    first, second = int(found[2]), int(found[3] or 0)
    if first > _LARGEST:
        raise InvalidArgument(f"position {at!r} is not one that a page gave")
    return first, second


def entry(at: str | None) -> tuple[str, str] | None:
    """("a" after or "b" before, entry id) of a position in a stream; None for the beginning."""
    found = _parsed(at, "stream")
    return (found[5], found[6]) if found else None


def position(kind: str, *places: int | str) -> str:
    """The position that ``numbers`` or ``entry`` reads again."""
    return _LETTERS[kind] + ".".join(str(place) for place in places)


def _parsed(at: str | None, kind: str) -> re.Match[str] | None:
    if at is None:
        return None
    found = _POSITION.fullmatch(at)
    if not found:
        raise InvalidArgument(f"position {at[:80]!r} is not one that a page gave")
    was = _KINDS[found[1] or found[4]]
    if was != kind:
        raise Changed(was)
    return found
