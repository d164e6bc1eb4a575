"""How a limit travels to the scripts: which of them, and the numbers that it takes."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

from redisops.fast.sources import Prepared

if TYPE_CHECKING:
    from redisops.limits.model import Limit

PACE_STEPS = 960  # for each doubling of the rate
PACE_SHIFT = 46  # no rate is below 2**-46 a microsecond

BUCKET = 4
_KINDS = {
    "fixed_window": (1, "limit_fixed"),
    "sliding_counter": (2, "limit_counter"),
    "sliding_log": (3, "limit_log"),
    "token_bucket": (BUCKET, "limit_bucket"),
    "leaky_bucket": (BUCKET, "limit_bucket"),
    "gcra": (BUCKET, "limit_bucket"),
}
_AMONG = struct.Struct(">BBddddd")


class Wire(NamedTuple):
    """A limit as scripts take it.

    Its kind, its own script, the numbers that this takes, also in bytes, and its part of what
    ``limit_all`` takes; for a cost of 1 the arguments of its own script and the call of it, packed
    but for the key.
    """

    kind: int
    script: str
    numbers: tuple[int, ...]
    packed: bytes
    among: bytes
    arguments: tuple[bytes, bytes]
    call: Prepared

    def costing(self, limit: Limit, cost: int) -> bytes:
        """``among`` with a cost of its own."""
        return _among(limit, self.kind, cost, self.numbers)


def wire(limit: Limit) -> Wire:
    """The wire form of any limit but a concurrency limit."""
    kind, script = _KINDS[limit.algorithm]
    numbers: tuple[int, ...] = (limit.capacity, limit.period_us)
    if kind == BUCKET:
        us, count = limit.rate
        numbers = (limit.capacity, us, count, pace(us, count))
    packed = struct.pack(f">{len(numbers)}d", *numbers)
    arguments = (b"1", packed)
    call = Prepared.of(script, arguments)
    return Wire(kind, script, numbers, packed, _among(limit, kind, 0, numbers), arguments, call)


def _among(limit: Limit, kind: int, cost: int, numbers: tuple[int, ...]) -> bytes:
    padding = (0,) * (4 - len(numbers))
    return _AMONG.pack(kind, not limit.shadow, cost, *numbers, *padding)


def pace(us: int, count: int) -> int:
    """``count`` per ``us`` in 16 bits, within 0.04 %: kept beside what is spent, so that a script
    sees that the rate has changed and what it was."""
    return round(PACE_STEPS * (PACE_SHIFT + math.log2(count / us)))
