"""Whether a check that reached nobody speaks against the instance, or against the checker.

An instance that cannot be connected to may be dead, or the network between it and us is. What
tells is whether others of the same zone can be reached: in the time of the check, or, when nobody
was asked in that time, by a look at two of them. Who is alone in its zone is believed while Redis
answers. A closed port, or a server that accepts and keeps silent, needs none of this.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboard.services.checks.asking import ask
from dashboard.services.checks.spec import Check

if TYPE_CHECKING:
    from dashboard.services.checks.wheel import Target

LOOK = Check(kind="tcp", timeout=1.0)
FRESH = 1.0
"""Seconds for which the answer of a look at a zone is good."""


@dataclass
class Zone:
    """The instances of one zone of a server that are checked here, and what was reached."""

    there: dict[str, Target] = field(default_factory=dict)
    reached_at: float = float("-inf")
    reached: str = ""
    looked_at: float = float("-inf")
    looking: asyncio.Task[None] | None = None


class Gate:
    """The zones of one server. Times are the loop's."""

    def __init__(self) -> None:
        self.zones: dict[str, Zone] = {}

    def add(self, target: Target) -> None:
        """Let a target count as a witness of its zone."""
        self.zones.setdefault(target.zone, Zone()).there[target.key] = target

    def remove(self, target: Target) -> None:
        """It is no longer checked here."""
        zone = self.zones.get(target.zone)
        if zone is not None:
            zone.there.pop(target.key, None)
            if not zone.there:
                del self.zones[target.zone]

    def reached(self, target: Target, now: float) -> None:
        """Something answered: the way to its zone is open."""
        zone = self.zones.get(target.zone)
        if zone is not None:
            zone.reached_at, zone.reached = now, target.key

    async def believes(self, target: Target, begun: float, *, redis_answers: bool) -> bool:
        """Whether an attempt that began at ``begun`` and reached nobody counts."""
        zone = self.zones.get(target.zone)
        if zone is None or not redis_answers:
            return False
        if len(zone.there) == 1 and target.key in zone.there:
            return True
        if zone.reached_at >= begun and zone.reached != target.key:
            return True
        now = asyncio.get_running_loop().time()
        if zone.looking is None and now - zone.looked_at > FRESH:
            zone.looking = asyncio.create_task(self._look(zone, target))
        if zone.looking is not None:
            await asyncio.shield(zone.looking)
        return zone.reached_at >= begun and zone.reached != target.key

    async def _look(self, zone: Zone, target: Target) -> None:
        """Connect to two others of the zone: those that answered last."""
        loop = asyncio.get_running_loop()
        try:
            others = [one for one in zone.there.values() if one.key != target.key]
            others.sort(key=lambda one: one.connected_at, reverse=True)
            found = await asyncio.gather(
                *(ask(LOOK, one.address, one.check.port or one.port) for one in others[:2])
            )
            for one, outcome in zip(others, found, strict=False):
                if outcome.connected:
                    one.connected_at = zone.reached_at = loop.time()
                    zone.reached = one.key
        finally:
            zone.looked_at, zone.looking = loop.time(), None
