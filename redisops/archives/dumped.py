"""A DUMP archive: records with their lengths in front, each checksum over all that was before it.

``magic · header · record … · end``. A record is ``K``, the lengths of name (4 bytes), payload (8)
and type (1), the expiry (8, Unix ms, -1 none), name, type, payload and 16 bytes of BLAKE2b over
the checksum before it and the record. The end is ``E``, the count (8) and the last checksum. All
numbers are big-endian.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any, BinaryIO

from redisops.archives.model import (
    DUMP,
    LONGEST_NAME,
    LONGEST_PAYLOAD,
    MAGIC,
    Damaged,
    Header,
    Part,
    Unfit,
    checked_facts,
)

_LENGTHS = struct.Struct(">IQBq")
_COUNT = struct.Struct(">Q")
_HEADER = struct.Struct(">I")
SUM = 16
LONGEST_HEADER = 64 * 1024
SHORTEST_PAYLOAD = 11  # a type, the version of its encoding and a checksum


class DumpWriter:
    """Each method returns bytes for the end of the file. ``state`` goes on elsewhere."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.state = dict(state or {"keys": 0, "sum": ""})

    def header(self, server: str, created: int) -> bytes:
        text = json.dumps({"server": server, "created": created}).encode()
        body = MAGIC + _HEADER.pack(len(text)) + text
        self.state["sum"] = _sum("", body)
        return body + bytes.fromhex(self.state["sum"])

    def part(self, part: Part) -> bytes:
        """The record of a key, whose value is its DUMP payload; Unfit when that is too large."""
        if len(part.value) > LONGEST_PAYLOAD or len(part.key) > LONGEST_NAME:
            raise Unfit(
                f"{len(part.value):,} bytes are more than the {LONGEST_PAYLOAD:,} of one key"
            )
        kind, at = part.type.encode(), -1 if part.expires_at is None else part.expires_at
        lengths = _LENGTHS.pack(len(part.key), len(part.value), len(kind), at)
        body = b"".join([b"K", lengths, part.key, kind, part.value])
        self.state["sum"] = _sum(self.state["sum"], body)
        self.state["keys"] += 1
        return body + bytes.fromhex(self.state["sum"])

    def end(self) -> bytes:
        body = b"E" + _COUNT.pack(self.state["keys"])
        return body + bytes.fromhex(_sum(self.state["sum"], body))


class DumpReader:
    """Reads records from a file that stands at ``state["at"]``; hold ``state`` to go on there."""

    def __init__(self, file: BinaryIO, state: dict[str, Any] | None = None) -> None:
        self.file = file
        self.state: dict[str, Any] = dict(state or {"at": 0, "record": 0, "keys": 0, "sum": ""})

    def header(self) -> Header:
        """The file's header; call it once, before anything else."""
        start = self._take(len(MAGIC))
        if start != MAGIC:
            raise Damaged(0, "it is no DUMP archive that this version of the console can read")
        packed = self._take(_HEADER.size)
        (length,) = _HEADER.unpack(packed)
        if length > LONGEST_HEADER:
            raise Damaged(0, f"it says that it has {length:,} bytes")
        text = self._take(length)
        self._compare(start + packed + text)
        try:
            told = json.loads(text)
            return Header(DUMP, str(told["server"])[:100], int(told["created"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Damaged(0, "it does not say which server it came from") from None

    def next(self) -> Part | None:
        """The next key; None when the file has come to its end as it should."""
        self.state["record"] += 1
        number = self.state["record"]
        mark = self._take(1)
        if mark == b"E":
            self._end(mark)
            return None
        if mark != b"K":
            raise Damaged(number, "no key begins here")
        packed = self._take(_LENGTHS.size)
        name, payload, kind, at = _LENGTHS.unpack(packed)
        if name > LONGEST_NAME or not SHORTEST_PAYLOAD <= payload <= LONGEST_PAYLOAD:
            raise Damaged(number, f"it claims a name of {name:,} and a value of {payload:,} bytes")
        body = self._take(name + kind + payload)
        self._compare(mark + packed + body)
        key, word = body[:name], body[name : name + kind].decode("ascii", "replace")
        expires_at = None if at == -1 else at
        checked_facts(number, key, word, expires_at)
        self.state["keys"] += 1
        return Part(key, word, expires_at, body[name + kind :], is_dump=True)

    def _end(self, mark: bytes) -> None:
        number = self.state["record"]
        packed = self._take(_COUNT.size)
        self._compare(mark + packed)
        (keys,) = _COUNT.unpack(packed)
        if keys != self.state["keys"]:
            raise Damaged(number, f"the file says {keys:,} keys and has {self.state['keys']:,}")
        if self.file.read(1):
            raise Damaged(number, "something follows the end")

    def _take(self, count: int) -> bytes:
        data = self.file.read(count)
        if len(data) < count:
            raise Damaged(self.state["record"], "the file ends here, before its end record")
        self.state["at"] += count
        return data

    def _compare(self, body: bytes) -> None:
        told = self._take(SUM).hex()
        if told != _sum(self.state["sum"], body):
            raise Damaged(self.state["record"], "its checksum is another: the file was changed")
        self.state["sum"] = told


def _sum(before: str, body: bytes) -> str:
    digest = hashlib.blake2b(bytes.fromhex(before), digest_size=SUM)
    digest.update(body)
    return digest.hexdigest()
