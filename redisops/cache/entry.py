"""An entry as bytes: what it is, how old it may get, by which marks it ends, and the value.

``C1 flags stamp(8) check(4) life(4) stale(4) load(4) size(2) marks value``. ``C1`` begins neither
JSON, UTF-8, MessagePack, zlib nor pickle. ``stamp`` is the number of the last invalidation when
its load began, put in by the script that stores it; ``life`` and ``stale`` are ms, ``load`` is how
long the source took, in µs; a byte with its length is before each mark; ``value`` is a codec's.
``check`` is a CRC-32 over the key, the flags and all behind it: against damage, not forgers.
Time is the key's own PTTL by the server's clock: no clock of a reader or writer is in it.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from redisops.cache.errors import Poisoned
from redisops.codecs import UnreadableValue

VERSION = 0xC1
HEAD = struct.Struct(">BBdIIIIH")
NEGATIVE, OWN, NUMBER = 1, 2, 4
# flags: the source has None; a life of its own, not the policy's; the value is digits, which may
# be added to, so that the check ends before them
_REST = struct.Struct(">IIIH")
_MOST = 2**32 - 1


class Entry(NamedTuple):
    """A read entry. ``life``, ``stale`` and ``load`` (how long the source took) are seconds."""

    value: Any
    is_negative: bool
    is_own: bool
    life: float
    stale: float
    load: float
    marks: tuple[bytes, ...]


class Head(NamedTuple):
    """What an entry says of itself; ``stamp`` its number, ``begins`` where the value does."""

    stamp: float
    is_negative: bool
    is_own: bool
    life: float
    stale: float
    load: float
    marks: tuple[bytes, ...]
    begins: int


class Packed(NamedTuple):
    """An entry without its stamp: what is before and behind it, ms of its life, 0 for ever."""

    before: bytes
    behind: bytes
    life: int

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.behind) + 10


def pack(
    key: bytes, body: bytes, flags: int, seconds: tuple[float, float, float], marks: Sequence[bytes]
) -> Packed:
    """An entry of ``(life, stale, load)`` seconds; the life has the stale part in it."""
    life, stale, load = seconds
    packed = b"".join(b"%c%b" % (len(mark), mark) for mark in marks)
    ms = 0 if life == math.inf else max(1, round(life * 1000))
    rest = (
        _REST.pack(
            min(ms, _MOST), round(stale * 1000), min(round(load * 1e6), _MOST), len(packed)
        )
        + packed
    )  # fmt: skip
    check = zlib.crc32(rest, zlib.crc32(key, flags))
    if not flags & NUMBER:
        check = zlib.crc32(body, check)
    return Packed(bytes((VERSION, flags)), check.to_bytes(4, "big") + rest + body, ms)


def read(key: bytes, data: bytes, codec: Any) -> Entry:
    """The entry in ``data``. Raises Poisoned for whatever ``pack`` has not made for this key."""
    value, flags, life, stale, load, size = read_value(key, data, codec)
    return Entry(
        value, bool(flags & NEGATIVE), bool(flags & OWN), life / 1000, stale / 1000, load / 1e6,
        _marks(data, size),
    )  # fmt: skip


def read_head(data: bytes, key: bytes | None, whole: bytes | None) -> Head:
    """The head of an entry of which ``data`` is the beginning, with its marks.

    The check is made where both the key and the whole are given. Raises Poisoned.
    """
    try:
        version, flags, stamp, check, life, stale, load, size = HEAD.unpack_from(data)
    except struct.error:
        raise Poisoned("shorter than any entry") from None
    if version != VERSION:
        raise Poisoned(f"begins with byte 0x{version:02x}, not 0x{VERSION:02x}")
    if key is not None and whole is not None:
        covered = whole[14:] if not flags & NUMBER else whole[14 : 28 + size]
        if zlib.crc32(covered, zlib.crc32(key, flags)) != check:
            raise Poisoned("damaged, truncated, or of another key")
    elif len(data) < HEAD.size + size:
        raise Poisoned("its marks are cut off")
    return Head(
        stamp, bool(flags & NEGATIVE), bool(flags & OWN), life / 1000, stale / 1000, load / 1e6,
        _marks(data, size), HEAD.size + size,
    )  # fmt: skip


def _marks(data: bytes, size: int) -> tuple[bytes, ...]:
    marks, at, stop = [], HEAD.size, min(len(data), HEAD.size + size)
    while at < stop:
        marks.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return tuple(marks)


def read_value(key: bytes, data: bytes, codec: Any) -> tuple[Any, int, int, int, int, int]:
    """Value, flags, life and stale in ms, load in µs, size of the marks: what every hit needs."""
    try:
        version, flags, _, check, life, stale, load, size = HEAD.unpack_from(data)
    except struct.error:
        raise Poisoned("shorter than any entry") from None
    if version != VERSION:
        raise Poisoned(f"begins with byte 0x{version:02x}, not 0x{VERSION:02x}")
    covered = data[14:] if not flags & NUMBER else data[14 : 28 + size]
    if zlib.crc32(covered, zlib.crc32(key, flags)) != check:
        raise Poisoned("damaged, truncated, or of another key")
    if flags & NUMBER:
        try:
            return int(data[28 + size :]), flags, life, stale, load, size
        except ValueError:
            raise Poisoned("no whole number") from None
    if flags & NEGATIVE:
        return None, flags, life, stale, load, size
    try:
        return codec.loads(data[28 + size :]), flags, life, stale, load, size
    except UnreadableValue as error:
        raise Poisoned(str(error)) from None
