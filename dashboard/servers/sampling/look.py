"""One look at one server."""

from __future__ import annotations

from dataclasses import dataclass

from redisops.info import Info
from redisops.resilience import Trouble


@dataclass(frozen=True)
class Look:
    """One server asked once: what each of its nodes said, or why nothing came.

    ``timed``: whether it was asked for its histograms of latency, too.
    """

    nodes: dict[str, Info]
    failed: dict[str, Trouble]
    seconds: float
    trouble: Trouble | None = None
    tried: bool = True
    timed: bool = True
