"""The tether: a command ends with the process that started it, by the kernel or by the watch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dashboard.run import tether
from tests.run.conftest import until

# Starts the tether and prints its process id, then waits to be killed.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), *sys.argv[2:]])
print(child.pid, flush=True)
time.sleep(60)
"""
BY_KERNEL = "import sys; from dashboard.run import tether; sys.exit(tether.main(sys.argv[1:]))"
BY_WATCH = (
    "import sys; from dashboard.run import tether; tether.die_with_parent = lambda number: False; "
    "sys.exit(tether.main(sys.argv[1:]))"
)
COMMAND = "import time; print('up', flush=True); time.sleep(60)"


@pytest.mark.parametrize("way", [BY_KERNEL, BY_WATCH], ids=["kernel", "watch"])
@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_a_command_ends_when_its_starter_is_killed(way: str, number: str) -> None:
    if way == BY_KERNEL and not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a child by itself that its parent died")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, way, number, "-", sys.executable, "-c", COMMAND],
        stdout=subprocess.PIPE, text=True,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert parent.stdout.readline() == "up\n"
        family = [child, *child.children()]

        parent.kill()

        assert until(lambda: not any(map(alive, family)), 30)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_signal_reaches_a_watched_command() -> None:
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print('up', flush=True)
signal.pause()
"""
    with subprocess.Popen(
        [sys.executable, "-c", BY_WATCH, str(os.getpid()), "KILL", "-", sys.executable, "-c", code],
        stdout=subprocess.PIPE, text=True,
    ) as watch:  # fmt: skip
        assert watch.stdout is not None
        assert watch.stdout.readline() == "up\n"

        watch.send_signal(signal.SIGTERM)

        assert watch.wait(timeout=30) == 7


def test_a_tether_whose_starter_is_gone_already_starts_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = Path(tether.__file__)

    done = subprocess.run([sys.executable, path, "1", "KILL", "-", "touch", trace], check=False)

    assert done.returncode == 1
    assert not trace.exists()


def test_two_commands_never_hold_one_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    start = [sys.executable, tether.__file__, str(os.getpid()), "KILL", lock]
    wait = [sys.executable, "-c", "print('up', flush=True); input()"]
    with subprocess.Popen(
        [*start, *wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == "up\n"
        with subprocess.Popen([*start, "true"]) as second:
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(timeout=0.5)

            first.stdin.close()

            assert second.wait(timeout=30) == 0
