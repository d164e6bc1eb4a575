"""A whole console of real processes, in a data directory and on a port of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from dashboard.run import checks
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = (
    "REDIS_URL", "REDISOPS_DATA", "SECRET_KEY", "DEMO", "DATABASE_URL", "CELERY_BROKER_URL",
    "REDISOPS_ENV", "REDISOPS_SERVERS", "REDISOPS_SERVERS_FILE", "DEBUG", "ALLOWED_HOSTS",
    "DJANGO_SETTINGS_MODULE", "REDISOPS_ADMIN_PASSWORD",
)  # fmt: skip


def until(true: Callable[[], object], seconds: float) -> bool:
    """Wait for ``true()``, looking every 50 ms; whether it came within ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return bool(true())


class Console:
    """``python -m dashboard.run`` (or another command that runs it), and all it has started."""

    def __init__(self, data: Path, static: Path, **settings: str) -> None:
        self.data = data
        self.port = int(settings.pop("PORT", "") or free_port())
        self.mark = uuid.uuid4().hex
        kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.environment = {
            **kept,
            "REDISOPS_DATA": str(data),
            "PORT": str(self.port),
            "STATIC_ROOT": str(static),
            "REDISOPS_TEST_MARK": self.mark,
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self.log = data.parent / f"{self.mark}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Start and wait for the end: for starts that are refused."""
        return subprocess.run(
            command or (sys.executable, "-m", "dashboard.run"),
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def start(self, *command: str) -> Console:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command or (sys.executable, "-m", "dashboard.run"),
                cwd=ROOT, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        return self

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until_ready(self, seconds: float = 90) -> Console:
        assert self.process is not None
        process = self.process
        until(lambda: "Redisops is ready" in self.output() or process.poll() is not None, seconds)
        assert "Redisops is ready" in self.output(), self.output()
        return self

    def processes(self) -> list[psutil.Process]:
        """Everything alive that inherited this console's mark (a zombie is dead already)."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    process.status() != psutil.STATUS_ZOMBIE
                    and process.environ().get("REDISOPS_TEST_MARK") == self.mark
                ):
                    found.append(process)
        return found

    def kinds(self) -> str:
        """The command lines of all its processes, one a line."""
        return "\n".join(" ".join(words) for _, words in self.commands())

    def commands(self) -> list[tuple[psutil.Process, list[str]]]:
        """All its processes with their command lines; one may end while it is looked at."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                found.append((process, process.cmdline()))
        return found

    def running(self, word: str) -> psutil.Process:
        """The process with this word in its command line: under make, ``dashboard.run`` is not
        the one we started."""
        return next(process for process, words in self.commands() if word in words)

    def is_gone(self) -> bool:
        return not self.processes()

    def redis(self) -> redis.Redis:
        """A client of the embedded server, once it answers: the page does not wait for it."""
        client = redis.Redis(unix_socket_path=str(self.data / "redis.sock"))

        def answers() -> bool:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                return False

        assert until(answers, 60), self.output()
        return client

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal what was started and wait for its end: the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def kill_all(self) -> None:
        """After a test: nothing it started may stay, whatever went wrong."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self.process is not None:
            self.process.wait()


@pytest.fixture(autouse=True)
def heard_hangup() -> Iterator[None]:
    """Under nohup a child ignores SIGHUP, as it should; these consoles are to hear it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Static files for all consoles of the session: those of `make test`, or built here."""
    prepared = ROOT / "staticfiles"
    with contextlib.suppress(checks.Refusal):
        checks.static_files_built(prepared)
        return prepared
    root = tmp_path_factory.mktemp("static") / "files"
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"],
        cwd=ROOT, env={**os.environ, "STATIC_ROOT": str(root)}, check=True, timeout=60,
    )  # fmt: skip
    return root


@pytest.fixture
def build_console(tmp_path: Path, static_root: Path) -> Iterator[Callable[..., Console]]:
    """``build_console(DEMO="0")``: a console that is not started yet; ends with the test."""
    built: list[Console] = []

    def build(data: Path | None = None, **settings: str) -> Console:
        console = Console(data or tmp_path / "data", static_root, **{"DEMO": "0", **settings})
        built.append(console)
        return console

    yield build
    for console in built:
        console.kill_all()
