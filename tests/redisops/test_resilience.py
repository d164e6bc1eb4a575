"""Breaker, leases, deadlines, retries and fallbacks, without and with a server."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time

import pytest
import redis

from redisops.connection import Timeouts, connect, measure
from redisops.errors import CircuitOpen, DeadlineExceeded, InvalidArgument, UnknownResult
from redisops.resilience import (
    Backoff,
    BreakerState,
    Cause,
    CircuitBreaker,
    FileLease,
    LocalLease,
    RedisLease,
    RetryBudget,
    deadline,
    diagnose,
    fallback,
    fallback_async,
    retry,
    retry_async,
)
from tests.servers import running, until

AWAY = redis.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused.")


def fail(breaker, times=1, error=AWAY):
    for _ in range(times):
        breaker.leave(breaker.enter(), error)


def opened(**options):
    breaker = CircuitBreaker("db", **{"failures": 3, "probe_every": 0.05, **options})
    fail(breaker, 3)
    return breaker


def probe_when_due(breaker):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return breaker.enter()
        except CircuitOpen:
            time.sleep(0.005)
    raise AssertionError("no probe was let through")


def test_a_breaker_opens_after_failures_in_a_row():
    breaker = CircuitBreaker("db", failures=3)

    fail(breaker, 2)
    breaker.leave(breaker.enter())
    fail(breaker, 2)

    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    assert breaker.opened_at == pytest.approx(time.time(), abs=5)
    assert breaker.last_error.cause is Cause.UNREACHABLE


def test_a_breaker_opens_when_enough_of_many_calls_fail():
    breaker = CircuitBreaker("db", failures=100, rate=0.5, minimum=20)

    for _ in range(9):
        fail(breaker)
        breaker.leave(breaker.enter())
    assert breaker.state is BreakerState.CLOSED
    breaker.leave(breaker.enter())
    fail(breaker)

    assert breaker.state is BreakerState.OPEN


def test_failures_outside_of_the_window_are_forgotten():
    breaker = CircuitBreaker("db", failures=100, rate=0.5, minimum=4, window=0.05)

    fail(breaker, 3)
    time.sleep(0.07)
    fail(breaker, 3)

    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    "error",
    [
        redis.ResponseError("WRONGTYPE Operation against a key"),
        redis.exceptions.NoPermissionError("no", status_code="NOPERM"),
        redis.AuthenticationError("invalid username-password pair", status_code="WRONGPASS"),
        redis.exceptions.MaxConnectionsError("all in use"),
        redis.exceptions.OutOfMemoryError("command not allowed", status_code="OOM"),
    ],
)
def test_a_refusal_says_that_the_server_is_well(error):
    breaker = CircuitBreaker("db", failures=1)

    fail(breaker, 3, error)

    assert breaker.state is BreakerState.CLOSED


def test_an_open_breaker_refuses_with_the_reason_and_when_to_come_back():
    breaker = opened(probe_every=3000)

    with pytest.raises(CircuitOpen, match=r"breaker of db is open since .*refused") as refusal:
        breaker.enter()

    assert 2900 < refusal.value.retry_after <= 3000
    assert 2900 < breaker.retry_after <= 3000


def test_one_probe_closes_it_when_the_server_is_back():
    breaker = opened()

    probe = probe_when_due(breaker)
    assert probe.claim() is True
    assert breaker.state is BreakerState.HALF_OPEN
    with pytest.raises(CircuitOpen):
        breaker.enter()
    breaker.leave(probe)

    assert breaker.state is BreakerState.CLOSED
    assert breaker.opened_at is None
    assert breaker.enter() is None


def test_a_failed_probe_opens_it_again_and_keeps_the_time_it_opened_at():
    breaker = opened()
    at = breaker.opened_at

    probe = probe_when_due(breaker)
    probe.claim()
    breaker.probe_every = 30
    breaker.leave(probe, AWAY)

    assert breaker.state is BreakerState.OPEN
    assert breaker.opened_at == at
    with pytest.raises(CircuitOpen):
        breaker.enter()


def test_an_interrupted_probe_says_nothing_and_the_next_may_go_at_once():
    breaker = opened(probe_every=0.05, probe_lasts=30)

    probe = probe_when_due(breaker)
    probe.claim()
    breaker.leave(probe, asyncio.CancelledError())
    probe.end()

    following = breaker.enter()
    assert following.claim() is True


def test_a_late_success_from_before_does_not_close_it():
    breaker = CircuitBreaker("db", failures=1, probe_every=30)
    early = breaker.enter()

    fail(breaker)
    breaker.leave(early)

    assert breaker.state is BreakerState.OPEN


def test_subscribers_are_told_each_change_and_one_that_fails_harms_nobody(caplog):
    breaker = CircuitBreaker("db", failures=1, probe_every=0.01)
    seen = []
    breaker.subscribe(lambda change: 1 / 0)
    undo = breaker.subscribe(lambda change: seen.append((change.before, change.after)))

    fail(breaker)
    probe = probe_when_due(breaker)
    probe.claim()
    breaker.leave(probe)
    undo()
    fail(breaker)

    assert seen == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert "a subscriber of breaker db failed" in caplog.text


def test_guard_runs_any_work_behind_the_breaker():
    breaker = CircuitBreaker("db", failures=1, probe_every=30)

    with pytest.raises(redis.ConnectionError), breaker.guard():
        raise AWAY
    with pytest.raises(CircuitOpen), breaker.guard():
        raise AssertionError("this must not run")
    breaker._probe_at = time.monotonic()  # thirty seconds later
    with breaker.guard():
        pass

    assert breaker.state is BreakerState.CLOSED


def test_twenty_threads_let_one_probe_through():
    breaker = opened(probe_every=0.05, probe_lasts=30)
    time.sleep(0.06)
    start, let_through, refused = threading.Barrier(20), [], []

    def work():
        start.wait()
        try:
            probe = breaker.enter()
        except CircuitOpen as refusal:
            refused.append(refusal)
        else:
            assert probe.claim()
            let_through.append(probe)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(let_through), len(refused)) == (1, 19)


def _probe_in_a_process(kind, where, start, outcomes):
    patient = Timeouts(connect=20, read=20, deadline=40)
    lease = (
        FileLease(where)
        if kind == "file"
        else RedisLease(connect(where, timeouts=patient), "probe:db")
    )
    breaker = opened(probe_every=0.01, probe_lasts=30, lease=lease)
    time.sleep(0.02)
    start.wait()
    try:
        outcomes.put(breaker.enter().claim())
    except CircuitOpen:
        outcomes.put(False)


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_twenty_processes_let_one_probe_through(kind, tmp_path, valkey_process):
    with valkey_process.client() as plain:
        plain.flushall()
    where = tmp_path / "probe.lease" if kind == "file" else valkey_process.url
    spawn = multiprocessing.get_context("fork")
    start, outcomes = spawn.Barrier(20), spawn.Queue()
    processes = [
        spawn.Process(target=_probe_in_a_process, args=(kind, where, start, outcomes))
        for _ in range(20)
    ]

    for process in processes:
        process.start()
    let_through = [outcomes.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    assert sorted(let_through) == [False] * 19 + [True]


def test_without_a_lease_store_each_process_sends_one_probe_of_its_own(caplog):
    with running() as store:
        client = connect(store.url)
        breaker = opened(lease=RedisLease(client, "probe:db"))
        store.kill()

        probe = probe_when_due(breaker)

        assert probe.claim() is True
        with pytest.raises(CircuitOpen):
            breaker.enter()
        client.close()
    assert "probes without a lease" in caplog.text


@pytest.fixture(params=["local", "file", "redis"])
def lease(request, tmp_path, server):
    """Two claims on one lease, as two processes would hold them."""
    if request.param == "local":
        yield LocalLease()
    elif request.param == "file":
        yield FileLease(tmp_path / "a.lease")
    else:
        client = connect(server.url)
        yield RedisLease(client, "a-lease")
        client.close()


def test_a_lease_is_held_by_one_and_ends_by_itself(lease):
    assert lease.claim(30) is True
    assert lease.claim(30) is False
    lease.end()
    lease.claim(0.05)

    until(lambda: lease.claim(30), "it did not end")


def test_a_lease_can_be_ended_now_or_shortly(lease):
    lease.claim(30)
    lease.end()
    assert lease.claim(30) is True

    lease.end(20)
    assert lease.claim(30) is False
    lease.end(0.03)
    until(lambda: lease.claim(30), "it did not end")


def test_nobody_ends_the_lease_of_another(tmp_path, valkey_process):
    client = connect(valkey_process.url)
    client.delete("k")
    for mine, other in (
        (FileLease(tmp_path / "l"), FileLease(tmp_path / "l")),
        (RedisLease(client, "k"), RedisLease(client, "k")),
    ):
        assert mine.claim(30)
        other.end()

        assert other.claim(30) is False
    client.close()


def test_a_torn_or_old_lease_file_counts_as_free(tmp_path):
    path = tmp_path / "l"
    for content in ("", "half", "abc not-a-number", f"abc {time.monotonic() + 1e6}"):
        path.write_text(content)

        assert FileLease(path).claim(0.01) is True


def test_closed_and_open_cost_the_server_no_command(server, connecting):
    client = connecting(server.url, breaker=CircuitBreaker("db", failures=1, probe_every=30))
    client.ping()
    with server.client() as plain:

        def processed():
            return plain.info("stats")["total_commands_processed"]

        before = processed()
        for _ in range(100):
            client.get("x")
        assert processed() - before == 100 + 1  # 1: the first INFO itself

        client.breaker.leave(None, AWAY)
        before = processed()
        with measure() as cost:
            for _ in range(100):
                with pytest.raises(CircuitOpen):
                    client.get("x")
        assert processed() - before == 1
    assert (cost.commands, cost.round_trips) == (0, 0)


def test_blocking_and_asyncio_clients_share_one_breaker(server):
    from redisops.connection import connect_async

    breaker = CircuitBreaker("db", failures=1, probe_every=30)
    blocking, loop = connect(server.url, breaker=breaker), asyncio.new_event_loop()
    awaiting = connect_async(server.url, breaker=breaker)
    breaker.leave(None, AWAY)

    with pytest.raises(CircuitOpen):
        blocking.get("x")
    with pytest.raises(CircuitOpen):
        loop.run_until_complete(awaiting.get("x"))
    breaker._probe_at = time.monotonic()  # thirty seconds later
    loop.run_until_complete(awaiting.get("x"))

    assert blocking.get("x") is None
    loop.run_until_complete(awaiting.aclose())
    blocking.close()
    loop.close()


def test_deadlines_nest_and_the_earlier_end_holds(server, connecting):
    client = connecting(server.url)

    with deadline(5), deadline(0.01), deadline(60):
        time.sleep(0.02)
        with pytest.raises(DeadlineExceeded):
            client.get("x")

    assert client.get("x") is None
    with pytest.raises(InvalidArgument), deadline(0):
        pass


def test_a_deadline_of_the_callers_own_making_does_not_blame_the_server(server, connecting):
    client = connecting(server.url, breaker=CircuitBreaker("db", failures=1))

    with deadline(0.001):
        time.sleep(0.002)
        with pytest.raises(DeadlineExceeded):
            client.get("x")

    assert client.breaker.state == "closed"


def test_backoff_grows_to_its_cap_and_is_spread_over_the_whole_span():
    backoff = Backoff(base=0.1, cap=0.4, factor=2)

    for failures, most in ((1, 0.1), (2, 0.2), (3, 0.4), (9, 0.4), (10_000, 0.4)):
        delays = [backoff.delay(failures) for _ in range(400)]
        assert max(delays) <= most
        assert min(delays) < most * 0.1 and max(delays) > most * 0.9


def test_a_retry_budget_ends_a_storm():
    budget = RetryBudget(share=0.1, reserve=3)

    assert [budget.spend() for _ in range(5)] == [True, True, True, False, False]
    for _ in range(11):
        budget.earn()
    assert [budget.spend(), budget.spend()] == [True, False]


class Failing:
    """A call that raises each error in turn, then returns "done"."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def later(self):
        return self()


@pytest.fixture(params=["blocking", "awaiting"])
def both(request):
    """``both(retry, retry_async)(failing, ...)``: either, called to its end."""
    if request.param == "blocking":
        return lambda blocking, awaiting: blocking
    return lambda blocking, awaiting: (
        lambda call, *args, **options: asyncio.run(awaiting(call.later, *args, **options))
    )


QUICK = Backoff(base=0.001, cap=0.002)


def test_retry_repeats_what_passes(both):
    call = Failing(AWAY, redis.TimeoutError("Timeout reading from socket"))

    assert both(retry, retry_async)(call, backoff=QUICK) == "done"
    assert call.calls == 3


def test_a_lost_reply_is_said_once():
    error = UnknownResult("the reply was lost after the write was sent: Timeout")
    error.__cause__ = redis.TimeoutError("Timeout reading from socket")

    assert diagnose(error).detail == "Timeout reading from socket"
    assert "reply was lost" in diagnose(error).sentence


@pytest.mark.parametrize(
    "error",
    [
        UnknownResult("the reply was lost"),
        CircuitOpen("open"),
        redis.ResponseError("WRONGTYPE x"),
        redis.AuthenticationError("no", status_code="WRONGPASS"),
    ],
)
def test_retry_repeats_nothing_else(both, error):
    call = Failing(error)

    with pytest.raises(type(error)):
        both(retry, retry_async)(call, backoff=QUICK)

    assert call.calls == 1


def test_retry_stops_with_its_tries_its_budget_and_its_deadline(both):
    run = both(retry, retry_async)
    for options in (
        {"tries": 2, "backoff": QUICK},
        {"tries": 9, "backoff": QUICK, "budget": RetryBudget(share=0, reserve=1)},
    ):
        call = Failing(*[AWAY] * 10)
        with pytest.raises(redis.ConnectionError):
            run(call, **options)
        assert call.calls == 2

    call = Failing(*[AWAY] * 10)
    with pytest.raises(redis.ConnectionError), deadline(0.001):
        run(call, tries=9, backoff=Backoff(base=1e9, cap=1e9))
    assert call.calls == 1


def test_fallback_answers_while_redis_is_away_and_lets_mistakes_pass(both):
    run = both(fallback, fallback_async)

    assert run(Failing(), lambda trouble: "other") == "done"
    assert run(Failing(AWAY), lambda trouble: trouble.cause) is Cause.UNREACHABLE
    assert run(Failing(CircuitOpen("x")), lambda trouble: trouble.cause) is Cause.OPEN_CIRCUIT
    with pytest.raises(redis.ResponseError):
        run(Failing(redis.ResponseError("WRONGTYPE x")), lambda trouble: "other")
