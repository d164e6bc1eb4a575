"""What tasks put on a shared connection: commands in order, joined by ticks, within bounds."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from redisops.fast.replies import Batch, Reply

JOINED = 262_144
"""Bytes of a tick that leave before the tick is over."""
WAITING = 4_096
"""Calls without a reply above which the next ones wait."""


class Sending(ABC):
    """The commands of one link that wait for their replies, each in its slot, in order.

    What several tasks ask within one tick of the loop leaves in one write; a lone task's command
    leaves at once.
    """

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.full = False
        self.open = True
        self._slots: deque[Any] = deque()
        self._put_so_far = 0
        self._joined: list[bytes] = []
        self._joined_slots = 0
        self._joined_bytes = 0
        self._flushing = False
        self._alone = True
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._heard = self._asked = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def send(self, packed: bytes) -> Reply:
        """Put one command on its way; what is awaited is its reply, an error among replies."""
        reply = Reply(self.loop)
        slots = self._slots
        if not slots and self._alone and self._watch is not None:  # as `_put` does, in fewer steps
            self._heard = time.monotonic()
            self._put_so_far += 1
            slots.append(reply)
            self._transport.write(packed)
        elif slots and self._flushing and len(slots) < WAITING:
            slots.append(reply)
            self._put_so_far += 1
            self._joined.append(packed)
            self._joined_slots += 1
            self._joined_bytes += len(packed)
            if self._joined_bytes >= JOINED:
                self._flush()
        else:
            self._put(packed, reply, 1)
        return reply

    def send_all(self, packed: bytes, count: int) -> Reply:
        """Put some commands on their way; what is awaited is the list of their replies."""
        replies = Batch(self.loop, count)
        self._put(packed, replies, count)
        return replies

    async def room(self) -> None:
        """Wait until fewer calls are without a reply and the server takes what is sent."""
        while self.full and self.open:
            waiter = self.loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():  # it was let in already: another may take its place
                    self._let_in()
                raise

    def _put(self, packed: bytes, slot: Any, count: int) -> None:
        slots = self._slots
        self._put_so_far += count
        if not slots:
            self._heard = now = time.monotonic()
            if self._watch is None:
                self._look_later(now)
            if self._alone:  # nothing to join: a lone task need not wait for the end of the tick
                slots.extend((slot,) * count)
                self._transport.write(packed)
                return
        slots.extend((slot,) * count)
        self._joined.append(packed)
        self._joined_slots += count
        self._joined_bytes += len(packed)
        if self._joined_bytes >= JOINED:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._end_of_tick)
        if len(slots) >= WAITING:
            self.full = True

    def _end_of_tick(self) -> None:
        self._flushing = False
        if self._joined and self.open:
            self._flush()

    def _flush(self) -> None:
        joined = b"".join(self._joined)
        self._joined.clear()
        self._joined_slots = self._joined_bytes = 0
        if self._asked < self._heard:
            self._asked = time.monotonic()  # the first that left since the server was heard
        self._transport.write(joined)

    def _has_room(self) -> bool:
        return len(self._slots) <= WAITING // 2

    def _let_in(self) -> None:
        self.full = False
        places = WAITING if not self.open else WAITING - len(self._slots)
        while self._waiters and (places > 0 or not self.open):
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                places -= 1

    @abstractmethod
    def _look_later(self, now: float) -> None:
        """Look at the calls without a reply, soon."""
