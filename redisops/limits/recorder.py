"""Counts decisions where they are made and tells Redis of them once a second, at most."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import weakref
from abc import ABC, abstractmethod
from typing import Any

import redis as redis_py
from redis.exceptions import NoScriptError

from redisops.errors import DeadlineExceeded, UnknownResult
from redisops.fast import AsyncFast, Fast
from redisops.fast.sources import digest
from redisops.limits.tally import Sending, Subject, Tally
from redisops.limits.use import KEEP_MINUTES, KEEP_SECONDS, KEEP_TOPS, LISTED, keys_of
from redisops.resilience.causes import cause_of, diagnose
from redisops.resilience.words import Cause
from redisops.steps import Awaiting, Blocking, Steps, step

log = logging.getLogger("redisops.limits")

SCRIPT = "limit_use_add"
EVERY = 1.0  # seconds between two flushes
MOST_CALLS = 500  # in one flush: after a long absence the rest goes with the next

# Whoever says this has done nothing, and will do it later.
_LATER = frozenset(
    {
        Cause.LOADING, Cause.BUSY, Cause.READONLY, Cause.MASTERDOWN, Cause.CLUSTERDOWN,
        Cause.MOVED, Cause.OOM, Cause.MISCONF, Cause.MAXCLIENTS, Cause.AUTH,
    }
)  # fmt: skip


class _Recorder(ABC):
    """Counts decisions for ``Use``. ``add`` sends nothing and never waits for Redis.

    What was counted goes to Redis at most once a second, in one pipelined round trip with one
    script call per policy (a second trip the first time, and when the server has lost the
    script). In memory: 20,000 rows of a policy and second, and 300 lists of 200 subjects, however
    long Redis is away and whoever asks. ``dropped`` counts the decisions that were given up
    (beyond those bounds, or refused by Redis), ``unsure`` those whose reply was lost, which are
    not sent again and may or may not be counted there; ``trouble`` is one sentence about the
    last flush, "" when it went well.

    Keys: see ``Use``; each with a TTL.
    """

    def __init__(self, client: Any, prefix: str = "limits:use:") -> None:
        self.client = client
        self.prefix = prefix
        self.tally = Tally()
        self.unsure = 0
        self.refused = 0
        self.trouble = ""
        self.closed = False
        _living.add(self)

    @property
    def dropped(self) -> int:
        """Decisions that no count in Redis will ever have."""
        return self.tally.dropped + self.refused

    def add(self, policy: str, subject: Subject, outcome: str, cost: int = 1) -> None:
        """Count a decision: ``outcome`` is "allowed", "denied" or "shadow" (would have been).

        Raises InvalidArgument for another outcome. After ``close`` it is only counted as dropped.
        """
        if self.tally.add(policy, subject, outcome, cost):
            self._woken()

    @abstractmethod
    def _woken(self) -> None:
        """Called with the first decision of each second."""

    def _forked(self) -> None:
        """In a child: what was counted before is the parent's to send."""
        self.tally = Tally()

    def _send(self, redis: Any) -> Steps[int]:
        if not self.tally.synced:
            yield from self._sync(redis)
        if not self.tally.synced:
            return 0
        sendings = self.tally.taken()
        if len(sendings) > MOST_CALLS:
            self.tally.put_back(sendings[MOST_CALLS:])
            del sendings[MOST_CALLS:]
        if not sendings:
            return 0
        try:
            replies = yield redis.calls([self._command(one) for one in sendings])
        except BaseException as error:
            self._failed(sendings, error)
            if isinstance(error, redis_py.RedisError):
                return 0
            raise
        self.trouble = ""
        done = 0
        for sending, reply in zip(sendings, replies, strict=True):
            if isinstance(reply, NoScriptError):
                try:
                    reply = yield redis.script(SCRIPT, *self._call(sending))
                except redis_py.RedisError as error:
                    reply = error
            if isinstance(reply, Exception):
                self._failed([sending], reply)
            else:
                done += sending.decisions
                self.tally.sync(_seconds(reply))
        return done

    def _sync(self, redis: Any) -> Steps[None]:
        """Learn the server's time, by the script, which writes nothing when told nothing."""
        try:
            told = yield redis.script(SCRIPT, *self._call(Sending("clock", 0)), repeatable=True)
        except redis_py.RedisError as error:
            self.trouble = diagnose(error).sentence
        else:
            self.tally.sync(_seconds(told))

    def _failed(self, sendings: list[Sending], error: BaseException) -> None:
        self.trouble = diagnose(error).sentence
        count = sum(one.decisions for one in sendings)
        if isinstance(error, UnknownResult | DeadlineExceeded | asyncio.CancelledError):
            self.unsure += count
        elif isinstance(error, redis_py.ResponseError) and cause_of(error) not in _LATER:
            self.refused += count
        else:
            self.tally.put_back(sendings)

    def _command(self, sending: Sending) -> list[Any]:
        keys, args = self._call(sending)
        return ["EVALSHA", digest(SCRIPT), len(keys), *keys, *args]

    def _call(self, sending: Sending) -> tuple[list[bytes], list[Any]]:
        flat: list[Any] = []
        for second, counts in sending.rows.items():
            for outcome, count in enumerate(counts):
                if count:
                    flat += [(second - sending.minute) * 3 + outcome, count]
        numbers = [KEEP_SECONDS, KEEP_MINUTES + 3600, KEEP_TOPS, LISTED]
        args: list[Any] = [*numbers, sending.minute % 3600 // 60, len(flat) // 2, *flat]
        for index, subject, count, _ in sending.subjects:
            args += [index, b":" + subject, count]
        for index, _, more in sending.missed:
            args += [index, b"missed", more]
        return keys_of(self.prefix, sending.policy, sending.minute), args


def _seconds(told: Any) -> float:
    return int(told[0]) + int(told[1]) / 1e6


_living: weakref.WeakSet[_Recorder] = weakref.WeakSet()


def _at_exit() -> None:
    for recorder in list(_living):
        if isinstance(recorder, Recorder):
            recorder.close()


def _in_child() -> None:
    for recorder in list(_living):
        recorder._forked()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)


class Recorder(_Recorder, Blocking):
    __doc__ = _Recorder.__doc__

    def __init__(self, client: Any, prefix: str = "limits:use:") -> None:
        super().__init__(client, prefix)
        self._redis = Fast.of(client)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @step
    def flush(self) -> Steps[int]:
        """Send what was counted; how many decisions reached Redis. Never raises for its errors."""
        return (yield from self._send(self._redis))

    def close(self) -> None:
        """Flush and stop the thread; done at exit, too. Harmless when repeated."""
        if not self.closed:
            self.closed = True
            self._stop.set()
            self.flush()

    def _woken(self) -> None:
        if self._thread is None and not self.closed:
            self._thread = threading.Thread(
                target=_keep_flushing,
                args=(weakref.ref(self), self._stop),
                name="limits-use",
                daemon=True,
            )
            self._thread.start()

    def _forked(self) -> None:
        super()._forked()
        self._thread, self._stop = None, threading.Event()


def _keep_flushing(of: weakref.ref[Recorder], stop: threading.Event) -> None:
    while not stop.wait(EVERY):
        recorder = of()
        if recorder is None:
            return
        try:
            recorder.flush()
        except Exception as error:  # the next flush may well work
            recorder.trouble = f"{type(error).__name__} while telling what was decided: see the log"
            log.exception("what limits decided was not counted")
        del recorder


class AsyncRecorder(_Recorder, Awaiting):
    __doc__ = _Recorder.__doc__

    def __init__(self, client: Any, prefix: str = "limits:use:") -> None:
        super().__init__(client, prefix)
        self._redis = AsyncFast.of(client)
        self._task: asyncio.Task[None] | None = None

    @step
    def flush(self) -> Steps[int]:
        """Send what was counted; how many decisions reached Redis. Never raises for its errors."""
        return (yield from self._send(self._redis))

    async def close(self) -> None:
        """Flush and stop the task. Harmless when repeated; a loop that ends does it, too."""
        if not self.closed:
            self.closed = True
            if self._task is not None:
                self._task.cancel()
            await self.flush()

    def _forked(self) -> None:
        super()._forked()
        self._task = None

    def _woken(self) -> None:
        if self.closed or (self._task is not None and not self._task.done()):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # a thread without a loop: the next decision inside one starts the task
        self._task = loop.create_task(self._keep_flushing())

    async def _keep_flushing(self) -> None:
        try:
            while True:
                await asyncio.sleep(EVERY)
                await self.flush()
        except asyncio.CancelledError:
            if not self.closed:  # the loop ends
                await self.flush()
            raise
