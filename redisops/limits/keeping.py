"""Renews leases while their holders work: one thread for all of a process, a task for each."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
import time
from typing import Any

import redis

from redisops.limits.leases import AsyncLease, AsyncOnLost, Lease, LeaseLost, OnLost

log = logging.getLogger(__name__)

PART = 3  # a lease is renewed when a third of its time has passed: two failures lose nothing
AGAIN = 20  # after a failure, when another twentieth has passed
IDLE = 5.0  # seconds for which the thread waits for another lease before it ends


class Keeper:
    """Renews many leases from one daemon thread, which ends when there are none.

    A forked child keeps none of its parent's leases.
    """

    def __init__(self) -> None:
        self._start_anew()

    def _start_anew(self) -> None:
        self._pid = os.getpid()
        self._due: dict[Lease, tuple[float, OnLost | None]] = {}
        self._changed = threading.Condition(threading.Lock())
        self._thread: threading.Thread | None = None

    def keep(self, lease: Lease, on_lost: OnLost | None = None) -> None:
        """Renew it until ``drop``. ``on_lost`` is called in the thread if it is lost."""
        if self._pid != os.getpid():
            self._start_anew()
        with self._changed:
            self._due[lease] = (time.monotonic() + lease.seconds / PART, on_lost)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            self._changed.notify()

    def drop(self, lease: Lease) -> None:
        """Renew it no more. In a forked child there is nothing to drop."""
        if self._pid == os.getpid():
            with self._changed:
                self._due.pop(lease, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._due and not self._changed.wait_for(lambda: self._due, IDLE):
                    self._thread = None
                    return
                first = min(at for at, _ in self._due.values())
                wait = first - time.monotonic()
                if wait > 0:
                    self._changed.wait(wait)
                    continue
                now = time.monotonic()
                due = [(one, told) for one, (at, told) in self._due.items() if at <= now]
            for lease, told in due:
                self._renew(lease, told)

    def _renew(self, lease: Lease, on_lost: OnLost | None) -> None:
        again: float | None = lease.seconds / PART
        try:
            lease.renew()
        except LeaseLost:
            again = None
        except Exception as error:  # whatever it is, all leases of this process are kept here
            if not isinstance(error, redis.RedisError):
                log.exception("a lease was not renewed")
            again = None if lease.lost else lease.seconds / AGAIN
        with self._changed:
            known = self._due.pop(lease, None) is not None
            if known and again is not None:
                self._due[lease] = (time.monotonic() + again, on_lost)
        if known and again is None and on_lost is not None:
            try:
                on_lost(lease)
            except Exception:  # the other leases must be kept whatever it does
                log.exception("what was to be told of a lost lease failed")


KEEPER = Keeper()
"""The one of this process."""


async def keep(lease: AsyncLease, on_lost: AsyncOnLost | None = None) -> None:
    """Renew a lease until cancelled, or until it is lost; ``on_lost`` is called then."""
    pause = lease.seconds / PART
    while True:
        await asyncio.sleep(pause)
        try:
            await lease.renew()
        except LeaseLost:
            break
        except redis.RedisError:
            if lease.lost:
                break
            pause = lease.seconds / AGAIN
        else:
            pause = lease.seconds / PART
    if on_lost is not None:
        told: Any = on_lost(lease)
        if inspect.isawaitable(told):
            await told
