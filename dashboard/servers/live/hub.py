"""One reader for everybody who watches the same thing in this process.

The first subscriber starts it, and it stops ``LINGER`` seconds after the last has left. What it
reads is encoded once into a ring; a tick hands the new rows, as the same frame, to each
subscriber's own bounded queue. Nobody waits for anybody.

A page that comes back names the last id it saw and gets what it missed, or a gap that says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

import redis
import structlog

from dashboard.servers.live.ending import ended
from dashboard.servers.live.figures import Telling
from dashboard.servers.live.queues import Encoded, Frame, Gap, Queue, State, encoded, framed, word
from dashboard.servers.load import WorkStopped
from redisops.errors import RedisopsError
from redisops.resilience import Backoff, diagnose

log = structlog.get_logger(__name__)

RING_ROWS = 2000
RING_BYTES = 2 * 1024 * 1024
TICK = 0.125
LINGER = 10.0
RESUME_ROWS = 300
START_SECONDS = 10.0
BEAT_SECONDS = 5.0
BEAT = word("beat")
TROUBLE = (redis.RedisError, RedisopsError, OSError)


@dataclass(frozen=True)
class Row:
    """One thing that happened: ``data`` is plain JSON.

    ``weight`` is how many things it stands for where a topic leaves some out and says so in the
    row: a gap counts them all.
    """

    id: str
    data: Any
    weight: int = 1


@dataclass(frozen=True)
class Batch:
    """What a topic read at once; the gap lies before the rows.

    ``position`` is the id up to which all was read, where no row says so: the first batch of a
    topic has it. ``state`` replaces parts of what is so now. An empty batch says all is well.
    """

    rows: list[Row] = field(default_factory=list)
    gap: Gap | None = None
    position: str | None = None
    state: dict[str, Any] = field(default_factory=dict)


class Topic(Protocol):
    """Something to watch. Topics with equal keys share one reader, which keeps the first's."""

    @property
    def key(self) -> Hashable: ...

    def read(self, after: str | None) -> AsyncGenerator[Batch, None]:
        """Read on for ever from ``after`` (None: from now), with a batch every second or two.

        Raises what Redis raises, and is then started again from the last id.
        """
        ...

    async def since(self, after: str, until: str, limit: int) -> Batch:
        """The newest ``limit`` rows after one id and up to another; a gap if any are missing."""
        ...


class Reader:
    """Reads one topic for all its subscribers, through every failure of what it reads."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.queues: set[Queue] = set()
        self.position: str | None = None
        self.lost: dict[str, Any] | None = None
        self._ring: deque[Encoded] = deque()
        self._ring_bytes = 0
        self._ring_after: str | None = None  # the id just before the ring's first row
        self._gap: Gap | None = None  # the one just before the ring
        self._state: dict[str, str] = {}
        self._changed: dict[str, str] = {}
        self._new: list[Encoded] = []
        self.since = time.time()
        self.things = 0  # rows read and what they stood for, of which ``left_out`` had none
        self.left_out = 0
        self._lost_before = 0
        self._said = time.monotonic()
        self._started = asyncio.Event()
        self._settled = asyncio.Event()  # started, or known to be in trouble
        self._fresh = asyncio.Event()  # something waits to be handed out
        self._tasks = [
            asyncio.create_task(self._reading(), name=f"live reader {topic.key}"),
            asyncio.create_task(self._ticking(), name=f"live tick {topic.key}"),
        ]

    @property
    def dropped(self) -> int:
        """What the queues of slow sockets lost, those that have left included."""
        return self._lost_before + sum(queue.lost for queue in self.queues)

    def leave(self, queue: Queue) -> None:
        """Feed the queue no more."""
        if queue in self.queues:
            self.queues.discard(queue)
            self._lost_before += queue.lost
            queue.lost = 0

    async def stop(self) -> None:
        await ended(*self._tasks)

    # --- Subscribers ----------------------------------------------------------------------

    async def join(self, queue: Queue, after: str | None) -> None:
        """Feed a queue whose page has seen all up to ``after``: what it missed comes first."""
        if after is not None and not self._started.is_set() and self.lost is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), START_SECONDS)
        # From here to the end of the first catching up no other task runs: nothing is lost or
        # doubled between what is fetched and what is fed.
        self._hand_out()
        self.queues.add(queue)
        queue.counts_only = False
        queue.clear()
        if self.lost is not None:
            queue.put(word("source", ok=False, **self.lost))
        if self._state:
            queue.put_state(State(dict(self._state)))
        if after is not None:
            await self._catch_up(queue, after)

    async def _catch_up(self, queue: Queue, after: str) -> None:
        if self.position is None:
            queue.put(Gap(after, "unreachable").frame())
            return
        rows, gap = self._from_ring(after), None
        if rows is not None:
            if len(rows) > RESUME_ROWS:
                missed = sum(weight for *_, weight in rows[:-RESUME_ROWS])
                gap, rows = Gap(after, "more", missed), rows[-RESUME_ROWS:]
            elif self._gap is not None and after == self._ring_after:
                gap = self._gap
        else:
            try:
                batch = await self.topic.since(after, self.position, RESUME_ROWS)
            except TROUBLE:
                rows, gap = [], Gap(after, "unreachable")
            except ValueError:
                rows, gap = [], Gap("", "unknown")  # the page named something that is no id
            else:
                rows = [(row.id, _text(row), row.weight) for row in batch.rows]
                gap = batch.gap or self._gap
        queue.put_first([*([gap.frame()] if gap else []), *framed(rows)])

    def _from_ring(self, after: str) -> list[Encoded] | None:
        """What follows ``after`` in the ring; None when the ring does not reach back so far."""
        if after == self._ring_after:
            return list(self._ring)
        if self._ring and after == self._ring[-1][0]:
            return []
        for index, (row_id, *_) in enumerate(self._ring):
            if row_id == after:
                return list(self._ring)[index + 1 :]
        return None

    # --- Reading --------------------------------------------------------------------------

    async def _reading(self) -> None:
        backoff, failures = Backoff(base=0.5, cap=2.0), 0
        while True:
            try:
                async with contextlib.aclosing(self.topic.read(self.position)) as batches:
                    async for batch in batches:
                        failures = 0
                        self._take(batch)
            except TROUBLE as error:
                self._lose(error)
            except Exception as error:
                # A fault of our own: the page is told, and the next try may go well.
                log.exception("a live reader failed", topic=str(self.topic.key))
                self._lose(error)
            failures += 1
            await asyncio.sleep(backoff.delay(failures))

    def _take(self, batch: Batch) -> None:
        if self.lost is not None:
            self.lost = None
            self._tell(word("source", ok=True))
        if batch.gap is not None:
            self._hand_out()
            self._clear_ring(batch.gap)
            self._tell(batch.gap.frame())
        if self.position is None or self._ring_after is None:
            self._ring_after = batch.position or self._ring_after
        if batch.position is not None and not batch.rows:
            self.position = batch.position
        for row in batch.rows:
            self._keep((row.id, _text(row), row.weight))
        if batch.state:
            self._replace(batch.state)
        self._started.set()
        self._settled.set()

    def _keep(self, row: Encoded) -> None:
        self.things += row[2]
        self.left_out += row[2] - 1
        self._ring.append(row)
        self._ring_bytes += len(row[1])
        while len(self._ring) > RING_ROWS or self._ring_bytes > RING_BYTES:
            self._ring_after, old, _ = self._ring.popleft()
            self._ring_bytes -= len(old)
            self._gap = None
        self._new.append(row)
        self._fresh.set()
        self.position = row[0]
        if len(self._new) >= RING_ROWS:
            self._hand_out()

    def _clear_ring(self, gap: Gap) -> None:
        self._ring.clear()
        self._ring_bytes = 0
        self._ring_after, self._gap = self.position, gap

    def _replace(self, parts: dict[str, Any]) -> None:
        """Keep what is so now; only the parts that changed are handed on."""
        texts = {name: encoded(part) for name, part in parts.items()}
        changed = {name: text for name, text in texts.items() if self._state.get(name) != text}
        self._state.update(changed)
        self._changed.update(changed)
        if changed:
            self._fresh.set()

    def _lose(self, error: BaseException) -> None:
        trouble = diagnose(error)
        first = self.lost is None
        since = time.time() if self.lost is None else self.lost["since"]
        sentence = f"{error}." if isinstance(error, WorkStopped) else trouble.sentence
        self.lost = {"cause": str(trouble.cause), "sentence": sentence, "since": since}
        self._settled.set()
        if first:
            self._tell(word("source", ok=False, **self.lost))

    # --- Handing out ----------------------------------------------------------------------

    async def _ticking(self) -> None:
        """What comes after a quiet moment goes out at once; what follows, every TICK at most."""
        while True:
            quiet = self._said + BEAT_SECONDS - time.monotonic()
            try:
                async with asyncio.timeout(max(quiet, TICK)):  # wait_for may lose a cancellation
                    await self._fresh.wait()
            except TimeoutError:
                # A page that hears nothing at all takes the socket for dead.
                if time.monotonic() - self._said >= BEAT_SECONDS:
                    self._tell(BEAT)
                continue
            self._hand_out()
            self._fresh.clear()
            await asyncio.sleep(TICK)

    def _hand_out(self) -> None:
        """Give what is new to everybody, as the same frames."""
        if not (self._new or self._changed):
            return
        rows, self._new = self._new, []
        changed, self._changed = self._changed, {}
        for frame in framed(rows):
            self._tell(frame)
        if changed:
            state = State(changed)
            for queue in self.queues:
                queue.put_state(state)

    def _tell(self, frame: Frame) -> None:
        self._said = time.monotonic()
        for queue in self.queues:
            queue.put(frame)


class Hub:
    """The readers of one event loop."""

    _hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()

    def __init__(self) -> None:
        self.readers: dict[Hashable, Reader] = {}
        self._stopping: dict[Hashable, asyncio.Task[None]] = {}
        self._telling = Telling()

    @classmethod
    def here(cls) -> Hub:
        """The running loop's hub."""
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls()
        return cls._hubs[loop]

    async def join(self, topic: Topic, queue: Queue, after: str | None = None) -> None:
        """Feed ``queue`` from the topic; ``after`` is the last id that its page has seen.

        A queue that only counted is fed in full again.
        """
        stopping = self._stopping.pop(topic.key, None)
        if stopping is not None:
            stopping.cancel()
        reader = self.readers.get(topic.key)
        if reader is None:
            reader = self.readers[topic.key] = Reader(topic)
        self._telling.begin(self.readers)
        await reader.join(queue, after)

    def leave(self, topic: Topic, queue: Queue) -> None:
        """Feed the queue no more; the reader stops a little after the last has left."""
        reader = self.readers.get(topic.key)
        if reader is None:
            return
        reader.leave(queue)
        if not reader.queues and topic.key not in self._stopping:
            self._stopping[topic.key] = asyncio.create_task(self._stop_later(topic.key))

    async def _stop_later(self, key: Hashable) -> None:
        await asyncio.sleep(LINGER)
        reader = self.readers.pop(key)
        del self._stopping[key]
        await reader.stop()

    async def close(self) -> None:
        """Stop everything at once: for the end of a process or a test."""
        await self._telling.end()
        for task in self._stopping.values():
            task.cancel()
        self._stopping.clear()
        readers, self.readers = list(self.readers.values()), {}
        for reader in readers:
            await reader.stop()


def _text(row: Row) -> str:
    return encoded([row.id, row.data])
