"""Places among those in flight: held for a time, given back early, or refused."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redisops.errors import RedisopsError, UnknownResult
from redisops.limits.model import Verdict
from redisops.steps import Awaiting, Blocking, Steps, step

Script = Callable[..., Any]


class LeaseLost(RedisopsError):
    """The place was given up before: its time was over, or somebody reset the subject.

    The server refused to prolong it. Whoever goes on working does so beyond the limit.
    """


class NoPlace(RedisopsError):
    """A ``slot`` was asked for and none was free; ``denied`` and ``verdict`` say more."""

    def __init__(self, denied: Denied) -> None:
        self.denied = denied
        self.verdict = denied.verdict
        told = denied.verdict
        whose = f" for {denied.blocked_by}" if denied.blocked_by else ""
        super().__init__(f"{told.policy}: {denied.in_flight} of {told.limit}{whose} in flight")


@dataclass(frozen=True)
class Denied:
    """No place was free; false in a condition. Nothing was taken.

    ``verdict`` is the decision as every limiter gives it; ``in_flight`` how many hold a place
    of those that count against ``verdict.limit``. With priority classes ``priority`` is the
    caller's and ``blocked_by`` the class whose places (its own and those below) are all taken.
    """

    verdict: Verdict
    in_flight: int
    priority: str = ""
    blocked_by: str = ""

    def __bool__(self) -> bool:
        return False


class _Lease:
    """A place that is held until ``release``, or until ``seconds`` after it was last renewed.

    Made by ``acquire``. ``verdict`` is the decision that gave it, ``in_flight`` how many then
    held a place of those that count against ``verdict.limit``, this one included; ``token``
    names it. ``lost`` is true once it is gone or may be gone without ``release``.
    """

    def __init__(
        self, redis: Any, key: bytes, token: bytes, seconds: float, asked_at: float
    ) -> None:
        self.redis = redis
        self.key = key
        self.token = token
        self.seconds = seconds
        self.verdict = Verdict(allowed=True)
        self.in_flight = 0
        self.priority = ""
        self.released = False
        self._gone = False
        self._until = asked_at + seconds

    @property
    def remaining(self) -> float:
        """Seconds for which it is held for certain, by this process's monotonic clock.

        Counted from before the request was sent, so the server's own time is never shorter.
        """
        if self._gone or self.released:
            return 0.0
        return max(self._until - time.monotonic(), 0.0)

    @property
    def lost(self) -> bool:
        """Whether it ended, or may have ended, though nobody released it."""
        return not self.released and (self._gone or time.monotonic() >= self._until)

    @step
    def renew(self) -> Steps[None]:
        """Hold it for ``seconds`` from now. One round trip.

        Raises LeaseLost when the server has given the place up: it is not taken again, since
        others may hold all of them by now. Redis's own errors pass; the lease goes on until its
        time then, and renewing again is safe.
        """
        asked_at = time.monotonic()
        kept = False
        if not (self.released or self._gone):
            args = [self.token, round(self.seconds * 1_000_000)]
            kept = yield self.redis.script("concurrency_renew", [self.key], args, repeatable=True)
        if not kept:
            self._gone = not self.released
            told = "released" if self.released else "lost: it was not renewed in time"
            raise LeaseLost(f"the place {self.token.decode()!r} was {told}")
        self._until = asked_at + self.seconds

    @step
    def release(self) -> Steps[bool]:
        """Give the place back; whether it was still held. One round trip.

        Harmless when repeated. When Redis cannot be reached its error passes, and the place is
        free again when its time is over.
        """
        self.released = True
        try:
            removed = yield self.redis.call("ZREM", self.key, self.token)
        except UnknownResult:  # removing the same token twice removes it once
            removed = yield self.redis.call("ZREM", self.key, self.token)
        return bool(removed)


class Lease(_Lease, Blocking):
    __doc__ = _Lease.__doc__


class AsyncLease(_Lease, Awaiting):
    __doc__ = _Lease.__doc__


OnLost = Callable[[Lease], object]
AsyncOnLost = Callable[[AsyncLease], Awaitable[object] | object]
