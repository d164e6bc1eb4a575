"""The fast path when links break, servers are silent, callers go away and primaries change."""

from __future__ import annotations

import asyncio
import time

import pytest
import redis

from redisops.connection import Timeouts, connect, connect_async
from redisops.errors import CircuitOpen, DeadlineExceeded, UnknownResult
from redisops.fast import AsyncFast, Fast
from redisops.fast.mux import TRUSTED
from redisops.resilience import CircuitBreaker, deadline
from tests.clients import Connecting, Settling
from tests.faults.proxy import Proxy
from tests.servers import Watched, until

pytestmark = pytest.mark.usefixtures("counting")
PATIENT = Timeouts(connect=10, read=10, deadline=20)


def of(client):
    """The fast path of a client, settled if the client is."""
    if isinstance(client, Settling):
        return Settling(AsyncFast.of(client.target), client.connecting)
    return Fast.of(client)


@pytest.fixture
def proxy(valkey_process):
    valkey_process.reset()
    with Proxy(valkey_process.port) as between:
        yield between


@pytest.fixture
def quick(connecting, proxy):
    """The fast path through the proxy."""
    return of(connecting(proxy.url, timeouts=PATIENT))


def test_a_write_whose_reply_is_lost_is_unknown_and_done_once(quick, proxy):
    quick.call("SET", "n", 0)
    proxy.mode("lose_reply", match=b"INCR", times=1)

    with pytest.raises(UnknownResult):
        quick.call("INCR", "n")

    assert quick.call("GET", "n") == b"1"


def test_several_calls_of_which_one_writes_are_unknown_as_a_whole(quick, proxy):
    quick.call("SET", "n", 0)
    proxy.mode("lose_reply", match=b"INCR", times=1)

    with pytest.raises(UnknownResult):
        quick.calls([("GET", "n"), ("INCR", "n")])

    assert quick.call("GET", "n") == b"1"


def test_what_only_reads_is_asked_once_more(quick, proxy):
    quick.call("SET", "n", 7)

    proxy.mode("lose_reply", match=b"GET", times=1)
    assert quick.call("GET", "n") == b"7"

    proxy.mode("lose_reply", match=b"EVALSHA", times=1)
    assert quick.script("counting", ["n"], [0], repeatable=True) == b"7"

    proxy.mode("lose_reply", match=b"GET", times=1)
    assert quick.calls([("GET", "n"), ("PING",)]) == [b"7", b"PONG"]


def test_a_link_that_died_idle_is_replaced_before_a_write_is_sent(quick, proxy):
    for _ in range(3):
        quick.call("INCR", "n")
        proxy.drop()
        time.sleep(2 * TRUSTED)  # idle, as it is called

    assert quick.call("GET", "n") == b"3"


def test_a_call_that_runs_over_its_deadline_takes_nobody_elses_reply(quick, proxy):
    quick.call("SET", "a", "A")
    proxy.mode("latency", seconds=1.0, match=b"INCR", times=1)

    with pytest.raises(UnknownResult, match="deadline"):
        quick.call("INCR", "n", timeout=0.4)  # time enough to be sent

    assert [quick.call("ECHO", n) for n in range(3)] == [b"0", b"1", b"2"]
    until(lambda: quick.call("GET", "n") == b"1", "the write was not done")


def test_a_reply_that_trickles_in_ends_with_the_deadline(connecting, proxy):
    brisk = Timeouts(connect=5, read=5, deadline=0.5)
    quick = of(connecting(proxy.url, timeouts=brisk))
    until(lambda: _says(quick, "SET", "long", b"x" * 10_000) == b"OK", "no answer")
    proxy.mode("trickle", seconds=0.01, match=b"GET")

    with pytest.raises(DeadlineExceeded):
        quick.call("GET", "long")
    with deadline(0.1), pytest.raises(DeadlineExceeded):
        quick.call("GET", "long")

    proxy.mode("pass")
    until(lambda: _says(quick, "PING") == b"PONG", "it did not recover")


def _says(quick, *command):
    try:
        return quick.call(*command)
    except (redis.ConnectionError, redis.TimeoutError):
        return None


def test_a_silent_server_opens_the_breaker_and_one_probe_closes_it(connecting, proxy):
    breaker = CircuitBreaker("x", failures=2, probe_every=0.05)
    swift = Timeouts(connect=0.2, read=0.05, deadline=0.5)
    quick = of(connecting(proxy.url, timeouts=swift, breaker=breaker))
    until(lambda: _says(quick, "PING") == b"PONG", "no answer")
    proxy.mode("blackhole")

    until(lambda: _is_refused(quick), "the breaker did not open")

    proxy.mode("pass")
    proxy.drop()
    until(lambda: _says(quick, "PING") == b"PONG", "the breaker did not close")
    assert breaker.state == "closed"


def _is_refused(quick):
    try:
        quick.call("INCR", "n")
    except CircuitOpen:
        return True
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    return False


def test_a_cancelled_task_disturbs_no_other(proxy):
    async def work():
        async with connect_async(proxy.url, timeouts=PATIENT) as client:
            quick = AsyncFast.of(client)
            await quick.call("PING")
            tasks = [asyncio.create_task(quick.call("ECHO", n)) for n in range(40)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            replies = await asyncio.gather(*tasks, return_exceptions=True)
            return replies, await quick.call("ECHO", "next")

    replies, following = asyncio.run(work())

    assert all(isinstance(reply, asyncio.CancelledError) for reply in replies[::2])
    assert replies[1::2] == [b"%d" % n for n in range(1, 40, 2)]
    assert following == b"next"


def test_a_torn_link_fails_the_calls_in_flight_alone(proxy):
    async def work():
        async with connect_async(proxy.url, timeouts=PATIENT) as client:
            quick = AsyncFast.of(client)
            await quick.call("SET", "n", 0)
            proxy.mode("lose_reply", match=b"INCR", times=1)
            torn = [asyncio.create_task(quick.call("INCR", "n")) for _ in range(5)]
            torn += [asyncio.create_task(quick.calls([("INCR", "n")])) for _ in range(5)]
            reads = [asyncio.create_task(quick.call("ECHO", n)) for n in range(5)]
            lost = await asyncio.gather(*torn, return_exceptions=True)
            later = await asyncio.gather(*(quick.call("ECHO", n) for n in range(5)))
            return lost, await asyncio.gather(*reads), later, client.breaker.state

    lost, reads, later, state = asyncio.run(work())

    assert {type(error) for error in lost} == {UnknownResult}
    assert reads == later == [b"%d" % n for n in range(5)]
    assert state == "closed"  # one link broke, however many waited on it


@pytest.fixture
def watched():
    with Watched() as servers:
        yield servers


def test_a_failover_is_followed_by_the_next_write(watched):
    waiting = Connecting(awaiting=True)
    with connect(watched.url) as client:
        both = [Fast.of(client), of(waiting(watched.url))]
        for n, quick in enumerate(both):
            quick.call("SET", f"x{n}", 1)
        with watched.replica.client() as plain:
            until(lambda: plain.dbsize() == 2, "it was not replicated")

        watched.fail_over()

        for n, quick in enumerate(both):
            assert quick.call("INCR", f"x{n}") == 2  # the link of before is of no use any more
        with watched.replica.client() as plain:
            assert plain.mget("x0", "x1") == [b"2", b"2"]
    waiting.close()


def test_a_cluster_is_one_server_for_calls_and_scripts(cluster, connecting):
    quick = of(connecting(cluster.url))
    names = [f"k{n}" for n in range(30)]

    for n, name in enumerate(names):
        assert quick.call("SET", name, n) == b"OK"
        assert quick.script("counting", [name], [1]) == b"%d" % (n + 1)

    assert quick.calls([("GET", name) for name in names]) == [b"%d" % n for n in range(1, 31)]
    assert quick.call("MEMORY", "USAGE", "k1") > 0
    with pytest.raises(redis.RedisError, match=r"CROSSSLOT|same slot"):
        quick.script("end_lease", ["k1", "k2"], ["t", 0])


def test_a_slot_that_moves_is_followed_while_and_after_it_moves(cluster, connecting):
    quick = of(connecting(cluster.url))
    key, source, target = cluster.to_move()
    quick.call("SET", key, 1)
    with source.client() as old, target.client() as new:
        slot = old.cluster("KEYSLOT", key)
        ids = [plain.execute_command("CLUSTER", "MYID").decode() for plain in (old, new)]
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        old.migrate("127.0.0.1", target.port, key, 0, 1000)

        assert quick.call("INCR", key) == 2  # ASK
        assert quick.calls([("INCR", key), ("GET", key)]) == [3, b"3"]

        for node in cluster.nodes:
            with node.client() as plain:
                plain.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])

    assert quick.call("INCR", key) == 4  # MOVED
    assert quick.script("counting", [key], [1]) == b"5"


def test_a_node_that_is_away_leaves_the_others_usable(cluster):
    swift = Timeouts(connect=0.2, read=0.1, deadline=0.5)
    waiting = Connecting(awaiting=True)
    sick, well = cluster.nodes[2], cluster.nodes[1]
    bad, good = cluster.key_on(sick), cluster.key_on(well)
    with connect(cluster.url, timeouts=swift) as client:
        both = [Fast.of(client), of(waiting(cluster.url, timeouts=swift))]
        for quick in both:
            until(lambda: all(_says(quick, "SET", key, 1) for key in (bad, good)), "no answer")  # noqa: B023
        sick.pause()
        try:
            for quick in both:
                with pytest.raises(redis.RedisError):
                    quick.call("INCR", bad)
                until(lambda: _says(quick, "GET", good) == b"1", "the others are of no use")  # noqa: B023
        finally:
            sick.resume()
        for quick in both:
            until(lambda: _says(quick, "GET", bad) is not None, "the node was not found again")  # noqa: B023
    waiting.close()
