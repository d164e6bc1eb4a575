"""Use: counts exact to the second, lists true to their stated error, memory bounded."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as some

from redisops.connection import Timeouts, connect, connect_async, measure
from redisops.errors import InvalidArgument
from redisops.limits import AsyncRecorder, AsyncUse, Recorder, Top, Use, tally
from redisops.limits.use import LISTED, keys_of
from redisops.resilience import CircuitBreaker
from tests.faults.proxy import Proxy
from tests.hostile import NAMES
from tests.servers import RedisProcess, restricted, until


@pytest.fixture
def recorder(build):
    return quiet(build(Recorder, AsyncRecorder))


@pytest.fixture
def use(build):
    return build(Use, AsyncUse)


def quiet(recorder):
    """Flushed by the test alone."""
    target = getattr(recorder, "_target", recorder)
    target._woken = lambda: None
    return recorder


def sums(steps):
    return tuple(sum(step[part] for step in steps) for part in (1, 2, 3))


def test_counts_arrive_in_their_seconds_without_gaps(recorder, use, client):
    for _ in range(7):
        recorder.add("orders", "mara", "allowed")
    recorder.add("orders", "mara", "denied", cost=3)
    recorder.add("pay", b"\xff", "shadow")

    assert recorder.flush() == 11
    assert recorder.flush() == 0
    recorder.add("orders", "mara", "allowed")
    recorder.flush()

    before = client.time()[0]
    found = use.series_many(["orders", "pay", "none"], 900)
    assert [sums(found[name]) for name in ("orders", "pay", "none")] == [
        (8, 3, 0), (0, 0, 1), (0, 0, 0),
    ]  # fmt: skip
    seconds = [step.at for step in found["orders"]]
    assert seconds == list(range(seconds[0], seconds[0] + 900))
    now = client.time()[0]
    assert before - 2 <= seconds[-1] <= now and use.clock == "server"
    assert all(step.at >= now - 600 for step in found["orders"] if step.allowed)
    assert sums(use.minutes("orders", 3)) == (8, 3, 0)
    assert [step.at % 60 for step in use.minutes("orders", 3)] == [0, 0, 0]
    assert all(client.ttl(key) > 0 for key in client.keys("*"))


def test_the_tops_name_who_it_was_whatever_the_bytes(recorder, use):
    for name in NAMES:
        recorder.add("{or}ders", name, "allowed", 2)
    recorder.add("{or}ders", NAMES[7], "allowed", 5)
    recorder.add("{or}ders", "é" * 150, "allowed", 4)  # 300 bytes: hashed
    recorder.flush()

    top = use.top("{or}ders", "allowed", n=500)

    known = {name for name in NAMES if len(name) <= 200}
    assert top.entries[0] == (NAMES[7], 7, 0)
    assert {entry.subject for entry in top.entries} >= known or top.error > 0
    assert top.entries[1].subject.startswith(b"#") and top.entries[1].count == 4
    assert top.total == 2 * len(NAMES) + 9
    assert use.top_many([("{or}ders", "denied"), ("none", "allowed")]) == [Top([], 0)] * 2


@given(some.integers(0, 2**32), some.floats(0.3, 2.0), some.integers(100, 20_000))
def test_space_saving_keeps_its_promise(seed, shape, count):
    chance, true, summary = random.Random(seed), Counter(), tally.Summary()
    while count > 0:
        batch = Counter(
            b"%d" % min(chance.paretovariate(shape), 10**6) for _ in range(chance.randint(1, 1500))
        )
        summary.add(dict(batch))
        true += batch
        count -= batch.total()

    assert len(summary.entries) <= tally.LISTED
    assert summary.floor <= true.total() / tally.LISTED
    assert all(entry[0] - entry[1] <= true[name] for name, entry in summary.entries.items())
    assert all(true[name] <= entry[0] for name, entry in summary.entries.items())
    assert all(
        times <= summary.floor for name, times in true.items() if name not in summary.entries
    )


def test_the_tops_of_many_processes_stay_bounded_and_true_to_their_error(server):
    """Six recorders, 60,000 decisions of 8,000 subjects and more, a few of them heavy."""
    client, chance, true = connect(server.url), random.Random(2), Counter()
    recorders = [quiet(Recorder(client)) for _ in range(6)]
    for turn in range(60):
        recorder = recorders[turn % 6]
        for _ in range(1000):
            subject = b"%d" % min(chance.paretovariate(0.5), 10**9)
            recorder.add("orders", subject, "allowed")
            true[subject] += 1
        recorder.flush()

    with measure() as cost:
        top = Use(client).top("orders", "allowed", n=10_000)

    assert cost.round_trips == 2  # TIME the first time
    assert top.total == 60_000
    assert 0 < top.error <= 0.03 * 60_000
    assert LISTED <= len(top.entries) <= 2 * LISTED  # two when the minute turned meanwhile
    assert all(abs(true[one.subject] - one.count) <= one.error for one in top.entries)
    listed = {one.subject for one in top.entries}
    assert all(times <= top.error for name, times in true.items() if name not in listed)
    assert [one.subject for one in top.entries[:5]] == [name for name, _ in true.most_common(5)]
    assert all(client.hlen(key) <= LISTED + 2 for key in client.keys("*top*"))


def test_what_somebody_else_wrote_into_a_list_is_passed_over(recorder, use, client):
    recorder.add("orders", "mara", "denied", 3)
    recorder.flush()
    minute = use.series("orders", 1)[-1].at // 60 * 60
    for at in (minute - 60, minute):
        odd = {b"floor": b"many", b"missed": b"-", b":a": b"", b":b": b"x y z", b":c": b"9" * 5000}
        client.hset(keys_of("limits:use:", "orders", at)[3], mapping=odd)

    found = use.top("orders", "denied", 1)

    assert (found.entries[0].subject, found.entries[0].count, found.error) == (b"mara", 3, 0)


def test_a_flush_that_fails_in_any_way_is_not_the_last(server, monkeypatch):
    monkeypatch.setattr("redisops.limits.recorder.EVERY", 0.02)
    with connect(server.url) as client:
        recorder = Recorder(client)
        whole, failed = recorder.flush, []

        def flush():
            if not failed:
                failed.append(True)
                raise ZeroDivisionError
            return whole()

        recorder.flush = flush
        recorder.add("orders", "mara", "allowed")
        until(lambda: sums(Use(client).series("orders")) == (1, 0, 0), "it never came", 20)
        recorder.close()


def test_a_flush_is_one_round_trip_whatever_there_is(server):
    client = connect(server.url)
    recorder = quiet(Recorder(client))
    recorder.flush()  # learns the server's time and leaves the script there
    for number in range(2000):
        recorder.add(f"policy-{number % 20}", b"%d" % number, "allowed")

    with measure() as cost:
        recorder.flush()

    assert cost.round_trips == 1 and recorder.trouble == ""
    client.script_flush()
    recorder.add("policy-1", "mara", "denied")
    assert recorder.flush() == 1
    assert sums(Use(client).series("policy-1")) == (100, 1, 0)


def test_the_thread_flushes_by_itself_for_all_threads(server, monkeypatch):
    monkeypatch.setattr("redisops.limits.recorder.EVERY", 0.02)
    client = connect(server.url)
    recorder, use = Recorder(client), Use(client)

    def work() -> None:
        for number in range(2000):
            recorder.add("orders", f"user-{number % 50}", "allowed")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: sums(use.series("orders")) == (16_000, 0, 0), "not all arrived", 20)
    until(lambda: use.top("orders", "allowed").entries[0].count == 320, "no top", 20)
    recorder.close()
    recorder.close()


async def test_the_task_flushes_by_itself_and_when_its_loop_ends(server, monkeypatch):
    monkeypatch.setattr("redisops.limits.recorder.EVERY", 0.02)
    client = connect_async(server.url)
    use = AsyncUse(client)

    async def work(recorder: AsyncRecorder) -> None:
        recorder.add("orders", "mara", "allowed")
        async with asyncio.timeout(20):
            while recorder._task and not recorder.tally.synced:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        recorder.add("orders", "mara", "denied")

    recorder = AsyncRecorder(client)
    await work(recorder)
    recorder._task.cancel()  # what asyncio.run does at its end
    await asyncio.gather(recorder._task, return_exceptions=True)

    assert sums(await use.series("orders")) == (1, 1, 0)
    await recorder.close()
    await client.aclose()


EXITS = """
import sys
from redisops.connection import connect
from redisops.limits import Recorder
recorder = Recorder(connect(sys.argv[1]))
recorder.add("orders", "mara", "allowed")
"""


def test_a_process_that_ends_or_forks_loses_nothing_and_counts_nothing_twice(server):
    subprocess.run([sys.executable, "-c", EXITS, server.url], check=True, timeout=60)
    client = connect(server.url)
    recorder = quiet(Recorder(client))
    recorder.add("orders", "tomas", "allowed")

    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        failed = 1
        try:
            recorder.add("orders", "child", "denied")
            failed = recorder.flush() != 1
        finally:
            os._exit(failed)
    assert os.waitpid(child, 0)[1] == 0
    recorder.flush()

    assert sums(Use(client).series("orders")) == (2, 1, 0)


def test_while_redis_is_away_nothing_waits_and_nothing_is_lost(connecting):
    with RedisProcess() as server:
        client = connecting(server.url, breaker=CircuitBreaker("use", probe_every=0.05))
        awaiting = hasattr(client, "target")
        recorder = quiet(
            (AsyncRecorder if awaiting else Recorder)(client.target if awaiting else client)
        )
        settle = client.connecting.loop.run_until_complete if awaiting else lambda it: it
        recorder.add("orders", "mara", "allowed")
        settle(recorder.flush())
        server.kill()
        for _ in range(3):
            recorder.add("orders", "mara", "denied")
            assert settle(recorder.flush()) == 0
        assert recorder.trouble and recorder.dropped == 0
        # The first may have left on the link that was just torn: nobody knows, and it says so.
        assert recorder.unsure <= 1
        left = 3 - recorder.unsure

        server.start()
        until(lambda: settle(recorder.flush()) == left, "they never arrived", 20)
        assert recorder.trouble == ""
        with server.client() as plain:
            assert sums(Use(plain).series("orders")) == (0, left, 0)
            assert Use(plain).top("orders", "denied").entries == [(b"mara", left, 0)]


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(monkeypatch):
    monkeypatch.setattr(tally, "MOST_ROWS", 50)
    monkeypatch.setattr(tally, "MOST_SUMMARIES", 10)
    now = [1000.0]
    book = tally.Tally(clock=lambda: now[0])
    for number in range(30_000):
        now[0] += 0.01
        book.add(f"policy-{number % 3}", b"%d" % number, "allowed")

    rows = [row for one in book.taken() for row in one.rows.values()]

    assert len(rows) == 50 and book.dropped + sum(map(sum, rows)) == 30_000
    assert len(book._summaries) <= 10
    assert all(len(one.entries) <= tally.LISTED for one in book._summaries.values())


def test_a_lost_reply_is_not_counted_twice_but_said(valkey_process):
    valkey_process.reset()
    with Proxy(valkey_process.port) as proxy:
        client = connect(proxy.url)
        recorder = quiet(Recorder(client))
        recorder.add("orders", "mara", "allowed")
        recorder.flush()
        recorder.add("orders", "mara", "allowed", 2)
        proxy.mode("lose_reply", match=b"EVALSHA", times=1)

        assert recorder.flush() == 0

        assert recorder.unsure == 2 and recorder.trouble
        assert recorder.flush() == 0 and recorder.dropped == 0
        assert sums(Use(client).series("orders")) == (3, 0, 0)


def test_a_refusal_is_said_and_what_redis_will_take_later_is_kept(valkey_process):
    with RedisProcess() as server, server.client() as plain:
        client = connect(server.url)
        recorder = quiet(Recorder(client))
        recorder.flush()
        plain.config_set("min-replicas-to-write", 1)  # NOREPLICAS
        recorder.add("orders", "mara", "allowed")
        recorder.flush()
        assert recorder.dropped == 1 and recorder.trouble
        plain.config_set("min-replicas-to-write", 0)

        plain.config_set("maxmemory", 1)
        recorder.add("orders", "mara", "denied")
        recorder.flush()
        assert recorder.dropped == 1 and "maxmemory" in recorder.trouble
        plain.config_set("maxmemory", 0)
        assert recorder.flush() == 1
        assert sums(Use(client).series("orders")) == (0, 1, 0)


def test_a_clock_that_is_an_hour_off_counts_for_the_servers_seconds(client):
    recorder = quiet(Recorder(client))
    recorder.tally.offset += 3600
    recorder.add("orders", "mara", "allowed")
    recorder.flush()

    assert sums(Use(client).series("orders", 60)) == (1, 0, 0)
    assert Use(client).top("orders", "allowed", minutes=2).entries == [(b"mara", 1, 0)]


def test_reading_needs_no_more_than_the_right_to_read(server, client):
    recorder = quiet(Recorder(client))
    recorder.add("orders", "mara", "allowed")
    recorder.flush()

    use = Use(connect(restricted(server, "~*", "+@read", "-@dangerous", "+ping")))

    assert sums(use.series("orders")) == (1, 0, 0) and use.clock == "local"
    assert use.top("orders", "allowed").total == 1


def test_it_works_on_a_cluster(cluster):
    client = connect(cluster.url)
    recorder, use = quiet(Recorder(client)), Use(client)
    for number in range(30):
        recorder.add(f"policy-{number % 10}", "mara", "allowed")

    assert recorder.flush() == 30

    found = use.series_many([f"policy-{number}" for number in range(10)])
    assert all(sums(steps) == (3, 0, 0) for steps in found.values())
    assert use.top("policy-4", "allowed").entries == [(b"mara", 3, 0)]
    client.close()


def test_what_makes_no_sense_is_refused(recorder, use):
    with pytest.raises(InvalidArgument, match="outcome"):
        recorder.add("orders", "mara", "maybe")
    with pytest.raises(InvalidArgument, match="outcome"):
        use.top("orders", "maybe")
    for seconds in (0, -1, 3601, 1.5, True):
        with pytest.raises(InvalidArgument):
            use.series("orders", seconds)
    with pytest.raises(InvalidArgument):
        use.top("orders", "allowed", minutes=31)


def test_a_decision_never_waits_for_a_flush(valkey_process):
    """A server that does not answer holds up the thread, not whoever adds."""
    valkey_process.reset()
    with Proxy(valkey_process.port) as proxy:
        patient = Timeouts(connect=20, read=20, deadline=30)
        recorder = quiet(Recorder(connect(proxy.url, timeouts=patient)))
        recorder.add("orders", "mara", "allowed")
        recorder.flush()
        recorder.add("orders", "mara", "allowed")
        proxy.forget()
        proxy.mode("blackhole")
        flushing = threading.Thread(target=recorder.flush)
        flushing.start()
        until(lambda: proxy.requests or not flushing.is_alive(), "nothing was sent", 20)

        added = 0
        while flushing.is_alive() and added < 5000:
            recorder.add("orders", "mara", "denied")
            added += 1
        assert added == 5000
        proxy.heal()
        proxy.drop()
        flushing.join(60)
        until(lambda: recorder.flush() == 5000, "what was added meanwhile is lost", 20)
        assert recorder.unsure == 1
