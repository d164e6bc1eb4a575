"""Key names: bytes of any kind, spelled for URLs, for people, for glob patterns and for clusters.

A key is ``bytes`` everywhere. Names that services choose follow one form,
``service:entity:id`` or ``service:entity:id:attribute`` (:func:`name`); :func:`lint` says what
is unwise about a name.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from typing import NamedTuple

from redisops.errors import InvalidArgument

SLOTS = 16384
LONGEST_PATTERN = 1024
MOST_STARS = 8
EMPTY = "-"  # the empty key in a URL: one character is never the base64 of whole bytes

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_GLOB = re.compile(rb"[*?\[\\]")
_PLAIN = re.compile(
    rb"(?:[!-\[\]-~]+ )*[!-\[\]-~]+"
)  # printable ASCII, no backslash, single spaces
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|\\)")
_PART = re.compile(r"[^\s:{}*?\[\]\\]+")
# Control, format (bidi, zero width), surrogate, private, unassigned; line ends and odd spaces.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


def glob_escape(key: bytes) -> bytes:
    r"""A pattern that matches exactly this key: ``*``, ``?``, ``[`` and ``\`` get a backslash."""
    return _GLOB.sub(rb"\\\g<0>", key)


def is_glob(pattern: bytes) -> bool:
    """Whether the pattern could match more than one key."""
    return literal(pattern) is None


def literal(pattern: bytes) -> bytes | None:
    r"""The only key that the pattern can match (``a\*b`` -> ``a*b``); None for a real glob."""
    key = bytearray()
    rest = iter(pattern)
    for byte in rest:
        if byte in b"*?[":
            return None
        # A backslash at the very end stands for itself, as in the server's own matcher.
        key.append(next(rest, byte) if byte == 0x5C else byte)
    return bytes(key)


def fixed_start(pattern: bytes) -> bytes:
    r"""What every key that the pattern matches begins with (``cart\*:a*`` -> ``cart*:a``)."""
    start = bytearray()
    rest = iter(pattern)
    for byte in rest:
        if byte in b"*?[":
            break
        start.append(next(rest, byte) if byte == 0x5C else byte)
    return bytes(start)


def pattern(match: bytes | str | None) -> bytes | None:
    """The pattern as bytes, None when it is empty: no filter.

    Raises InvalidArgument for a pattern that could stall a server: each ``*`` multiplies the
    matching time where CVE-2022-36021 is not fixed, and the length does anywhere.
    """
    given = match.encode("utf-8", "surrogatepass") if isinstance(match, str) else match
    if not given or not is_glob(given):
        return given or None
    stars = len(re.findall(rb"\*+", re.sub(rb"\\.", b"", given, flags=re.DOTALL)))
    if len(given) > LONGEST_PATTERN or stars > MOST_STARS:
        raise InvalidArgument(
            f"pattern of {len(given)} bytes with {stars} '*' is refused: at most "
            f"{LONGEST_PATTERN} bytes and {MOST_STARS} '*', because others can stall a server"
        )
    return given


def hash_tag(key: bytes) -> bytes | None:
    """What stands between the first ``{`` and the next ``}``; None when that is nothing."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    if start < 0 or end <= start + 1:
        return None
    return key[start + 1 : end]


def slot(key: bytes) -> int:
    """The key's cluster slot, 0 to 16383: CRC16 of its hash tag, or of the whole key."""
    return binascii.crc_hqx(hash_tag(key) or key, 0) % SLOTS


class Name(NamedTuple):
    """The parts of a name of the house form."""

    service: str
    entity: str
    id: str
    attr: str | None = None


def name(service: str, entity: str, id: str | int, attr: str | None = None) -> str:
    """``service:entity:id`` or ``service:entity:id:attr``.

    Raises InvalidArgument for a part that is empty or holds white space, ``:``, braces or
    glob characters, because such a name could not be taken apart again.
    """
    parts = [service, entity, str(id), *([] if attr is None else [attr])]
    for part in parts:
        if not _PART.fullmatch(part):
            raise InvalidArgument(
                f"key part {part!r} must have no white space, ':', braces, '*?[]' or backslash"
            )
    return ":".join(parts)


def parse(key: bytes | str) -> Name:
    """The parts of a name made by :func:`name`; InvalidArgument for any other."""
    try:
        text = key if isinstance(key, str) else key.decode()
    except UnicodeDecodeError:
        text = ""
    parts = text.split(":")
    if len(parts) not in (3, 4) or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidArgument(
            f"key {key!r} is not of the form service:entity:id or service:entity:id:attr"
        )
    return Name(*parts)


def lint(key: bytes) -> list[str]:
    """What is unwise about a key's name, as sentences; [] when nothing is."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return ["The name is not UTF-8 text: people cannot type it and logs show it escaped."]
    found = []
    if not key:
        found.append("The name is empty.")
    if len(key) > 1024:
        found.append(
            f"The name has {len(key)} bytes; more than 1024 costs memory and time on every use."
        )
    if any(unicodedata.category(c) in _UNSEEN and c != " " for c in text):
        found.append("The name holds characters that cannot be seen.")
    if any(c.isspace() for c in text):
        found.append("The name holds white space.")
    if re.search(r"[*?\[\]\\]", text):
        found.append("The name holds glob characters, so a pattern must escape them.")
    if text and (text[0] == ":" or text[-1] == ":" or "::" in text):
        found.append("A part of the name between two ':' is empty.")
    if text and ":" not in text:
        found.append("The name has no ':' parts, so it belongs to no folder.")
    return found


def to_url(key: bytes) -> str:
    """The key as one URL path segment: base64url without padding, ``-`` for the empty key."""
    # What base64.urlsafe_b64encode does, in one call: a page has hundreds of links.
    return binascii.b2a_base64(key, newline=False).translate(_URL_SAFE, b"=").decode() or EMPTY


def from_url(segment: str) -> bytes:
    """The inverse of :func:`to_url`; InvalidArgument for what it never returns."""
    if segment == EMPTY:
        return b""
    try:
        key = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key or to_url(key) != segment:
        raise InvalidArgument(f"{segment[:80]!r} is not a key in base64url")
    return key


def printable(key: bytes) -> str:
    r"""Any byte string as text that shows what it is: two different keys never look the same.

    UTF-8 text stands as it is. Bytes that are not UTF-8, control and invisible characters,
    those that change the writing direction, odd spaces, and spaces at an end or in a row
    become ``\xNN`` for each byte; a backslash becomes two.
    """
    if _PLAIN.fullmatch(key):
        return key.decode("ascii")
    text = key.decode("utf-8", "surrogateescape")
    shown = []
    before = " "  # a space at the start is escaped like one after a space
    for place, character in enumerate(text):
        if character == "\\":
            shown.append("\\\\")
        elif character == " " and before != " " and place < len(text) - 1:
            shown.append(character)
        elif unicodedata.category(character) in _UNSEEN:
            shown.extend(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
        else:
            shown.append(character)
        before = character
    return "".join(shown)


def from_printable(text: str) -> bytes:
    r"""The inverse of :func:`printable`; ``\xNN`` is one byte, two backslashes are one.

    Meant for what people type too: a backslash before anything else is a backslash.
    """
    key = bytearray()
    end = 0
    for escape in _ESCAPE.finditer(text):
        key += text[end : escape.start()].encode("utf-8", "surrogatepass")
        key += bytes.fromhex(escape[1]) if escape[1] else b"\\"
        end = escape.end()
    key += text[end:].encode("utf-8", "surrogatepass")
    return bytes(key)
