"""The scripts of ``redisops/lua`` by name: their text and their digest, read once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from redisops import scripts


@functools.cache
def text(name: str) -> bytes:
    """The source of one script; FileNotFoundError when there is none."""
    return scripts.source(name).encode()


@functools.cache
def digest(name: str) -> bytes:
    """What EVALSHA calls it."""
    return hashlib.sha1(text(name), usedforsecurity=False).hexdigest().encode()


Script = tuple[str, Sequence[Any], Sequence[Any]]
"""Name, keys, arguments."""


def by_digest(scripts: Sequence[Script]) -> list[tuple[Any, ...]]:
    """The commands that run them, where the server knows them."""
    return [("EVALSHA", digest(name), len(keys), *keys, *args) for name, keys, args in scripts]


def in_full(scripts: Sequence[Script]) -> list[tuple[Any, ...]]:
    """The commands that run them anywhere."""
    return [("EVAL", text(name), len(keys), *keys, *args) for name, keys, args in scripts]


@functools.lru_cache(maxsize=1024)
def head(name: str, keys: int, arguments: int) -> bytes:
    """How a call of the script begins as the server reads it: all before its first key."""
    begun = b"".join(map(bulk, (b"EVALSHA", digest(name), b"%d" % keys)))
    return b"*%d\r\n%b" % (3 + keys + arguments, begun)


class Prepared(NamedTuple):
    """A call of a script with one key, packed but for that key.

    For what is asked so often that packing it is a good part of the whole.
    """

    begun: bytes
    arguments: bytes

    @classmethod
    def of(cls, name: str, args: Sequence[bytes]) -> Prepared:
        """The call of ``redisops/lua/<name>.lua`` with these arguments."""
        return cls(head(name, 1, len(args)), b"".join(map(bulk, args)))

    def on(self, key: bytes) -> bytes:
        """The command as the server reads it."""
        return b"%b$%d\r\n%b\r\n%b" % (self.begun, len(key), key, self.arguments)


def bulk(part: bytes) -> bytes:
    """One part of a command as the server reads it."""
    return b"$%d\r\n%b\r\n" % (len(part), part)
