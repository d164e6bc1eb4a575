"""Read back what ``show`` writes: JSON's look with ``hex(c0ffee)``, ``Name(…)`` and any key."""

from __future__ import annotations

import re
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from redisops.decoders.show import Named, Pairs, Raw

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|inf|nan|Infinity)\b|NaN\b")
_WORD = re.compile(r"(?:true|false|null)\b")
_NAMED = re.compile(r"([A-Za-z_][\w \\-]{0,200})\(([^()]{0,4194304})\)")
_OBJECT = re.compile(r"([A-Za-z_][\w\\]{0,400}) \{")
_LONG_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\U([0-9a-f]{8})")
_WORDS = {"true": True, "false": False, "null": None}
DEEPEST = 200


class Unreadable(ValueError):
    """The text is not what ``show`` writes; the message says where."""


def parse(text: str) -> Any:
    """Strings as str, numbers as Raw, ``hex()`` as bytes, other names as Named; lists and Pairs.

    Raises Unreadable with the line and column of what does not fit.
    """
    # JSON has no \U: characters above U+FFFF that cannot be seen are shown with it.
    text = _LONG_ESCAPE.sub(lambda found: found[1] + chr(int(found[2], 16) % 0x110000), text)
    reader = _Reader(text)
    value = reader.value(0)
    if reader.skip() != len(text):
        raise reader.error("something follows the value")
    return value


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, words: str) -> Unreadable:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - self.text.rfind("\n", 0, self.at)
        return Unreadable(f"{words} at line {line:,}, column {column:,}")

    def skip(self) -> int:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def take(self, letter: str) -> bool:
        if self.text[self.skip() : self.at + 1] == letter:
            self.at += 1
            return True
        return False

    def value(self, level: int) -> Any:
        if level > DEEPEST:
            raise self.error("it is nested too deeply")
        letter = self.text[self.skip() : self.at + 1]
        if letter and letter in "{[":
            self.at += 1
            return self.pairs("", level) if letter == "{" else self.entries(level)
        if letter == '"':
            self.at += 1
            try:
                words, self.at = scanstring(self.text, self.at)
            except ValueError as error:
                raise self.error(f"a string is not closed or escaped well ({error})") from None
            return words
        if found := _NUMBER.match(self.text, self.at):
            self.at = found.end()
            return Raw(found[0])
        if found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return _WORDS[found[0]]
        if found := _NAMED.match(self.text, self.at):
            value = self.named(found)
            self.at = found.end()
            return value
        if found := _OBJECT.match(self.text, self.at):
            self.at = found.end()
            return self.pairs(found[1], level)
        raise self.error("no value")

    def named(self, found: re.Match[str]) -> Any:
        if found[1] != "hex":
            return Named(found[1], found[2])
        try:
            return bytes.fromhex(found[2])
        except ValueError:
            raise self.error("hex() holds something other than pairs of hex digits") from None

    def entries(self, level: int) -> list[Any]:
        found: list[Any] = []
        if self.take("]"):
            return found
        while True:
            found.append(self.value(level + 1))
            if self.take("]"):
                return found
            if not self.take(","):
                raise self.error("a comma or ] is missing")

    def pairs(self, name: str, level: int) -> Pairs:
        found: list[tuple[Any, Any]] = []
        if self.take("}"):
            return Pairs(found, name)
        while True:
            key = self.value(level + 1)
            if not self.take(":"):
                raise self.error("a colon is missing")
            found.append((key, self.value(level + 1)))
            if self.take("}"):
                return Pairs(found, name)
            if not self.take(","):
                raise self.error("a comma or } is missing")


def alike(one: Any, other: Any, *, as_numbers: bool = False) -> bool:
    """Whether two parsed values are the same, types included: the number 1 is not the text "1".

    Numbers are the same when they are written alike or, ``as_numbers``, have the same value;
    bytes and text are then the same when they are the same bytes.
    """
    if as_numbers:
        one, other = _without_binary(one), _without_binary(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(
            alike(a, b, as_numbers=as_numbers) for a, b in zip(one, other, strict=True)
        )
    if isinstance(one, Pairs):
        same = [len(one.items), one.name] == [len(other.items), other.name]
        return same and all(
            alike(a, b, as_numbers=as_numbers) and alike(c, d, as_numbers=as_numbers)
            for (a, c), (b, d) in zip(one.items, other.items, strict=True)
        )
    if as_numbers and isinstance(one, Raw) and one != other:
        return bool(Decimal(str(one)) == Decimal(str(other)))
    return bool(one == other)


def _without_binary(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
