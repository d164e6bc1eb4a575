"""How long the last checks of each instance took: about half an hour in 124 bytes.

One field per instance in the hash ``svc:{<service>}:ring``, written by the script that keeps the
last results: a byte 1, when the newest slot was (ms since 1970, 6 bytes), how long a slot is (ms,
3 bytes), all of them with the highest byte first, then a byte for each of at most 114 slots, oldest
first: 0 nothing known, 255 a check failed, else the slowest check of the slot took
``0.05 * 1.06 ** (byte - 1)`` ms, exact to 3 %. A slot is 16 seconds long, or as long as from check
to check where that is longer. It is for people: nothing is judged by it, and it makes no version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from redisops.fast import AsyncFast, Fast
from redisops.services.naming import check_instance, keys_of
from redisops.steps import Awaiting, Blocking, Steps, step

SLOTS = 114
SLOT_MS = 16_000
"""The shortest slot; one of a rare check lasts from check to check."""
LONGEST_MS = 16_000_000
NOTHING, FAILED = 0, 255
MOST_AT_ONCE = 2_000
_HEAD = 10
_FIRST, _RATIO = 0.05, math.log(1.06)


class Ring(NamedTuple):
    """``at``: when the newest slot was, seconds since 1970 by the server's clock; ``seconds``: how
    long a slot is; ``codes``: a byte for each slot, oldest first (see the module)."""

    at: float
    seconds: float
    codes: bytes

    @property
    def times(self) -> list[float]:
        """When each slot was, oldest first."""
        first = self.at - (len(self.codes) - 1) * self.seconds
        return [first + n * self.seconds for n in range(len(self.codes))]

    @property
    def ms(self) -> list[float | None]:
        """The slowest check of each slot, oldest first; None where none is known, or one failed."""
        return [_DECODED[code] for code in self.codes]

    @property
    def failed(self) -> list[bool]:
        """Whether a check failed in each slot."""
        return [code == FAILED for code in self.codes]


_DECODED: list[float | None] = [
    None, *(_FIRST * math.exp(_RATIO * (code - 1)) for code in range(1, FAILED)), None
]  # fmt: skip


def code_of(ms: float | None, *, is_bad: bool) -> int:
    """One check as a byte of a ring."""
    if is_bad:
        return FAILED
    if ms is None or not math.isfinite(ms):
        return NOTHING
    return min(FAILED - 1, max(1, round(math.log(max(ms, _FIRST) / _FIRST) / _RATIO) + 1))


def slot_ms(every: Any) -> int:
    """How long a slot is, of a check every so many seconds; 0, none, where that is no time."""
    if type(every) not in (int, float) or not 0 < every < LONGEST_MS / 1000:
        return 0
    return int(max(SLOT_MS, round(every * 1000)))


def ring(packed: bytes | None) -> Ring | None:
    """A ring as it was kept; None of one that is malformed or too large. Never raises."""
    if packed is None or not _HEAD < len(packed) <= _HEAD + SLOTS or packed[0] != 1:
        return None
    at, width = int.from_bytes(packed[1:7], "big"), int.from_bytes(packed[7:10], "big")
    if at >= 10**14 or width < SLOT_MS:
        return None
    return Ring(at / 1000, width / 1000, packed[_HEAD:])


class _Rings:
    """The rings of one Redis; writes nothing. Errors of connection pass through."""

    _fast: Any

    @step
    def of(self, asked: Mapping[str, Sequence[str]]) -> Steps[dict[str, dict[str, Ring]]]:
        """The rings of instances by service: of at most 2,000 of each. One round trip.

        Who has none, or one that cannot be read, is left out; so is a service that refuses.
        """
        ids = {service: list(some)[:MOST_AT_ONCE] for service, some in asked.items() if some}
        commands = [
            ("HMGET", keys_of(service).ring, *map(check_instance, some))
            for service, some in ids.items()
        ]
        found: dict[str, dict[str, Ring]] = {}
        replies = yield self._fast.calls(commands)
        for (service, some), reply in zip(ids.items(), replies, strict=True):
            if isinstance(reply, ResponseError):
                continue
            if isinstance(reply, Exception):
                raise reply
            read = ((id, ring(packed)) for id, packed in zip(some, reply, strict=True))
            found[service] = {id: one for id, one in read if one is not None}
        return found


class Rings(_Rings, Blocking):
    __doc__ = _Rings.__doc__

    def __init__(self, client: Any) -> None:
        self._fast = Fast.of(client)


class AsyncRings(_Rings, Awaiting):
    __doc__ = _Rings.__doc__

    def __init__(self, client: Any) -> None:
        self._fast = AsyncFast.of(client)
