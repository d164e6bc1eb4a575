"""Paths into decoded values: a small, fixed part of JSONPath, and exact comparison.

``$`` is the value itself; ``.name`` and ``["any name"]`` a member; ``[0]`` and ``[-1]`` an element;
``.*`` and ``[*]`` every member or element. There are no filters, slices or ``..``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from redisops.decoders.show import Pairs, Raw

MOST_STEPS = 32
MOST_VISITED = 200_000  # values that one look may pass through
_NAME = re.compile(r"[^\s.\[\]=\"'*$]+")
_INDEX = re.compile(r"\[(-?\d{1,9})\]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,6})?\Z")

Step = str | int | None  # a name, an index, or every one
Path = tuple[Step, ...]


class BadPath(Exception):
    """The path or its value breaks a rule at character ``at`` (from 0)."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at


@dataclass(frozen=True)
class Literal:
    """A JSON scalar: ``value`` is a str, Decimal, bool or None."""

    value: str | Decimal | bool | None

    def equals(self, found: Any) -> bool:
        """Whether a decoded value is this one. Numbers compare exactly, of any size."""
        if self.value is None or isinstance(self.value, bool):
            return found is self.value
        if isinstance(self.value, Decimal):
            return number(found) == self.value
        if isinstance(found, bytes | bytearray):
            return bytes(found) == self.value.encode("utf-8", "surrogatepass")
        return isinstance(found, str) and not isinstance(found, Raw) and found == self.value


def number(found: Any) -> Decimal | None:
    """A decoded number as it was written; None for what is none."""
    if isinstance(found, bool) or not isinstance(found, Raw | int | float):
        return None
    if isinstance(found, int) and found.bit_length() > 14_000:
        return None  # its text would take quadratic time
    try:
        return Decimal(str(found))
    except InvalidOperation:
        return None


def parse(text: str, at: int) -> tuple[Path, int]:
    """The path that begins at ``at`` with ``$``, and where it ends; raises BadPath."""
    steps: list[Step] = []
    at += 1
    while at < len(text) and text[at] in ".[":
        if len(steps) == MOST_STEPS:
            raise BadPath(at, f"a path has at most {MOST_STEPS} steps.")
        step, at = _dotted(text, at) if text[at] == "." else _bracketed(text, at)
        steps.append(step)
    return tuple(steps), at


def _dotted(text: str, at: int) -> tuple[Step, int]:
    if text.startswith(".*", at):
        return None, at + 2
    name = _NAME.match(text, at + 1)
    if name is None:
        raise BadPath(at + 1, 'a name or * is expected here; odd names stand as ["a name"].')
    return name[0], name.end()


def _bracketed(text: str, at: int) -> tuple[Step, int]:
    if text.startswith("[*]", at):
        return None, at + 3
    if index := _INDEX.match(text, at):
        return int(index[1]), index.end()
    if text[at + 1 : at + 2] == '"':
        try:
            name, end = json.JSONDecoder().raw_decode(text, at + 1)
        except ValueError:
            raise BadPath(at + 1, "this quote is never closed.") from None
        if text[end : end + 1] != "]":
            raise BadPath(end, "a ] is expected here.")
        return str(name), end + 1
    raise BadPath(at + 1, 'a number, * or a "name" is expected between [ and ].')


def literal(text: str, at: int) -> Literal:
    """The JSON scalar from ``at`` to the end; a bare word is a text. Raises BadPath."""
    words = text[at:].rstrip()
    if not words:
        raise BadPath(at, "a value is expected here: a number, a text, true, false or null.")
    if words[0] in "{[":
        raise BadPath(at, "only a number, a text, true, false or null can be compared.")
    if words[0] == '"':
        try:
            told = json.loads(words)
        except ValueError:
            raise BadPath(at, "this is not one whole text in quotes.") from None
        return Literal(told)
    if words in ("true", "false", "null"):
        return Literal({"true": True, "false": False}.get(words))
    return Literal(Decimal(words) if _NUMBER.match(words) else words)


def walk(value: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """(place, value) of all that the path leads to, at most ``MOST_VISITED`` steps of it."""
    left = MOST_VISITED
    # Iterators instead of recursion: depth is the path's, which is short.
    stack: list[Iterator[tuple[str, Any]]] = [iter([("$", value)])]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        left -= 1
        if left < 0:
            return
        if len(stack) > len(path):
            yield found
        else:
            stack.append(_children(*found, path[len(stack) - 1]))


def _children(place: str, value: Any, step: Step) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Pairs | dict):
        items = value.items if isinstance(value, Pairs) else list(value.items())
        for key, entry in items:
            if step is None or (isinstance(step, str) and _names(key, step)):
                yield f"{place}.{_spelled(key)}", entry
    elif isinstance(value, list | tuple):
        if step is None:
            for n, entry in enumerate(value):
                yield f"{place}[{n}]", entry
        elif isinstance(step, int) and -len(value) <= step < len(value):
            yield f"{place}[{step % len(value)}]", value[step]


def _names(key: Any, step: str) -> bool:
    if isinstance(key, bytes | bytearray):
        return bytes(key) == step.encode("utf-8", "surrogatepass")
    return str(key) == step


def _spelled(key: Any) -> str:
    return (key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key))[:200]
