"""The behaviours at which one or other limiter in use fails: none of ours may."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from redisops.connection import Timeouts, connect
from redisops.errors import CircuitOpen
from redisops.limits import AsyncLimiter, Limit, Limiter
from redisops.limits.model import ALGORITHMS
from tests.redisops.limits.clocked import Clocked
from tests.servers import RedisProcess
from tests.servers.process import free_port, until

KINDS = [name for name in ALGORITHMS if name != "concurrency"]
PROCESSES, THREADS, TRIES = 4, 100, 1
HOUR = 3600.0

each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def valkey(valkey_process: RedisProcess) -> Iterator[redis.Redis]:
    """A plain client on an empty server."""
    valkey_process.reset()
    with valkey_process.client() as client:
        yield client


def test_no_key_is_ever_left_without_a_ttl(client: redis.Redis) -> None:
    limiter = Limiter(client)
    for kind in KINDS:
        for cost in (1, 2, 9, 1):
            limiter.hit(Limit(f"ttl-{kind}", 3, HOUR, kind), "u", cost)
            limiter.hit_all([(Limit(f"all-{kind}", 3, HOUR, kind), "u")], cost)

    ttls = {key: client.pttl(key) for key in client.scan_iter()}

    assert len(ttls) == 2 * len(KINDS)
    assert all(0 < ttl <= 2_000 * HOUR + 1 for ttl in ttls.values())


def test_a_key_ends_when_all_is_back(valkey: redis.Redis) -> None:
    limiter = Limiter(valkey)

    for kind in KINDS:
        limiter.hit(Limit(kind, 3, 0.05, kind), "u")

    until(lambda: valkey.dbsize() == 0, "the keys did not end", seconds=20)


def test_a_script_flush_between_two_hits_is_not_noticed(build: Any, client: redis.Redis) -> None:
    limiter = build(Limiter, AsyncLimiter)
    for kind in KINDS:
        limit = Limit(f"flush-{kind}", 2, HOUR, kind)
        allowed = []
        for _ in range(3):
            client.script_flush()
            allowed.append(limiter.hit(limit, "u").allowed)
        client.script_flush()
        several = limiter.hit_all([(limit, "u"), (Limit(f"more-{kind}", 2, HOUR), "u")])

        assert allowed == [True, True, False]
        assert several.policy == limit.name


@pytest.mark.parametrize(("limit", "due"), [(59, 30), (100, 50)])
def test_a_rate_is_kept_exactly_when_polled_twenty_times_a_second(
    valkey: redis.Redis, limit: int, due: int
) -> None:
    for kind in ("token_bucket", "leaky_bucket", "gcra"):
        valkey.flushall()
        one = Clocked(valkey, Limit("rate", limit, 60, kind, burst=1))
        granted = 0
        for _ in range(600):
            granted += one.hit().allowed
            one.wait(0.05)

        assert granted == pytest.approx(due, abs=1)


def test_a_bucket_never_drifts(valkey: redis.Redis) -> None:
    """Waiting exactly as long as told each time, 590 grants at 59 a minute take 600 seconds."""
    one = Clocked(valkey, Limit("drift", 59, 60, burst=2))
    one.hit()
    start = one.now

    for _ in range(590):
        assert one.hit().allowed
        denied = one.hit()
        one.wait(denied.retry_after - 1e-6)
        assert not one.hit().allowed, "a microsecond early"
        one.wait(1e-6)

    assert one.now - start == pytest.approx(600_000_000, abs=1)


@each_kind
@pytest.mark.parametrize("alone", [True, False])
def test_a_wait_is_told_to_the_microsecond(valkey: redis.Redis, kind: str, *, alone: bool) -> None:
    one = Clocked(valkey, Limit("wait", 5, 60, kind), alone=alone)
    for gap in (0, 3, 2.1, 0.7, 0.000001):
        one.wait(gap)
        one.hit()

    for cost in (1, 3, 5):
        while one.hit().allowed:
            pass
        denied = one.hit(cost)
        assert not denied.allowed
        one.wait(denied.retry_after - 1e-6)
        assert not one.hit(cost).allowed, "a microsecond early"
        one.wait(1e-6)
        assert one.hit(cost).allowed, "on time"
    one.wait(one.peek().reset_after)
    assert one.peek().remaining == 5


@pytest.mark.parametrize(
    ("kind", "most"),
    [("sliding_log", 20), ("sliding_counter", 21), ("fixed_window", 40), ("gcra", 22)],
)
def test_around_the_edge_of_a_window(valkey: redis.Redis, kind: str, most: int) -> None:
    """39 tries in 0.2 s around the end of the first window of 20 per 2 s."""
    one = Clocked(valkey, Limit("edge", 20, 2, kind))
    if kind != "gcra":
        one.hit()  # the window begins
    one.wait(1.9)

    granted = 0
    for _ in range(39):
        granted += one.hit().allowed
        one.wait(0.2 / 39)

    assert granted <= most


@each_kind
def test_a_window_ends_with_its_last_microsecond(valkey: redis.Redis, kind: str) -> None:
    one = Clocked(valkey, Limit("last", 2, 10, kind))
    one.hit(2)
    ends = one.peek(2).retry_after

    one.wait(ends - 1e-6)
    assert not one.hit(2).allowed
    one.wait(1e-6)
    assert one.hit(2).allowed


def test_the_clock_of_a_client_means_nothing(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = Limiter(client)
    limits = [Limit(f"skew-{kind}", 10, 60, kind) for kind in KINDS if kind not in ("gcra",)]
    for limit in limits:
        limiter.hit(limit, "u", 10)
    ahead = time.time() + 70

    monkeypatch.setattr(time, "time", lambda: ahead)

    assert not any(limiter.hit(limit, "u", 2).allowed for limit in limits)


@each_kind
@pytest.mark.parametrize("back", [0.5, 30, 7200])
def test_a_server_clock_that_steps_back_gives_nothing_away_and_locks_nobody_out(
    valkey: redis.Redis, kind: str, back: float
) -> None:
    one = Clocked(valkey, Limit("back", 6, 60, kind))
    for _ in range(6):
        one.hit()
        one.wait(1)

    one.wait(-back)
    granted = one.hit(6).allowed
    one.wait(2 * 60)
    later = one.hit()

    assert not granted, "nothing is given away"
    assert later.allowed, "two periods later it is over"


@each_kind
def test_a_denied_cost_is_not_spent(client: redis.Redis, kind: str) -> None:
    limiter, limit = Limiter(client), Limit("denied", 10, HOUR, kind)

    assert not limiter.hit(limit, "u", 100).allowed
    assert limiter.hit(limit, "u", 4).allowed
    assert not limiter.hit(limit, "u", 7).allowed

    assert limiter.hit(limit, "u", 6).remaining == 0


def test_another_algorithm_under_the_same_name_never_meets_another_type(
    client: redis.Redis,
) -> None:
    limiter = Limiter(client)

    for first in KINDS:
        for second in KINDS:
            subject = f"{first}-{second}"
            limiter.hit(Limit("switch", 5, HOUR, first), subject)
            assert limiter.hit(Limit("switch", 5, HOUR, second), subject).allowed


@each_kind
def test_a_limit_that_changes_keeps_what_is_spent(client: redis.Redis, kind: str) -> None:
    limiter, limit = Limiter(client), Limit("live", 5, HOUR, kind)
    limiter.hit(limit, "u", 5)

    more = [limiter.hit(replace(limit, limit=6, version=2), "u").allowed for _ in range(3)]
    fewer = limiter.hit(replace(limit, limit=4), "u")
    wide = limiter.hit(replace(limit, limit=100), "u", 90)

    assert more == [True, False, False]
    assert (fewer.allowed, fewer.remaining) == (False, 0)
    assert wide.allowed
    assert wide.remaining in (4, 6), "the lower limit forgave a bucket what was above it"


def test_a_rate_that_changes_counts_the_past_at_the_old_rate(valkey: redis.Redis) -> None:
    one = Clocked(valkey, Limit("raise", 59, 60))
    one.hit(59)
    one.wait(30)

    one.change(limit=590)
    assert one.peek().remaining == pytest.approx(590 - 29.5, abs=1)
    one.change(limit=10)
    assert one.hit().retry_after == pytest.approx(6, abs=0.01), "a bucket owes no more than itself"


@each_kind
def test_hammering_while_denied_starves_nobody(valkey: redis.Redis, kind: str) -> None:
    one = Clocked(valkey, Limit("hammer", 5, 2, kind))

    granted = 0
    for _ in range(600):  # 6 s at 100 a second
        granted += one.hit().allowed
        one.wait(0.01)

    assert 13 <= granted <= 20


def test_a_server_that_is_away_is_told_at_once() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as client:
        limiter, limit = Limiter(client), Limit("away", 5, 60)
        seen = []
        for _ in range(20):
            with pytest.raises(redis.ConnectionError) as caught:
                limiter.hit(limit, "u")
            seen.append(caught.type)

        assert seen[-1] is CircuitOpen


def _compete(port: int, limit: int, gate: Any, out: Any) -> None:
    """One process: threads that hit the same subject of each kind."""
    patient = Timeouts(connect=20, read=20, deadline=40)
    client = connect(f"redis://127.0.0.1:{port}/0", max_connections=20, timeouts=patient)
    limiter = Limiter(client)
    granted = dict.fromkeys(KINDS, 0)
    lock = threading.Lock()

    def work() -> None:
        mine = [
            (kind, limiter.hit(Limit(f"rush-{kind}", limit, 300 * HOUR, kind), "u").allowed)
            for _ in range(TRIES)
            for kind in KINDS
        ]
        with lock:
            for kind, allowed in mine:
                granted[kind] += allowed

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    gate.wait(60)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(granted)
    client.close()


def test_four_processes_of_a_hundred_threads_get_exactly_the_limit(
    valkey_process: RedisProcess, valkey: redis.Redis
) -> None:
    limit = PROCESSES * THREADS * TRIES // 2
    context = multiprocessing.get_context("spawn")
    gate, out = context.Barrier(PROCESSES + 1), context.Queue()
    workers = [
        context.Process(target=_compete, args=(valkey_process.port, limit, gate, out))
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()

    gate.wait(60)
    until(lambda: valkey.dbsize() == len(KINDS), "nobody began", seconds=20)
    valkey.script_flush()  # in the middle of it
    totals = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(20)

    # A bucket refills as it is used, but not by one within this test's time.
    assert {kind: sum(one[kind] for one in totals) for kind in KINDS} == dict.fromkeys(KINDS, limit)
