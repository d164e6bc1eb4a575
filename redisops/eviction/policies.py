"""The eight eviction policies: which keys each may take, and which of them it takes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Order = Literal["rest", "frequency", "chance", "expiry", "none"]


@dataclass(frozen=True)
class Policy:
    """One value of ``maxmemory-policy``.

    ``expiring_only``: it takes only keys with a TTL, and writes fail when there is none left.
    ``order`` is what goes first: the longest unread ("rest"), the least often read
    ("frequency"), any ("chance"), what expires soonest ("expiry"); "none": nothing goes.
    """

    name: str
    expiring_only: bool
    order: Order

    @property
    def evicts(self) -> bool:
        """Whether it takes any key at all."""
        return self.order != "none"

    @property
    def is_lfu(self) -> bool:
        """Whether the server counts uses under it, instead of keeping the time of the last one."""
        return self.order == "frequency"


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("noeviction", expiring_only=False, order="none"),
        Policy("allkeys-lru", expiring_only=False, order="rest"),
        Policy("allkeys-lfu", expiring_only=False, order="frequency"),
        Policy("allkeys-random", expiring_only=False, order="chance"),
        Policy("volatile-lru", expiring_only=True, order="rest"),
        Policy("volatile-lfu", expiring_only=True, order="frequency"),
        Policy("volatile-random", expiring_only=True, order="chance"),
        Policy("volatile-ttl", expiring_only=True, order="expiry"),
    )
}
