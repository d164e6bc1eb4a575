"""A command as bytes, and whether it may travel on a connection that others use, too."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.exceptions import DataError

from redisops.connection.commands import may_wait, waits_for, word
from redisops.errors import InvalidArgument

# What leaves a connection in another state than it was, or answers more than once.
STATEFUL = frozenset(
    [
        "ASKING", "AUTH", "CLIENT NO-EVICT", "CLIENT NO-TOUCH", "CLIENT REPLY", "CLIENT SETNAME",
        "CLIENT TRACKING", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "PSYNC",
        "PUNSUBSCRIBE", "QUIT", "READONLY", "READWRITE", "RESET", "SCRIPT DEBUG", "SELECT",
        "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE", "UNWATCH", "WATCH",
    ]
)  # fmt: skip
_IN_PARTS = frozenset(name.split()[0] for name in STATEFUL if " " in name)


def pack(args: tuple[Any, ...]) -> bytes:
    """The command as the server reads it; DataError for what is no str, bytes, int or float."""
    try:
        packed: bytes = hiredis.pack_command(args)
    except TypeError:
        return _pack_views(args)
    return packed


def _pack_views(args: tuple[Any, ...]) -> bytes:
    plain: Any = tuple(
        bytes(part) if isinstance(part, bytearray | memoryview) else part for part in args
    )
    try:
        packed: bytes = hiredis.pack_command(plain)
    except TypeError as error:
        odd = next(part for part in plain if not _is_plain(part))
        raise DataError(
            f"{word(args[0])}: {type(odd).__name__} is no argument; give str, bytes, int or float"
        ) from error
    return packed


def _is_plain(part: Any) -> bool:
    return isinstance(part, str | bytes | float | int) and not isinstance(part, bool)


def allowed(args: Sequence[Any]) -> None:
    """Raise InvalidArgument for a command that blocks, or that changes the connection."""
    if not args:
        raise InvalidArgument("a command has at least a name")
    if _needs_a_look(args[0]):
        _look(args)


@functools.lru_cache(maxsize=1024)
def _needs_a_look(name: Any) -> bool:
    named = word(name)
    return not named or " " in named or named in STATEFUL or named in _IN_PARTS or may_wait(name)


def _look(args: Sequence[Any]) -> None:
    name = word(args[0])
    if not name:
        raise InvalidArgument(f"{args[0]!r} is no name of a command")
    if " " in name:
        raise InvalidArgument(
            f'"{name}" is more than one word: give each as an argument of its own'
        )
    named = f"{name} {word(args[1])}" if name in _IN_PARTS and len(args) > 1 else name
    if named in STATEFUL:
        raise InvalidArgument(
            f"{named} changes the connection, which others use too: use the client or its pipeline"
        )
    if waits_for(args) is not None:
        raise InvalidArgument(f"{name} waits for the server: use client.blocking()")
