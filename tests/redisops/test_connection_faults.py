"""What a client does when the server or the way to it is in trouble, on real ones."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import redis

from redisops.connection import Timeouts, measure
from redisops.errors import CircuitOpen, DeadlineExceeded, UnknownResult
from redisops.resilience import Cause, CircuitBreaker, deadline, diagnose
from tests.faults.proxy import Proxy
from tests.servers import (
    RedisProcess,
    busy,
    full,
    loading,
    replica_of,
    running,
    saveable,
    unsaveable,
    until,
)

QUICK = Timeouts(connect=0.5, read=0.3, deadline=1.2)
PATIENT = Timeouts(connect=20, read=20, deadline=40)


def never_opens():
    return CircuitBreaker("db", failures=10**9, minimum=10**9)


@pytest.fixture
def server(request):
    """An empty server: Valkey for the awaiting half of the tests, Redis for the blocking one."""
    awaiting = "awaiting" in request.node.name
    process = request.getfixturevalue("valkey_process" if awaiting else "redis_process")
    process.reset()
    return process


@pytest.fixture
def proxy(server):
    with Proxy(server.port) as between:
        yield between


@pytest.fixture
def own(request):
    """A server of the test's own, to be killed, stopped or filled."""
    with running() as server:
        yield server


@contextlib.contextmanager
def promptly():
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 8, "redis-py alone would hang for a minute"


# 1 killed


def test_a_killed_server_is_unreachable_at_once_and_nothing_was_sent(own, connecting):
    client = connecting(own.url)
    client.set("x", 1)
    own.kill()

    with promptly(), pytest.raises(redis.ConnectionError) as refusal:
        client.incr("n")

    assert not isinstance(refusal.value, UnknownResult)
    trouble = diagnose(refusal.value)
    assert (trouble.cause, trouble.sent) == (Cause.UNREACHABLE, False)


def test_a_restarted_server_is_used_again_by_the_same_client(own, connecting):
    client = connecting(own.url, breaker=CircuitBreaker("db", failures=2, probe_every=0.1))
    client.set("x", 1)
    own.kill()
    for _ in range(4):
        with pytest.raises(redis.ConnectionError):
            client.get("x")
    assert client.breaker.state == "open"

    own.start()

    until(lambda: client.get("x") is None, "the client did not come back")
    assert client.breaker.state == "closed"


# 2 and 12 stopped


def test_a_stopped_server_is_given_up_on_and_the_breaker_opens(own, connecting):
    client = connecting(own.url, timeouts=QUICK)
    until(lambda: client.get("x") is None, "no connection")
    own.pause()

    with promptly(), pytest.raises(redis.TimeoutError) as refusal:
        client.get("x")
    assert diagnose(refusal.value).cause is Cause.TIMEOUT
    for _ in range(3):
        with contextlib.suppress(redis.RedisError):
            client.get("x")

    with measure() as cost, pytest.raises(CircuitOpen):
        client.get("x")
    assert cost.round_trips == 0
    own.resume()


def test_a_stopped_server_is_found_again_when_it_goes_on(own, connecting):
    breaker = CircuitBreaker("db", failures=1, probe_every=0.1)
    client = connecting(own.url, timeouts=QUICK, breaker=breaker)
    until(lambda: client.set("x", 1) is True, "no connection")
    own.pause()
    with pytest.raises(redis.TimeoutError):
        client.get("x")

    own.resume()

    until(lambda: client.get("x") == b"1", "the client did not come back")


def test_a_write_to_a_stopped_server_has_an_unknown_result(own, connecting):
    client = connecting(own.url, timeouts=QUICK)
    until(lambda: client.set("n", 0) is True, "no connection")
    own.pause()

    with promptly(), pytest.raises(UnknownResult) as lost:
        client.incr("n")
    own.resume()

    trouble = diagnose(lost.value)
    assert (trouble.cause, trouble.sent) == (Cause.UNKNOWN_RESULT, True)
    until(lambda: client.get("n") == b"1", "the one INCR was not done")


def test_a_first_connection_to_a_stopped_server_sends_no_write(own, connecting):
    own.pause()
    client = connecting(own.url, timeouts=QUICK)

    with promptly(), pytest.raises(redis.TimeoutError) as refusal:
        client.incr("n")
    own.resume()

    assert diagnose(refusal.value).sent is False
    with own.client() as plain:
        assert plain.get("n") is None


def test_a_server_that_sleeps_is_a_timeout(own, connecting):
    timeouts = Timeouts(connect=0.1, read=0.1, deadline=0.5)
    client = connecting(own.url, timeouts=timeouts, breaker=never_opens())
    until(lambda: client.get("x") is None, "no connection")
    with own.client() as plain:
        sleeping = threading.Thread(target=plain.execute_command, args=("DEBUG", "SLEEP", 1))
        sleeping.start()

        with promptly(), pytest.raises(redis.TimeoutError):
            while sleeping.is_alive():
                client.get("x")

        sleeping.join()
    until(lambda: client.get("x") is None, "the client did not come back")


# 3 latency


def test_latency_costs_one_round_trip_to_connect(proxy, connecting):
    client = connecting(proxy.url)
    proxy.mode("latency", seconds=0.15)

    client.ping()

    assert proxy.round_trips == 2


# 4 reset in the middle of a reply


def test_a_read_that_was_cut_off_is_tried_once_more(proxy, server, connecting):
    client = connecting(proxy.url)
    client.set("x", "v" * 1000)
    proxy.mode("reset_after", count=100, match=b"GET", times=1)

    with measure() as cost:
        assert client.get("x") == b"v" * 1000

    assert (cost.commands, cost.round_trips) == (2, 2)


def test_a_read_is_tried_no_more_than_twice(proxy, connecting):
    client = connecting(proxy.url)
    client.ping()
    proxy.forget()
    proxy.mode("lose_reply", match=b"GET")

    with pytest.raises(redis.ConnectionError) as refusal:
        client.get("x")

    assert sum(b"GET" in sent for sent in proxy.requests) == 2
    assert diagnose(refusal.value).cause is Cause.UNREACHABLE


def test_a_pipeline_of_reads_is_tried_once_more(proxy, server, connecting):
    client = connecting(proxy.url)
    client.set("x", 1)
    proxy.mode("lose_reply", match=b"MGET", times=1)

    assert client.pipeline(transaction=False).get("x").mget("x").execute() == [b"1", [b"1"]]


# 5 the reply of a write is lost


def test_a_write_whose_reply_is_lost_is_done_once_and_said_to_be_unknown(proxy, client, connecting):
    ours = connecting(proxy.url)
    proxy.mode("lose_reply", match=b"INCR")

    with pytest.raises(UnknownResult) as lost:
        ours.incr("n")

    assert client.get("n") == b"1"
    assert sum(b"INCR" in sent for sent in proxy.requests) == 1
    assert diagnose(lost.value).cause is Cause.UNKNOWN_RESULT


@pytest.mark.parametrize("transaction", [False, True])
def test_a_pipeline_with_one_write_in_it_is_a_write(proxy, client, connecting, transaction):
    pipe = connecting(proxy.url).pipeline(transaction=transaction)
    pipe.get("x")
    pipe.incr("n")
    proxy.mode("lose_reply", match=b"INCR")

    with pytest.raises(UnknownResult):
        pipe.execute()

    assert client.get("n") == b"1"


def test_a_lost_exec_after_watch_is_unknown_and_no_reason_to_try_again(proxy, client, connecting):
    pipe = connecting(proxy.url).pipeline()
    pipe.watch("n")
    pipe.multi()
    pipe.incr("n")
    proxy.mode("lose_reply", match=b"EXEC")

    with pytest.raises(UnknownResult):
        pipe.execute()

    assert client.get("n") == b"1"


def test_a_script_counts_as_a_write_unless_it_says_it_reads(proxy, client, connecting):
    ours = connecting(proxy.url)
    client.set("x", 1)
    proxy.mode("lose_reply", match=b"EVAL", times=1)
    with pytest.raises(UnknownResult):
        ours.eval("return redis.call('GET', KEYS[1])", 1, "x")

    proxy.mode("lose_reply", match=b"EVAL_RO", times=1)
    assert ours.eval_ro("return redis.call('GET', KEYS[1])", 1, "x") == b"1"


def test_a_command_that_nobody_knows_counts_as_a_write(proxy, connecting):
    ours = connecting(proxy.url)
    proxy.mode("lose_reply", match=b"MY.COMMAND")

    with pytest.raises(UnknownResult):
        ours.execute_command("MY.COMMAND", "x")

    assert sum(b"MY.COMMAND" in sent for sent in proxy.requests) == 1


# 6 trickle, blackhole, half-open


@pytest.mark.parametrize("mode", ["trickle", "blackhole"])
def test_the_deadline_is_total_even_for_a_trickling_reply(proxy, connecting, mode):
    client = connecting(proxy.url, timeouts=PATIENT)
    client.set("x", "v" * 1000)
    proxy.mode(mode, match=b"GET", **({"seconds": 0.02} if mode == "trickle" else {}))

    with promptly(), deadline(0.4), pytest.raises(redis.TimeoutError) as refusal:
        client.get("x")

    if mode == "trickle":
        assert isinstance(refusal.value, DeadlineExceeded)
        assert diagnose(refusal.value).cause is Cause.DEADLINE
    proxy.heal()
    assert client.get("x") == b"v" * 1000


def test_a_deadline_block_is_shared_by_all_its_commands(proxy, connecting):
    client = connecting(proxy.url)
    client.ping()
    proxy.mode("latency", seconds=0.3)
    done = 0

    with promptly(), deadline(0.95), pytest.raises(DeadlineExceeded):
        for _ in range(50):
            client.get("x")
            done += 1

    assert 1 <= done <= 3


def test_a_deadline_block_gives_long_work_more_than_a_command_has(proxy, connecting):
    client = connecting(proxy.url, timeouts=Timeouts(connect=20, read=20, deadline=0.05))
    proxy.mode("latency", seconds=0.1)

    with pytest.raises(DeadlineExceeded):
        client.get("x")
    with deadline(30):
        assert client.get("x") is None


def test_a_write_that_the_deadline_cut_off_has_an_unknown_result(proxy, client, connecting):
    ours = connecting(proxy.url, timeouts=PATIENT)
    ours.ping()
    proxy.mode("trickle", seconds=0.3, match=b"SET")

    with deadline(0.6), pytest.raises(UnknownResult) as lost:
        ours.set("x", 1)

    assert isinstance(lost.value.__cause__, DeadlineExceeded)
    assert client.get("x") == b"1"


def test_a_big_value_over_a_slow_line_is_cut_off_too(proxy, connecting):
    ours = connecting(proxy.url, timeouts=QUICK, breaker=never_opens())
    until(lambda: ours.ping() is True, "no connection")
    proxy.mode("bandwidth", rate=1_000_000, match=b"SET")

    with promptly(), pytest.raises((UnknownResult, redis.TimeoutError)):
        ours.set("x", b"v" * 30_000_000)


def test_sliced_replies_are_put_together(proxy, connecting):
    client = connecting(proxy.url)
    proxy.mode("slicer", size=3)

    assert client.pipeline(transaction=False).set("x", "v" * 100).get("x").execute() == [
        True,
        b"v" * 100,
    ]


# 7 to 11, 14 to 16: what the server says of itself


def test_a_full_server_refuses_writes_and_still_reads(own, connecting):
    client = connecting(own.url)
    client.set("x", 1)
    full(own)

    with pytest.raises(redis.exceptions.OutOfMemoryError) as refusal:
        client.set("y", "v" * 5_000_000)

    assert diagnose(refusal.value).cause is Cause.OOM
    assert client.get("x") == b"1"
    assert client.breaker.state == "closed"


def test_a_replica_refuses_writes_and_says_what_it_is(own, connecting):
    with replica_of(own) as replica:
        client = connecting(replica.url)

        with pytest.raises(redis.exceptions.ReadOnlyError) as refusal:
            client.set("x", 1)

        assert diagnose(refusal.value).cause is Cause.READONLY
        assert client.features().role == "replica"


def test_a_replica_without_its_primary_refuses_stale_data(own, connecting):
    with replica_of(own) as replica:
        client = connecting(replica.url, breaker=CircuitBreaker("db", failures=2))
        client.config_set("replica-serve-stale-data", "no")
        own.kill()
        until(lambda: client.info("replication")["master_link_status"] == "down", "it is still up")

        for _ in range(2):
            with pytest.raises(redis.exceptions.MasterDownError) as refusal:
                client.get("x")

        assert diagnose(refusal.value).cause is Cause.MASTERDOWN
        assert client.breaker.state == "open"


def test_a_loading_server_is_told_apart_and_still_gives_info(own, connecting):
    client = connecting(own.url, breaker=never_opens())

    with loading(own):
        with pytest.raises(redis.exceptions.BusyLoadingError) as refusal:
            client.get("x")
        told = client.info("persistence")

    trouble = diagnose(refusal.value)
    assert (trouble.cause, trouble.retry_after) == (Cause.LOADING, 2.0)
    assert told["loading"] == 1 and told["loading_total_bytes"] > 0


def test_a_busy_server_is_told_apart_and_takes_script_kill(own, connecting):
    client = connecting(own.url)

    with busy(own):
        for _ in range(5):
            with pytest.raises(redis.ResponseError) as refusal:
                client.get("x")

        assert diagnose(refusal.value).cause is Cause.BUSY
        assert client.breaker.state == "closed"  # SCRIPT KILL must get through


def test_a_server_without_room_for_clients_says_so(own, connecting):
    client = connecting(own.url)
    with own.client() as plain:
        plain.config_set("maxclients", 4)
        taken = [socket.create_connection(("127.0.0.1", own.port)) for _ in range(3)]
        until(lambda: plain.info("clients")["connected_clients"] == 4, "they did not connect")

        with pytest.raises(redis.ConnectionError) as refusal:
            client.set("x", 1)

        trouble = diagnose(refusal.value)
        assert (trouble.cause, trouble.sent) == (Cause.MAXCLIENTS, False)
        assert trouble.detail == "ERR max number of clients reached"
        for link in taken:
            link.close()
        until(lambda: client.set("x", 1) is True, "there was no room again")


def test_paused_writes_have_an_unknown_result_and_reads_go_on(own, connecting):
    client = connecting(own.url, timeouts=QUICK)
    until(lambda: client.set("x", 1) is True, "no connection")
    with own.client() as plain:
        plain.client_pause(60_000, all=False)

        with pytest.raises(UnknownResult):
            client.set("x", 2)
        until(lambda: client.get("x") == b"1", "reads do not go on")

        plain.client_unpause()


def test_a_server_that_cannot_save_refuses_writes(connecting):
    with running() as server:
        unsaveable(server)
        client = connecting(server.url)

        with pytest.raises(redis.ResponseError) as refusal:
            client.set("x", 1)

        assert diagnose(refusal.value).cause is Cause.MISCONF
        saveable(server)
        assert client.set("x", 1) is True


def test_a_name_server_that_hangs_does_not_hang_the_client(monkeypatch):
    from redisops.connection import connect

    released = threading.Event()

    def hang(*args, **options):
        released.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)  # the outside network
    client = connect("redis://db.example:6379", timeouts=QUICK)

    with promptly(), pytest.raises(redis.ConnectionError) as refusal:
        client.get("x")

    assert diagnose(refusal.value).cause is Cause.DNS
    released.set()


async def test_name_servers_that_hang_take_no_thread_from_others(monkeypatch):
    from redisops.connection import connect_async

    released = threading.Event()
    find = socket.getaddrinfo

    def hang(host, *args, **options):
        if host == "db.example":
            released.wait(5)
        return find("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)  # the outside network
    clients = [connect_async("redis://db.example:6379", timeouts=QUICK) for _ in range(40)]
    asking = [asyncio.create_task(client.get("x")) for client in clients]
    await asyncio.sleep(0)

    with promptly():
        assert await asyncio.to_thread(lambda: "free") == "free"
        failures = await asyncio.gather(*asking, return_exceptions=True)

    released.set()
    assert {diagnose(error).cause for error in failures} <= {
        Cause.TIMEOUT,
        Cause.DNS,
        Cause.DEADLINE,
    }


def test_a_port_that_speaks_something_else_is_an_error_and_no_hang(connecting):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            link, _ = listener.accept()
            link.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            link.recv(1000)
            link.close()

        thread = threading.Thread(target=answer)
        thread.start()
        client = connecting(f"redis://127.0.0.1:{listener.getsockname()[1]}", timeouts=QUICK)

        with promptly(), pytest.raises(redis.RedisError):
            client.incr("n")

        thread.join()


def test_the_rig_knows_only_its_modes(proxy: Proxy, own: RedisProcess):
    with pytest.raises(ValueError, match="is none of pass, latency"):
        proxy.mode("magic")
