"""Sockets and name look-ups that give up in time."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from concurrent.futures import Future
from typing import Any

from redisops.connection.call import time_left


class TimedSocket:
    """A socket whose every wait is cut to what is left of the running call.

    A socket's own timeout starts anew with each byte that trickles in; this one does not. It
    costs no system call while more time is left than the socket would wait anyway.
    """

    __slots__ = ("_socket", "_wait")

    def __init__(self, plain: socket.socket, wait: float | None) -> None:
        self._socket = plain
        self._wait = wait
        plain.settimeout(wait)

    def _limited(self) -> float | None:
        left = time_left()
        if left is None or (self._wait is not None and left >= self._wait):
            return None
        return left

    def recv_into(self, buffer: Any) -> int:
        """Receive once, for no longer than is left."""
        left = self._limited()
        if left is None:
            return self._socket.recv_into(buffer)
        self._socket.settimeout(left)
        try:
            return self._socket.recv_into(buffer)
        finally:
            self._socket.settimeout(self._wait)

    def sendall(self, data: Any) -> None:
        """Send it all, for no longer than is left."""
        left = self._limited()
        if left is None:
            self._socket.sendall(data)
            return
        self._socket.settimeout(left)
        try:
            self._socket.sendall(data)
        finally:
            self._socket.settimeout(self._wait)

    def settimeout(self, seconds: float | None) -> None:
        """Wait this long from now on (redis-py sets it around pub/sub reads)."""
        self._wait = seconds
        self._socket.settimeout(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def left_until(end: float | None) -> float | None:
    """Seconds until ``end`` (monotonic); None without one. Raises TimeoutError when it is past."""
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def resolve(host: str, port: int, end: float | None) -> list[Any]:
    """``getaddrinfo`` that gives up in time: the system's may wait half a minute for a resolver."""
    if _is_address(host):
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    left = left_until(end)
    answered: Future[list[Any]] = Future()
    _ask_aside(host, port, answered)
    try:
        return answered.result(left)
    except TimeoutError:
        raise _no_answer(host) from None


async def resolve_async(host: str, port: int) -> list[Any]:
    """The same for a task, which its own deadline cancels.

    Not ``loop.getaddrinfo``: that borrows a thread of the executor which everything else uses,
    and a resolver that hangs would soon hold all of them.
    """
    if _is_address(host):
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    answered: Future[list[Any]] = Future()
    _ask_aside(host, port, answered)
    return await asyncio.wrap_future(answered)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ask_aside(host: str, port: int, answered: Future[list[Any]]) -> None:
    """Ask in a thread of its own, which nobody waits for when the answer comes too late."""

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            outcome: Any = error
        else:
            outcome = found
        # Whoever gave up has cancelled the question; then nobody wants the answer.
        if not answered.set_running_or_notify_cancel():
            return
        if isinstance(outcome, BaseException):
            answered.set_exception(outcome)
        else:
            answered.set_result(outcome)

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()


def _no_answer(host: str) -> socket.gaierror:
    return socket.gaierror(socket.EAI_AGAIN, f"no answer from the resolver for {host}")
