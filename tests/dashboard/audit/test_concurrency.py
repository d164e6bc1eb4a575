"""One chain, however many processes write it, on either database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import running_postgres

ROOT = Path(__file__).resolve().parents[3]
WRITERS, EACH = 4, 12
WRITE = f"""
import django; django.setup()
from dashboard.audit import record, recording
for number in range({EACH}):
    with recording("writer", "keys.change", target=b"cart:%d" % number) as entry:
        entry.after = {{"share": 1e22, "nul": "a\\x00b", "half": 0.5}}
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    with running_postgres(tmp_path) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of processes that share one new database."""
    is_sqlite = request.param == "sqlite"
    url = (
        f"sqlite:///{tmp_path / 'db.sqlite3'}" if is_sqlite else request.getfixturevalue("postgres")
    )
    settings = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "DATABASE_URL": url}
    return {**os.environ, **settings, "REDISOPS_DATA": str(tmp_path)}


def manage(database: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=database, capture_output=True, text=True,
    )  # fmt: skip


def test_many_processes_write_one_chain(database):
    migrated = manage(database, "migrate", "audit", "--skip-checks")
    assert migrated.returncode == 0, migrated.stderr[-2000:]

    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE], cwd=ROOT, env=database, stderr=subprocess.PIPE, text=True
        )
        for _ in range(WRITERS)
    ]
    errors = [writer.communicate()[1] for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * WRITERS, errors[0][-2000:]
    verified = manage(database, "audit_verify", "--skip-checks")
    assert verified.returncode == 0, verified.stderr[-2000:]
    assert f"{WRITERS * EACH * 2} entries" in verified.stdout
