"""Close the layers again: what ``layers`` opens, with the traits that the original has."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterator
from typing import Any

from redisops import codecs
from redisops.decoders.layers import cramjam
from redisops.decoders.writers import Unwritable

_SNAPPY_FRAME = b"\xff\x06\x00\x00sNaPpY"
_LEVELS = {0x01: 1, 0x5E: 5, 0x9C: 6, 0xDA: 9}  # zlib's second byte, for the usual window


def wrap(name: str, inside: bytes, was: bytes | None, was_inside: bytes | None) -> bytes:
    """``inside`` in the layer ``name``; ``was`` is the old layer and ``was_inside`` what it held.

    Raises Unwritable for a layer whose way of writing cannot be told from the original.
    """
    match name:
        case "gzip":
            return gzip.compress(inside, mtime=0)
        case "zlib":
            return zlib.compress(inside, _LEVELS.get(was[1], 6) if was else 6)
        case "base64":
            return _base64(inside, was, was_inside)
        case "utf16":
            return _utf16(inside, was)
        case "redisops":
            return _redisops(inside, was)
    if cramjam is None:
        raise Unwritable(f"{name} needs the package cramjam, which is not installed here")
    codec: Any = getattr(cramjam, name)
    if name == "snappy" and was is not None and not was.startswith(_SNAPPY_FRAME):
        return bytes(codec.compress_raw(inside))
    return bytes(codec.compress(inside))


def _base64(inside: bytes, was: bytes | None, was_inside: bytes | None) -> bytes:
    if was is None or was_inside is None:
        return base64.b64encode(inside)
    for old, new in zip(_base64_ways(was_inside), _base64_ways(inside), strict=True):
        if old == was:
            return new
    raise Unwritable("the base64 of this value is written in an unusual way (line ends, padding)")


def _base64_ways(data: bytes) -> Iterator[bytes]:
    for plain in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        for one in (plain, plain.rstrip(b"=")):
            yield from (one, one + b"\n")
    yield base64.encodebytes(data)
    yield base64.encodebytes(data).replace(b"\n", b"\r\n")


def _utf16(inside: bytes, was: bytes | None) -> bytes:
    try:
        text = inside.decode()
    except UnicodeDecodeError:
        raise Unwritable("UTF-16 holds text, and this is none") from None
    if was is not None and was.startswith(b"\xfe\xff"):
        return b"\xfe\xff" + text.encode("utf-16-be")
    return b"\xff\xfe" + text.encode("utf-16-le")


def _redisops(inside: bytes, was: bytes | None) -> bytes:
    if was is None:
        raise Unwritable("a new value of redisops.codecs is written by the service, not by hand")
    kind = was[0] >> 2 & 3
    if kind == 0:
        return was[:1] + inside
    return was[:1] + codecs._pack(inside, "zlib" if kind == 1 else "zstd")
