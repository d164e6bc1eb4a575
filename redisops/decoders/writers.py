"""Text, hex and JSON from what was shown; ``packers`` has MessagePack and PHP.

A writer finds the ``style`` in which it rebuilds the original from its shown text, writes new
``bytes`` in that style, and says whether two shown texts are the ``same`` value.
"""

from __future__ import annotations

import itertools
import json as stdlib_json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from redisops.decoders.notation import Unreadable, alike, parse
from redisops.decoders.show import UNSAFE, Named, Pairs, Raw, safe


class Unwritable(Exception):
    """It cannot be written back exactly; the message is the reason."""


class Writer(Protocol):
    usual: Any

    def style(self, inside: bytes, shown: str) -> Any:
        """How ``inside`` is written. Raises Unwritable when ``shown`` does not rebuild it."""

    def read(self, text: str) -> Any:
        """What ``text`` says, as the others take it. Raises Unwritable when it says nothing."""

    def bytes(self, value: Any, style: Any) -> bytes:
        """The value in that style. Raises Unwritable for what the format cannot hold."""

    def same(self, shown: str, value: Any) -> bool:
        """Whether what is shown as ``shown`` is the value."""


def tree(text: str) -> Any:
    """The parsed text; its error as a reason."""
    try:
        return parse(text)
    except Unreadable as error:
        raise Unwritable(str(error)) from None


_ESCAPE = re.compile(r"\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
_BOM = b"\xef\xbb\xbf"


class TextStyle(NamedTuple):
    bom: bool = False
    crlf: bool = False
    escapes: bool = False  # \u200b in the text stands for the character


class Text:
    """UTF-8 with its byte order mark, its line ends, and characters that are shown as escapes."""

    usual = TextStyle()

    def read(self, text: str) -> str:
        return text

    def style(self, inside: bytes, shown: str) -> TextStyle:
        for style in itertools.starmap(TextStyle, itertools.product((False, True), repeat=3)):
            if self.bytes(shown, style) == inside:
                return style
        raise Unwritable(
            "its line ends are mixed, or it holds both characters that cannot be seen and text "
            "that looks like their escapes: what is shown does not say which is which"
        )

    def bytes(self, text: str, style: TextStyle) -> bytes:
        if style.escapes:
            text = _ESCAPE.sub(_character, text)
        if style.crlf:
            text = text.replace("\n", "\r\n")
        try:
            return (_BOM if style.bom else b"") + text.encode()
        except UnicodeEncodeError:
            raise Unwritable("it holds half a surrogate pair, which UTF-8 cannot carry") from None

    def same(self, shown: str, text: str) -> bool:
        return shown == safe(text)[0]


def _character(found: re.Match[str]) -> str:
    code = int(found[1] or found[2], 16)
    character = chr(code) if code < 0x110000 else found[0]
    return character if UNSAFE.fullmatch(character) else found[0]


_HEX_LINE = re.compile(r"[0-9a-f]{8,}  ((?:[0-9a-f]{2} {1,2}){1,16})(?: *\|.{0,16}\|)?", re.DOTALL)


class Hex:
    """The dump as it is shown (its middle column counts), or plain pairs of hex digits."""

    usual = None

    def read(self, text: str) -> str:
        return text

    def style(self, inside: bytes, shown: str) -> None:
        if self.bytes(shown, None) != inside:
            raise Unwritable("the hex shown is not the whole value")

    def bytes(self, text: str, style: None) -> bytes:
        pairs = []
        for number, line in enumerate(text.lower().split("\n"), 1):
            found = _HEX_LINE.fullmatch(f"{line} " if "|" not in line else line)
            try:
                pairs.append(bytes.fromhex(found[1] if found else line))
            except ValueError:
                raise Unwritable(f"line {number:,} holds other than pairs of hex digits") from None
        return b"".join(pairs)

    def same(self, shown: str, text: str) -> bool:
        return self.bytes(shown, None) == self.bytes(text, None)


class JsonStyle(NamedTuple):
    bom: bool = False
    ascii: bool = False
    slashes: bool = False  # PHP's json_encode writes \/
    indent: str | None = None
    comma: str = ","
    colon: str = ":"
    end: str = ""


_LAYOUTS: list[tuple[str | None, str, str]] = [
    (None, ",", ":"), (None, ", ", ": "), ("  ", ",", ": "), ("    ", ",", ": "), ("\t", ",", ": "),
]  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


class Json:
    """JSON with numbers as they were typed, in the original's layout where it is a usual one."""

    usual = JsonStyle()

    def read(self, text: str) -> Any:
        return tree(text)

    def style(self, inside: bytes, shown: str) -> JsonStyle:
        value = tree(shown)
        bom = inside.startswith(_BOM)
        ends = ("", "\n") if inside.endswith(b"\n") else ("",)
        ways = itertools.product((False, True), (False, True), _LAYOUTS, ends)
        for ascii_, slashes, layout, end in ways:
            style = JsonStyle(bom, ascii_, slashes, *layout, end)
            if rebuilds(_encoded(value, style), inside):
                return style
        # A layout of its own: spacing and escapes say nothing in JSON, but the values must be
        # the same ones.
        style = JsonStyle(bom, inside.isascii())
        words = inside.decode("utf-8-sig")
        old = stdlib_json.loads(
            words, parse_int=Raw, parse_float=Raw, parse_constant=Raw, object_pairs_hook=Pairs
        )
        if not alike(old, value):
            raise Unwritable("what is shown of this JSON does not say all of it")
        return style

    def bytes(self, value: Any, style: JsonStyle) -> bytes:
        return b"".join(_encoded(value, style))

    def same(self, shown: str, value: Any) -> bool:
        return alike(tree(shown), value)


def rebuilds(parts: Iterable[bytes], inside: bytes) -> bool:
    """Whether the parts make up these bytes; stops at the first that differs."""
    at = 0
    for part in parts:
        if not inside.startswith(part, at):
            return False
        at += len(part)
    return at == len(inside)


def _encoded(value: Any, style: JsonStyle) -> Iterator[bytes]:
    if style.bom:
        yield _BOM
    for part in _parts(value, style, ""):
        yield part.encode()
    yield style.end.encode()


def _parts(value: Any, style: JsonStyle, lead: str) -> Iterator[str]:
    match value:
        case Raw():
            if not _JSON_NUMBER.fullmatch(value) and value not in ("NaN", "Infinity", "-Infinity"):
                raise Unwritable(f"{value[:40]} is no JSON number")
            yield str(value)
        case str():
            words = stdlib_json.dumps(value, ensure_ascii=style.ascii)
            words = words.replace("/", "\\/") if style.slashes else words
            yield _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", words)
        case bool() | None:
            yield stdlib_json.dumps(value)
        case list():
            yield from _container("[", "]", [(None, entry) for entry in value], style, lead)
        case Pairs(items, name):
            if name or not all(type(key) is str for key, _ in items):
                raise Unwritable("JSON's names are strings in quotes, and its objects have no name")
            yield from _container("{", "}", items, style, lead)
        case bytes() | Named():
            raise Unwritable("JSON has no word for bytes or other types: use strings and numbers")


def _container(
    opening: str, closing: str, items: list[tuple[Any, Any]], style: JsonStyle, lead: str
) -> Iterator[str]:
    below = lead + style.indent if style.indent is not None else lead
    line = f"\n{below}" if style.indent is not None else ""
    yield opening
    for number, (name, entry) in enumerate(items):
        yield f"{style.comma if number else ''}{line}"
        if opening == "{":
            yield from _parts(name, style, below)
            yield style.colon
        yield from _parts(entry, style, below)
    yield f"\n{lead}{closing}" if items and style.indent is not None else closing
