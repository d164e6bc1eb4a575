"""Secrets in commands and answers: never kept, never shown again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from redisops.commands.replies import Reply
from redisops.commands.table import Command
from redisops.commands.words import word

MASK = b"(secret)"
OWN = b"(a key of the console's own)"

_PARAMETER = re.compile(rb"pass|auth|secret|token|key-file|credential", re.IGNORECASE)
_HASH = re.compile(rb"#?[0-9a-f]{64}")
_NAMING = frozenset(
    ("scan", "randomkey", "cluster|getkeysinslot", "pubsub|channels", "pubsub|shardchannels")
)
_CREDENTIAL = re.compile(rb"^[><#!]")


def masked(args: Sequence[bytes]) -> list[bytes]:
    """The arguments with passwords replaced: AUTH, HELLO, CONFIG SET, ACL SETUSER, MIGRATE."""
    if not args:
        return []
    name, rest = word(args[0]), list(args[1:])
    first = word(rest[0]) if rest else b""
    if name == b"AUTH":
        rest = [MASK] * len(rest)
    elif name == b"HELLO":
        rest = _after(rest, b"AUTH", 2)
    elif name == b"MIGRATE":
        rest = _after(_after(rest, b"AUTH", 1), b"AUTH2", 2)
    elif name == b"CONFIG" and first == b"SET":
        for at in range(2, len(rest), 2):
            if _PARAMETER.search(rest[at - 1]):
                rest[at] = MASK
    elif name == b"ACL" and first == b"SETUSER":
        rest[2:] = [one[:1] + MASK if _CREDENTIAL.match(one) else one for one in rest[2:]]
    elif name in (b"SENTINEL", b"DEBUG", b"CLIENT") and _PARAMETER.search(b" ".join(rest)):
        rest = [rest[0], *([MASK] * (len(rest) - 1))] if rest else []
    return [args[0], *rest]


def _after(rest: list[bytes], name: bytes, count: int) -> list[bytes]:
    out = list(rest)
    for at, one in enumerate(rest):
        if word(one) == name:
            for place in range(at + 1, min(at + 1 + count, len(rest))):
                out[place] = MASK
    return out


def hushed(text: str, args: Sequence[bytes]) -> str:
    """What a server says of ``args``, without the secrets among them: errors quote arguments."""
    for given, kept in zip(args, masked(args), strict=True):
        if given != kept and given:
            text = text.replace(given.decode("utf-8", "backslashreplace"), MASK.decode())
    return text


def veiled(reply: Reply, command: Command | None, protected: bytes = b"") -> Reply:
    """The answer without CONFIG GET's secret values, ACL's password hashes and the names of the
    console's own keys, which begin with ``protected``."""
    name = command.name if command is not None else ""
    if protected and name in _NAMING:
        return _without_names(reply, protected)
    if name == "config|get" and reply.kind == "map":
        hidden = Reply("bulk", MASK, len(MASK))
        pairs = [
            (key, hidden if value.value and _PARAMETER.search(key.value) else value)
            for key, value in reply.value
        ]
        return replace(reply, value=pairs)
    if name in ("acl|list", "acl|getuser"):
        return _without_hashes(reply)
    return reply


def _without_names(reply: Reply, protected: bytes) -> Reply:
    if isinstance(reply.value, list):
        kept = [one for one in reply.value if not _is_name(one, protected)]
        left_out = len(reply.value) - len(kept)
        inner = [_without_names(one, protected) for one in kept]
        return replace(reply, value=inner, size=reply.size - left_out)
    return replace(reply, value=OWN, size=len(OWN)) if _is_name(reply, protected) else reply


def _is_name(reply: Reply, protected: bytes) -> bool:
    return isinstance(reply.value, bytes) and reply.value.startswith(protected)


def _without_hashes(reply: Reply) -> Reply:
    if isinstance(reply.value, bytes):
        words = reply.value.split(b" ")
        return replace(reply, value=b" ".join(MASK if _HASH.fullmatch(w) else w for w in words))
    if reply.kind == "map":
        return replace(reply, value=[(key, _without_hashes(value)) for key, value in reply.value])
    if isinstance(reply.value, list):
        return replace(reply, value=[_without_hashes(one) for one in reply.value])
    return reply
