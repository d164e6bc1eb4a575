"""One connection that many tasks share: writes are joined, replies are matched in order."""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from typing import Any

import hiredis
import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA

from redisops.connection.guard import Guard
from redisops.fast.outcome import NEWS
from redisops.fast.overdue import Overdue
from redisops.fast.replies import Lost
from redisops.fast.sending import JOINED
from redisops.fast.wires import CLOSED

_HUNG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
SPACE = 65_536
"""Bytes that are read at once."""
TRUSTED = 0.01
"""Seconds after a sign of life for which an idle link is not asked whether its peer hung up."""


class Mux(Overdue, asyncio.BufferedProtocol):
    """A connected link's transport, taken over from its streams. Of one event loop.

    Every command has its slot until its reply has come: a caller who went away leaves a slot
    whose reply is dropped. Errors are values; only ``redis.RedisError`` and ``Lost`` are.
    """

    def __init__(
        self, link: Any, quiet: float | None, guard: Guard, gone: Callable[[Mux], None]
    ) -> None:
        super().__init__(quiet, guard.timeouts.deadline)
        self.link = link
        self._breaker = guard.breaker
        # A TLS transport may read while a task writes: then no other task may be resumed.
        self._later = link._writer.get_extra_info("sslcontext") is not None
        self._gone = gone
        self._reader = link._parser._reader
        self._handle_push = getattr(link._parser, "handle_push_response", None)
        self._space = bytearray(SPACE)
        self._view = memoryview(self._space)
        self._paused = False
        self._told = 0.0
        self._transport = link._writer.transport
        poller = select.poll()
        poller.register(self._transport.get_extra_info("socket").fileno(), _HUNG_UP)
        self._poll = poller.poll
        self._streams: Any = self._transport.get_protocol()
        self._transport.set_write_buffer_limits(high=4 * JOINED)
        self._transport.set_protocol(self)

    # What tasks call.

    async def close(self) -> None:
        """Close it; calls in flight are Lost."""
        await self.link.disconnect()

    def is_gone(self) -> bool:
        """Whether the peer of an idle link hung up, asked of the kernel: the loop may not know."""
        if self._slots or time.monotonic() - self._heard < TRUSTED:
            return False
        return bool(self._poll(0))

    def renounce(self) -> None:
        """Give up a link that ``is_gone``."""
        self._break(redis.ConnectionError(CLOSED))

    def retire(self) -> None:
        """Take no more; close when the calls in flight have their replies or gave up."""
        self._retired = True
        self._gone(self)
        if not self._slots:
            self._transport.close()

    # What the transport calls.

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Hand each complete reply to its slot, whose task goes on at once.

        What several tasks ask in turn leaves in one write, when all have had their replies.
        """
        self._heard = now = time.monotonic()
        slots, gets, later = self._slots, self._reader.gets, self._later
        several = len(slots) > 1
        if several:
            self._alone, self._flushing = False, True
        answered = 0
        try:
            self._reader.feed(self._space, 0, nbytes)
            reply = gets()
            while reply is not NOT_ENOUGH_DATA:
                if reply.__class__ is hiredis.PushNotification:
                    self.loop.create_task(self._push(reply))
                else:
                    slot = slots.popleft()
                    answered += 1
                    if not slot.is_done:
                        slot.deliver(reply, later=later)
                reply = gets()
        except (redis.RedisError, IndexError) as error:
            what = "a reply that nobody asked for" if isinstance(error, IndexError) else error
            self._break(redis.exceptions.InvalidResponse(f"the stream of replies broke: {what}"))
            return
        finally:
            if several:
                self._end_of_tick()
        self._alone = answered < 2
        if answered:
            self._answered(now)

    def _answered(self, now: float) -> None:
        breaker = self._breaker
        if breaker.last_error is not None or now - self._told > NEWS:
            self._told = now
            breaker._succeeded(None)  # one sign of life, however many it serves
        if (self.full or self._waiters) and not self._paused and self._has_room():
            self._let_in()
        if self._retired and not self._slots:
            self._transport.close()

    def eof_received(self) -> bool:
        """The server hung up."""
        return False

    def pause_writing(self) -> None:
        """The server does not take what is sent: the next callers wait."""
        self._paused = self.full = True

    def resume_writing(self) -> None:
        """The server takes it again."""
        self._paused = False
        if self._has_room():
            self._let_in()

    def connection_lost(self, exc: Exception | None) -> None:
        """The link is closed: by the server, by us, or with its client."""
        said = f"while reading: {exc}" if exc is not None else CLOSED
        self._end(redis.ConnectionError(said))
        self._streams.connection_lost(exc)
        self.link._parser.on_disconnect()
        self.link._reader = self.link._writer = None

    def _break(self, error: Exception) -> None:
        self._end(error)
        self._transport.abort()

    def _end(self, error: Exception) -> None:
        """Tell every caller, once."""
        if not self.open:
            return
        self.open = False
        self._gone(self)
        if self._watch is not None:
            self._watch.cancel()
        first_unsent = len(self._slots) - self._joined_slots
        counts = True
        for at, slot in enumerate(self._slots):
            if not slot.is_done:
                slot.set_result(Lost(error, sent=at < first_unsent, counts=counts))
                counts = False
        self._slots.clear()
        self._joined.clear()
        self._let_in()

    async def _push(self, reply: Any) -> None:
        if self._handle_push is not None:
            await self._handle_push(reply)
