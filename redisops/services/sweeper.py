"""Looks for leases that are over, and for what is left of instances that are not there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import redis

from redisops.fast import AsyncFast, Fast
from redisops.resilience import Backoff
from redisops.services.decoding import ms, texts
from redisops.services.model import LONGEST, Repaired, Swept
from redisops.services.names import AsyncNames, Names
from redisops.services.registry import AsyncRegistry, Registry
from redisops.services.sweeping import (
    Counts,
    considered,
    counts_of,
    did,
    repaired,
    repairing,
    sweeping,
    swept_of,
)
from redisops.services.trouble import ERRORS, words
from redisops.steps import Awaiting, Blocking, Steps, step

log = logging.getLogger("redisops.services")

AT_ONCE = 500
"""Instances of one service that one look judges."""
REPAIRED_AT_ONCE = 200
"""Of these, one page of looking for zombies."""
LIST_EVERY = 2.0
SHORT = 0.002
"""Seconds that are not worth another look."""
Told = Callable[[list[Swept]], Any]


class _Sweeper(ABC):
    """Removes instances whose lease is over, of the given services or of all (``Names``).

    Any number of sweepers may look at once: each change is made and told once. ``every``: seconds
    between two looks at all, at most; where a lease ends, that service is looked at there and
    then. When nobody has looked for ``gap`` seconds (nobody swept, Redis was stopped, its clock
    was set), nobody is judged for ``hold`` seconds, in which all may beat: give at least a third
    of the longest lease. Every ``repair_every`` seconds it looks for zombies. ``told`` is given
    what each look did, where it did anything; ``names`` is asked for the services in
    place of Redis; ``troubles`` holds by service what is wrong, in words.

    Self-preservation over all services that it looks at: when more than ``share`` of their leases,
    more than ``few`` of them and of more than one service, ended within ``recent`` seconds (those
    that went within a minute count, whoever removed them), nobody of any service goes on its lease
    alone; ``preserving`` says so. It ends when they beat, when a check shows that they are gone,
    or after ``recent`` seconds. Each service's own Terms hold besides.

    Those who stop together end one by one. While those who ended would be too many, by either
    rule, with those who are late (less than 0.6 of the lease is left: they missed a beat), who
    ended is neither removed nor suspect yet: until the late ones beat or end, for one lease of its
    own at most. Of a service, those who went within one lease count, too.
    """

    _fast: Any
    _registry: Any
    _names: Any

    def __init__(
        self,
        client: Any,
        services: Sequence[str] | None = None,
        *,
        every: float = 0.5,
        gap: float = 5.0,
        hold: float = 15.0,
        repair_every: float = 30.0,
        share: float = 0.15,
        few: int = 5,
        recent: float = 600.0,
        told: Told | None = None,
        names: Callable[[], Iterable[str]] | None = None,
    ) -> None:
        self.client = client
        self.every, self.gap, self.hold, self.repair_every = every, gap, hold, repair_every
        self.share, self.few, self.recent = share, few, recent
        self.preserving = False
        self.told, self.names = told, names
        self.troubles: dict[str, str] = {}
        self.is_over = False
        self._given = None if services is None else list(services)
        self._services: list[str] = []
        self._ends: dict[str, float] = {}  # of each service the next lease, by time.monotonic()
        self._counts: dict[str, Counts] = {}
        self._waiting = False
        self._listed_at = float("-inf")
        self._repair_at = time.monotonic() + repair_every
        self._pages: deque[tuple[str, int]] = deque()  # services and cursors that are due for it
        self._ready()

    @step
    def look(self) -> Steps[list[Swept]]:
        """Look once at every service. One round trip, one more every 2 s for their names.

        One more where leases of one of many services are over: they are counted before anybody
        is judged.
        """
        yield from self._list()
        reports = yield from self._swept(self._services)
        return reports

    @step
    def repair(self, service: str, cursor: int = 0, count: int = 500) -> Steps[Repaired]:
        """Remove zombies among some instances of a service; go on from ``cursor``. One round trip.

        An even cursor walks the records, an odd one the leases.
        """
        reply = yield self._fast.script(*repairing(service, cursor, count))
        return repaired(service, cursor, reply)

    @step
    def sweep(self) -> Steps[None]:
        """Look again and again until ``stop``. What Redis refuses is told and tried again."""
        failures, backoff, full_at = 0, Backoff(base=0.2, cap=2.0), float("-inf")
        while not self.is_over:
            wait = self.every
            try:
                now = time.monotonic()
                if now >= full_at:
                    yield from self._list()
                    services, full_at = self._services, now + self.every
                else:  # whose next lease ends now, and nobody else
                    services = [one for one, end in self._ends.items() if end <= now + SHORT]
                reports = yield from self._swept(services)
                wait = min([full_at, *self._ends.values()]) - time.monotonic()
                if self.told is not None and any(map(did, reports)):
                    yield self.told([one for one in reports if did(one)])
                yield from self._repair_some()
                failures = 0
            except ERRORS as error:
                failures += 1
                wait = max(self.every, backoff.delay(failures))
                if failures == 1:
                    log.warning("services are not swept: %s", words(error))
            if not self.is_over:
                yield self._rest(max(wait, SHORT))

    def _list(self) -> Steps[None]:
        if self.names is not None:
            self._services = list(self.names())
        elif self._given is not None:
            self._services = self._given
        elif time.monotonic() - self._listed_at > LIST_EVERY:
            self._services = yield self._names.look()
            self._listed_at = time.monotonic()

    def _swept(self, services: Sequence[str]) -> Steps[list[Swept]]:
        if not services:
            return []
        if services is self._services:
            self._ends.clear()
            self._counts.clear()
        if len(self._services) == 1:
            replies = yield from self._asked(services, "")
            return (yield from self._reports(replies))
        replies = yield from self._asked(services, "count")
        read = {one: said for one, said in replies.items() if not isinstance(said, Exception)}
        due = [one for one, said in read.items() if said[8]]
        self._counts |= {one: counts_of(said)
                         for one, said in read.items()}  # fmt: skip
        self._consider()
        if due:
            how = "keep" if self.preserving else "wait" if self._waiting else ""
            judged = yield from self._asked(due, how)
            for one, reply in judged.items():
                if not isinstance(reply, Exception):
                    reply[2] = [*replies[one][2], *reply[2]]  # who beat again was told of before
                replies[one] = reply
        return (yield from self._reports(replies))

    def _asked(self, services: Sequence[str], how: str) -> Steps[dict[str, Any]]:
        limits = [AT_ONCE, ms(LONGEST), ms(self.gap), ms(self.hold), how, ms(self.recent)]
        scripts = [sweeping(service, limits) for service in services]
        replies = yield self._fast.scripts(scripts)
        return dict(zip(services, replies, strict=True))

    def _consider(self) -> None:
        """Whether too many stopped at once, over all services together."""
        before, counts = self.preserving, self._counts.values()
        self.preserving, self._waiting, many, total = considered(counts, self.share, self.few)
        if self.preserving and not before:
            log.warning("%s of %s leases of all services stopped: nobody goes on that alone", many,
                        total)  # fmt: skip
        elif before and not self.preserving:
            log.warning("services are judged by their leases again")

    def _reports(self, replies: Mapping[str, Any]) -> Steps[list[Swept]]:
        found = []
        for service, reply in replies.items():
            if isinstance(reply, Exception):
                self._say(service, words(reply))
                self._ends.pop(service, None)
                continue
            self._say(service, "")
            resumed = texts(reply[3])
            for id in resumed:
                yield self._registry._maintained(service, id)
            found.append(swept_of(service, reply, resumed))
            if reply[0] and reply[8] > AT_ONCE:  # more of them are over than one look judges
                self._ends[service] = time.monotonic()
            elif reply[6] >= 0:
                self._ends[service] = time.monotonic() + reply[6] / 1000
            else:
                self._ends.pop(service, None)
        return found

    def _repair_some(self) -> Steps[None]:
        """A few pages of some services, in one round trip: the leases do not wait for all."""
        if not self._pages:
            if time.monotonic() < self._repair_at:
                return
            self._repair_at = time.monotonic() + self.repair_every
            self._pages = deque((service, 0) for service in self._services)
        looks = max(1.0, self.repair_every / self.every / 2)
        several = max(1, round(2 * len(self._services) / looks))
        part = [self._pages.popleft() for _ in range(min(several, len(self._pages)))]
        scripts = [repairing(service, cursor, REPAIRED_AT_ONCE) for service, cursor in part]
        replies = yield self._fast.scripts(scripts)
        for (service, cursor), reply in zip(part, replies, strict=True):
            if isinstance(reply, redis.ResponseError):
                self._say(service, words(reply))
                continue
            if isinstance(reply, Exception):
                raise reply
            one = repaired(service, cursor, reply)
            if one.without_lease or one.without_record or one.malformed:
                log.warning("zombies were removed: %s", one)
            if one.cursor:
                self._pages.append((service, one.cursor))

    def _say(self, service: str, trouble: str) -> None:
        if trouble:
            if service not in self.troubles:
                log.warning("service %s is not swept: %s", service, trouble)
            self.troubles[service] = trouble
        else:
            self.troubles.pop(service, None)

    @abstractmethod
    def _ready(self) -> None: ...

    _rest: Any


class Sweeper(_Sweeper, Blocking):
    __doc__ = _Sweeper.__doc__

    def _ready(self) -> None:
        self._fast, self._registry = Fast.of(self.client), Registry(self.client)
        self._names = Names(self.client)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """End ``sweep`` after the present look."""
        self.is_over = True
        self._stopped.set()

    def _rest(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def __enter__(self) -> Sweeper:
        """Sweep in a daemon thread."""
        self._thread = threading.Thread(target=self.sweep, name="redisops-sweeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(5.0)


class AsyncSweeper(_Sweeper, Awaiting):
    __doc__ = _Sweeper.__doc__

    def _ready(self) -> None:
        self._fast, self._registry = AsyncFast.of(self.client), AsyncRegistry(self.client)
        self._names = AsyncNames(self.client)
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End ``sweep`` after the present look."""
        self.is_over = True

    @staticmethod
    def _rest(seconds: float) -> Any:
        return asyncio.sleep(seconds)

    async def __aenter__(self) -> AsyncSweeper:
        """Sweep in a task."""
        self._task = asyncio.create_task(self.sweep(), name="redisops-sweeper")
        return self

    async def __aexit__(self, *raised: object) -> None:
        self.stop()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
