"""The right to be the one that tries: leases for one process, one machine, or many machines."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from redisops.scripts import source


class Lease(Protocol):
    """At most one holder at a time; it ends by itself, so a holder that dies blocks nobody."""

    remote: bool
    """Whether ``claim`` waits for another machine (an asyncio client then asks in a thread)."""

    def claim(self, seconds: float) -> bool:
        """Take it for ``seconds``; False when another holds it. Raises when nobody can tell."""

    def end(self, seconds: float = 0.0) -> None:
        """Let it end in ``seconds`` from now; nothing happens when it is no longer held."""


class LocalLease:
    """A lease between the threads and tasks of one process that share this object."""

    remote = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends_at = 0.0

    def claim(self, seconds: float) -> bool:
        """Take it for ``seconds`` if nobody holds it. No input or output."""
        now = time.monotonic()
        with self._lock:
            if now < self._ends_at:
                return False
            self._ends_at = now + seconds
            return True

    def end(self, seconds: float = 0.0) -> None:
        """Let the next one have it in ``seconds`` from now."""
        with self._lock:
            self._ends_at = time.monotonic() + seconds


class FileLease:
    """A lease between the processes of one machine: a small file that says until when it is held.

    The time is the machine's monotonic clock, which its processes share, so a corrected wall
    clock neither ends nor prolongs it; a time further away than a lease can last was written
    before a reboot and counts as ended. Raises OSError when the file cannot be used.
    """

    remote = False
    longest = 3600.0

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._token = secrets.token_hex(8)

    def claim(self, seconds: float) -> bool:
        """Take it for ``seconds`` if no process holds it. One file lock, held for microseconds."""
        with self._locked() as file:
            holder, ends_at = self._read(file)
            now = time.monotonic()
            if holder and now < ends_at <= now + self.longest:
                return False
            self._write(file, f"{self._token} {now + min(seconds, self.longest)!r}")
            return True

    def end(self, seconds: float = 0.0) -> None:
        """Let it end in ``seconds`` from now if the file still names this holder."""
        with self._locked() as file:
            holder, _ = self._read(file)
            if holder == self._token:
                self._write(file, f"{self._token} {time.monotonic() + seconds!r}")

    @contextlib.contextmanager
    def _locked(self) -> Any:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    @staticmethod
    def _read(file: int) -> tuple[str, float]:
        words = os.pread(file, 200, 0).decode("ascii", "replace").split()
        try:
            return words[0], float(words[1])
        except (IndexError, ValueError):
            return "", 0.0  # empty or torn: nobody holds it

    @staticmethod
    def _write(file: int, text: str) -> None:
        os.ftruncate(file, 0)
        os.pwrite(file, text.encode("ascii"), 0)


class RedisLease:
    """A lease between any processes that reach one Redis, which must not be the one in trouble.

    ``redis`` is a blocking client, ``key`` the lease's key. One command to claim
    (SET NX PX), one to end it (a script that touches it only if it is ours). Redis's errors
    pass: the caller decides what to do when the lease store itself is away.
    """

    remote = True

    def __init__(self, redis: Any, key: str) -> None:
        self.redis = redis
        self.key = key
        self._token = secrets.token_hex(16)
        self._end: Any = None

    def claim(self, seconds: float) -> bool:
        """Take it for ``seconds`` if nobody holds it. One command."""
        milliseconds = max(1, round(seconds * 1000))
        return bool(self.redis.set(self.key, self._token, nx=True, px=milliseconds))

    def end(self, seconds: float = 0.0) -> None:
        """Let it end in ``seconds`` from now if the key still holds our token. One command."""
        if self._end is None:
            self._end = self.redis.register_script(source("end_lease"))
        self._end(keys=[self.key], args=[self._token, round(seconds * 1000)])
