"""A pooled link without the layers that redis-py has around its socket and its reader."""

from __future__ import annotations

import math
import select
import struct
import time
from socket import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
from ssl import SSLSocket
from typing import Any, NoReturn

import hiredis
import redis
from redis._parsers.hiredis import NOT_ENOUGH_DATA

from redisops.connection.sockets import TimedSocket
from redisops.errors import DeadlineExceeded
from redisops.fast.outcome import patience

CLOSED = "Connection closed by server."
BYTES = 65_536


class Wire:
    """The socket and the reader of one connected link; used by whoever holds the link."""

    __slots__ = (
        "_buffer", "_feed", "_gets", "_limited", "_link", "_receive_into", "_send_all", "_socket",
        "_wait", "kept", "poll", "wrapped",
    )  # fmt: skip

    def __init__(self, link: Any) -> None:
        self.wrapped = link._sock
        plain = link._sock._socket if isinstance(link._sock, TimedSocket) else link._sock
        wait = link.socket_timeout
        self._wait = math.inf if wait is None else wait
        self._socket = plain
        self._send_all = plain.sendall
        self._receive_into = plain.recv_into
        self._link = link
        self._feed = link._parser._reader.feed
        self._gets = link._parser._reader.gets
        self._limited = self.kept = False
        self._buffer = bytearray(BYTES)
        poller = select.poll()
        poller.register(plain, select.POLLIN)
        self.poll = poller.poll  # with 0: whether anything came unasked, bytes or the end

    @classmethod
    def of(cls, link: Any) -> Wire:
        """The one of this link as it is connected now."""
        known: Wire | None = link.__dict__.get("_redisops_wire")
        if known is None or known.wrapped is not link._sock:
            known = link._redisops_wire = cls(link)
        return known

    def keep(self) -> None:
        """The link stays at hand: let the kernel hold the socket's timeout.

        Python would ask before each send and each receive whether it may, two system calls more.
        """
        if not self.kept and self._wait != math.inf and not isinstance(self._socket, SSLSocket):
            seconds = patience(self._wait)
            limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
            self._socket.setsockopt(SOL_SOCKET, SO_RCVTIMEO, limit)
            self._socket.setsockopt(SOL_SOCKET, SO_SNDTIMEO, limit)
            self._socket.settimeout(None)
            self.kept = True

    def lend(self) -> None:
        """The link goes back to the pool, as it came."""
        if self.kept and self._socket.fileno() >= 0:
            self.kept = False
            self._socket.settimeout(self._wait)

    def ask(self, packed: bytes, now: float, ends_at: float) -> Any:
        """Send one command and take its reply, an error as a value."""
        if ends_at - now < self._wait:
            return self.ask_all(packed, 1, ends_at)[0]
        try:
            self._send_all(packed)
        except OSError as error:
            raise _unsent(error) from error
        try:
            count = self._receive_into(self._buffer)
        except OSError as error:
            raise _unheard(error) from error
        self._feed(self._buffer, 0, count)
        reply = self._gets() if count else self._closed()
        if reply is NOT_ENOUGH_DATA or reply.__class__ is hiredis.PushNotification:
            try:
                return self._reply(reply, ends_at)
            finally:
                self._unlimit()
        return reply

    def ask_few(self, packed: bytes, count: int, now: float, ends_at: float) -> list[Any]:
        """Send a few commands as ``ask`` sends one; replies come in one piece as a rule."""
        if ends_at - now < self._wait:
            return self.ask_all(packed, count, ends_at)
        replies = [self.ask(packed, now, ends_at)]
        while len(replies) < count:
            reply = self._gets()
            if reply is NOT_ENOUGH_DATA or reply.__class__ is hiredis.PushNotification:
                try:
                    reply = self._reply(reply, ends_at)
                finally:
                    self._unlimit()
            replies.append(reply)
        return replies

    def ask_all(self, packed: bytes, count: int, ends_at: float) -> list[Any]:
        """Send some commands and take their replies."""
        try:
            self._limit(ends_at)
            try:
                self._send_all(packed)
            except OSError as error:
                raise _unsent(error) from error
            return [self._reply(self._gets(), ends_at) for _ in range(count)]
        finally:
            self._unlimit()

    def _limit(self, ends_at: float) -> None:
        """Cut the socket's waits to what is left, when that is less than it would wait anyway."""
        left = ends_at - time.monotonic()
        if left >= self._wait:
            return
        if left <= 0:
            raise DeadlineExceeded("the deadline passed before the reply was complete")
        self._limited = True
        self._socket.settimeout(left)

    def _unlimit(self) -> None:
        if self._limited and self._socket.fileno() >= 0:
            blocks = self.kept or self._wait == math.inf
            self._socket.settimeout(None if blocks else self._wait)
        self._limited = False

    def _reply(self, reply: Any, ends_at: float) -> Any:
        """The next reply; ``reply`` is what the reader said last."""
        while True:
            while reply is NOT_ENOUGH_DATA:  # however long it is, all must come in time
                self._limit(ends_at)
                self._receive()
                reply = self._gets()
            if reply.__class__ is not hiredis.PushNotification:
                return reply
            self._link._parser.handle_push_response(reply)
            reply = self._gets()

    def _receive(self) -> None:
        try:
            count = self._receive_into(self._buffer)
        except OSError as error:
            raise _unheard(error) from error
        if not count:
            self._closed()
        self._feed(self._buffer, 0, count)

    @staticmethod
    def _closed() -> NoReturn:
        raise redis.ConnectionError(CLOSED)


def _unsent(error: OSError) -> Exception:
    if isinstance(error, TimeoutError | BlockingIOError):  # the latter from the kernel
        return redis.TimeoutError("Timeout writing to socket")
    return redis.ConnectionError(f"while writing: {error}")


def _unheard(error: OSError) -> Exception:
    if isinstance(error, TimeoutError | BlockingIOError):  # the latter from the kernel
        return redis.TimeoutError("Timeout reading from socket")
    return redis.ConnectionError(f"while reading: {error}")
