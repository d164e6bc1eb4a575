"""One connection that listens: subscribes, hears, says when it was deaf, and connects anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import redis
from redis.crc import key_slot
from redis.exceptions import MovedError, NoPermissionError, ResponseError

from redisops.connection.async_client import in_time
from redisops.errors import NotSupported, RedisopsError
from redisops.pubsub.model import Gap, Message
from redisops.resilience import Backoff, Cause, deadline, diagnose
from redisops.resilience.causes import is_reply
from redisops.steps import Awaiting, Blocking, Steps, step
from redisops.values.calls import is_cluster

PATIENCE = 0.2  # seconds of one wait, so that an end is noticed
BREATH = 64  # replies after which other tasks have their turn: a buffer is read without waiting
CONNECTING = 3.0  # seconds that connecting and subscribing may take
READING = 5.0  # seconds for the rest of a message that began
_CONFIRMED = frozenset([b"subscribe", b"psubscribe", b"ssubscribe"])
_TAKEN = frozenset([b"unsubscribe", b"punsubscribe", b"sunsubscribe"])
_MESSAGES = frozenset([b"message", b"smessage"])
Wanted = tuple[tuple[str, tuple[bytes, ...]], ...]
"""Commands and their channels: (("SUBSCRIBE", (b"news",)), ...)."""


class _Ear:
    """Listens on one connection of ``client``'s pool until ``ended``; what a subscriber stands on.

    ``wanted`` is what it subscribes to; with ``shard`` (a channel) it looks on a cluster for the
    node that serves it. ``heard`` takes each Message and each Gap as it comes, and must not wait;
    ``said`` is called when ``trouble`` or ``problem`` has changed. Set ``ended`` to end it.

    ``trouble`` is why nothing is heard now, in words, "" when all is well; ``problem`` what the
    server refused for good; ``alive_at`` when it was heard last (seconds since 1970), None before
    the first time.
    """

    def __init__(
        self,
        client: Any,
        wanted: Wanted,
        heard: Callable[[Message | Gap], None],
        said: Callable[[], None] | None = None,
        *,
        shard: bytes | None = None,
        quiet: float = 5.0,
    ) -> None:
        self.client = client
        self.wanted = wanted
        self.shard = shard
        self.quiet = quiet
        self.ended = False
        self.trouble = ""
        self.problem: Exception | None = None
        self.is_listening = False
        self.alive_at: float | None = None
        self._heard = heard
        self._changed = said
        self._link: Any = None
        self._stood_on: Any = None  # what the link was connected by when it subscribed
        self._pool: Any = None
        self._backoff = Backoff(base=0.1, cap=5.0)

    @step
    def listen(self) -> Steps[None]:
        """Listen until ``ended``; returns at once when the server refuses for good."""
        failures, lost_at, why = 0, None, ""
        try:
            while not self.ended:
                try:
                    yield from self._subscribe()
                    if lost_at is not None:
                        self._heard(Gap(lost_at, why, time.time()))
                        lost_at = None
                    failures = 0
                    self.is_listening = True
                    self._said("")
                    yield from self._hear()
                except (redis.RedisError, RedisopsError, OSError) as error:
                    self.is_listening = False
                    if lost_at is None and self.alive_at is not None:
                        lost_at = self.alive_at
                    failures += 1
                    why = _words(error)
                    self.problem = error if _is_final(error) else None
                    self._said(why)
                    yield from self._drop()
                    if self.problem is not None:
                        return
                    yield from self._look_again(error)
                    wait = max(0.05, self._backoff.delay(failures))
                    while wait > 0 and not self.ended:
                        yield self.pause(min(wait, PATIENCE))  # type: ignore[attr-defined]
                        wait -= PATIENCE
        finally:
            self.is_listening = False
            yield from self._drop()

    def for_a_while(self, seconds: float) -> Steps[float]:
        """Listen for so long or until ``ended``, once; how long it was. Raises what breaks it."""
        try:
            yield from self._subscribe()
            began = time.monotonic()
            while not self.ended and (left := began + seconds - time.monotonic()) > 0:
                reply = yield self._read(min(left, PATIENCE))
                if reply is not None:
                    self._take(reply)
            return time.monotonic() - began
        finally:
            yield from self._drop()

    def check(self) -> None:
        """Raise what keeps it from hearing now: the refusal, or ConnectionError with the words."""
        if self.problem is not None:
            raise self.problem
        if self.trouble:
            raise redis.ConnectionError(self.trouble)

    def _said(self, words: str) -> None:
        self.trouble = words
        if self._changed is not None:
            self._changed()

    def _subscribe(self) -> Steps[None]:
        self._pool = yield from self._pool_now()
        self._link = yield self._connect()
        waiting = 0
        for name, channels in self.wanted:
            yield self._link.send_command(name, *channels)
            waiting += len(channels)
        end = time.monotonic() + CONNECTING
        while waiting:
            reply = yield self._read(PATIENCE)
            if reply is None:
                if time.monotonic() > end:
                    raise redis.TimeoutError("the server does not confirm the subscription")
            elif reply[0] in _CONFIRMED:
                waiting -= 1
            else:
                self._take(reply)
        self.alive_at = time.time()

    def _hear(self) -> Steps[None]:
        asked = False
        last = time.monotonic()
        while not self.ended:
            reply = yield self._read(PATIENCE)
            now = time.monotonic()
            if reply is not None:
                last, asked, self.alive_at = now, False, time.time()
                self._take(reply)
            elif asked and now - last > 2 * self.quiet:
                raise redis.TimeoutError(f"no sign of life for {now - last:.0f} s")
            elif not asked and now - last > self.quiet:
                asked = True
                yield self._link.send_command("PING")

    def _take(self, reply: Any) -> None:
        if not isinstance(reply, list | tuple) or not reply:
            return  # an answer to PING
        kind = reply[0]
        if kind in _MESSAGES:
            self._heard(Message(reply[1], reply[2], None, time.time()))
        elif kind == b"pmessage":
            self._heard(Message(reply[2], reply[3], reply[1], time.time()))
        elif kind in _TAKEN:
            raise redis.ConnectionError("the server ended the subscription: its slot moved")

    def _pool_now(self) -> Steps[Any]:
        """The pool of the server to listen at: on a cluster, of any primary or of the shard's."""
        if not is_cluster(self.client):
            return self.client.connection_pool
        if not hasattr(self.client, "primaries"):
            raise NotSupported("a plain cluster client lends no connection to listen: use connect")
        nodes = yield self.client.primaries()
        if self.shard is not None:
            node = self.client.nodes_manager.get_node_from_slot(key_slot(self.shard))
            return self.client._node_client(node).connection_pool
        for node in nodes:
            if node.breaker.state == "closed":
                return node.connection_pool
        return nodes[0].connection_pool

    def _look_again(self, error: BaseException) -> Steps[None]:
        """On a cluster: ask who serves what now."""
        if not is_cluster(self.client):
            return
        try:
            with deadline(CONNECTING):
                yield self._aside(self.client.nodes_manager.initialize)
        except (redis.RedisError, RedisopsError, OSError, redis.RedisClusterException):
            self._said(_words(error))  # as before: the next try finds out

    def _drop(self) -> Steps[None]:
        link, self._link = self._link, None
        if link is not None:
            yield self._disconnect(link)
            yield self._pool.release(link)

    def _still_stands(self) -> None:
        """Raise ConnectionError when the link was closed from outside, with its client or pool.

        redis-py connects a closed link again at its next use, where nothing is subscribed: it
        would be deaf without a word.
        """
        if self._stood_on is None or self._stands_on(self._link) is not self._stood_on:
            raise redis.ConnectionError("the connection was closed with its client")

    _connect: Any
    _read: Any
    _disconnect: Any
    _aside: Any
    _stands_on: Any


class Ear(_Ear, Blocking):
    """Listens in the calling thread."""

    def _connect(self) -> Any:
        with deadline(CONNECTING):
            link = self._pool.get_connection()
        self._stood_on = self._stands_on(link)
        return link

    def _read(self, seconds: float) -> Any:
        self._still_stands()
        try:
            if not self._link.can_read(seconds):
                return None
            return self._link.read_response(timeout=READING, push_request=True)
        except (AttributeError, TypeError, ValueError):
            # Closed by another thread in the middle: redis-py asks a socket that is gone.
            self._still_stands()
            raise

    @staticmethod
    def _stands_on(link: Any) -> Any:
        return link._sock

    @staticmethod
    def _disconnect(link: Any) -> None:
        link.disconnect()

    @staticmethod
    def _aside(call: Callable[[], Any]) -> Any:
        return call()


class AsyncEar(_Ear, Awaiting):
    """Listens in a task, and leaves the loop to others while a flood waits in its buffer."""

    _since_pause = 0

    async def _connect(self) -> Any:
        with deadline(CONNECTING):
            link = await in_time(self._pool.get_connection)
        self._stood_on = self._stands_on(link)
        return link

    @staticmethod
    def _stands_on(link: Any) -> Any:
        return link._writer

    async def _read(self, seconds: float) -> Any:
        self._still_stands()
        self._since_pause += 1
        if self._since_pause >= BREATH:
            self._since_pause = 0
            await asyncio.sleep(0)
        return await self._link.read_response(timeout=seconds, push_request=True)

    @staticmethod
    async def _disconnect(link: Any) -> None:
        await link.disconnect(nowait=True)

    @staticmethod
    async def _aside(call: Callable[[], Any]) -> Any:
        return await in_time(call)


def _words(error: BaseException) -> str:
    trouble = diagnose(error)
    return f"{trouble.sentence} {trouble.detail}".strip()


def _is_final(error: BaseException) -> bool:
    """Whether the server said no to what was asked: another try would be told the same."""
    if isinstance(error, NotSupported | NoPermissionError):
        return True
    return (
        isinstance(error, ResponseError)
        and not isinstance(error, MovedError)
        and is_reply(error)
        and diagnose(error).cause in (Cause.OTHER, Cause.UNSUPPORTED, Cause.CROSSSLOT)
    )
