"""What advice would change of a policy: the form begins with it, and nothing is saved by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from redisops.cache import Policy
from redisops.cache.policy import LONGEST

TIMES = 4.0
"""By how much a TTL grows that is shorter than the time between two reads."""
SPREAD = 0.25
SMALL = 1024


def _longer(policy: Policy) -> Policy:
    return dataclasses.replace(policy, ttl=min(policy.ttl * TIMES, LONGEST - policy.stale))


def _spread(policy: Policy) -> Policy:
    return dataclasses.replace(policy, jitter=min(0.9, max(SPREAD, 2 * policy.jitter)))


def _compress(policy: Policy) -> Policy:
    return dataclasses.replace(policy, compress=SMALL)


WAYS: dict[str, tuple[str, Callable[[Policy], Policy]]] = {
    "longer": ("a TTL four times as long", _longer),
    "spread": ("more jitter, so that entries end at different times", _spread),
    "compress": ("compression from 1 KiB on", _compress),
}


def suggested(name: str, policy: Policy) -> tuple[str, Policy] | None:
    """In words, and the policy that it makes of ``policy``; None for no suggestion."""
    if name not in WAYS:
        return None
    words, change = WAYS[name]
    return words, change(policy)
