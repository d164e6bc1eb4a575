"""Layers that hold other bytes: compression, base64, UTF-16, the library's own version byte.

Each takes bytes and a budget and returns a :class:`Layer`, or raises :class:`NotThis` with the
reason. Nothing is unpacked beyond the budget's room: what is there by then is shown.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib as stdlib_zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redisops import codecs
from redisops.decoders.budget import Budget, NotThis
from redisops.errors import InvalidArgument

cramjam = codecs.optional("cramjam")


@dataclass(frozen=True, slots=True)
class Layer:
    """What was inside. ``problem`` says why it is not all of it, "" when it is."""

    data: bytes
    problem: str = ""


def _bomb(packed: int, room: int) -> str:
    return f"It unpacks to more than {room:,} bytes from {packed:,}; the rest is not shown."


def gzip(data: bytes, budget: Budget) -> Layer:
    """RFC 1952, several members in a row included."""
    return _deflate(data, budget, 31, "gzip")


def zlib(data: bytes, budget: Budget) -> Layer:
    """RFC 1950."""
    return _deflate(data, budget, 15, "zlib")


def _deflate(data: bytes, budget: Budget, window: int, name: str) -> Layer:
    room = budget.room(len(data))
    plain = bytearray()
    rest = data
    while True:
        budget.spend()
        stream = stdlib_zlib.decompressobj(window)
        try:
            plain += stream.decompress(rest, room - len(plain) + 1)
        except stdlib_zlib.error as error:
            if plain:
                return Layer(bytes(plain), f"The {name} stream breaks off: {_words(error)}.")
            raise NotThis(f"not {name}: {_words(error)}") from None
        if len(plain) > room:
            return Layer(bytes(plain[:room]), _bomb(len(data), room))
        if not stream.eof:
            return Layer(bytes(plain), f"The {name} stream ends too early.")
        rest = stream.unused_data
        if name != "gzip" or not rest.startswith(b"\x1f\x8b"):
            break
    return Layer(bytes(plain), f"{len(rest):,} bytes follow the {name} stream." if rest else "")


def _words(error: Exception) -> str:
    """zlib's message without its numbers: "Error -3 while decompressing data: invalid …"."""
    return str(error).rpartition(": ")[2]


def zstd(data: bytes, budget: Budget) -> Layer:
    """RFC 8878."""
    return _cramjam(data, budget, "zstd")


def lz4(data: bytes, budget: Budget) -> Layer:
    """The LZ4 frame format."""
    return _cramjam(data, budget, "lz4")


def brotli(data: bytes, budget: Budget) -> Layer:
    """RFC 7932. It has no magic and no checksum: only sensible when the inside makes sense."""
    layer = _cramjam(data, budget, "brotli")
    if not layer.data:
        raise NotThis("not brotli: nothing is inside")
    return layer


def snappy(data: bytes, budget: Budget) -> Layer:
    """Snappy, framed or raw."""
    if data.startswith(_SNAPPY_FRAME):
        return _cramjam(data, budget, "snappy")
    _need_cramjam("snappy")
    room = budget.room(len(data))
    try:
        size = cramjam.snappy.decompress_raw_len(data)
        if size > room:
            raise NotThis(f"not raw snappy, or a bomb: it claims {size:,} bytes in {len(data):,}")
        plain = bytearray(size)
        written = cramjam.snappy.decompress_raw_into(data, plain)
    except cramjam.DecompressionError as error:
        raise NotThis(f"not snappy: {error}") from None
    return Layer(bytes(plain[:written]))


_SNAPPY_FRAME = b"\xff\x06\x00\x00sNaPpY"


def _need_cramjam(name: str) -> None:
    if cramjam is None:
        raise NotThis(f"{name} needs the package cramjam, which is not installed here")


def _cramjam(data: bytes, budget: Budget, name: str) -> Layer:
    """Decompress into a buffer of the budget's size: a bomb fills it and goes no further."""
    _need_cramjam(name)
    codec: Any = getattr(cramjam, name)
    room = budget.room(len(data))
    plain = bytearray(room)
    try:
        written = codec.decompress_into(data, plain)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error) and "write" in str(error):
            return Layer(bytes(plain), _bomb(len(data), room))
        start = _written(codec, data, plain)
        if not start:
            raise NotThis(f"not {name}: {error}") from None
        return Layer(start, f"The {name} stream breaks off: {error}.")
    return Layer(bytes(plain[:written]))


def _written(codec: Any, data: bytes, zeros: bytearray) -> bytes:
    """The bytes made before an error, which reports no count.

    Written again over ones instead of zeros: what differs was never written.
    """
    ones = bytearray(b"\xff") * len(zeros)
    try:
        codec.decompress_into(data, ones)
    except cramjam.DecompressionError:
        pass
    else:
        return b""
    low, high = 0, len(zeros)
    while low < high:
        middle = (low + high + 1) // 2
        if zeros[:middle] == ones[:middle]:
            low = middle
        else:
            high = middle - 1
    return bytes(zeros[:low])


_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}|[A-Za-z0-9_-]+={0,2}")


def base64_(data: bytes, budget: Budget) -> Layer:
    """Both alphabets, padded or not, line breaks between."""
    budget.spend()
    text = b"".join(data.split())
    if not text or not _BASE64.fullmatch(text):
        raise NotThis("not base64: it holds characters of neither alphabet")
    bare = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    if len(bare) % 4 == 1:
        raise NotThis("not base64: no bytes give this many characters")
    try:
        plain = base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise NotThis(f"not base64: {error}") from None
    return Layer(plain)


def utf16(data: bytes, budget: Budget) -> Layer:
    """Text in UTF-16 with a byte order mark, given on as UTF-8."""
    budget.spend()
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise NotThis("not UTF-16: it does not start with a byte order mark")
    whole = data[: len(data) // 2 * 2]
    try:
        text = whole.decode("utf-16")
    except UnicodeDecodeError as error:
        raise NotThis(f"not UTF-16: {error.reason} at byte {error.start}") from None
    return Layer(text.encode(), "One byte is left over at the end." if len(data) % 2 else "")


def redisops(data: bytes, budget: Budget) -> Layer:
    """A value written by redisops.codecs."""
    try:
        return Layer(codecs.unwrap(data, budget.room(len(data)))[1])
    except (codecs.UnreadableValue, InvalidArgument) as error:
        raise NotThis(f"not a value of redisops.codecs: {error}") from None


LAYERS: dict[str, Callable[[bytes, Budget], Layer]] = {
    "base64": base64_,
    "gzip": gzip,
    "zlib": zlib,
    "zstd": zstd,
    "lz4": lz4,
    "brotli": brotli,
    "snappy": snappy,
    "utf16": utf16,
    "redisops": redisops,
}
