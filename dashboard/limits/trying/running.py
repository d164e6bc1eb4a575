"""Run traffic against a draft and the live policy, side by side, on the library's pure model.

Nothing is sent to any server. A run is at most ``MOST`` decisions in all; of longer traffic the
newest part is taken, and the run says so.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from dashboard.limits.trying.traffic import MICRO, Traffic
from redisops.limits.policies import Policy
from redisops.limits.simulation import Simulation
from redisops.limits.subjects import Entry, Said

MOST = 200_000
BUDGET = 2.0
"""Seconds of work after which a run ends where it is: a busy machine is no reason to wait."""

Door = Callable[[int, int], bool]
"""Whether the caller of that place may pass at that time (microseconds since 1970)."""


@dataclass
class Side:
    """What one policy did: requests allowed and denied in each second, denied by caller's place."""

    allowed: list[int] = field(default_factory=list)
    denied: list[int] = field(default_factory=list)
    denied_of: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return sum(self.denied)

    def share(self) -> float | None:
        """Denied of all; None of nothing."""
        asked = sum(self.allowed) + self.total
        return self.total / asked if asked else None


@dataclass
class Run:
    """``whole``: the traffic that was asked for; ``traffic``: the part of it that was run."""

    whole: Traffic
    traffic: Traffic
    sides: dict[str, Side]
    asked_of: Counter[int]

    @property
    def is_part(self) -> bool:
        return len(self.traffic.counts) < len(self.whole.counts) or (
            self.traffic.total < self.whole.total
        )

    @property
    def seconds(self) -> int:
        return len(self.traffic.counts)


def run(traffic: Traffic, policies: Mapping[str, Policy], takes: float = 0.2) -> Run:
    """Every request of ``traffic`` past each policy; ``takes`` is how long one lasts, in seconds.

    The policies are asked as if they enforced, whatever their mode.
    """
    part = traffic.newest(MOST // max(len(policies), 1))
    doors = {name: _door(policy, part, takes) for name, policy in policies.items()}
    sides = {name: Side() for name in policies}
    asked: Counter[int] = Counter()
    done, end = 0, time.monotonic() + BUDGET
    for place, requests in part.requests():
        for name, door in doors.items():
            side, passed = sides[name], 0
            for at, who in requests:
                if door(who, at):
                    passed += 1
                else:
                    side.denied_of[who] += 1
            side.allowed.append(passed)
            side.denied.append(len(requests) - passed)
        asked.update(who for _, who in requests)
        done = place + 1
        if time.monotonic() > end:
            break
    ran = Traffic(part.counts[:done], part.callers, part.start)
    return Run(traffic, ran, sides, asked)


def _door(policy: Policy, traffic: Traffic, takes: float) -> Door:
    """The policy's own: bans, then exemptions, come before what is counted."""
    names = [_name(policy, caller.name) for caller in traffic.callers]
    exempt = _ends(policy, policy.exempt, traffic)
    banned = _ends(policy, policy.banned, traffic)
    counted = _in_flight(policy, takes) if policy.algorithm == "concurrency" else _model(policy)

    def may_pass(who: int, at: int) -> bool:
        if who in banned and at < banned[who]:
            return False
        if who in exempt and at < exempt[who]:
            return True
        return counted(names[who], at)

    return may_pass if exempt or banned else lambda who, at: counted(names[who], at)


def _name(policy: Policy, name: str) -> str:
    return "everybody" if policy.subject == ("global",) else name


def _ends(policy: Policy, given: Iterable[Entry], traffic: Traffic) -> dict[int, float]:
    """By the caller's place, when what is said of them, or of their network, ends."""
    said = Said(policy.subject, [(one.subject, one.until * MICRO) for one in given])
    ends = {}
    for place, caller in enumerate(traffic.callers):
        if caller.subject is not None:
            address = caller.subject.decode("utf-8", "replace").removesuffix("/64")
            end = said.of(caller.subject, address)
            if end is not None:
                ends[place] = end
    return ends


def _model(policy: Policy) -> Callable[[str, int], bool]:
    enforced = replace(policy.as_limit(), shadow=False)
    hit, cost = Simulation(enforced).hit, policy.cost
    return lambda who, at: hit(who, at, cost).allowed


def _in_flight(policy: Policy, takes: float) -> Callable[[str, int], bool]:
    """At most ``limit`` at once for each caller; each request lasts ``takes`` seconds."""
    ends: dict[str, list[int]] = {}
    lasts = round(takes * MICRO)

    def enter(who: str, at: int) -> bool:
        mine = ends.setdefault(who, [])
        while mine and mine[0] <= at:
            heapq.heappop(mine)
        if len(mine) + policy.cost > policy.limit:
            return False
        for _ in range(policy.cost):
            heapq.heappush(mine, at + lasts)
        return True

    return enter
