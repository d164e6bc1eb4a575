"""HTTP and TCP checks of a literal address: a socket and callbacks; no task, stream or timer.

Most checks are of this kind, and a watcher makes a thousand of them a second. What ``asking.ask``
promises holds here too: judged right before connecting, pinned, bounded, and nothing is raised.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable

import structlog

from dashboard.services.checks import asking, targets, wire
from dashboard.services.checks.exchange import Failed, Outcome
from dashboard.services.checks.spec import Check

log = structlog.get_logger(__name__)

HELD_UP = 0.25
"""Seconds that our loop may be behind during a check before its silence may be ours."""
_NONBLOCK = getattr(socket, "SOCK_NONBLOCK", 0)
_PIECE = 16_384
_GOES_ON = frozenset([0, errno.EINPROGRESS, errno.EAGAIN])


def can(check: Check, host: str) -> bool:
    """Whether this module checks it: the rest is ``asking.ask``'s."""
    return check.kind in ("http", "tcp") and targets.literal(host) is not None


class Quick:
    """One check of ``host``, begun at once; ``tell`` gets its outcome, in this loop, later.

    ``behind()`` says for how many seconds the loop was behind so far, in all. An instance that had
    less than three quarters of its time because of us gets the rest of it, once: the kernel keeps
    what it sent meanwhile.
    """

    __slots__ = (
        "_acted", "_address", "_answer", "_before", "_behind", "_check", "_clock", "_connected",
        "_host", "_left", "_loop", "_more", "_port", "_reads", "_sock", "_tell", "deadline",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, check: Check, host: str, port: int,
        behind: Callable[[], float], tell: Callable[[Outcome], None],
    ) -> None:  # fmt: skip
        self._loop, self._check, self._host = loop, check, host
        self._port = check.port or port
        self._behind, self._before = behind, behind()
        self._clock = time.perf_counter()
        self._tell: Callable[[Outcome], object]
        self._acted = loop.time()
        self.deadline = self._acted + check.timeout
        self._connected = self._more = self._reads = False
        self._left = b""
        self._sock: socket.socket | None = None
        self._answer: wire.Answer | None = None
        # What ends at once is told a moment later: never before the caller knows of this check.
        self._tell = lambda outcome: loop.call_soon(tell, outcome)
        self._step(self._begin)
        self._tell = tell

    @property
    def is_over(self) -> bool:
        """Whether its outcome was told, or is about to be."""
        return self._sock is None

    def late(self) -> None:
        """Call it at ``deadline``: it is over afterwards, or has a later one."""
        if self._sock is not None:
            self._step(self._late)

    def abort(self) -> None:
        """Forget it: nothing is told."""
        self._close()

    def _step(self, do: Callable[[], None]) -> None:
        """One callback; whatever happens in it ends the check with a word."""
        try:
            do()
        except (BlockingIOError, InterruptedError):
            return
        except targets.Refused as error:
            self._end(asking.refused(error))
        except Failed as error:
            self._end(Outcome(error.state, error.why, self._ms(), connected=True))
        except OSError as error:
            self._end(self._broken(error))
        except Exception as error:
            log.exception("a check went wrong", address=self._host, port=self._port)
            self._end(Outcome("unknown", f"this checker failed: {type(error).__name__}", own=True))

    def _begin(self) -> None:
        self._address = targets.literal(self._host) or ""
        targets.judge(self._address, self._port, self._check.kind)
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._sock = sock = socket.socket(family, socket.SOCK_STREAM | _NONBLOCK)
        if not _NONBLOCK:
            sock.setblocking(False)  # noqa: FBT003 - its only way
        code = sock.connect_ex((self._address, self._port))
        if code not in _GOES_ON:
            raise OSError(code, os.strerror(code))
        self._loop.add_writer(sock, self._step, self._connect)

    def _connect(self) -> None:
        """The socket may be written to, or is looked at once more: connected, or an error."""
        sock = self._socket
        try:
            peer = sock.getpeername()
        except OSError:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code)) from None
            raise
        if not targets.pinned(peer, self._address):
            raise targets.Refused(f"The connection to {self._address} ended at {peer}.")
        self._connected = True
        check = self._check
        if check.kind == "tcp":
            self._passed({})
            return
        name = asking.authority(check.host or self._host, self._port, "http")
        self._answer = wire.Answer(check)
        self._left = wire.request(check.method, check.path, name)
        self._acted = self._loop.time()
        self._write()

    def _write(self) -> None:
        sock = self._socket
        self._left = self._left[sock.send(self._left) :]
        if not self._left:
            self._loop.add_reader(sock, self._step, self._read)
            self._loop.remove_writer(sock)  # after it: the loop keeps what it has for the socket
            self._reads = True
        else:
            self._loop.add_writer(sock, self._step, self._write)

    def _read(self) -> None:
        answer = self._answer
        if answer is not None and answer.take(self._socket.recv(_PIECE)):
            self._passed(answer.judged())

    def _late(self) -> None:
        """Its time is over by the clock; by what the kernel has, and what we took, maybe not."""
        now = self._loop.time()
        try:
            if not self._connected:
                self._connect()
            if self._sock is not None and self._connected and not self._left:
                while self._sock is not None:
                    self._read()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN or self._connected:
                raise
        if self._sock is None:
            return
        ours = max(now - self.deadline, self._behind() - self._before)
        if not self._more and ours > HELD_UP and now - self._acted < self._check.timeout * 0.75:
            self._more = True
            self.deadline = self._acted + self._check.timeout
            return
        self._end(asking.late(self._check, connected=self._connected))

    @property
    def _socket(self) -> socket.socket:
        if self._sock is None:  # a callback of a check that is over: nobody takes them away twice
            raise BlockingIOError
        return self._sock

    def _passed(self, detail: dict[str, object]) -> None:
        ms = self._ms()
        state, why = asking.passed(self._check, detail, ms)
        self._end(Outcome(state, why, ms, connected=True, detail=detail))

    def _broken(self, error: OSError) -> Outcome:
        if self._connected:
            words = error.strerror or str(error) or "closed"
            return Outcome("fail", f"the connection broke: {words}", self._ms(), connected=True)
        return asking.trouble(error, self._host, self._port, self._ms())

    def _ms(self) -> float:
        return (time.perf_counter() - self._clock) * 1000

    def _end(self, outcome: Outcome) -> None:
        self._close()
        self._tell(outcome)

    def _close(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            if self._reads:
                self._loop.remove_reader(sock)
            else:
                self._loop.remove_writer(sock)
            sock.close()
