"""Patterns of paths: a small grammar that is matched in linear time, with no way back.

A pattern is ``*`` (every path) or begins with ``/``. Between slashes stand

- text, matched exactly, capitals and all;
- ``*`` or ``{name}``: one segment that is not empty;
- ``**``: any number of segments, none and empty ones too, so ``/orders/**`` is ``/orders``,
  ``/orders/`` and ``/orders/7/lines``;
- text with ``*`` (anything, nothing too) or ``{name}`` (something) in it: ``/files/*.csv``.

Nothing is normalised. A path is matched decoded, as the application routes by it: ``%2F`` was a
slash by then, ``/orders/`` and ``//orders`` are other paths than ``/orders``.
"""

from __future__ import annotations

import functools
import re
from enum import Enum

from redisops.errors import InvalidArgument

LONGEST = 512
_NAMED = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


class Wild(Enum):
    """Whole segments: ONE that is not empty, or ANY number of them."""

    ONE = "*"
    ANY = "**"


class Glob:
    """A segment with wildcards in it: text, then (at least so many characters, text) pairs."""

    __slots__ = ("first", "last", "least", "middle")

    def __init__(self, first: str, rest: list[tuple[int, str]]) -> None:
        self.first = first
        self.middle = tuple(rest[:-1])
        self.least, self.last = rest[-1]

    def matches(self, segment: str) -> bool:
        """Linear: each text is taken where it comes first, and never looked for again."""
        if not segment.startswith(self.first):
            return False
        at = len(self.first)
        for least, text in self.middle:
            found = segment.find(text, at + least)
            if found < 0:
                return False
            at = found + len(text)
        return len(segment) - len(self.last) >= at + self.least and segment.endswith(self.last)


Segment = str | Wild | Glob


@functools.lru_cache(maxsize=4096)
def parse(pattern: str) -> tuple[Segment, ...]:
    """The segments of a pattern. Raises InvalidArgument with a sentence for what is none."""
    if pattern == "*":
        return (Wild.ANY,)
    if len(pattern) > LONGEST:
        raise InvalidArgument(f"the path is {len(pattern)} characters long; {LONGEST} is the most")
    if not pattern.startswith("/"):
        raise InvalidArgument(f'the path {pattern!r} does not begin with "/" and is not "*"')
    if not pattern.isprintable():
        raise InvalidArgument(f"the path {pattern!r} has a control character in it")
    for sign, what in (("?", "a query"), ("#", "a fragment")):
        if sign in pattern:
            raise InvalidArgument(f'the path {pattern!r} has a "{sign}": {what} is no part of it')
    return tuple(_segment(text, pattern) for text in pattern[1:].split("/"))


def _segment(text: str, pattern: str) -> Segment:
    if text == "**":
        return Wild.ANY
    if text == "*" or _NAMED.fullmatch(text):
        return Wild.ONE
    if "**" in text:
        raise InvalidArgument(f'in the path {pattern!r} "**" does not stand alone between slashes')
    pieces = re.split(r"(\*|\{[A-Za-z_][A-Za-z0-9_]*\})", text)
    if any(sign in piece for piece in pieces[::2] for sign in "{}"):
        raise InvalidArgument(f'the path {pattern!r} has a brace that is not like "{{name}}"')
    if len(pieces) == 1:
        return text
    rest: list[tuple[int, str]] = []
    least = 0
    for wild, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        least += wild != "*"
        if literal:
            rest.append((least, literal))
            least = 0
    if not pieces[-1]:
        rest.append((least, ""))
    return Glob(pieces[0], rest)
