"""Fixtures that every kind of test shares: real servers, and one body run both ways."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
import redis.asyncio
from xdist.scheduler import LoadFileScheduling

from tests.clients import Connecting
from tests.servers import REDIS, VALKEY, RedisProcess

# A busy machine is no failure: how long an example takes is not what these tests are about.
hypothesis.settings.register_profile("redisops", deadline=None)
hypothesis.settings.load_profile("redisops")

HOME = RedisProcess()
DATA = Path(tempfile.mkdtemp(prefix="redisops-data-"))


def start_home() -> None:
    """Start home, the console's own Redis, and name it before Django reads its settings.

    Each process of a parallel run gets a home and a data directory of its own. It happens when
    this file is loaded, because the conftest of a folder that pytest is given by name imports
    models right after; and the settings module is named here and not in pyproject.toml, because
    pytest-django reads what is named there before any conftest.
    """
    HOME.start()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="dashboard.settings",
        REDIS_URL=HOME.url,
        REDISOPS_DATA=str(DATA),
        # Tests are served from the sources; the folder must only be there.
        STATIC_ROOT=str(DATA),
        SECRET_KEY="a secret key for tests that is long enough to be taken for one",
        REDISOPS_ENV="development",
        DEMO="0",
        # Tests look at pages faster than people do.
        PAGE_COMMANDS="0",
    )
    for name in ("DATABASE_URL", "REDISOPS_SERVERS", "REDISOPS_SERVERS_FILE", "CELERY_BROKER_URL"):
        os.environ.pop(name, None)

    import django
    from django.conf import settings

    assert HOME.url == settings.REDIS_URL
    django.setup()
    # Workers of a parallel run inherit the environment; with this name in it pytest-django would
    # read the settings, with this process's home in them, before the worker has one of its own.
    del os.environ["DJANGO_SETTINGS_MODULE"]


start_home()


# The browser keeps one process, and more than a core, busy for the first half of a run. Beside it
# runs what mostly waits; whole consoles start once it is through.
FOLDERS = ("browser", "redisops", "run", "dashboard", "faults")


class OneBrowser(LoadFileScheduling):  # type: ignore[misc]
    """Hands out whole files to the processes of a parallel run, those with a browser together."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return OneBrowser(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {Path(__file__).parent / folder: place for place, folder in enumerate(FOLDERS)}

    def place(item: pytest.Item) -> int:
        return next((order[folder] for folder in item.path.parents if folder in order), len(order))

    items.sort(key=place)


def pytest_unconfigure(config: pytest.Config) -> None:
    HOME.remove()
    shutil.rmtree(DATA, ignore_errors=True)


# --- What a failed test leaves ----------------------------------------------------------------

SHARED: list[RedisProcess] = []  # the session's own servers, once they run
_failed: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.outcome == "rerun":  # torn down already: the next attempt is not to meet it
        leave_behind()
    elif report.failed:
        _failed.append(report.nodeid)


def pytest_runtest_logfinish() -> None:
    if _failed:
        _failed.clear()
        leave_behind()


def leave_behind() -> None:
    """A test that failed in its midst may have threads at work, and servers dead, full or paused.

    The next tests get servers on other ports, where those threads do not find them; and what is
    not closed is collected here, or its warnings would be errors of the test that runs then.
    """
    if not HOME.is_well:
        HOME.kill()
        HOME.start()
    for server in SHARED:
        server.move()
    sys.last_value = sys.last_traceback = None
    told, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    finally:
        sys.unraisablehook = told


@contextlib.contextmanager
def shared(binary: str) -> Iterator[RedisProcess]:
    with RedisProcess(binary=binary) as server:
        SHARED.append(server)
        yield server
        SHARED.remove(server)


@pytest.fixture(scope="session")
def home_process() -> RedisProcess:
    """The Valkey behind ``settings.REDIS_URL``."""
    return HOME


@pytest.fixture(scope="session")
def valkey_process() -> Iterator[RedisProcess]:
    """The session's own Valkey, the server that `make run` embeds."""
    with shared(VALKEY) as server:
        yield server


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisProcess]:
    """The session's own Redis (Debian's 7.0 or whatever redis-server is on PATH)."""
    if REDIS is None:
        pytest.skip("no redis-server on PATH: only the embedded Valkey is tested")
    with shared(REDIS) as server:
        yield server


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> RedisProcess:
    """An empty server; the test runs once on Valkey and once on Redis."""
    process: RedisProcess = request.getfixturevalue(f"{request.param}_process")
    process.reset()
    return process


@pytest.fixture
def client(server: RedisProcess) -> Iterator[redis.Redis]:
    """A plain blocking client (bytes in, bytes out) on the empty server."""
    with server.client() as plain:
        yield plain


class Settled:
    """Presents an awaiting object as a blocking one, so that one test body serves both."""

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        if not callable(attribute):
            return attribute

        def settle(*args: Any, **kwargs: Any) -> Any:
            result = attribute(*args, **kwargs)
            return self._loop.run_until_complete(result) if inspect.isawaitable(result) else result

        return settle


@pytest.fixture(params=["blocking", "awaiting"])
def build(request: pytest.FixtureRequest, server: RedisProcess) -> Iterator[Callable[..., Any]]:
    """``build(Leaderboard, AsyncLeaderboard, "scores")``: the pattern on the empty server.

    The test runs once with the blocking class and once with the awaiting one.
    """
    if request.param == "blocking":
        with server.client() as plain:
            yield lambda blocking, awaiting, *args, **kwargs: blocking(plain, *args, **kwargs)
        return

    loop = asyncio.new_event_loop()
    link = redis.asyncio.Redis(port=server.port, socket_timeout=60)
    yield lambda blocking, awaiting, *args, **kwargs: Settled(awaiting(link, *args, **kwargs), loop)
    loop.run_until_complete(link.aclose())
    loop.close()


@pytest.fixture(params=["blocking", "awaiting"])
def connecting(request: pytest.FixtureRequest) -> Iterator[Connecting]:
    """``connecting(url)``: a client of ours; the test runs once blocking, once with asyncio."""
    made = Connecting(awaiting=request.param == "awaiting")
    yield made
    made.close()
