"""The same limits in this process's memory: to try one out, and to stand in while Redis is away."""

from __future__ import annotations

from typing import Protocol

from redisops.limits.model import Limit, Verdict, check_cost
from redisops.limits.states import Bucket, Counter, Fixed, Log
from redisops.limits.verdicts import of_one

FEWEST = 1_024


class State(Protocol):
    """What one subject has spent."""

    def decide(
        self, now: int, cost: int, numbers: tuple[int, ...], *, take: bool
    ) -> tuple[bool, int, int, int]:
        """Allowed, remaining, us until it would be allowed (-1 never), us until all is back."""


_STATES: dict[int, type[State]] = {1: Fixed, 2: Counter, 3: Log, 4: Bucket}


class Simulation:
    """One limit over any number of subjects, without I/O: the time is the caller's.

    Decides exactly as the scripts do, microsecond by microsecond; the tests prove it. Subjects
    that have everything back are forgotten as new ones come, so that memory follows the
    number that is active. Not for several threads at once without a lock. Raises
    InvalidArgument for a concurrency limit, as for a cost that is no whole number of at least 1.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._kind = limit.wire.kind
        self._states: dict[str | bytes, tuple[int, State]] = {}  # with when all is back
        self._most = FEWEST

    def __len__(self) -> int:
        """How many subjects are remembered."""
        return len(self._states)

    def change(self, limit: Limit) -> None:
        """Go on under another limit of the same policy; what is spent stays spent."""
        if limit.wire.kind != self._kind:
            self._states.clear()
        self.limit, self._kind = limit, limit.wire.kind

    def hit(self, subject: str | bytes, now_us: int, cost: int = 1) -> Verdict:
        """Spend ``cost`` at ``now_us`` (microseconds), if there is enough."""
        return self._decide(subject, now_us, check_cost(cost), take=True)

    def peek(self, subject: str | bytes, now_us: int, cost: int = 1) -> Verdict:
        """What ``hit`` would say; changes nothing."""
        return self._decide(subject, now_us, check_cost(cost), take=False)

    def reset(self, subject: str | bytes) -> bool:
        """Give the subject everything back; whether anything was remembered of it."""
        return self._states.pop(subject, None) is not None

    def _decide(self, subject: str | bytes, now: int, cost: int, *, take: bool) -> Verdict:
        known = self._states.get(subject)
        state = known[1] if known else _STATES[self._kind]()
        reply = state.decide(now, cost, self.limit.wire.numbers, take=take)
        if take and (known or reply[0]):
            self._states[subject] = (now + reply[3], state)
            if len(self._states) > self._most:
                self._forget(now)
        return of_one(self.limit, subject, reply, cost if take else 0)

    def _forget(self, now: int) -> None:
        self._states = {name: one for name, one in self._states.items() if one[0] > now}
        self._most = max(FEWEST, 2 * len(self._states))
