"""At most so many in flight at a time, held by leases that end by themselves."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple

import redis as redis_py

from redisops.errors import InvalidArgument, UnknownResult
from redisops.fast import AsyncFast, Fast
from redisops.limits import keeping
from redisops.limits.leases import AsyncLease, AsyncOnLost, Denied, Lease, NoPlace, OnLost
from redisops.limits.model import Limit, Part, Verdict
from redisops.limits.naming import Keys
from redisops.steps import Awaiting, Blocking, Steps, step

__all__ = ["AsyncConcurrency", "Concurrency"]

MIN_LEASE, MAX_LEASE = 0.05, 3600.0
RETRY = 1.0
"""Seconds to wait at most when there is no place: when one comes back, nobody can know."""
NUMBERS = (b"", b"1", b"2", b"3")  # end the keys of the priority classes, highest first


class Place(NamedTuple):
    """A place that is wanted: for ``seconds``, in class number ``mine`` of (name, places)."""

    limit: Limit
    subject: str | bytes
    seconds: float
    classes: Sequence[tuple[str, int]]
    mine: int = 0


class Held(NamedTuple):
    """A place that somebody holds: all it takes to renew it or give it back, in any process.

    ``shadow``: it is counted only; losing it takes nothing from its holder.
    """

    key: bytes
    token: bytes
    seconds: float
    shadow: bool = False


class _Concurrency:
    """Places for those in flight: a limit of ``algorithm="concurrency"``, for each subject.

    A place is held by a lease, which ends ``lease`` seconds after it was taken or last renewed,
    by the server's clock: what a dead holder held comes back by itself. One round trip to take,
    renew or release. ``limit.limit`` may change at any time: below what is in flight it throws
    nobody out, and nobody gets in until enough have left. A limit in shadow gives a place even
    when none is free; the verdict's ``shadow`` says so.

    Each place has a token that is chosen here, so a request whose reply was lost is sent once
    more and takes one place. When that reply is lost too, UnknownResult passes; the place, if
    it was taken, is free again after ``lease`` seconds. Redis's other errors pass untouched.

    Key: ``<prefix>{<policy>:<subject>}:c``, or ``<prefix>{<tag>}:<policy>:<subject>:c``; a
    sorted set of tokens by the microsecond when their lease ends, with a TTL.
    """

    _fast: Any
    _lease: Any

    def __init__(self, client: Any, prefix: str = "limit:", tag: str = "") -> None:
        self._redis = self._fast.of(client)
        self.keys = Keys(prefix, tag)

    @step
    def peek(self, limit: Limit, subject: str | bytes) -> Steps[Verdict]:
        """What ``acquire`` would say now, taking nothing. One round trip."""
        keys = self._keys(limit, subject)
        told = yield self._redis.script("concurrency_peek", keys, repeatable=True)
        return _seen(limit, subject, told)

    @step
    def peek_many(self, asked: Sequence[tuple[Limit, str | bytes]]) -> Steps[list[Verdict]]:
        """``peek`` of each pair, in one round trip."""
        scripts = [("concurrency_peek", self._keys(*one), ()) for one in asked]
        replies = yield self._redis.scripts(scripts)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return [_seen(*one, reply) for one, reply in zip(asked, replies, strict=True)]

    @step
    def reset(self, limit: Limit, subject: str | bytes) -> Steps[bool]:
        """Take back every place; whether any was held. One round trip.

        Holders go on working; renewing tells them LeaseLost.
        """
        removed = yield self._redis.call("UNLINK", *self._keys(limit, subject))
        return bool(removed)

    def _keys(self, limit: Limit, subject: str | bytes, classes: int = 4) -> list[bytes]:
        key = self.keys.of(limit, subject)
        return [key + number for number in NUMBERS[:classes]]

    def _take(
        self,
        limit: Limit,
        subject: str | bytes,
        seconds: float,
        classes: Sequence[tuple[str, int]],
        mine: int,
        token: bytes | None = None,
    ) -> Steps[Any]:
        """A lease in class number ``mine`` (from 0) of (name, places) pairs, or Denied."""
        one = Place(limit, subject, seconds, classes, mine)
        name, keys, args = self._asking(one, token)
        asked_at = time.monotonic()
        # Repeatable: with the same token it takes the same place.
        told = yield self._redis.script(name, keys, args, repeatable=True)
        return self._told(one, keys, args[0], asked_at, told)

    @step
    def acquire_each(self, asked: Sequence[Place]) -> Steps[list[Any]]:
        """For each a lease, a Denied, or the error that the server answered. One round trip.

        Each is taken for itself: who needs all of them gives back what was got beside a Denied.
        """
        scripts = [self._asking(one) for one in asked]
        asked_at = time.monotonic()
        replies = yield self._redis.scripts(scripts, repeatable=True)
        return [
            told if isinstance(told, Exception) else self._told(one, keys, args[0], asked_at, told)
            for one, (_, keys, args), told in zip(asked, scripts, replies, strict=True)
        ]

    @step
    def renew_each(self, held: Sequence[Held]) -> Steps[list[Any]]:
        """For each whether it is held on, as ``Lease.renew`` does, or the error that the server
        answered. One round trip; a place that ended is not taken again."""
        scripts = [
            ("concurrency_renew", [one.key], [one.token, check_lease(one.seconds)]) for one in held
        ]
        replies = yield self._redis.scripts(scripts, repeatable=True)
        return [one if isinstance(one, Exception) else bool(one) for one in replies]

    @step
    def release_each(self, held: Sequence[Held]) -> Steps[list[Any]]:
        """For each whether it was still held, as ``Lease.release``, or the error that the server
        answered. One round trip."""
        commands = [("ZREM", one.key, one.token) for one in held]
        try:
            replies = yield self._redis.calls(commands)
        except UnknownResult:  # removing the same token twice removes it once
            replies = yield self._redis.calls(commands)
        return [one if isinstance(one, Exception) else bool(one) for one in replies]

    def _asking(self, one: Place, token: bytes | None = None) -> tuple[str, list[bytes], list[Any]]:
        """The script that takes it, its keys and arguments: the place's token first."""
        if one.limit.algorithm != "concurrency":
            told = f"{one.limit.name} counts by {one.limit.algorithm}, not concurrency"
            raise InvalidArgument(told)
        lasts = check_lease(one.seconds)
        keys = self._keys(one.limit, one.subject, len(one.classes))
        token = (token or new_token()) + b":%d" % lasts
        counts = [places for _, places in one.classes]
        return (
            "concurrency_acquire",
            keys,
            [token, lasts, one.mine + 1, int(one.limit.shadow), *counts],
        )

    def _told(
        self, one: Place, keys: list[bytes], token: bytes, asked_at: float, told: Sequence[int]
    ) -> Any:
        taken, blocked, left, held, first, last = told
        classes, mine = one.classes, one.mine
        places = classes[blocked - 1 if blocked else mine][1]
        verdict = _verdict(one.limit, one.subject, bool(blocked), places, left, first / 1e6, last)
        if not taken:
            if len(classes) > 1:
                verdict = verdict._replace(reason="shed")
            return Denied(verdict, held, classes[mine][0], classes[blocked - 1][0])
        lease = self._lease(self._redis, keys[mine], token, one.seconds, asked_at)
        lease.verdict, lease.in_flight, lease.priority = verdict, held, classes[mine][0]
        return lease


def _seen(limit: Limit, subject: str | bytes, told: Sequence[int]) -> Verdict:
    """What the script that only looks has told of each class."""
    held, last = sum(told[::2]), max(told[1::2])
    full = held >= limit.limit
    return _verdict(limit, subject, full, limit.limit, limit.limit - held, RETRY, last)


def _verdict(
    limit: Limit,
    subject: str | bytes,
    full: bool,  # noqa: FBT001
    places: int,
    left: int,
    retry: float,
    last_us: int,
) -> Verdict:
    """``full``: none was free. ``retry``, ``last_us``: until the first and the last lease end."""
    left, reset, allowed = max(left, 0), last_us / 1e6, not full or limit.shadow
    retry = min(retry, RETRY) if full else 0.0
    part = Part(
        limit.name, subject, not full, places, left, retry, reset, limit.shadow,
        limit.period, limit.version,
    )  # fmt: skip
    return Verdict(
        allowed=allowed,
        limit=places,
        remaining=left,
        retry_after=0.0 if allowed else retry,
        reset_after=reset,
        policy=limit.name,
        version=limit.version,
        shadow=full and limit.shadow,
        reason="" if allowed else "denied",
        parts=(part,),
    )


def new_token() -> bytes:
    """A name for one place, of 96 random bits."""
    return secrets.token_urlsafe(12).encode()


def check_lease(seconds: float) -> int:
    """A lease in whole microseconds; raises InvalidArgument."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not MIN_LEASE <= seconds <= MAX_LEASE:
        raise InvalidArgument(
            f"lease {seconds!r:.40} is not between {MIN_LEASE} and {MAX_LEASE:.0f} seconds"
        )
    return round(seconds * 1_000_000)


class BlockingPlaces(_Concurrency, Blocking):
    """What the blocking classes share: leases renewed by one thread."""

    _fast = Fast
    _lease = Lease

    def __init__(self, client: Any, prefix: str = "limit:", tag: str = "") -> None:
        super().__init__(client, prefix, tag)
        self._keeper = keeping.KEEPER

    @contextmanager
    def _held(self, got: Lease | Denied, on_lost: OnLost | None) -> Iterator[Lease]:
        if isinstance(got, Denied):
            raise NoPlace(got)
        owner = os.getpid()
        self._keeper.keep(got, on_lost)
        try:
            yield got
        finally:
            if os.getpid() == owner:  # a forked child does not give its parent's place back
                self._keeper.drop(got)
                with suppress(redis_py.RedisError):  # it ends by itself
                    got.release()


class AwaitingPlaces(_Concurrency, Awaiting):
    """What the awaiting classes share: each lease renewed by a task."""

    _fast = AsyncFast
    _lease = AsyncLease

    def __init__(self, client: Any, prefix: str = "limit:", tag: str = "") -> None:
        super().__init__(client, prefix, tag)
        self._tasks: set[asyncio.Task[Any]] = set()

    async def _taken(
        self,
        limit: Limit,
        subject: str | bytes,
        seconds: float,
        classes: Sequence[tuple[str, int]],
        mine: int,
    ) -> Any:
        """``_take``; cancelled meanwhile it gives back what it may have got, in a task."""
        token = new_token()
        try:
            return await self.run(self._take(limit, subject, seconds, classes, mine, token))
        except asyncio.CancelledError:
            key = self._keys(limit, subject, len(classes))[mine]
            name = token + b":%d" % check_lease(seconds)
            self._aside(AsyncLease(self._redis, key, name, seconds, time.monotonic()))
            raise

    def _aside(self, lease: AsyncLease) -> None:
        async def release() -> None:
            with suppress(redis_py.RedisError):
                await lease.release()

        task = asyncio.get_running_loop().create_task(release())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def _held(
        self, got: AsyncLease | Denied, on_lost: AsyncOnLost | None
    ) -> AsyncIterator[AsyncLease]:
        if isinstance(got, Denied):
            raise NoPlace(got)
        keeper = asyncio.get_running_loop().create_task(keeping.keep(got, on_lost))
        try:
            yield got
        finally:
            keeper.cancel()
            with suppress(redis_py.RedisError):  # it ends by itself
                await got.release()


class Concurrency(BlockingPlaces):
    __doc__ = _Concurrency.__doc__

    def acquire(self, limit: Limit, subject: str | bytes, lease: float = 30.0) -> Lease | Denied:
        """A place for ``lease`` seconds, or Denied (false). One round trip.

        The caller renews and releases it; ``slot`` does both by itself.
        """
        got: Lease | Denied = self.run(self._take(limit, subject, lease, (("", limit.limit),), 0))
        return got

    @contextmanager
    def slot(
        self,
        limit: Limit,
        subject: str | bytes,
        lease: float = 30.0,
        *,
        on_lost: OnLost | None = None,
    ) -> Iterator[Lease]:
        """A place that is held inside the block: renewed from a thread, released at its end.

        Raises NoPlace when there is none. When it is lost all the same (Redis away for longer
        than ``lease``, the subject reset), the block goes on: ``lost`` of what it was given is
        true and ``on_lost`` is called with it, in the thread.
        """
        with self._held(self.acquire(limit, subject, lease), on_lost) as got:
            yield got


class AsyncConcurrency(AwaitingPlaces):
    __doc__ = _Concurrency.__doc__

    async def acquire(
        self, limit: Limit, subject: str | bytes, lease: float = 30.0
    ) -> AsyncLease | Denied:
        """As ``Concurrency.acquire``. A task that is cancelled here holds nothing."""
        got: AsyncLease | Denied = await self._taken(limit, subject, lease, (("", limit.limit),), 0)
        return got

    @asynccontextmanager
    async def slot(
        self,
        limit: Limit,
        subject: str | bytes,
        lease: float = 30.0,
        *,
        on_lost: AsyncOnLost | None = None,
    ) -> AsyncIterator[AsyncLease]:
        """As ``Concurrency.slot``, renewed by a task; ``on_lost`` may be a coroutine function."""
        async with self._held(await self.acquire(limit, subject, lease), on_lost) as got:
            yield got
