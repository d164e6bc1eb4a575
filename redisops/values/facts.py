"""The facts of keys: type, expiry, memory, length, encoding, idle time; one script call a key.

Where scripts are refused, plain commands fetch the same in two trips, and each refused right
is named in the row instead of losing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from redisops.steps import Steps
from redisops.values import calls
from redisops.values.calls import Call

SAMPLES = 5  # MEMORY USAGE samples; never 0, which would walk the whole collection
OUT_OF_REACH = "~"
UNKNOWN = "unknown"
_LENGTHS = {
    "string": "STRLEN",
    "list": "LLEN",
    "hash": "HLEN",
    "set": "SCARD",
    "zset": "ZCARD",
    "stream": "XLEN",
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key and its facts.

    ``ttl`` is seconds (None: no expiry), ``memory`` bytes (sampled), ``length`` the type's
    own measure (bytes of a string, else elements), ``idle`` seconds since last use (None
    under an LFU policy). What the server refused to say is None, and ``missing`` names the
    right that lacks, as ACL rules spell it: ``memory|usage``, or ``~`` when the key itself
    is out of this user's reach (``type`` is then "unknown").
    """

    key: bytes
    type: str
    ttl: float | None = None
    memory: int | None = None
    length: int | None = None
    encoding: str | None = None
    idle: int | None = None
    missing: frozenset[str] = frozenset()


def describe(
    redis: Any, keys: Sequence[bytes], head: int = 0
) -> Steps[list[tuple[KeyRow, bytes] | None]]:
    """Each key's facts and the first ``head`` bytes of a string; None for a key that is gone.

    One round trip; two when scripts are refused (and ``head`` bytes are then not asked for).
    """
    if not keys:
        return []
    try:
        replies = yield from calls.run(
            redis, [Call("key_facts", key, (SAMPLES, head)) for key in keys]
        )
    except calls.ScriptsRefused as refused:
        rows = yield from _by_commands(redis, keys, str(refused))
        return [None if row is None else (row, b"") for row in rows]
    return [_from_script(key, reply) for key, reply in zip(keys, replies, strict=True)]


def _from_script(key: bytes, reply: Any) -> tuple[KeyRow, bytes] | None:
    if isinstance(reply, Exception):
        if calls.is_out_of_reach(reply):
            return KeyRow(key, UNKNOWN, missing=frozenset({OUT_OF_REACH})), b""
        raise reply
    if reply is None:
        return None
    kind, ttl, memory, length, encoding, idle, head, refused = reply
    missing = frozenset(refused.decode().split(",")) if refused else frozenset()
    row = KeyRow(
        key, kind.decode() if kind else UNKNOWN, _seconds(ttl), memory, length,
        encoding.decode() if encoding else None, idle, missing,
    )  # fmt: skip
    return row, head or b""


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None or milliseconds < 0 else milliseconds / 1000


def _by_commands(redis: Any, keys: Sequence[bytes], refused: str) -> Steps[list[KeyRow | None]]:
    """The same facts in two trips: five commands for each key, then the length by its type."""
    asked = [
        (key, command)
        for key in keys
        for command in (
            ("TYPE", key),
            ("OBJECT", "IDLETIME", key),
            ("PTTL", key),
            ("MEMORY", "USAGE", key, "SAMPLES", SAMPLES),
            ("OBJECT", "ENCODING", key),
        )
    ]
    yield from calls.nodes(redis)
    replies = yield from calls.send(
        redis, [(calls.node_of(redis, key), command) for key, command in asked]
    )
    found = [replies[n : n + 5] for n in range(0, len(replies), 5)]

    kinds = [_word(facts[0]) for facts in found]
    measured = [
        (key, _LENGTHS[kind]) for key, kind in zip(keys, kinds, strict=True) if kind in _LENGTHS
    ]
    replies = yield from calls.send(
        redis, [(calls.node_of(redis, key), (command, key)) for key, command in measured]
    )
    lengths = {key: (command, r) for (key, command), r in zip(measured, replies, strict=True)}
    return [
        _from_replies(key, kind, facts, lengths.get(key), refused)
        for key, kind, facts in zip(keys, kinds, found, strict=True)
    ]


def _word(reply: Any) -> str:
    """A type or encoding as text, "unknown" when it was refused."""
    if calls.is_refused(reply):
        return UNKNOWN
    word = calls.checked(reply)
    return word.decode() if isinstance(word, bytes) else str(word)


def _from_replies(
    key: bytes, kind: str, facts: Sequence[Any], length: tuple[str, Any] | None, refused: str
) -> KeyRow | None:
    if kind == "none":
        return None
    if calls.is_out_of_reach(facts[0]):
        return KeyRow(key, UNKNOWN, missing=frozenset({OUT_OF_REACH}))
    missing = {refused}

    def fact(right: str, reply: Any) -> Any:
        if calls.is_refused(reply):
            missing.add(right)
            return None
        # No idle time under an LFU policy, no length after a change of type, and an error
        # instead of nil from some versions when the key went away: nothing to show.
        if isinstance(reply, ResponseError) and (
            "LFU" in str(reply) or "no such key" in str(reply) or calls.is_wrong_type(reply)
        ):
            return None
        return calls.checked(reply)

    kind_reply, idle, ttl, memory, encoding = facts
    fact("type", kind_reply)
    encoding = fact("object|encoding", encoding)
    return KeyRow(
        key,
        kind,
        _seconds(fact("pttl", ttl)),
        fact("memory|usage", memory),
        fact(length[0].lower(), length[1]) if length else None,
        _word(encoding) if encoding is not None else None,
        fact("object|idletime", idle),
        frozenset(missing),
    )
