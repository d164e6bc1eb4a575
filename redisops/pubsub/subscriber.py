"""Subscribe to channels and patterns, and hear of it when something may have been missed."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Self

from redisops.connection.waiting import waiting
from redisops.errors import InvalidArgument
from redisops.keys import slot
from redisops.pubsub.ears import AsyncEar, Ear, Wanted
from redisops.pubsub.model import Gap, Message
from redisops.values.calls import is_cluster

MOST = 10_000
MOST_BYTES = 64 * 2**20
MOST_CHANNELS = 10_000
MOST_SHARDS = 64
Name = bytes | str
_EACH = 200  # bytes that a message takes besides its data, about


class _Subscriber(ABC):
    """Hears channels by name, patterns and sharded channels, and keeps a bounded queue.

    ``redis`` is what ``connect`` gave; the subscription has connections of its own
    (``redis.blocking()``), one, and on a cluster one more for each slot with sharded channels.
    Listening begins when the block is entered and goes on beside whoever reads, so that a
    slow reader costs the server nothing: above ``most`` messages or ``most_bytes`` the oldest
    are dropped, and a Gap with their number stands in their place. A connection that breaks, or
    is silent for three times ``quiet`` seconds, is made anew with backoff; what it was subscribed
    to is subscribed to again, and a Gap says from when until when nothing was heard.

    ``trouble`` is why nothing is heard now, in words, "" while all is well. ``dropped`` counts
    what the full queue lost. What the server refuses for good (NOPERM, no such command) is raised
    to the reader.
    """

    def __init__(
        self,
        redis: Any,
        *,
        channels: Sequence[Name] = (),
        patterns: Sequence[Name] = (),
        sharded: Sequence[Name] = (),
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
        quiet: float = 5.0,
    ) -> None:
        if most < 1 or most_bytes < 1 or quiet <= 0:
            raise InvalidArgument("most, most_bytes and quiet are above 0")
        self.redis = redis
        self.dropped = 0
        self._most, self._most_bytes, self._quiet = most, most_bytes, quiet
        self._parts = _parts(redis, channels, patterns, sharded)
        self._queue: deque[Message | Gap] = deque()
        self._bytes = 0
        self._lost: Gap | None = None  # what was dropped in front of the queue
        self._ears: list[Any] = []
        self._client: Any = None
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def trouble(self) -> str:
        """Why nothing (or not everything) is heard now; "" when all is heard."""
        return next((ear.trouble for ear in self._ears if ear.trouble), "")

    @property
    def is_listening(self) -> bool:
        """Whether every subscription stands and is confirmed by the server."""
        return bool(self._ears) and all(ear.is_listening for ear in self._ears)

    def _begin(self, kind: Any) -> None:
        if self._ears or self._is_closed:
            raise InvalidArgument("a subscriber is entered once: make another one")
        self._client = waiting(self.redis)
        for wanted, shard in self._parts:
            self._ears.append(
                kind(self._client, wanted, self._put, self._wake, shard=shard, quiet=self._quiet)
            )

    def _put(self, one: Message | Gap) -> None:
        with self._lock:
            self._queue.append(one)
            self._bytes += _size(one)
            while len(self._queue) > self._most or (
                self._bytes > self._most_bytes and len(self._queue) > 1
            ):
                self._drop_oldest()
        self._wake()

    def _drop_oldest(self) -> None:
        oldest = self._queue.popleft()
        self._bytes -= _size(oldest)
        lost = self._lost
        if isinstance(oldest, Gap):
            since, missed = oldest.since, oldest.missed
            reason = f"{oldest.reason}; then the queue was full"
        else:
            self.dropped += 1
            since, missed, reason = oldest.at, 1, "the queue was full"
        if lost is not None:
            since, reason = lost.since, lost.reason if missed is not None else reason
            known = missed is not None and lost.missed is not None
            missed = (lost.missed or 0) + (missed or 0) if known else None
        self._lost = Gap(since, reason, time.time(), missed)

    def _pop(self) -> Message | Gap | None:
        """The next one; None when there is none yet. Raises what the server refused for good."""
        with self._lock:
            if self._lost is not None:
                lost, self._lost = self._lost, None
                return lost
            if self._queue:
                one = self._queue.popleft()
                self._bytes -= _size(one)
                return one
        for ear in self._ears:
            if ear.problem is not None:
                raise ear.problem
        return None

    @abstractmethod
    def _wake(self) -> None: ...


class Subscriber(_Subscriber):
    __doc__ = _Subscriber.__doc__

    def __enter__(self) -> Self:
        """Begin to listen, in a thread for each connection. Does not wait: see ``wait``."""
        self._threads: list[threading.Thread] = []
        self._begin(Ear)
        for ear in self._ears:
            thread = threading.Thread(target=ear.listen, name="redisops-pubsub", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *error: object) -> None:
        """Stop listening; what waits in the queue can still be read with ``get(0)``."""
        self._is_closed = True
        for ear in self._ears:
            ear.ended = True
        self._wake()
        for thread in self._threads:
            thread.join()
        if self._client is not self.redis:
            self._client.close()

    def __init__(self, redis: Any, **options: Any) -> None:
        super().__init__(redis, **options)
        self._news = threading.Condition()

    def wait(self, seconds: float = 5.0) -> bool:
        """Wait until the server has confirmed all subscriptions; whether it has."""
        with self._news:
            return self._news.wait_for(lambda: self.is_listening or self._refused, seconds) and (
                self.is_listening
            )

    def get(self, seconds: float | None = None) -> Message | Gap | None:
        """The next message or gap; None when none came within ``seconds`` (None: for ever)."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._news:
            while True:
                one = self._pop()
                if one is not None or self._is_closed:
                    return one
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._news.wait(left)

    def __iter__(self) -> Iterator[Message | Gap]:
        """Messages and gaps until it is closed."""
        while (one := self.get()) is not None:
            yield one

    @property
    def _refused(self) -> bool:
        return any(ear.problem is not None for ear in self._ears)

    def _wake(self) -> None:
        with self._news:
            self._news.notify_all()


class AsyncSubscriber(_Subscriber):
    __doc__ = _Subscriber.__doc__

    def __init__(self, redis: Any, **options: Any) -> None:
        super().__init__(redis, **options)
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to listen, in a task for each connection. Does not wait: see ``wait``."""
        self._begin(AsyncEar)
        self._tasks = [asyncio.create_task(self._listen(ear)) for ear in self._ears]
        return self

    async def _listen(self, ear: Any) -> None:
        try:
            await ear.listen()
        finally:
            self._wake()

    async def __aexit__(self, *error: object) -> None:
        """Stop listening; what waits in the queue can still be read with ``get(0)``."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._wake()
        if self._client is not self.redis:
            await self._client.aclose()

    async def wait(self, seconds: float = 5.0) -> bool:
        """As ``Subscriber.wait``."""
        end = time.monotonic() + seconds
        while not self.is_listening and not any(ear.problem for ear in self._ears):
            if not await self._next_news(end - time.monotonic()):
                break
        return self.is_listening

    async def get(self, seconds: float | None = None) -> Message | Gap | None:
        """As ``Subscriber.get``."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            self._news.clear()
            one = self._pop()
            if one is not None or self._is_closed:
                return one
            left = None if end is None else end - time.monotonic()
            if not await self._next_news(left):
                return None

    async def __aiter__(self) -> AsyncIterator[Message | Gap]:
        """Messages and gaps until it is closed."""
        while (one := await self.get()) is not None:
            yield one

    async def _next_news(self, seconds: float | None) -> bool:
        if seconds is not None and seconds <= 0:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def _wake(self) -> None:
        self._news.set()


def _parts(
    redis: Any, channels: Sequence[Name], patterns: Sequence[Name], sharded: Sequence[Name]
) -> list[tuple[Wanted, bytes | None]]:
    """What each connection subscribes to, and the channel whose shard it belongs to."""
    by_name, by_pattern, by_shard = _plain(channels), _plain(patterns), _plain(sharded)
    if not 0 < len(by_name) + len(by_pattern) + len(by_shard) <= MOST_CHANNELS:
        raise InvalidArgument(f"subscribe to at least one channel and at most {MOST_CHANNELS}")
    plain: Wanted = tuple(
        (name, names)
        for name, names in (("SUBSCRIBE", by_name), ("PSUBSCRIBE", by_pattern))
        if names
    )
    if not is_cluster(redis):
        return [((*plain, ("SSUBSCRIBE", by_shard)) if by_shard else plain, None)]
    slots: dict[int, list[bytes]] = {}
    for name in by_shard:
        slots.setdefault(slot(name), []).append(name)
    if len(slots) > MOST_SHARDS:
        raise InvalidArgument(f"sharded channels of {len(slots)} slots, more than {MOST_SHARDS}")
    parts: list[tuple[Wanted, bytes | None]] = [(plain, None)] if plain else []
    parts += [((("SSUBSCRIBE", tuple(names)),), names[0]) for names in slots.values()]
    return parts


def _plain(names: Sequence[Name]) -> tuple[bytes, ...]:
    if isinstance(names, str | bytes):
        raise InvalidArgument("give a list of channels, not one name")
    unique = dict.fromkeys(name.encode() if isinstance(name, str) else name for name in names)
    return tuple(unique)


def _size(one: Message | Gap) -> int:
    return _EACH + (len(one.data) + len(one.channel) if isinstance(one, Message) else 0)
