"""Entries as sealed bytes and back. Names and values are sealed apart, so that a list of names
needs no values; each text opens only in the row that it was made for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from dashboard.servers import secrets
from redisops.codecs import MessagePack
from redisops.dumps import Dump

EDIT = "edit"

_codec = MessagePack()


class Facts(NamedTuple):
    """What is known of the entries of a chunk without opening their values."""

    keys: list[bytes]
    types: list[str]
    expiries: list[int | None]  # Unix milliseconds
    sizes: list[int]


def seal_dumps(dumps: Sequence[Dump], place: str) -> tuple[bytes, bytes]:
    """The sealed facts and the sealed payloads, one after the other."""
    facts: list[list[Any]] = [
        [dump.key for dump in dumps],
        [dump.type for dump in dumps],
        [dump.expires_at for dump in dumps],
        [dump.size for dump in dumps],
    ]
    body = dumps[0].payload if len(dumps) == 1 else b"".join([dump.payload for dump in dumps])
    return _seal_facts(facts, place), secrets.seal_bytes(body, f"{place}:values")


def seal_edit(key: bytes, inverse: dict[str, Any], place: str) -> tuple[bytes, bytes, int]:
    """The same for one edit that takes another one back, and its size."""
    body = json.dumps(inverse).encode()
    facts: list[list[Any]] = [[key], [str(inverse.get("operation", EDIT))], [None], [len(body)]]
    return _seal_facts(facts, place), secrets.seal_bytes(body, f"{place}:values"), len(body)


def open_facts(sealed: bytes, place: str) -> Facts:
    """Raises ``SecretUnreadable`` when the key is gone or the row was tampered with."""
    return Facts(*_codec.loads(secrets.unseal_bytes(sealed, f"{place}:facts")))


def open_values(sealed: bytes, place: str, sizes: Sequence[int]) -> list[bytes]:
    """The payloads in the order of the facts."""
    body = secrets.unseal_bytes(sealed, f"{place}:values")
    values, at = [], 0
    for size in sizes:
        values.append(body[at : at + size])
        at += size
    return values


def _seal_facts(facts: list[list[Any]], place: str) -> bytes:
    return secrets.seal_bytes(_codec.dumps(facts), f"{place}:facts")
