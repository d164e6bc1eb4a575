"""Values as bytes: JSON or MessagePack, compressed above a size, behind one version byte.

``JSON()`` and ``MessagePack()`` turn a value into bytes and back. Every value starts with one
byte that says how it was written, so a reader needs no setting: any codec reads what any other
wrote, and a service may change its codec while old values are still in Redis. Pickle is not
here and never will be: whoever can write to the Redis could run code in its readers.

The byte is ``0001 ccff``: version 1; ``ff`` 0 JSON, 1 MessagePack; ``cc`` 0 plain, 1 zlib,
2 zstd. None of these is how a JSON text, a MessagePack map or UTF-8 prose begins.
"""

from __future__ import annotations

import importlib
import json
import zlib
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from redisops.errors import InvalidArgument, RedisopsError


def optional(package: str) -> Any:
    """The package, or None where the extra that brings it is not installed."""
    try:
        return importlib.import_module(package)
    except ImportError:
        return None


cramjam = optional("cramjam")
msgpack = optional("msgpack")

Compression = Literal["zlib", "zstd"]

VERSION = 1
_FORMATS = ("JSON", "MessagePack")
_COMPRESSIONS = (None, "zlib", "zstd")


class UnreadableValue(RedisopsError, ValueError):
    """Bytes that no codec of this version wrote, or that were damaged since."""


class _Codec(ABC):
    """What both codecs share: the version byte and compression.

    ``compress_over`` is a size in bytes: encoded values longer than this are compressed, when
    that makes them smaller. ``None`` never compresses. ``max_size`` bounds what ``loads``
    unpacks, in bytes, so that a small value cannot fill the memory of its reader.
    """

    format: ClassVar[int]

    def __init__(
        self,
        *,
        compress_over: int | None = None,
        compression: Compression = "zlib",
        max_size: int = 64 * 1024 * 1024,
    ) -> None:
        if compression not in _COMPRESSIONS[1:]:
            raise InvalidArgument(f'compression "{compression}" is not one of zlib, zstd')
        if compression == "zstd" and compress_over is not None:
            _need(cramjam, "zstd", "cramjam")
        self.compress_over = compress_over
        self.compression = compression
        self.max_size = max_size

    def dumps(self, value: Any) -> bytes:
        """``value`` as bytes. Raises InvalidArgument for what the format cannot hold exactly."""
        body = self._encode(value)
        kind = 0
        if self.compress_over is not None and len(body) > self.compress_over:
            packed = _pack(body, self.compression)
            if len(packed) < len(body):
                body, kind = packed, _COMPRESSIONS.index(self.compression)
        return bytes([VERSION << 4 | kind << 2 | self.format]) + body

    def loads(self, data: bytes) -> Any:
        """The value that ``dumps`` of any codec was given. Raises UnreadableValue."""
        name, body = unwrap(data, self.max_size)
        try:
            return _decode_json(body) if name == "JSON" else _decode_msgpack(body)
        except (ValueError, RecursionError, KeyError) as error:
            raise UnreadableValue(f"the value is damaged {name}: {error}") from error

    @abstractmethod
    def _encode(self, value: Any) -> bytes:
        """The value in the codec's own format. Raises InvalidArgument."""


class JSON(_Codec):
    """JSON in UTF-8. Integers of any size come back exactly.

    Tuples come back as lists. Mappings need string keys; NaN, infinities, bytes and lone
    surrogates are refused, since other readers of the value could not take them.
    """

    format = 0

    def _encode(self, value: Any) -> bytes:
        _refuse_other_keys(value)
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArgument(f"the value cannot be written as JSON: {error}") from error


class MessagePack(_Codec):
    """MessagePack: smaller and faster than JSON, holds bytes and aware datetimes, too.

    Integers from -2**63 to 2**64-1, exactly. Tuples come back as lists. Needs the package
    ``msgpack`` (``redisops[codecs]``).
    """

    format = 1

    def __init__(self, **options: Any) -> None:
        _need(msgpack, "MessagePack", "msgpack")
        super().__init__(**options)

    def _encode(self, value: Any) -> bytes:
        try:
            packed: bytes = msgpack.packb(value, datetime=True)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidArgument(f"the value cannot be written as MessagePack: {error}") from error
        return packed


def unwrap(data: bytes, max_size: int = 64 * 1024 * 1024) -> tuple[str, bytes]:
    """The format's name and the plain encoded body of a codec's value. Raises UnreadableValue."""
    if not data:
        raise UnreadableValue("the value is empty: not even a version byte")
    version, kind, form = data[0] >> 4, data[0] >> 2 & 3, data[0] & 3
    if version != VERSION or kind >= len(_COMPRESSIONS) or form >= len(_FORMATS):
        raise UnreadableValue(
            f"the value starts with byte 0x{data[0]:02x}, which says version {version}; "
            f"this library reads values of version {VERSION} (0x10 to 0x19)"
        )
    return _FORMATS[form], _unpack(data[1:], _COMPRESSIONS[kind], max_size)


def _pack(body: bytes, compression: Compression) -> bytes:
    return bytes(cramjam.zstd.compress(body)) if compression == "zstd" else zlib.compress(body)


def _unpack(body: bytes, compression: str | None, max_size: int) -> bytes:
    """Bounded: never more than ``max_size`` bytes are made."""
    if compression is None:
        return body
    if compression == "zlib":
        stream = zlib.decompressobj()
        try:
            plain = stream.decompress(body, max_size + 1)
        except zlib.error as error:
            raise UnreadableValue(f"the value is damaged zlib: {error}") from error
        if len(plain) > max_size:
            raise UnreadableValue(f"the value unpacks to more than max_size ({max_size} bytes)")
        if not stream.eof:
            raise UnreadableValue("the value is damaged zlib: it ends too early")
        return plain
    _need(cramjam, "zstd", "cramjam")
    size = min(max_size, max(4096, len(body) * 16))
    while True:
        room = bytearray(size)
        try:
            return bytes(room[: cramjam.zstd.decompress_into(body, room)])
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise UnreadableValue(f"the value is damaged zstd: {error}") from error
        if size >= max_size:
            raise UnreadableValue(f"the value unpacks to more than max_size ({max_size} bytes)")
        size = min(max_size, size * 8)


def _decode_json(body: bytes) -> Any:
    return json.loads(body)


def _decode_msgpack(body: bytes) -> Any:
    _need(msgpack, "MessagePack", "msgpack")
    return msgpack.unpackb(body, timestamp=3, strict_map_key=False)


def _refuse_other_keys(value: Any) -> None:
    """json.dumps would quietly turn the key 1 into "1", and the value would come back changed."""
    left = [value]
    seen: set[int] = set()
    while left:
        value = left.pop()
        if isinstance(value, dict | list | tuple):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, dict):
                for key in value:
                    if not isinstance(key, str):
                        raise InvalidArgument(
                            f"JSON has string keys only: {key!r} is {type(key).__name__}"
                        )
                left.extend(value.values())
            else:
                left.extend(value)


def _need(module: Any, what: str, package: str) -> None:
    if module is None:
        raise InvalidArgument(f'{what} needs the package {package}: pip install "redisops[codecs]"')
