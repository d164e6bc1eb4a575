"""What policies allowed and denied in the last 15 minutes, for all rows in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from redisops.errors import RedisopsError
from redisops.limits.use import Step, Use

SECONDS = 900
POINTS = 45


@dataclass(frozen=True)
class Spark:
    """Counts of the last 15 minutes; None where they are not known.

    ``denied`` is what was refused, or of a policy in shadow what would have been; ``allowed`` is
    what was let through, which a shadow's denials were, too.
    """

    allowed: int | None = None
    denied: int | None = None
    total: int = 0
    allowed_points: list[float] = field(default_factory=list)
    denied_points: list[float] = field(default_factory=list)

    @property
    def share(self) -> str | None:
        """How much of it was denied; None when nothing was asked."""
        return f"{(self.denied or 0) / self.total:.2%}" if self.total else None

    @property
    def words(self) -> str:
        if self.allowed is None:
            return "not known"
        return f"{self.allowed:,} allowed and {self.denied:,} denied in the last 15 minutes"


def sparks(client: Any, modes: Mapping[str, str]) -> dict[str, Spark]:
    """By policy, of policies with their modes; empty while Redis does not answer, as the page says.

    A policy whose mode changed meanwhile was refusing for a part of the time only: what it would
    have refused in the rest is no denial.
    """
    if not modes:
        return {}
    try:
        found = Use(client).series_many(list(modes), seconds=SECONDS)
    except (redis.RedisError, RedisopsError):
        return {}
    return {
        name: _spark(found[name], is_shadow=mode == "shadow")
        for name, mode in modes.items()
        if name in found
    }


def _spark(rows: list[Step], *, is_shadow: bool) -> Spark:
    each = max(len(rows) // POINTS, 1)
    allowed = [row.allowed + row.shadow for row in rows]
    denied = [row.shadow if is_shadow else row.denied for row in rows]
    total = sum(row.allowed + row.shadow + row.denied for row in rows)
    return Spark(sum(allowed), sum(denied), total, _folded(allowed, each), _folded(denied, each))


def _folded(values: list[int], each: int) -> list[float]:
    return [float(sum(values[at : at + each])) for at in range(0, len(values), each)]
