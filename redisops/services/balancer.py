"""Pick an instance of a service, call it, and call another one where that fails."""

# ruff: noqa: S311 - chance spreads load here

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from random import random
from typing import Any

from redisops.errors import InvalidArgument
from redisops.resilience import RetryBudget
from redisops.services.ejection import Ejection, Record
from redisops.services.local import Copy, fits
from redisops.services.model import Instance, NoInstance
from redisops.services.strategies import STRATEGIES, Pool
from redisops.services.telling import Counts
from redisops.steps import Awaiting, Blocking, Steps, step

log = logging.getLogger("redisops.services")

LEAST = 0.1  # of its weight that an instance has at the beginning of its slow start
RAMP = 0.5  # seconds between two looks at how far a slow start is
NEVER = float("inf")


class _Balancer:
    """Picks among the instances of one service that a Discovery knows. No command, no round trip.

    ``by``: ``round_robin``, ``random``, ``weighted``, ``least_outstanding``, ``two_choices`` (the
    better of two at random) or ``consistent`` (by ``key``, bounded loads). ``zone``: those of that
    zone while at least ``spill`` of its instances can be called, else all. ``version`` and
    ``tags`` as ``Discovery.instances``. ``slow_start``: seconds in which one that is new here (or
    was ejected) grows from a tenth of its share to all of it. ``ejection``: None for never.
    A warning halves the weight. When none can be called, suspects and then critical ones are tried
    (``is_panicking``). Thread-safe.
    """

    def __init__(
        self,
        discovery: Any,
        service: str,
        by: str = "two_choices",
        *,
        zone: str = "",
        spill: float = 0.5,
        version: str = "",
        tags: Collection[str] = (),
        slow_start: float = 0.0,
        ejection: Ejection | None = Ejection(),  # noqa: B008 - frozen
        budget: RetryBudget | None = None,
    ) -> None:
        if by not in STRATEGIES:
            raise InvalidArgument(f"{by!r} is none of {sorted(STRATEGIES)}")
        self.discovery, self.service, self.by = discovery, service, by
        self.is_panicking = False
        self.picks = 0
        self.budget = budget or RetryBudget(share=0.2, reserve=20.0)
        self._choose = STRATEGIES[by]
        self._local = discovery._locals[service]
        self._zone, self._spill = zone, spill
        self._version, self._tags = version, tuple(tags)
        self._slow_start = slow_start
        self._ejection = ejection
        self._records: dict[str, Record] = {}
        self._turns = itertools.count()
        self._lock = threading.RLock()
        self._pool: Pool | None = None
        self._copy: Copy | None = None
        self._until = 0.0
        self._shares: list[float] | None = None  # of slow starts
        discovery.count(service, self)

    def pick(self, key: str | bytes | None = None, avoid: Collection[str] = ()) -> Instance:
        """One instance. ``avoid``: ids that are picked only when there is no other.

        Raises NoInstance when nobody fits.
        """
        self.picks += 1
        pool = self._pool
        if (
            self._copy is not self._local.copy
            or pool is None
            or (self._until is not NEVER and time.monotonic() >= self._until)
        ):
            pool = self._renew()
        at = self._choose(pool, key)
        if self._shares is not None and key is None and random() > self._shares[at]:
            at = self._choose(pool, key)
        one = pool.instances[at]
        if avoid and one.id in avoid:
            others = [other for other in pool.instances if other.id not in avoid]
            return others[int(random() * len(others))] if others else one
        return one

    def has_others(self, avoid: Collection[str]) -> bool:
        """Whether anybody can be picked who is not among these ids."""
        pool = self._pool
        return pool is not None and any(one.id not in avoid for one in pool.instances)

    @property
    def ejected(self) -> tuple[str, ...]:
        """The ids that get no calls of this process now."""
        now = time.monotonic()
        return tuple(id for id, record in list(self._records.items()) if record.until > now)

    def counted(self) -> Counts:
        """What was seen of each instance since this was made; those that were never called left
        out. For the readers of a service: see ``telling``."""
        return {
            (id, record.fence): (record.total, record.failed, record.until)
            for id, record in list(self._records.items())
            if record.total
        }

    @contextlib.contextmanager
    def using(
        self, key: str | bytes | None = None, avoid: Collection[str] = ()
    ) -> Iterator[Instance]:
        """``pick`` for a block: counted as in flight, as failed when the block raises OSError."""
        one = self.pick(key, avoid)
        self.begin(one)
        ok = True
        try:
            yield one
        except OSError:
            ok = False
            raise
        finally:
            self.end(one, ok=ok)

    def begin(self, one: Instance) -> None:
        """A call to it begins."""
        record = self._record(one)
        with self._lock:
            record.outstanding += 1

    def end(self, one: Instance, *, ok: bool) -> None:
        """The call that ``begin`` counted ended; ``ok``: as far as it is the instance's doing."""
        record, now = self._record(one), time.monotonic()
        with self._lock:
            record.outstanding = max(0, record.outstanding - 1)
            record.total += 1
            record.failed += not ok
            terms = self._ejection
            if terms is not None and record.told(ok=ok, terms=terms, now=now):
                self._eject(one, record, terms, now)

    @step
    def call(
        self,
        function: Callable[[Instance], Any],
        *,
        key: str | bytes | None = None,
        tries: int = 3,
        retry_on: tuple[type[BaseException], ...] = (OSError,),
    ) -> Steps[Any]:
        """``function`` of a picked instance; of another one when it raises one of ``retry_on``.

        Give ``retry_on`` what means that the instance did not do it (``httpx.ConnectError``), or
        that doing it twice is harmless. At most ``tries`` instances, and at most a fifth of all
        calls is tried again, so that retries cannot multiply a load. Other errors pass at once.
        """
        failed: list[str] = []
        self.budget.earn()
        while True:
            one = self.pick(key, failed)
            self.begin(one)
            ok = True
            try:
                result = yield function(one)
                return result
            except retry_on:
                ok = False
                failed.append(one.id)
                if len(failed) >= tries or not self.budget.spend():
                    raise
            finally:
                self.end(one, ok=ok)

    def _record(self, one: Instance) -> Record:
        record = self._records.get(one.id)
        if record is None or record.fence < one.fence:
            with self._lock:
                record = self._records[one.id] = Record(one.fence)
        return record

    def _eject(self, one: Instance, record: Record, terms: Ejection, now: float) -> None:
        callable_ones = [other.id for other in self._fitting() if other.is_routed]
        out = sum(self._records[id].until > now for id in callable_ones if id in self._records)
        if record.until > now or out + 1 > int(len(callable_ones) * terms.share):
            return
        record.eject(terms, now)
        log.warning(
            "%s %s gets no calls for %.0f s: they fail", self.service, one.id, record.until - now
        )
        self._copy = None  # the pool is made anew

    def _fitting(self) -> list[Instance]:
        return [
            one for one in self._local.copy.instances
            if fits(one, version=self._version, tags=self._tags)
        ]  # fmt: skip

    def _renew(self) -> Pool:
        """The pool as of now."""
        with self._lock:
            now, copy = time.monotonic(), self._local.copy
            fitting = self._fitting()
            there = {one.id for one in copy.instances}
            for id in [id for id in self._records if id not in there]:
                if not self._records[id].outstanding:
                    del self._records[id]
            records = {one.id: self._record(one) for one in fitting}
            routed = [one for one in fitting if one.is_routed]
            out = [records[one.id].until for one in routed if records[one.id].until > now]
            chosen = [one for one in routed if records[one.id].until <= now]
            chosen = self._near(chosen, fitting) or self._last_choice(routed, fitting)
            self.is_panicking = bool(fitting) and not routed
            if not chosen:
                known = "known" if self._local.reading is not None else "known yet"
                raise NoInstance(
                    f"no instance of {self.service} that fits is {known}"
                    + (f": {self.discovery.trouble}" if self.discovery.trouble else "")
                )
            shares = [self._share(one, records[one.id], copy, now) for one in chosen]
            ramping = any(share < 1 for share in shares)
            weights = [
                max(one.weight, 1) * share * (0.5 if one.state == "warning" else 1.0)
                for one, share in zip(chosen, shares, strict=True)
            ]
            pool = Pool(chosen, weights, [records[one.id] for one in chosen], self._turns)
            self._pool, self._copy = pool, copy
            self._shares = shares if ramping else None
            self._until = min([now + RAMP, *out]) if ramping or out else NEVER
            return pool

    def _near(self, chosen: list[Instance], fitting: list[Instance]) -> list[Instance]:
        """Those of the zone, while it can carry its share."""
        if not self._zone:
            return chosen
        near = [one for one in chosen if one.zone == self._zone]
        known = sum(
            one.zone == self._zone and one.state not in ("draining", "maintenance", "starting")
            for one in fitting
        )
        return near if near and len(near) >= self._spill * known else chosen

    @staticmethod
    def _last_choice(routed: list[Instance], fitting: list[Instance]) -> list[Instance]:
        suspects = [
            one for one in fitting
            if one.suspect and one.state in ("passing", "warning") and one.weight > 0
        ]  # fmt: skip
        return routed or suspects or [one for one in fitting if one.state == "critical"]

    def _share(self, one: Instance, record: Record, copy: Copy, now: float) -> float:
        """How much of its share it gets: less while it is new here, or back."""
        if self._slow_start <= 0:
            return 1.0
        begun = max(copy.since.get(one.id, 0.0), record.until)
        return min(1.0, max(LEAST, (now - begun) / self._slow_start))


class Balancer(_Balancer, Blocking):
    __doc__ = _Balancer.__doc__


class AsyncBalancer(_Balancer, Awaiting):
    __doc__ = _Balancer.__doc__
