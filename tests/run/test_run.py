"""The whole thing: it answers, survives, stops without a trace, and keeps everything."""

from __future__ import annotations

import contextlib
import re
import signal
import stat
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from tests.run.conftest import Console, until

pytestmark = pytest.mark.timeout(240)
Build = Callable[..., Console]


def status(console: Console, path: str) -> int:
    link = HTTPConnection("127.0.0.1", console.port, timeout=60)
    try:
        link.request("GET", path)
        return link.getresponse().status
    finally:
        link.close()


def password_in(text: str) -> str:
    found = re.search(r"password (\S+)", text)
    assert found is not None, text
    return found[1]


def assert_ended_in_order(console: Console, number: int) -> None:
    assert console.stop(number) == 0
    assert console.processes() == []
    log = (console.data / "log" / "redis.log").read_text()
    assert "ready to exit" in log.splitlines()[-1]


def test_one_command_runs_everything_and_a_second_start_keeps_it(build_console: Build) -> None:
    console = build_console(DEMO="1").start().wait_until_ready()
    first = console.output()

    assert status(console, "/account/login/") == 200
    assert status(console, "/healthz") == 200
    for part in ("uvicorn", "dashboard worker", "dashboard beat", "-m demo"):
        assert until(lambda part=part: part in console.kinds(), 60), console.output()
    assert password_in(first)
    with console.redis() as redis:
        assert until(lambda: redis.exists("shop:orders:placed"), 60)
        redis.set("kept", "over a restart")
    refused = build_console().run()
    assert refused.returncode == 2
    assert "already runs" in refused.stderr
    assert_ended_in_order(console, signal.SIGINT)

    again = build_console(DEMO="0").start().wait_until_ready()
    with again.redis() as redis:
        assert redis.get("kept") == b"over a restart"
    assert "-m demo" not in again.kinds()
    assert password_in(first) not in again.output()
    assert_ended_in_order(again, signal.SIGTERM)


def test_kill_9_of_the_manager_leaves_no_process_and_nothing_in_the_way(
    build_console: Build,
) -> None:
    console = build_console(DEMO="1").start().wait_until_ready()
    assert until(lambda: "dashboard worker" in console.kinds(), 60)
    with console.redis() as redis:
        redis.set("kept", "over a crash")

    console.running("dashboard.run").kill()

    assert until(console.is_gone, 40), console.kinds()
    again = build_console().start().wait_until_ready()
    with again.redis() as redis:
        assert redis.get("kept") == b"over a crash"
    assert_ended_in_order(again, signal.SIGHUP)


def test_kill_9_of_make_leaves_no_process(build_console: Build, tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    import sys

    makefile.write_text(f"run:\n\t@exec '{sys.executable}' -m dashboard.run --follow-parent\n")
    console = build_console().start("make", "-f", str(makefile), "run").wait_until_ready()
    assert console.process is not None

    console.process.kill()

    assert until(console.is_gone, 40), console.kinds()


def test_it_keeps_its_secrets_is_small_and_starts_again_what_crashed(
    build_console: Build,
) -> None:
    """Four looks at one console: its files, its secrets, its manager, and a crash."""
    console = build_console(REDISOPS_ADMIN_PASSWORD="hush-hush-hush").start().wait_until_ready()

    for path in [console.data, *console.data.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # it was there for a moment
            kind = path.lstat().st_mode
            is_kept = stat.S_ISREG(kind) or stat.S_ISSOCK(kind)
            listed = path in (console.data, console.data / "redis", console.data / "log")
            assert not (is_kept or listed) or kind & 0o077 == 0, path
    assert not (console.data / "announce.json").exists()

    assert "hush" not in console.kinds()
    assert "hush" not in (console.data / "supervisor.conf").read_text()
    assert "hush" not in console.output()

    # Its manager never loads Django: it lives as long as the console.
    assert console.running("dashboard.run").memory_info().rss < 70 * 1024 * 1024

    web = console.running("uvicorn")
    web.kill()

    def answers() -> bool:
        try:
            return status(console, "/healthz") == 200
        except OSError:
            return False

    assert until(lambda: "web | ended unexpectedly" in console.output(), 60), console.output()
    assert until(answers, 60), console.output()
    assert web.pid not in [p.pid for p in console.processes()]


def test_an_output_nobody_reads_any_more_ends_the_console(build_console: Build) -> None:
    import os
    import subprocess
    import sys

    console = build_console()
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "dashboard.run"],
        env=console.environment, stdout=writing, stderr=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parent.parent.parent,
    ) as process:  # fmt: skip
        os.close(writing)
        os.close(reading)

        assert process.wait(timeout=60) == 0

    assert until(console.is_gone, 40)
    assert psutil.pid_exists(os.getpid())


def test_an_output_that_nobody_reads_holds_nothing_up(tmp_path: Path) -> None:
    import os

    from dashboard.run.manager import Terminal

    reading, writing = os.pipe()
    terminal = Terminal(writing)
    for number in range(3000):
        terminal.line(f"{number:>60}")

    start = os.read(reading, 1 << 20)
    terminal.line("and on")

    assert start.startswith(b" " * 59 + b"0\n")
    rest = os.read(reading, 4096).decode()
    assert "lines left out" in rest
    assert rest.endswith("and on\n")
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        terminal.line("nobody is there")
    os.close(writing)
