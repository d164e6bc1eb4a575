"""What waits for one socket, and the frames that wait there.

A frame is one JSON text, encoded once for everybody: rows in order, or parts of a state of which
only the newest counts, or a word about the flow itself (a gap, the source lost or back).
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

QUEUE_ROWS = 1000
QUEUE_BYTES = 256 * 1024
FRAME_ROWS = 250
FRAME_BYTES = 64 * 1024
COUNT_SECONDS = 1.0


Encoded = tuple[str, str, int]
"""A row's id, its text, and how many things it stands for."""


@dataclass(frozen=True)
class Frame:
    """``rows`` of them in the text, the last with ``last_id``; none in a word about the flow.

    ``weight`` is how many things these rows stand for, where that is more than rows.
    """

    text: str
    rows: int = 0
    last_id: str = ""
    weight: int = 0

    @property
    def things(self) -> int:
        return max(self.weight, self.rows)


class State:
    """Parts of what is so now, encoded: shared by all queues, made into one text once."""

    def __init__(self, parts: dict[str, str]) -> None:
        self.parts = parts

    def replaced_by(self, newer: State) -> State:
        return State({**self.parts, **newer.parts})

    @functools.cached_property
    def text(self) -> str:
        texts = ",".join(f"{encoded(name)}:{text}" for name, text in self.parts.items())
        return f'{{"t":"state","parts":{{{texts}}}}}'


@dataclass(frozen=True)
class Gap:
    """Rows after ``after`` that are not here: why, and how many (None: not known).

    ``why``: slow (the socket or the process could not keep up), trimmed, recreated, more (than
    are sent again), unreachable, unknown (the page's id means nothing here).
    """

    after: str
    why: str
    missed: int | None = None

    def frame(self) -> Frame:
        return word("gap", after=self.after, why=self.why, missed=self.missed)


class Queue:
    """One socket's frames in order, at most QUEUE_ROWS rows or QUEUE_BYTES; nobody waits to add.

    The oldest make room and are counted: a gap says how many. With ``counts_only`` (a hidden
    tab) rows are only counted, once a second.
    """

    def __init__(self) -> None:
        self.counts_only = False
        self.rows = 0
        self.bytes = 0
        self._frames: deque[Frame] = deque()
        self._state: State | None = None
        self._sent_id = ""
        self.lost = 0  # rows and what they stood for, dropped since it is fed
        self._dropped = 0
        self._dropped_after = ""
        self._counted = 0
        self._counted_at = 0.0
        self._filled = asyncio.Event()

    def put(self, frame: Frame) -> None:
        if self.counts_only and frame.rows:
            self._count(frame.things)
            return
        self._frames.append(frame)
        self.rows += frame.rows
        self.bytes += len(frame.text)
        while (self.rows > QUEUE_ROWS or self.bytes > QUEUE_BYTES) and len(self._frames) > 1:
            self._drop()
        self._filled.set()

    def put_first(self, frames: list[Frame]) -> None:
        """Before all that waits: what was missed comes before what is new."""
        for frame in reversed(frames):
            self._frames.appendleft(frame)
            self.rows += frame.rows
            self.bytes += len(frame.text)
        self._filled.set()

    def put_state(self, state: State) -> None:
        """Replace parts that were not sent yet: an older one is of no use to anybody."""
        self._state = state if self._state is None else self._state.replaced_by(state)
        self._filled.set()

    def clear(self) -> None:
        """Forget what waits: it is fetched again from an id."""
        self._frames.clear()
        self.rows = self.bytes = self._dropped = self._counted = 0

    @property
    def newest_id(self) -> str:
        """The id that the page has seen once all that waits is sent."""
        return next((one.last_id for one in reversed(self._frames) if one.rows), self._sent_id)

    async def next(self) -> str:
        """What to send next; waits for something. A gap comes before what follows it.

        One message, or a JSON array of what waits, up to FRAME_BYTES: sending costs more than
        encoding, so what goes together is sent together.
        """
        while not (self._dropped or self._frames or self._state is not None):
            self._filled.clear()
            await self._filled.wait()
        texts, size = [], 0
        if self._dropped:
            gap, self._dropped = Gap(self._dropped_after, "slow", self._dropped), 0
            texts.append(gap.frame().text)
        while self._frames and (not texts or size + len(self._frames[0].text) <= FRAME_BYTES):
            texts.append(self._take().text)
            size += len(texts[-1])
        if self._state is not None and not self._frames:
            texts.append(self._state.text)
            self._state = None
        return texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"

    def _take(self) -> Frame:
        frame = self._frames.popleft()
        self.rows -= frame.rows
        self.bytes -= len(frame.text)
        self._sent_id = frame.last_id or self._sent_id
        return frame

    def _drop(self) -> None:
        before = self._sent_id
        frame = self._take()
        if frame.rows:
            if not self._dropped:
                self._dropped_after = before
            self._dropped += frame.things
            self.lost += frame.things

    def _count(self, rows: int) -> None:
        self._counted += rows
        now = time.monotonic()
        if now - self._counted_at >= COUNT_SECONDS:
            frame = word("count", rows=self._counted)
            self._frames.append(frame)
            self.bytes += len(frame.text)
            self._counted, self._counted_at = 0, now
            self._filled.set()


def framed(rows: Iterable[Encoded]) -> Iterator[Frame]:
    """Encoded rows as frames of bounded size, so that a slow socket loses little."""
    batch: list[Encoded] = []
    size = 0
    for row in rows:
        if batch and (len(batch) == FRAME_ROWS or size + len(row[1]) > FRAME_BYTES):
            yield _rows(batch)
            batch, size = [], 0
        batch.append(row)
        size += len(row[1])
    if batch:
        yield _rows(batch)


def _rows(batch: list[Encoded]) -> Frame:
    texts = ",".join(text for _, text, _ in batch)
    weight = sum(weight for *_, weight in batch)
    return Frame(f'{{"t":"rows","rows":[{texts}]}}', len(batch), batch[-1][0], weight)


def word(kind: str, **fields: Any) -> Frame:
    return Frame(encoded({"t": kind, **fields}))


def encoded(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
