"""Limits within one process, for policies that go on without Redis: their share, not the whole."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from redisops.limits.model import Limit, Part, Verdict
from redisops.limits.simulation import Simulation
from redisops.limits.verdicts import together

MOST_SUBJECTS = 10_000


class Due(NamedTuple):
    """What one policy wants of one subject: the limit in full, and the cost."""

    limit: Limit
    subject: bytes
    cost: int


class Local:
    """Decides in this process by a share of each limit. Thread-safe, bounded.

    The share is the limit divided by the number of instances, rounded down, and at least what one
    request costs. At most 10,000 subjects are known, the ones not seen for longest are forgotten
    (they begin anew). A sliding log counts by two windows here, which needs no memory per hit.
    Time is the monotonic clock.
    """

    def __init__(self, most: int = MOST_SUBJECTS) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, bytes], Simulation] = OrderedDict()
        self._places: dict[tuple[str, bytes], int] = {}
        self._lock = threading.Lock()

    def hit_all(self, wanted: Sequence[Due], instances: int) -> Verdict:
        """Spend under every limit or under none, as ``Limiter.hit_all``; shadow never denies."""
        now = time.monotonic_ns() // 1000
        with self._lock:
            if len(wanted) == 1:
                due = wanted[0]
                return self._simulation(due, instances).hit(due.subject, now, due.cost)
            found = [self._simulation(due, instances) for due in wanted]
            looked = [
                one.peek(due.subject, now, due.cost) for one, due in zip(found, wanted, strict=True)
            ]
            if not all(one.allowed for one in looked):
                return together(looked)
            return together(
                [
                    one.hit(due.subject, now, due.cost)
                    for one, due in zip(found, wanted, strict=True)
                ]
            )

    def enter(self, limit: Limit, subject: bytes, instances: int) -> Verdict:
        """A place of a concurrency limit in this process; ``leave`` gives it back."""
        most = max(1, limit.limit // instances)
        key = (limit.name, subject)
        with self._lock:
            held = self._places.get(key, 0)
            full = held >= most
            allowed = limit.shadow or not full
            if allowed:
                held = self._places[key] = held + 1
        part = Part(
            limit.name, subject, not full, most, max(0, most - held), 1.0 if full else 0.0, 0.0,
            limit.shadow, limit.period, limit.version,
        )  # fmt: skip
        return Verdict(
            allowed, most, part.remaining, 0.0 if allowed else 1.0, 0.0, 0.0, limit.name,
            limit.version, full and limit.shadow, "" if allowed else "denied", (part,),
        )  # fmt: skip

    def leave(self, limit: Limit, subject: bytes) -> None:
        """Give back a place that ``enter`` allowed."""
        key = (limit.name, subject)
        with self._lock:
            held = self._places.get(key, 0)
            if held > 1:
                self._places[key] = held - 1
            else:
                self._places.pop(key, None)

    def _simulation(self, due: Due, instances: int) -> Simulation:
        limit = share_of(due.limit, due.cost, instances)
        key = (limit.name, due.subject)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Simulation(limit)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
            return known
        if known.limit is not limit:
            known.change(limit)
        self._known.move_to_end(key)
        return known


@functools.lru_cache(maxsize=1024)
def share_of(limit: Limit, cost: int, instances: int) -> Limit:
    """The part of a limit that one of so many instances may give out."""
    log = limit.algorithm == "sliding_log"
    if instances == 1 and not log:
        return limit
    burst = limit.burst
    return dataclasses.replace(
        limit,
        limit=max(cost, 1, limit.limit // instances),
        burst=None if burst is None else max(cost, 1, burst // instances),
        algorithm="sliding_counter" if log else limit.algorithm,
    )
