"""What bytes may be, most certain first. Text stays text: it is judged before anything binary.

Formats without a magic number (MessagePack, Protocol Buffers, raw snappy, brotli, base64) fit
many bytes by chance. They count only when the whole input fits and the result is of a shape
that chance hardly makes; anything else is left to be chosen by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from redisops.decoders.show import Named, Pairs

# Control characters speak against text; invisible and direction-changing ones occur in it.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffe\uffff]")
_PHP = re.compile(rb"(?:a:\d+:\{|O:\d+:\"|s:\d+:\"|b:[01];|[id]:-?[\d.]+;|N;)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}\s*")
_WORDS = re.compile(rb"[\x20-\x7e]{4}")

_MAGIC = (
    (b"\xff\xfe", "utf16"),
    (b"\xfe\xff", "utf16"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"\xac\xed\x00\x05", "java"),
)

# After base64 only these count as found: three letters of base64 always decode to something.
STRUCTURED = frozenset({"json", "php", "java", "pickle", "gzip", "zlib", "zstd", "lz4", "redisops"})


def controls(data: bytes) -> tuple[int, int] | None:
    """How many control characters among how many, or None when it is not UTF-8."""
    try:
        words = data.decode()
    except UnicodeDecodeError:
        return None
    return len(_CONTROLS.findall(words)), len(words)


def is_text(data: bytes) -> bool:
    """UTF-8 without control characters other than white space and escape."""
    found = controls(data)
    return found is not None and not found[0]


def candidates(data: bytes) -> Iterator[str]:
    """Names to try in order; the last one, "text" or "hex", always fits."""
    found = controls(data)
    if found is not None and data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        yield "json"
    if found is not None and not found[0]:
        if _PHP.match(data):
            yield "php"
        if _BASE64.fullmatch(data):
            yield "base64"
        yield "text"
        return
    for magic, name in _MAGIC:
        if data.startswith(magic):
            yield name
    if 0x10 <= data[0] <= 0x19:
        yield "redisops"
    if data[0] == 0x80 and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        yield "pickle"
    if data[0] & 0x0F == 8 and len(data) > 2 and int.from_bytes(data[:2]) % 31 == 0:
        yield "zlib"
    if _PHP.match(data):  # PHP strings may hold any bytes
        yield "php"
    yield "msgpack"
    yield "snappy"
    if may_be_protobuf(data):
        yield "protobuf"
    yield "brotli"
    yield "text" if found is not None and found[0] * 10 <= found[1] else "hex"


def msgpack_is_plausible(value: Any) -> bool:
    """A mapping with names or whole numbers as keys, a list of alike values, or words."""
    if isinstance(value, Pairs):
        return bool(value.items) and all(
            _is_words(key) or (isinstance(key, int) and not isinstance(key, bool))
            for key, _ in value.items
        )
    if isinstance(value, list):
        kinds = {type(entry) for entry in value}
        alike = len(value) > 1 and len(kinds) == 1 and not kinds & {bytes, Named, type(None)}
        inner = [entry for entry in value if isinstance(entry, bytes | Pairs | list)]
        return alike or (
            any(not isinstance(entry, list) for entry in inner)
            and all(_is_words(entry) or msgpack_is_plausible(entry) for entry in inner)
        )
    return _is_words(value) and len(value) >= 4


def _is_words(value: Any) -> bool:
    return isinstance(value, bytes) and is_text(value)


def may_be_protobuf(data: bytes) -> bool:
    """Small field numbers in rising order up to the end, and words or a message in one of them.

    Every serializer writes fields in order; random bytes do not keep to it. Linear.
    """
    at, last, worded = 0, 0, False
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not last <= number <= max(32, last + 200) or number == 0:
            return False
        last = number
        if wire == 0:
            _, at = _varint(data, at)
        elif wire == 1:
            at += 8
        elif wire == 5:
            at += 4
        elif wire == 2:
            size, at = _varint(data, at)
            worded = worded or _WORDS.search(data[at : at + min(size, 4096)]) is not None
            at += size
        else:
            return False
    return worded and at == len(data)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number and where it ends; beyond the end of the data when there is none."""
    value = 0
    for shift in range(10):
        if at >= len(data):
            return 0, len(data) + 1
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at
    return 0, len(data) + 1
