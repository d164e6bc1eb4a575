"""How much smaller some values would be if they were compressed, tried on their first part.

>>> Trials(redis).compress([b"page:1", b"page:2"])
[Trial(key=b'page:1', length=48213, tried=32768, packed=4102, is_packed=False), ...]
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoPermissionError

from redisops.errors import InvalidArgument
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import checked, is_wrong_type, node_of, nodes, send

PART = 32_768
MOST = 200
LEVEL = 1
# What is compressed already: gzip, zlib, zstd, bzip2, xz, LZ4, PNG, JPEG, WebP, ZIP.
_PACKED = (
    b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x28\xb5\x2f\xfd", b"BZh",
    b"\xfd7zXZ", b"\x04\x22\x4d\x18", b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"PK\x03\x04",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One value of ``length`` bytes: ``tried`` bytes of it became ``packed``.

    ``is_packed``: it begins as a compressed format does, so that nothing is to be gained.
    """

    key: bytes
    length: int
    tried: int
    packed: int
    is_packed: bool

    @property
    def ratio(self) -> float:
        """Compressed by plain, at most 1: what does not shrink is stored as it is."""
        return 1.0 if self.is_packed or not self.tried else min(self.packed / self.tried, 1.0)


class _Trials:
    """Reads parts of values and tries them here. The server compresses nothing."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    @step
    def compress(self, keys: Sequence[bytes]) -> Steps[list[Trial]]:
        """A trial for each string among ``keys`` (at most 200). One round trip, 32 KiB a value.

        Left out are keys that are gone, of another type or out of reach. Raises
        NoPermissionError where GETRANGE or STRLEN are refused altogether.
        """
        if len(keys) > MOST:
            raise InvalidArgument(f"{len(keys):,} keys are more than {MOST}")
        yield from nodes(self.redis)
        replies = yield from send(
            self.redis,
            [
                (node_of(self.redis, key), command)
                for key in keys
                for command in (("STRLEN", key), ("GETRANGE", key, 0, PART - 1))
            ],
        )
        found = []
        refused: NoPermissionError | None = None
        for at, key in enumerate(keys):
            length, part = replies[2 * at : 2 * at + 2]
            error = next((one for one in (length, part) if isinstance(one, Exception)), None)
            if isinstance(error, NoPermissionError):
                refused = refused or error
            elif error is not None and not is_wrong_type(error):
                checked(error)
            elif error is None and part:
                packed = len(zlib.compress(part, LEVEL))
                found.append(Trial(key, int(length), len(part), packed, part.startswith(_PACKED)))
        if refused is not None and not found:
            raise refused
        return found


class Trials(_Trials, Blocking):
    """``_Trials`` through a blocking client."""

    __doc__ = _Trials.__doc__


class AsyncTrials(_Trials, Awaiting):
    """``_Trials`` through an awaiting client."""

    __doc__ = _Trials.__doc__
