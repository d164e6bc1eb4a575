"""What a dump is, what there is instead of one, and the words of each result."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

MIB = 1024 * 1024
MAX_BYTES = 64 * MIB

REMOVED, CHANGED, GONE = "removed", "changed", "gone"
RESTORED, TAKEN, EXPIRED = "restored", "taken", "expired"


class Dump(NamedTuple):
    """A key as ``take`` found it.

    ``expires_at`` is Unix milliseconds by the server's clock, None without expiry; ``type`` is
    Redis's word; ``size`` the bytes of ``payload``, which RESTORE takes back.
    """

    key: bytes
    payload: bytes
    expires_at: int | None
    type: str
    size: int


class TooBig(NamedTuple):
    """A key that was not taken: about ``size`` bytes are more than ``max_bytes``."""

    key: bytes
    size: int
    type: str = ""


class OutOfReach(NamedTuple):
    """A key that was not taken: the server refuses it to this user, in the words of ``why``."""

    key: bytes
    why: str


Taken = Dump | TooBig | OutOfReach | None


def digest(payload: bytes) -> bytes:
    """What the scripts compare a DUMP by: SHA-1 as 40 hex digits."""
    return hashlib.sha1(payload, usedforsecurity=False).hexdigest().encode()


def seen(dump: Dump) -> tuple[bytes, int]:
    """What must still be so before a key is removed or overwritten: digest and expiry."""
    return digest(dump.payload), -1 if dump.expires_at is None else dump.expires_at
