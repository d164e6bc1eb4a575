"""Runs a job: step by step under a lease, until it ends, waits, or is told to stop.

After each step one transaction keeps the checkpoint, the counts and the log, if the fence still
is ours. What ended a job, why it waits and what people asked of it is in ``outcomes``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone
from redis.exceptions import RedisError

from dashboard.jobs import leases, outcomes, progress, telling
from dashboard.jobs.leases import LeaseLost
from dashboard.jobs.models import Job
from dashboard.jobs.outcomes import Left
from dashboard.jobs.work import Interrupted, Work
from dashboard.servers import load
from dashboard.servers.load import WorkStopped
from dashboard.servers.models import Server
from redisops.busyness import Busyness
from redisops.connection import measure
from redisops.errors import RedisopsError

log = structlog.get_logger(__name__)
T = TypeVar("T")

TURN_SECONDS = 20.0  # after that, a job that others wait behind lets them
LOOK_SECONDS = 1.0  # between two looks at the server's row, the limit and who else works there
PROBE_SECONDS = 0.25  # between two PINGs that tell what the job does to the server
FIRST_PROBES = 20  # PINGs before the first step: what is usual without the job
SQL_TRIES = 5

closing = threading.Event()
"""Set when this process is to end: every job gives its lease back after its step."""


def run(
    pk: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
    steps: int | None = None,
    raises: bool = False,
) -> Left:
    """Do what can be done of the job now; says how it was left.

    ``steps`` ends after so many steps, ``raises`` passes the error that failed it: for tests.
    Errors of SQL pass: the lease then ends by itself and the job goes on from its last commit.
    """
    job = leases.claim(pk)
    if job is None:
        return Left.NOTHING
    try:
        return Run(job, sleep=sleep, steps=steps, raises=raises).go()
    except LeaseLost:
        log.warning("a job was taken over while it ran here", job=pk)
        return Left.NOTHING


class Run:
    """One worker's turn at one job."""

    def __init__(
        self, job: Job, *, sleep: Callable[[float], None], steps: int | None, raises: bool
    ) -> None:
        self.job = job
        self.server: Server = job.server
        self.steps_left = steps
        self.raises = raises
        self.pages = telling.Pages(job.pk)
        self.pace = load.pace(self.server, job.limit, sleep=self._rest)
        self.pace.used = self.job.latency.get("used", 0.0)  # by the turns before this one
        self.busyness = Busyness()
        self._sleep = sleep
        self._began = self._counted_from = time.monotonic()
        self._looked = self._probed = self._kept_until = 0.0
        self._settling = False

    # --- The loop -------------------------------------------------------------------------

    def go(self) -> Left:
        job = self.job
        try:
            kind = job.work
        except LookupError as error:
            return self._ended(outcomes.failed(job, str(error)))
        keep(lambda: outcomes.begun(job))
        self.pages.moved(job.counted, job.state, at_once=True)
        while True:
            left = self._obey()
            if left is not None:
                return left
            try:
                if self._step(kind):
                    return self._ended(Left.ENDED)
            except Interrupted:
                continue
            except WorkStopped as error:
                return self._ended(outcomes.waiting(job, str(error), again_in=0.0))
            except (LeaseLost, OperationalError, InterfaceError):
                raise
            except Exception as error:
                if outcomes.is_passing(error):
                    return self._trouble(error)
                return self._failed(error)

    def _obey(self) -> Left | None:
        """What ends this turn, if anything does: people, the switch, the process, the clock."""
        job = self.job
        wish = keep(lambda: outcomes.wish(job))
        if wish:
            if not self._is_to_settle(wish):
                return self._ended(outcomes.obeyed(job, wish, self._spent()))
            self._settling = True
            return None
        if closing.is_set():
            return self._ended(outcomes.released(job, self._spent()))
        if self.steps_left is not None:
            if self.steps_left <= 0:
                return self._ended(outcomes.released(job, self._spent()))
            self.steps_left -= 1
        if time.monotonic() - self._began > TURN_SECONDS and outcomes.others_wait():
            outcomes.released(job, self._spent())
            return Left.YIELDED
        return None

    def _is_to_settle(self, wish: str) -> bool:
        """Whether one more step is due, that finds out what became of a piece cut off.

        A paused job finds it out when it goes on.
        """
        cut_off = wish == "cancel" and self.job.intent is not None
        return cut_off and not self._settling and not self.server.is_stopped

    def _step(self, kind: Any) -> bool:
        self._look()
        job = self.job
        client = self.server.client()
        work = Work(job, self.server, client, self.pace, self._intend)
        with measure() as cost:
            try:
                progress.probe(self, client)
                finished: bool = kind.step(work)
            finally:
                job.commands += cost.commands
                job.round_trips += cost.round_trips
                job.seconds += cost.seconds
        keep(lambda: self._commit(kind, work, finished=finished))
        self.pages.moved(job.counted, job.state)
        return finished

    # --- What is kept ---------------------------------------------------------------------

    def _commit(self, kind: Any, work: Work, *, finished: bool) -> None:
        """The step, its counts, its log and, at the end, the outcome: all or nothing, once.

        Each commit moves the fence, so that one whose reply was lost is not written again: it
        raises LeaseLost, and the next turn goes on behind it.
        """
        job, work = self.job, work.again()
        with transaction.atomic():
            leases.write(job)  # the row is locked and ours, or nothing below happens
            for write in work.writes:
                write()
            if finished:
                kind.finished(work)
            values = progress.after(job, work, self.pace, self._unspent())
            values |= outcomes.back(job, work)
            progress.append(job, work)
            if finished:
                values |= outcomes.done(job, values)
            values["fence"] = job.fence + 1
            leases.write(job, **values)
        self._counted_from = time.monotonic()
        for name, value in values.items():
            setattr(job, name, value)

    def _intend(self, data: dict[str, Any]) -> None:
        keep(lambda: leases.write(self.job, intent=data))
        self.job.intent = data

    def _unspent(self) -> float:
        return self.job.active_seconds + time.monotonic() - self._counted_from

    def _spent(self) -> dict[str, Any]:
        """What is kept when a turn ends between two steps."""
        job = self.job
        return {
            "active_seconds": self._unspent(),
            "commands": job.commands,
            "round_trips": job.round_trips,
            "seconds": job.seconds,
        }

    # --- Endings --------------------------------------------------------------------------

    def _trouble(self, error: Exception) -> Left:
        for name, value in self._spent().items():
            setattr(self.job, name, value)
        if self._settling:
            # It is not waited for a server that is away: what is not known is said to be so.
            return self._ended(outcomes.obeyed(self.job, "cancel", self._spent()))
        return self._ended(outcomes.trouble(self.job, error, self._spent()))

    def _failed(self, error: Exception) -> Left:
        if not isinstance(error, RedisError | RedisopsError):
            log.exception("a job failed", job=self.job.pk, kind=self.job.kind)
        left = outcomes.failed(self.job, outcomes.words_of(error), self._spent())
        self._ended(left)
        if self.raises:
            raise error
        return left

    def _ended(self, left: Left) -> Left:
        self.pages.moved(self.job.counted, self.job.state, at_once=True)
        return left

    # --- Between ---------------------------------------------------------------------------

    def _look(self) -> None:
        """Once a second: is the server stopped or changed, and who else works on it?"""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        self.server = Server.objects.get(pk=self.job.server_id)
        here = Job.objects.filter(server=self.server, lease_until__gt=timezone.now()).count()
        limit, share = load.share_of(self.server, self.job.limit, here)
        place = self.job.work.elsewhere(self.job)
        other = Server.objects.filter(pk=place[0]).first() if place is not None else None
        if other is not None:  # what it writes to has ceilings of its own
            limit, theirs = load.share_of(other, limit, here)
            share = min((one for one in (share, theirs) if one is not None), default=None)
        self.pace.set(limit=limit, share=share)

    def _rest(self, seconds: float) -> None:
        """Sleep for the pace; a long rest keeps the lease and ends when somebody wants it to."""
        left = seconds
        while left > 0:
            self._sleep(min(left, 0.25))
            left -= 0.25
            now = time.monotonic()
            if left > 0 and now - self._kept_until > 1.0:
                self._kept_until = now
                keep(lambda: leases.write(self.job))
                self._look()
                wanted = keep(lambda: outcomes.wish(self.job))
                if self._settling:
                    continue
                if wanted or closing.is_set() or self.server.is_stopped:
                    raise Interrupted


def keep(write: Callable[[], T]) -> T:
    """Write to SQL, through a short trouble of it: what a step did is not thrown away for a lock.

    Raises what SQL raises when it lasts longer than some seconds.
    """
    for tried in range(SQL_TRIES):
        try:
            return write()
        except (OperationalError, InterfaceError):
            if tried == SQL_TRIES - 1 or transaction.get_connection().in_atomic_block:
                raise
            time.sleep(0.1 * 2**tried)
    raise AssertionError("unreachable")
