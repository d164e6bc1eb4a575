"""What people decide on one subject: let it pass for a time, ban it for a time, end either."""

from __future__ import annotations

import dataclasses
import time

from dashboard.limits.policies.forms import read_period, said_period
from redisops.limits.policies import Ban, Exemption, Policy
from redisops.limits.subjects import as_subject

TIMES = ("1 min", "15 min", "1 h", "8 h", "1 d", "7 d", "30 d")
"""What the form offers; any other time can be typed."""
SHORTEST, LONGEST = 60.0, 3660 * 86_400.0


def lasting(text: str) -> tuple[float, str]:
    """Seconds of a time that people typed, and how it is said; ValueError with a sentence."""
    seconds = read_period(text.strip())
    if seconds is None:
        raise ValueError("say for how long, like 5 min, 1 h or 30 d")
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError("it may last from a minute to ten years")
    return round(seconds), said_period(round(seconds))


def exempted(policy: Policy, subject: str, seconds: float) -> Policy:
    """The policy with the subject let through, and no longer banned; what has ended goes."""
    cleared = lifted(policy, subject)
    until = float(round(time.time() + seconds))
    return dataclasses.replace(cleared, exempt=(*cleared.exempt, Exemption(subject, until)))


def banned(policy: Policy, subject: str, seconds: float, reason: str) -> Policy:
    """The policy with the subject banned, and no longer exempt; what has ended goes."""
    cleared = lifted(policy, subject)
    ban = Ban(subject, float(round(time.time() + seconds)), reason)
    return dataclasses.replace(cleared, banned=(*cleared.banned, ban))


def lifted(policy: Policy, subject: str) -> Policy:
    """The policy without exemption or ban of the subject, nor those of others that have ended."""
    now, meant = time.time(), as_subject(policy.subject, subject)

    def stays(one: Ban | Exemption) -> bool:
        return one.until > now and as_subject(policy.subject, one.subject) != meant

    return dataclasses.replace(
        policy,
        exempt=tuple(filter(stays, policy.exempt)),
        banned=tuple(filter(stays, policy.banned)),
    )
