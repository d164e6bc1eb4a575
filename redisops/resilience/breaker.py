"""A circuit breaker: after repeated failures nothing is sent until one probe came back well.

closed     every call goes through; no input or output is added.
open       every call raises CircuitOpen at once, with no input or output at all.
half-open  ``probe_every`` seconds after opening, one call is let through as the probe. A
           lease keeps it at one across threads, processes and machines. It came back well:
           closed. It failed: open again.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import redis

from redisops.errors import CircuitOpen
from redisops.resilience.causes import Trouble, diagnose, is_unwell
from redisops.resilience.leases import Lease, LocalLease
from redisops.resilience.window import Window

log = logging.getLogger(__name__)


class BreakerState(StrEnum):
    """closed: calls pass. open: none do. half_open: one probe is under way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Transition:
    """What subscribers are told: the breaker's name, its states, when (wall clock), and why."""

    name: str
    before: BreakerState
    after: BreakerState
    at: float
    trouble: Trouble | None


class CircuitBreaker:
    """Guards one server for all clients of this process that share it. Thread-safe.

    It opens after ``failures`` failures in a row, or when at least ``rate`` of no fewer than
    ``minimum`` calls within ``window`` seconds failed. Only what ``counts`` accepts is a
    failure: that the server is unwell, never that it refused a command. ``lease`` is shared
    with the other processes (RedisLease on another Redis, FileLease on one machine); when it
    cannot be asked, this process lets one probe of its own through. A probe that has not
    reported after ``probe_lasts`` seconds counts as lost, and the next one may go.
    """

    def __init__(
        self,
        name: str = "",
        *,
        failures: int = 3,
        rate: float = 0.5,
        minimum: int = 20,
        window: float = 10.0,
        probe_every: float = 2.0,
        probe_lasts: float = 5.0,
        lease: Lease | None = None,
        counts: Callable[[BaseException], bool] = is_unwell,
    ) -> None:
        self.name = name
        self.failures = failures
        self.rate = rate
        self.minimum = minimum
        self.probe_every = probe_every
        self.probe_lasts = probe_lasts
        self.lease: Lease = lease or LocalLease()
        self.counts = counts
        self.opened_at: float | None = None
        self.last_error: Trouble | None = None
        self._state = BreakerState.CLOSED
        self._in_a_row = 0
        self._calls = Window(window)
        self._probe_at = 0.0
        self._probe: Probe | None = None
        self._cause: BaseException | None = None
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[Transition], None]] = []

    @property
    def state(self) -> BreakerState:
        """The state now. No input or output."""
        return self._state

    @property
    def retry_after(self) -> float:
        """Seconds until the next probe may go; 0.0 while closed."""
        if self._state is BreakerState.CLOSED:
            return 0.0
        return max(0.0, self._probe_at - time.monotonic())

    def subscribe(self, callback: Callable[[Transition], None]) -> Callable[[], None]:
        """Call ``callback`` at each change of state, in its thread; returns the undo.

        What a callback raises is logged and goes no further.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def enter(self) -> Probe | None:
        """May a call go? None: yes. A Probe: yes, if it can claim its lease. Raises CircuitOpen.

        Every call that entered reports to ``leave``. Sends nothing.
        """
        if self._state is BreakerState.CLOSED:
            return None
        with self._lock:
            if self.state is BreakerState.CLOSED:
                return None
            now = time.monotonic()
            if now < self._probe_at:
                raise self.refusal()
            # Whoever comes next is refused until this probe has reported or is overdue.
            self._probe_at = now + self.probe_lasts
            self._probe = Probe(self)
            return self._probe

    def leave(self, probe: Probe | None, error: BaseException | None = None) -> None:
        """Report how a call that entered ended: ``error`` is what it raised, if anything.

        A probe's lease is ended after this, by ``probe.end()``.
        """
        if error is not None and self.counts(error):
            self._failed(probe, error)
        elif error is not None and not isinstance(error, Exception):
            self.forget(probe)  # cancelled or interrupted
        else:
            self._succeeded(probe)

    def forget(self, probe: Probe | None) -> None:
        """Report that a call ended without telling anything about the server."""
        if probe is None:
            return
        with self._lock:
            if self._probe is not probe:
                return
            self._probe = None
            self._probe_at = time.monotonic()
            change = self._turn(BreakerState.OPEN)
        self._tell(change)

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Run any blocking work behind the breaker; raises CircuitOpen instead of running it."""
        probe = self.enter()
        if probe is not None and not probe.claim():
            raise self.refusal()
        try:
            yield
        except BaseException as error:
            self.leave(probe, error)
            if probe is not None:
                probe.end()
            raise
        self.leave(probe)
        if probe is not None:
            probe.end()

    def refusal(self) -> CircuitOpen:
        """The error of a call that is not let through, with what the server's last failure was."""
        since = "" if self.opened_at is None else f" since {_clock(self.opened_at)} UTC"
        words = f": {self.last_error.detail}" if self.last_error else ""
        refusal = CircuitOpen(f"the breaker of {self.name or 'this server'} is open{since}{words}")
        refusal.retry_after = self.retry_after
        return refusal

    def _succeeded(self, probe: Probe | None) -> None:
        if probe is None:
            if self._state is BreakerState.CLOSED:
                with self._lock:
                    self._in_a_row = 0
                    self._calls.count(failed=False)
            return  # a call from before it opened proves nothing about now
        with self._lock:
            if self._probe is not probe:
                return
            self._probe = None
            self._in_a_row = 0
            self._calls.clear()
            change = self._turn(BreakerState.CLOSED)
        self._tell(change)

    def _failed(self, probe: Probe | None, error: BaseException) -> None:
        trouble = diagnose(error)
        change = None
        with self._lock:
            self.last_error = trouble
            self._in_a_row += 1
            self._calls.count(failed=True)
            if probe is not None:
                if self._probe is probe:
                    self._probe = None
                    self._probe_at = time.monotonic() + self.probe_every
                    change = self._turn(BreakerState.OPEN)
            elif self._state is BreakerState.CLOSED and self._has_enough():
                self._probe_at = time.monotonic() + self.probe_every
                change = self._turn(BreakerState.OPEN)
        self._tell(change)

    def _has_enough(self) -> bool:
        if self._in_a_row >= self.failures:
            return True
        calls, failed = self._calls.totals()
        return calls >= self.minimum and failed >= self.rate * calls

    def _turn(self, after: BreakerState) -> Transition | None:
        before, self._state = self._state, after
        if before is after:
            return None
        if after is BreakerState.CLOSED:
            self.opened_at = None
        elif before is BreakerState.CLOSED:
            self.opened_at = time.time()
        return Transition(self.name, before, after, time.time(), self.last_error)

    def _tell(self, change: Transition | None) -> None:
        if change is None:
            return
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(change)
            except Exception:  # one bad listener may not fail the call that caused the change
                log.exception("a subscriber of breaker %s failed", self.name)

    def _started(self, probe: Probe) -> None:
        with self._lock:
            change = self._turn(BreakerState.HALF_OPEN) if self._probe is probe else None
        self._tell(change)

    def _refused(self, probe: Probe) -> None:
        """Another process probes: ask again soon, for the lease is given back when all is well."""
        with self._lock:
            if self._probe is probe:
                self._probe = None
                soon = self.probe_every * random.uniform(0.05, 0.15)  # noqa: S311
                self._probe_at = time.monotonic() + soon


class Probe:
    """The one call that may find out whether the server is back."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.breaker = breaker
        self._held = False

    def claim(self) -> bool:
        """Take the lease; False when another process has it. May wait for the lease's own store."""
        try:
            granted = self._held = self.breaker.lease.claim(self.breaker.probe_lasts)
        except (redis.RedisError, OSError) as error:
            log.warning("breaker %s probes without a lease: %s", self.breaker.name, error)
            granted = True
        if granted:
            self.breaker._started(self)
        else:
            self.breaker._refused(self)
        return granted

    def end(self) -> None:
        """End the lease: now if the server is well, else when the next probe is due."""
        if not self._held:
            return
        self._held = False
        try:
            self.breaker.lease.end(self.breaker.retry_after)
        except (redis.RedisError, OSError) as error:
            log.warning("breaker %s: its lease ends by itself: %s", self.breaker.name, error)


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))
