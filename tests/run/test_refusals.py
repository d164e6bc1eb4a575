"""A start that cannot work: one sentence that says what to do, exit code 2, nothing started."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.run.conftest import Console

Build = Callable[..., Console]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and that nobody else takes meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def assert_refused(console: Console, *words: str) -> str:
    """All that it said."""
    done = console.run()

    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert console.processes() == []
    return done.stderr + done.stdout


def test_a_busy_port_is_named_with_another_to_try(build_console: Build, taken_port: int) -> None:
    assert_refused(build_console(PORT=str(taken_port)), str(taken_port), f"PORT={taken_port + 1}")


def test_a_port_that_is_no_number(build_console: Build) -> None:
    console = build_console()
    console.environment["PORT"] = "web"

    assert_refused(console, "web")


def test_an_unreachable_redis_is_told_by_its_cause_and_without_its_password(
    build_console: Build, closed_port: int
) -> None:
    console = build_console(REDIS_URL=f"redis://ann:hush@127.0.0.1:{closed_port}/0")

    assert "hush" not in assert_refused(console, "REDIS_URL", str(closed_port))


def test_a_redis_url_of_no_known_kind(build_console: Build) -> None:
    assert_refused(build_console(REDIS_URL="http://127.0.0.1/"), "http")


def test_an_unreachable_database(build_console: Build, closed_port: int) -> None:
    url = f"postgres://ann:hush@127.0.0.1:{closed_port}/console"

    assert_refused(build_console(DATABASE_URL=url), "DATABASE_URL", "postgresql")


def test_a_data_directory_that_cannot_be_written(build_console: Build, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    assert_refused(build_console(data=in_the_way / "data"), "REDISOPS_DATA", str(in_the_way))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_without_the_right_to_write(build_console: Build, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)

    assert_refused(build_console(data=locked), "REDISOPS_DATA", str(locked))


def test_static_files_that_were_not_built(build_console: Build, tmp_path: Path) -> None:
    assert_refused(build_console(STATIC_ROOT=str(tmp_path / "none")), "collectstatic")


def test_static_files_older_than_their_sources(build_console: Build, tmp_path: Path) -> None:
    manifest = tmp_path / "old" / "staticfiles.json"
    manifest.parent.mkdir()
    manifest.touch()
    os.utime(manifest, (0, 0))

    assert_refused(build_console(STATIC_ROOT=str(manifest.parent)), "older", "collectstatic")


def test_production_without_a_secret_key(build_console: Build) -> None:
    console = build_console(REDISOPS_ENV="production", ALLOWED_HOSTS="redisops.example")

    assert_refused(console, "SECRET_KEY")


def test_declared_servers_that_cannot_be_read(build_console: Build) -> None:
    assert_refused(build_console(REDISOPS_SERVERS="- name: orders\n"), "server 1", "url")


def test_embedded_data_of_a_newer_server_is_not_given_to_an_older_one(
    build_console: Build, tmp_path: Path
) -> None:
    written = tmp_path / "data" / "redis" / "written-by"
    written.parent.mkdir(parents=True)
    written.write_text("Valkey 99.0.0")

    assert_refused(build_console(), "Valkey 99.0.0", "REDISOPS_DATA")
