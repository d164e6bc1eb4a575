"""The processes of a running console, and the manager's configuration that describes them."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dashboard.run import embedded
from dashboard.run.checks import ROOT, Address

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable


@dataclass(frozen=True)
class Program:
    """One process: how it is started, stopped, and what happens when the manager is killed."""

    name: str
    command: list[str]
    stop_seconds: int = 6
    orphan_signal: str = "KILL"
    lock: str = "-"
    once: bool = False  # it ends by itself, and is not started again
    later: bool = False  # it waits until the page has answered, and leaves it the processors
    log: Path | None = None  # its output goes to a file, not to the terminal


def web(address: Address, *, dev: bool) -> Program:
    command = [
        *(PYTHON, "-m", "uvicorn", "dashboard.asgi:application"),
        *("--host", address.host, "--port", str(address.port)),
        *("--ws", "websockets-sansio", "--ws-max-size", "65536"),
        # Compressing a frame for each socket costs five times what sending it does.
        *("--ws-per-message-deflate", "false"),
        *("--lifespan", "off", "--timeout-graceful-shutdown", "3"),
        # TRUSTED_PROXIES decides whom to believe; uvicorn would believe all of 127.0.0.1.
        *("--no-proxy-headers", "--no-server-header", "--no-access-log", "--log-level", "warning"),
    ]
    return Program("web", reloading(command) if dev else command)


def worker(*, dev: bool) -> Program:
    # Threads: the tasks wait for Redis and SQL, and a pool of processes would cost 60 MB each.
    return _worker("worker", "celery", dev=dev)


def jobs(*, dev: bool) -> Program:
    """Long work has a process of its own, or the sampler would wait behind it.

    On one machine it also steps back: whoever needs a processor, a server first, goes before it.
    """
    work = _worker("jobs", "jobs", dev=dev)
    return replace(work, command=["nice", "-n", "10", *work.command])


def services(*, dev: bool) -> Program:
    """The watcher of services: one event loop in a process of its own, or work would delay checks.

    Its one task starts that loop and sees that it is still there.
    """
    return _worker("services", "services", dev=dev, threads=1)


def _worker(name: str, queue: str, *, dev: bool, threads: int = 4) -> Program:
    command = [
        # Celery warns of root at length; `make run` in a container is root.
        *(PYTHON, "-W", "ignore:You're running the worker", "-m", "celery", "--quiet"),
        *("-A", "dashboard", "worker", "--pool", "threads"),
        *("--queues", queue, "--hostname", f"{name}@%h"),
        *("--concurrency", str(threads), "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    return Program(name, reloading(command) if dev else command, later=True)


def beat(data: Path, *, dev: bool) -> Program:
    command = [
        *(PYTHON, "-m", "celery", "--quiet", "-A", "dashboard", "beat", "--loglevel", "WARNING"),
        *("--schedule", str(data / "celerybeat-schedule"), "--pidfile", ""),
    ]
    return Program("beat", reloading(command) if dev else command, later=True)


def dns(*, dev: bool) -> Program:
    """Answers DNS for services."""
    command = [PYTHON, str(ROOT / "manage.py"), "services_dns"]
    return Program("dns", reloading(command) if dev else command, later=True)


def demo() -> Program:
    return Program("demo", [PYTHON, "-m", "demo"], later=True)


def redis(data: Path, url: str) -> Program:
    return Program(
        "redis",
        embedded.command(data, url),
        stop_seconds=20,
        orphan_signal="TERM",
        lock=str(data / "redis" / "run.lock"),
        log=data / "log" / "redis.log",
    )


def announce(news: Path) -> Program:
    return Program(
        "announce", [PYTHON, "-I", "-S", str(HERE / "announce.py"), str(news)], once=True
    )


def reloading(command: list[str]) -> list[str]:
    """Start ``command`` again whenever a Python file changes (`make dev`)."""
    inner = [PYTHON, "-I", "-S", str(HERE / "tether.py"), "-", "KILL", "-", *command]
    return [
        *(PYTHON, "-m", "watchfiles", "--filter", "python", "--verbosity", "warning"),
        *("--sigint-timeout", "4"),
        *(shlex.join(inner), str(ROOT / "dashboard"), str(ROOT / "redisops")),
    ]


def quoted(value: str) -> str:
    """A value of the manager's INI file, where a percent sign starts an expansion."""
    return value.replace("%", "%%")


def section(program: Program) -> str:
    tether = [PYTHON, "-I", "-S", str(HERE / "tether.py"), str(os.getpid())]
    command = [*tether, program.orphan_signal, program.lock, *program.command]
    lines = [
        f"[program:{program.name}]",
        f"command={quoted(shlex.join(command))}",
        f"directory={quoted(str(ROOT))}",
        f"autostart={'false' if program.later else 'true'}",
        f"autorestart={'false' if program.once else 'true'}",
        # Down again within ten seconds: wait 1, 2, 3 ... seconds before each next try.
        f"startsecs={0 if program.once else 10}",
        "startretries=20",
        f"stopwaitsecs={program.stop_seconds}",
        "stopsignal=TERM",
        "killasgroup=true",
        "redirect_stderr=true",
    ]
    if program.log is None:
        lines += ["stdout_logfile=NONE", "stdout_events_enabled=true"]
    else:
        lines += [
            f"stdout_logfile={quoted(str(program.log))}",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=2",
        ]
    return "\n".join(lines)


def configuration(data: Path, servers: Iterable[Program], consoles: Iterable[Program]) -> str:
    """The manager's INI file. ``servers`` start first and stop last."""
    consoles = list(consoles)
    log = data / "log" / "manager.log"
    return "\n\n".join(
        [
            f"[supervisord]\nnodaemon=true\nsilent=true\nlogfile={quoted(str(log))}\n"
            f"logfile_maxbytes=2MB\nlogfile_backups=1\npidfile={quoted(str(data / 'run.pid'))}\n"
            "nocleanup=true" + ("\nuser=root" if os.getuid() == 0 else ""),
            *(f"{section(program)}\npriority=1" for program in servers),
            *(section(program) for program in consoles),
            f"[group:console]\npriority=10\nprograms={','.join(p.name for p in consoles)}",
        ]
    )
