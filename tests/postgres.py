"""A PostgreSQL of the tests' own, where it is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_port


def programs() -> Path | None:
    """Where initdb and postgres are, if they are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def running_postgres(near: Path) -> Iterator[str]:
    """Its URL; it runs beside the folder ``near``, as a user that it accepts to run as."""
    where = programs()
    if where is None:
        pytest.skip("no PostgreSQL on this machine: only SQLite is tested")
    user = (
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if not os.getuid() else []
    )
    port, home = free_port(), near.parent / f"{near.name}-pg"
    home.mkdir()
    if user:
        for folder in [home, *home.parents[:3]]:
            folder.chmod(0o755)
        shutil.chown(home, 65534, 65534)
    data = home / "data"
    subprocess.run(
        [*user, where / "initdb", "-D", data, "-A", "trust", "-U", "test", "--no-sync"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = subprocess.Popen(
        [*user, where / "postgres", "-D", data, "-p", str(port), "-k", home, "-F",
         "-c", "listen_addresses=127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ready = [where / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        end = time.monotonic() + 20
        while subprocess.run(ready).returncode and time.monotonic() < end:
            time.sleep(0.05)
        yield f"postgres://test@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)
