"""What archives are made of: headers, parts of keys, and the words for what is wrong with them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from redisops.errors import InvalidArgument, RedisopsError

LINES, DUMP = "lines", "dump"
MAGIC = b"REDISOPS-DUMP\x01"
LONGEST_NAME = 1024 * 1024
LONGEST_LINE = 32 * 1024 * 1024
LONGEST_PAYLOAD = 64 * 1024 * 1024
LATEST = 1 << 52  # milliseconds: no expiry lies behind it
PLAIN = ("string", "list", "hash", "set", "zset", "stream")
_ID = re.compile(r"(\d{1,20})-(\d{1,20})")
_TYPE = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_MOST = 1 << 64


class Damaged(RedisopsError, ValueError):
    """The file is no archive, or not a whole one. ``record`` counts from 1; 0 is the header."""

    def __init__(self, record: int, why: str) -> None:
        where = f"record {record:,}" if record else "the header"
        super().__init__(f"{where} is wrong: {why}")
        self.record = record
        self.why = why


class Unfit(RedisopsError, ValueError):
    """A key does not fit into this format; the words say why. Nothing was written of it."""


class Header(NamedTuple):
    """``server`` is the name and version of the server it came from, ``created`` Unix ms."""

    format: str
    server: str
    created: int


class Part(NamedTuple):
    """A key, or a stretch of a large one.

    ``expires_at`` is Unix milliseconds or None. ``number`` counts the parts of a key from 1,
    ``start`` the elements before this one (bytes of a string). ``value`` by type: string bytes ·
    list and set [element …] · hash [(field, value) …] · zset [(member, score) …] · stream
    [(id, [(field, value) …]) …], with the stream's ``last_id`` · any other type its DUMP payload.
    In a DUMP archive it always is the payload.
    """

    key: bytes
    type: str
    expires_at: int | None
    value: Any
    number: int = 1
    is_last: bool = True
    start: int = 0
    last_id: str = ""
    is_dump: bool = False

    @property
    def size(self) -> int:
        """How many elements, or bytes of a string."""
        return len(self.value)


class Dropped(NamedTuple):
    """The key of the parts before was gone or changed while it was read: they are no key."""

    key: bytes
    number: int


class Large(NamedTuple):
    """A key that is read in pages: where the next begins. JSON by ``list(large)`` but the key."""

    key: bytes
    type: str
    expires_at: int | None
    length: int
    page: int
    place: int | str = 0
    number: int = 1
    start: int = 0


def format_of(head: bytes) -> str:
    """``DUMP`` or ``LINES`` by a file's first bytes; Damaged for a file that is neither."""
    if head.startswith(MAGIC[:-1]):
        return DUMP
    if head.startswith(b"{"):
        return LINES
    raise Damaged(0, "it begins neither as a DUMP archive nor as JSON lines of this console")


def checked_facts(number: int, key: bytes, kind: Any, expires_at: Any) -> None:
    """Raise Damaged unless these are a name, a type and an expiry as keys have them."""
    if len(key) > LONGEST_NAME:
        raise Damaged(number, f"the name has {len(key):,} bytes, more than {LONGEST_NAME:,}")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise Damaged(number, "the type is no word")
    if expires_at is not None and not (type(expires_at) is int and 0 < expires_at < LATEST):
        raise Damaged(number, "the expiry is no time in milliseconds")


def entry_id(text: Any) -> tuple[int, int]:
    """A stream's id as two numbers; InvalidArgument for what is none."""
    found = _ID.fullmatch(text) if isinstance(text, str) and text.isascii() else None
    pair = (int(found[1]), int(found[2])) if found else (_MOST, 0)
    if max(pair) >= _MOST:
        raise InvalidArgument("the id of an entry is not two numbers of 64 bits")
    return pair
