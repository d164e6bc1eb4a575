"""Decoded values as text for people: JSON's look, any type inside, bounded in size and depth.

What JSON has no word for is shown so that it cannot be mistaken: bytes that are no text as
``hex(c0ffee)``, other things as ``Name(...)``. Numbers appear as they were written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from redisops.decoders.budget import Budget

# Control characters, invisible and direction-changing ones, lone surrogates: shown as \uXXXX,
# because in a page they would vanish, reorder their neighbours or be refused by UTF-8.
_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e0fff"
)
UNSAFE = re.compile(f"[{_UNSAFE}]")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe(text: str) -> tuple[str, int]:
    """``text`` with every unsafe character as an escape, and how many there were."""
    return UNSAFE.subn(_escaped, text)


class Raw(str):
    """A number as the sender wrote it: shown character by character, never through a float."""

    __slots__ = ()


@dataclass(slots=True)
class Pairs:
    """A mapping as its pairs, in the sender's order, repeated keys included."""

    items: list[tuple[Any, Any]]
    name: str = ""  # of its class, for PHP and Java objects


@dataclass(slots=True)
class Named:
    """A value that needs a name to be understood: ``Timestamp(…)``, ``hex(…)``."""

    name: str
    text: str


@dataclass(slots=True)
class Text:
    """The text, and what had to be left out of it."""

    text: str
    full: bool = False
    deep: bool = False


class _Full(Exception):
    pass


@dataclass
class _Writer:
    budget: Budget
    depth: int
    room: int
    deep: bool = False
    parts: list[str] = field(default_factory=list)

    def put(self, text: str) -> None:
        if len(text) > self.room:
            self.parts.append(text[: self.room])
            raise _Full
        self.room -= len(text)
        self.parts.append(text)

    def value(self, value: Any, level: int) -> None:
        self.budget.spend()
        if isinstance(value, Pairs | dict | list | tuple):
            self.container(value, level)
        else:
            self.put(self.scalar(value))

    def scalar(self, value: Any) -> str:
        match value:
            case Raw():
                return safe(value)[0]
            case str():
                return self.quoted(value)
            case bytes() | bytearray():
                return self.binary(bytes(value))
            case bool() | None:
                return json.dumps(value)
            case Named(name, text):
                return f"{safe(name)[0]}({safe(text[: self.room + 1])[0]})"
            case float():
                return repr(value)
            case int():
                # str() of huge integers is quadratic and refused above 4,300 digits.
                return str(value) if value.bit_length() < 14_000 else hex(value)
        return safe(repr(value))[0]

    def quoted(self, text: str) -> str:
        return safe(json.dumps(text[: self.room + 1], ensure_ascii=False))[0]

    def binary(self, data: bytes) -> str:
        try:
            return self.quoted(data.decode())
        except UnicodeDecodeError:
            return f"hex({data[: self.room].hex()})"

    def container(self, value: Any, level: int) -> None:
        opening, closing, entries = _parts(value)
        if not entries:
            self.put(f"{opening}{closing}")
            return
        if level >= self.depth:
            self.deep = True
            self.put(f"{opening} … {closing}")
            return
        inline = self.inline(opening, closing, entries)
        if inline is not None:
            self.put(inline)
            return
        indent = "  " * (level + 1)
        self.put(opening)
        for number, (key, entry) in enumerate(entries):
            self.put(f"{',' if number else ''}\n{indent}")
            if key is not _NO_KEY:
                self.value(key, level + 1)
                self.put(": ")
            self.value(entry, level + 1)
        self.put(f"\n{'  ' * level}{closing}")

    def inline(self, opening: str, closing: str, entries: list[tuple[Any, Any]]) -> str | None:
        """A few short values on one line, or None."""
        if len(entries) > 8 or any(_is_long(key) or _is_long(value) for key, value in entries):
            return None
        words = [
            self.scalar(value) if key is _NO_KEY else f"{self.scalar(key)}: {self.scalar(value)}"
            for key, value in entries
        ]
        line = ", ".join(words)
        if len(line) > 60:
            return None
        return f"{opening}{line}{closing}" if opening == "[" else f"{opening} {line} {closing}"


_NO_KEY = object()


def _is_long(value: Any) -> bool:
    if isinstance(value, Pairs | dict | list | tuple):
        return True
    words = value.text if isinstance(value, Named) else value
    return isinstance(words, str | bytes) and len(words) > 60


def _parts(value: Any) -> tuple[str, str, list[tuple[Any, Any]]]:
    if isinstance(value, Pairs):
        name = safe(value.name)[0]
        return f"{name} {{" if name else "{", "}", value.items
    if isinstance(value, dict):
        return "{", "}", list(value.items())
    return "[", "]", [(_NO_KEY, entry) for entry in value]


def show(value: Any, budget: Budget) -> Text:
    """``value`` as text of at most ``limits.text`` characters and ``limits.depth`` levels."""
    writer = _Writer(budget, budget.limits.depth, budget.limits.text)
    full = False
    try:
        writer.value(value, 0)
    except _Full:
        full = True
    return Text("".join(writer.parts), full=full, deep=writer.deep)
