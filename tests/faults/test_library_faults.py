"""Every fault of the rig against every kind of call of a client, blocking and with asyncio.

What must hold in each cell:

- the call ends by ``Timeouts.deadline``, with a reply or with an error that has a cause, a
  sentence and a next step. The matrix runs with short timeouts; the last test shows that the
  default ones hold where a call waits longest. Without a deadline a call would take 20 s;
- a write is done once or not at all. It returned: done. UnknownResult: once or not at all.
  Any other error: not done;
- when the fault has passed, the same client works again with the next probe (one each 2 s), and
  gets the replies that are its own.

The cells of one fault are tried side by side, each by a client of its own: they only wait.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from redisops.connection import Timeouts
from redisops.errors import RedisopsError, UnknownResult
from redisops.resilience import Cause, diagnose
from tests.clients import Connecting
from tests.faults.proxy import Proxy
from tests.servers import RedisProcess, busy, full, loading, running, saveable, unsaveable, until

SHORT = Timeouts(connect=0.25, read=0.25, deadline=0.75)
PATIENT = Timeouts(connect=20, read=20, deadline=30)
SLACK = 8.0  # seconds a busy machine may add to the deadline; a reply that trickles takes 20
TEXT = "v" * 200


class Scene:
    """A server, the proxy before it, and a client through the proxy."""

    def __init__(self, server: RedisProcess, proxy: Proxy) -> None:
        self.server = server
        self.proxy = proxy


@pytest.fixture(scope="module")
def shared() -> Iterator[Scene]:
    with running() as server, Proxy(server.port) as proxy:
        yield Scene(server, proxy)


@pytest.fixture
def scene(shared: Scene) -> Scene:
    shared.proxy.heal()
    with shared.server.client() as plain:
        plain.flushall()
        plain.config_resetstat()
        plain.set("text", TEXT)
    return shared


# Faults: each a context manager that is over when its block is.


def through(mode: str, **options: Any) -> Callable[[Scene], Any]:
    @contextlib.contextmanager
    def fault(scene: Scene) -> Iterator[None]:
        scene.proxy.mode(mode, **options)
        try:
            yield
        finally:
            scene.proxy.heal()
            scene.proxy.drop()

    return fault


@contextlib.contextmanager
def stopped(scene: Scene) -> Iterator[None]:
    scene.server.pause()
    try:
        yield
    finally:
        scene.server.resume()


@contextlib.contextmanager
def killed(scene: Scene) -> Iterator[None]:
    scene.server.kill()
    try:
        yield
    finally:
        scene.server.start()


@contextlib.contextmanager
def out_of_memory(scene: Scene) -> Iterator[None]:
    full(scene.server)
    try:
        yield
    finally:
        with scene.server.client() as plain:
            plain.config_set("maxmemory", 0)


@contextlib.contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    with running() as primary, scene.server.client() as plain:
        plain.replicaof("127.0.0.1", primary.port)
        until(lambda: plain.info("replication")["master_link_status"] == "up", "it is no replica")
        try:
            yield
        finally:
            plain.replicaof("NO", "ONE")


@contextlib.contextmanager
def crowded(scene: Scene) -> Iterator[None]:
    """No room for one more client; the client under test lost its connection."""
    with scene.server.client() as plain:
        plain.ping()
        scene.proxy.drop()
        until(lambda: plain.info("clients")["connected_clients"] == 1, "others stay connected")
        plain.config_set("maxclients", 1)
        try:
            yield
        finally:
            plain.config_set("maxclients", 1000)


@contextlib.contextmanager
def writes_paused(scene: Scene) -> Iterator[None]:
    with scene.server.client() as plain:
        plain.client_pause(60_000, all=False)
        try:
            yield
        finally:
            plain.client_unpause()


def on_server(state: Callable[[RedisProcess], Any]) -> Callable[[Scene], Any]:
    return lambda scene: state(scene.server)


@contextlib.contextmanager
def cannot_save(scene: Scene) -> Iterator[None]:
    unsaveable(scene.server)
    try:
        yield
    finally:
        saveable(scene.server)


FAULTS: dict[str, Callable[[Scene], Any]] = {
    "latency": through("latency", seconds=0.1),
    "down": through("down"),
    "blackhole": through("blackhole"),
    "reset_mid_reply": through("reset_after", count=2),
    "lost_reply": through("lose_reply"),
    "trickle": through("trickle", seconds=0.1),
    "slicer": through("slicer", size=2),
    "slow_line": through("bandwidth", rate=2000),
    "stopped": stopped,
    "killed": killed,
    "busy": on_server(busy),
    "loading": on_server(loading),
    "out_of_memory": out_of_memory,
    "read_only": read_only,
    "crowded": crowded,
    "writes_paused": writes_paused,
    "cannot_save": cannot_save,
}

# What succeeds whatever the fault: it must not fail because the machine was busy.
UNHARMED = ("latency", "slicer", "out_of_memory", "read_only", "writes_paused")
UNHARMED_WRITES = ("latency", "slicer")

Call = Callable[[Any, str], Any]
READS: dict[str, Call] = {
    "get": lambda client, n: client.get("text"),
    "read_pipeline": lambda client, n: (
        client.pipeline(transaction=False).get("text").ttl(n).execute()
    ),
}
WRITES: dict[str, Call] = {
    "incr": lambda client, n: client.incr(n),
    "write_pipeline": lambda client, n: (
        client.pipeline(transaction=False).get("x").incr(n).execute()
    ),
    "transaction": lambda client, n: client.pipeline(transaction=True).get("x").incr(n).execute(),
}


class Cell:
    """One call by a client of its own, blocking or awaiting, on a counter of its own."""

    def __init__(
        self, scene: Scene, call: str, *, awaiting: bool, timeouts: Timeouts | None = None
    ) -> None:
        self.name = f"{call} {'awaiting' if awaiting else 'blocking'}"
        self.call = call
        self.made = Connecting(awaiting=awaiting)
        self.client = self.made(scene.proxy.url, **({"timeouts": timeouts} if timeouts else {}))
        self.timeouts = timeouts or Timeouts()
        self.error: Exception | None = None

    def connect(self) -> None:
        self.name += " connected"
        until(lambda: self.client.ping() is True, "no connection")

    def attempt(self) -> None:
        """Its error is kept, if any; fails when it took too long or has no words."""
        started = time.monotonic()
        try:
            {**READS, **WRITES}[self.call](self.client, self.name)
        except (redis.RedisError, RedisopsError) as caught:
            self.error = caught
        took = time.monotonic() - started
        assert took < self.timeouts.deadline + SLACK, f"{took:.2f} s, then {self.error!r}"
        if self.error is not None:
            trouble = diagnose(self.error)
            assert trouble.sentence and trouble.next_step and trouble.detail
            assert trouble.cause is not Cause.OTHER, trouble

    def recover(self) -> None:
        """The same client writes, and reads what it wrote."""
        assert self.client.breaker.retry_after <= 2.0
        again = f"again {self.name}"
        until(lambda: self.client.set(again, self.name) is True, "the client did not recover")

        def reads() -> bool:
            assert self.client.get(again) == self.name.encode()
            return True

        until(reads, "the client does not read")

    def judge(self, plain: redis.Redis, fault: str) -> None:
        """By what the server has in the end, when nothing is under way any more."""
        if self.call in READS:
            assert self.error is None or fault not in UNHARMED
            assert not isinstance(self.error, UnknownResult)
            return
        assert self.error is None or fault not in UNHARMED_WRITES
        counted = plain.get(self.name)
        if isinstance(self.error, UnknownResult):
            assert counted in (None, b"1")
        else:
            assert counted == (b"1" if self.error is None and fault != "killed" else None)


def side_by_side(cells: list[Cell], work: Callable[[Cell], None]) -> None:
    """Do this with all cells at once; what failed is told for each with its name."""
    failures: list[Exception] = []

    def done(cell: Cell) -> None:
        try:
            work(cell)
        except Exception as failure:
            failure.add_note(f"cell: {cell.name}; its error: {cell.error!r}")
            failures.append(failure)

    with ThreadPoolExecutor(len(cells)) as threads:
        list(threads.map(done, cells))
    if failures:
        raise ExceptionGroup("cells that failed", failures)


@pytest.fixture
def cells() -> Iterator[list[Cell]]:
    """To be filled by the test; their clients are closed at its end."""
    made: list[Cell] = []
    yield made
    for cell in made:
        cell.made.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_call_ends_in_time_is_done_once_or_not_at_all_and_recovers(scene, cells, fault):
    for call, awaiting, _ in itertools.product((*READS, *WRITES), (False, True), (False, True)):
        unharmed = fault in (UNHARMED if call in READS else UNHARMED_WRITES)
        cells.append(Cell(scene, call, awaiting=awaiting, timeouts=PATIENT if unharmed else SHORT))
    side_by_side(cells[::2], Cell.connect)

    with FAULTS[fault](scene):
        side_by_side(cells, Cell.attempt)

    with scene.server.client() as plain:
        until(lambda: plain.ping(), "the server did not come back")
        side_by_side(cells, Cell.recover)
        side_by_side(cells, lambda cell: cell.judge(plain, fault))


@pytest.mark.parametrize("fault", ["blackhole", "stopped", "trickle"])
def test_the_default_timeouts_hold_three_seconds(scene, cells, fault):
    cells += [
        Cell(scene, call, awaiting=awaiting) for call in ("get", "incr") for awaiting in (0, 1)
    ]
    side_by_side(cells, Cell.connect)

    with (through("trickle", seconds=0.4) if fault == "trickle" else FAULTS[fault])(scene):
        side_by_side(cells, Cell.attempt)

    for cell in cells:
        assert cell.timeouts.deadline == 3.0
        # The four bytes of INCR's reply trickle in before the deadline.
        assert (cell.error is None) == (fault == "trickle" and cell.call == "incr"), cell.name
