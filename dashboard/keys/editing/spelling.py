r"""Bytes as text that a person edits, and back, exactly: text, escapes, hex, or decoded.

A browser sends every line end of a text area as CR LF, so ``text`` is only offered for what has
no CR; everything else has a spelling that no browser touches.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from redisops import decoders, keys
from redisops.decoders import Limits
from redisops.decoders.encoding import encode
from redisops.errors import InvalidArgument, NotSupported

MOST = 1024 * 1024  # bytes that are edited by hand
MOST_TEXT = 4 * 1024 * 1024  # characters that a form may carry
WHOLE = Limits(input=MOST, output=2 * MOST, text=2_000_000, steps=2_000_000, seconds=0.5)
HEX_LINE = 32
PLAIN = {"text": "Text", "escapes": "Escapes", "hex": "Hex"}
HINTS = {
    "text": "As it is stored. A line end is stored as LF.",
    "escapes": r"\x00 stands for one byte, \\ for a backslash; a line end is stored as LF.",
    "hex": "Two hexadecimal digits for each byte; spaces and line ends count for nothing.",
}

_HEX = re.compile(r"[0-9a-fA-F]*")


class BadSpelling(ValueError):
    """The text says no bytes; the message is a sentence for the person who typed it."""


@dataclass(frozen=True)
class Spelling:
    """One way to edit some bytes: ``name`` goes into the address, ``text`` into the form.

    ``why_not`` says why they cannot be edited so; ``text`` is empty then.
    """

    name: str
    label: str
    text: str = ""
    why_not: str = ""

    @property
    def hint(self) -> str:
        return HINTS.get(self.name, "Shown decoded; saved the way it was stored.")


def offers(data: bytes) -> list[Spelling]:
    """Every way to edit these bytes, the best first among those that work."""
    found = [spelled(data, name) for name in PLAIN]
    decoded = decoders.decode(data, "auto", WHOLE)
    if decoded.chain[-1] not in ("text", "hex") or len(decoded.chain) > 1:
        found.insert(0, spelled(data, ",".join(decoded.chain)))
    if found[-3].why_not and not _is_mostly_text(data):
        found[-2:] = [found[-1], found[-2]]
    return found


def spelled(data: bytes, name: str) -> Spelling:
    """The bytes in the spelling of that name; InvalidArgument for an unknown one."""
    label = PLAIN.get(name) or _label(name)
    if len(data) > MOST:
        return Spelling(name, label, why_not="It is larger than 1 MiB.")
    if name == "hex":
        lines = [data[at : at + HEX_LINE].hex(" ") for at in range(0, len(data), HEX_LINE)]
        return Spelling(name, label, "\n".join(lines))
    if name == "escapes":
        text = "\n".join(keys.printable(line) for line in data.split(b"\n"))
        if len(text) > MOST_TEXT:
            return Spelling(name, label, why_not="It is too long in escapes.")
        return Spelling(name, label, text)
    if name == "text":
        text, why_not = _as_text(data)
        return Spelling(name, label, text, why_not)
    return _decoded(data, name, label)


def read(text: str, name: str, original: bytes | None = None) -> bytes:
    """The bytes that the text says in a spelling. Raises BadSpelling with a sentence.

    A decoded text is encoded the way ``original``, the stored value, is.
    """
    text = text.replace("\r\n", "\n")
    if len(text) > MOST_TEXT:
        raise BadSpelling("This is longer than a form may carry.")
    if name == "hex":
        digits = "".join(text.split())
        if not _HEX.fullmatch(digits):
            raise BadSpelling("Hex has only the digits 0 to 9 and a to f.")
        if len(digits) % 2:
            raise BadSpelling("A digit is missing: each byte has two.")
        data = bytes.fromhex(digits)
    elif name == "escapes":
        data = keys.from_printable(text)
    elif name == "text":
        data = text.encode("utf-8", "surrogatepass")
    else:
        try:
            data = encode(text, name, original, WHOLE)
        except (InvalidArgument, NotSupported) as error:
            raise BadSpelling(str(error)) from error
    if len(data) > MOST:
        raise BadSpelling("This is larger than 1 MiB: put it into a file and upload it.")
    return data


def _label(name: str) -> str:
    known = dict(decoders.names()) | {"redisops": "Redisops codec"}
    parts = name.split(",")
    if not all(part in known for part in parts):
        raise InvalidArgument(f'"{name[:80]}" is no way to spell a value')
    return ", ".join(known[part] for part in parts)


def _as_text(data: bytes) -> tuple[str, str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "", "It is not UTF-8 text."
    for character in text:
        if character not in "\n\t" and unicodedata.category(character) in _UNSEEN:
            return "", "It holds characters that cannot be seen or that a browser would change."
    return text, ""


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _decoded(data: bytes, name: str, label: str) -> Spelling:
    decoded = decoders.decode(data, name, WHOLE)
    if ",".join(decoded.chain) != name:
        return Spelling(name, label, why_not=decoded.note or f"It is not {label}.")
    if decoded.truncated:
        return Spelling(name, label, why_not="It is too large to be laid out whole.")
    try:
        encode(decoded.text, name, data, WHOLE)
    except (InvalidArgument, NotSupported) as error:
        return Spelling(name, label, why_not=str(error))
    return Spelling(name, label, decoded.text)


def _is_mostly_text(data: bytes) -> bool:
    start = data[:4096]
    return sum(32 <= byte < 127 or byte in b"\n\t" for byte in start) >= 0.7 * len(start)
