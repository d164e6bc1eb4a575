"""What a policy's use is at this moment, as Redis has it counted: seconds, and top lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dashboard.limits.patience import patient
from dashboard.servers.models import Server
from redisops.limits.use import AsyncUse, Step, Top, Use

SECONDS = 900
SETTLED = 3
"""Services write what they counted once a second: a second is complete after so many."""
TOP = 10
OUTCOMES = ("denied", "shadow", "allowed")


@dataclass(frozen=True)
class Reading:
    """``seconds`` by the server's clock, each one once, oldest first, all of them complete.

    ``newest`` are the last few, with those that still grow. ``tops`` by outcome.
    """

    seconds: list[Step]
    newest: list[Step]
    tops: dict[str, Top] = field(default_factory=dict)

    @property
    def until(self) -> int:
        return self.seconds[-1].at

    def sums(self, seconds: int) -> tuple[int, int, int]:
        """Allowed, denied and would have denied in the last so many seconds."""
        return sums(self.seconds[-seconds:])


def sums(steps: Sequence[Step]) -> tuple[int, int, int]:
    """Allowed, denied and would have denied in all."""
    return (
        sum(step.allowed for step in steps),
        sum(step.denied for step in steps),
        sum(step.shadow for step in steps),
    )


def read(server: Server, name: str) -> Reading:
    """Ask the server, for a page. Three round trips."""
    use = Use(server.client())
    with patient():
        return _reading(use.series(name, SECONDS + SETTLED), use.top_many(_asked(name), TOP))


async def follow(use: AsyncUse, name: str) -> Reading:
    """The same for the reader of sockets, which keeps its ``use``. Two round trips."""
    steps = await use.series(name, SECONDS + SETTLED)
    return _reading(steps, await use.top_many(_asked(name), TOP))


def _asked(name: str) -> list[tuple[str, str]]:
    return [(name, outcome) for outcome in OUTCOMES]


def _reading(steps: list[Step], tops: list[Top]) -> Reading:
    return Reading(steps[:-SETTLED], steps[-10:], dict(zip(OUTCOMES, tops, strict=True)))
