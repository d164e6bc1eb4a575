"""The fast path: the server's replies, in one round trip, with the client's promises."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
import redis
import redis.asyncio

from redisops.connection import TLS, Timeouts, connect, connect_async, measure
from redisops.errors import CircuitOpen, InvalidArgument
from redisops.fast import AsyncFast, Fast
from redisops.fast.packing import pack
from tests.clients import Settling
from tests.faults.proxy import Proxy
from tests.redisops.counting import counted, scripted
from tests.servers import REDIS, Certificates, free_port, restricted, running, tls_arguments

pytestmark = pytest.mark.usefixtures("counting")
PATIENT = Timeouts(connect=10, read=10, deadline=20)
HOSTILE = [b"", b"\r\n+OK\r\n", bytes(range(256)), b"$-1\r\n" * 50, "größe".encode()]


@pytest.fixture
def fast(connecting):
    """``fast(url)``: the fast path over a client of ours, run blocking and with asyncio."""

    def over(url, **options):
        client = connecting(url, timeouts=PATIENT, **options)
        if isinstance(client, Settling):
            return Settling(AsyncFast.of(client.target), client.connecting)
        return Fast.of(client)

    return over


def test_replies_are_what_the_server_sent_and_refusals_are_raised(server, fast):
    quick = fast(server.url)

    for value in HOSTILE:
        assert quick.call("SET", b"k" + value, value) == b"OK"
        assert quick.call(b"get", b"k" + value) == value
    assert quick.call("SET", memoryview(b"v"), bytearray(b"x"), "PX", 60_000) == b"OK"
    assert quick.call("INCRBYFLOAT", "f", 0.5) == b"0.5"
    assert quick.call("GET", "missing") is None
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        quick.call("LPUSH", "f", 1)
    assert quick.call("ECHO", "still in step") == b"still in step"


def test_a_plain_client_of_redis_py_will_do(build):
    quick = build(Fast.of, AsyncFast.of)

    assert quick.call("SET", "n", 1) == b"OK"
    assert quick.script("counting", ["n"], [2]) == b"3"
    assert quick.calls([("INCR", "n"), ("HGET", "n", "x"), ("GET", "n")])[::2] == [4, b"4"]


def test_calls_are_one_write_with_refusals_in_their_places(server, fast):
    with Proxy(server.port) as proxy:
        quick = fast(proxy.url)
        quick.call("SET", "s", "x")
        proxy.forget()

        replies = quick.calls([("INCR", "n"), ("LPUSH", "s", 1), ("INCR", "n")])

        assert replies[::2] == [1, 2] and "WRONGTYPE" in str(replies[1])
        assert proxy.round_trips == 1
    assert quick.calls([]) == []


def test_a_script_is_one_round_trip_and_two_when_the_server_has_lost_it(server, client, fast):
    quick = fast(server.url)
    client.set("n", 1)
    quick.script("counting", ["n"], [1])

    for lost in (False, True):
        if lost:
            client.script_flush()
        with counted(client) as spent, measure() as cost:
            quick.script("counting", ["n"], [1])
        assert (scripted(spent), cost.round_trips) == ((2, 2) if lost else (1, 1))

    client.script_flush()
    replies = quick.scripts([("counting", ["n"], [1]), ("end_lease", ["l"], ["t", 0])])
    assert replies == [b"5", 0]


@pytest.mark.parametrize(
    "command",
    [
        ("BLPOP", "q", 0), ("XREAD", "BLOCK", 0, "STREAMS", "s", "$"), ("MULTI",), ("watch", "k"),
        (b"SELECT", 1), ("SUBSCRIBE", "c"), ("CLIENT", "REPLY", "OFF"), ("CONFIG GET", "x"), (),
    ],
)  # fmt: skip
def test_what_blocks_or_changes_the_connection_is_refused_before_it_is_sent(server, fast, command):
    quick = fast(server.url)

    for attempt in (lambda: quick.call(*command), lambda: quick.calls([command])):
        with measure() as cost, pytest.raises(InvalidArgument):
            attempt()
        assert cost.commands == 0

    assert quick.call("XREAD", "STREAMS", "s", "0") is None


@pytest.mark.parametrize("odd", [None, True, object(), [1]])
def test_what_is_no_argument_is_named_and_nothing_is_sent(server, fast, odd):
    quick = fast(server.url)

    with pytest.raises(redis.DataError, match=type(odd).__name__):
        quick.call("SET", "k", odd)

    assert quick.call("PING") == b"PONG"


def test_a_wrong_password_and_a_missing_right_are_told_as_the_server_says_them(server, fast):
    stranger = fast(f"redis://nobody:wrong@127.0.0.1:{server.port}/0")
    narrow = fast(restricted(server, "+@read", "-@dangerous", "+ping", "~*"))

    for _ in range(4):  # none of this is a sign that the server is unwell
        with pytest.raises(redis.AuthenticationError):
            stranger.call("PING")
        with pytest.raises(redis.exceptions.NoPermissionError):
            narrow.script("counting", ["n"], [1])
    assert narrow.call("GET", "n") is None


def test_large_replies_come_whole_and_keep_the_order(server, fast):
    quick = fast(server.url)
    big = os.urandom(5_000_000)
    quick.call("SET", "big", big)

    assert quick.call("GET", "big") == big
    assert quick.calls([("GET", "big"), ("PING",), ("GET", "big")]) == [big, b"PONG", big]


def test_the_one_that_belongs_to_a_client_is_made_once(server):
    with connect(server.url, timeouts=PATIENT) as client:
        assert Fast.of(client) is Fast.of(client) is Fast.of(Fast.of(client))


def test_threads_share_the_links_of_the_pool(server):
    with connect(server.url, timeouts=PATIENT, max_connections=3, name="threads") as client:
        quick = Fast.of(client)
        wrong = []

        def work(name):
            for n in range(100):
                if quick.call("ECHO", f"{name}:{n}") != f"{name}:{n}".encode():
                    wrong.append(name)
                quick.call("INCR", "n")

        threads = [threading.Thread(target=work, args=(name,)) for name in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert quick.call("GET", "n") == b"1200" and not wrong
        assert len([one for one in client.client_list() if one["name"] == "threads"]) <= 3


def test_a_forked_child_opens_links_of_its_own(server):
    with connect(server.url, timeouts=PATIENT) as client:
        quick = Fast.of(client)
        ours = quick.call("CLIENT", "ID")
        read, write = os.pipe()

        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            try:
                os.write(write, b"%d" % quick.call("CLIENT", "ID"))
            finally:
                os._exit(0)
        os.waitpid(child, 0)

        assert int(os.read(read, 100)) != ours
        assert quick.call("CLIENT", "ID") == ours
        os.close(read), os.close(write)


def test_pushes_between_replies_are_no_replies(server):
    with redis.Redis(port=server.port, protocol=3, max_connections=1) as client:
        quick = Fast.of(client)
        client.execute_command("CLIENT", "TRACKING", "ON", "BCAST")
        assert [quick.call("SET", "k", n) for n in range(5)] == [b"OK"] * 5
        assert quick.call("GET", "k") == b"4"

    async def with_asyncio():
        async with redis.asyncio.Redis(port=server.port, protocol=3) as client:
            quick = AsyncFast.of(client)
            await quick.call("PING")
            await quick._lines._here[1].send(pack(("CLIENT", "TRACKING", "ON", "BCAST")))
            assert await asyncio.gather(*(quick.call("SET", "k", n) for n in range(5)))
            assert await asyncio.gather(*(quick.call("GET", "k") for _ in range(5))) == [b"4"] * 5

    asyncio.run(with_asyncio())


def test_tasks_share_one_connection_and_what_they_ask_in_one_tick_leaves_together(server):
    async def work():
        with Proxy(server.port) as proxy:
            async with connect_async(proxy.url, timeouts=PATIENT) as client:
                quick = AsyncFast.of(client)
                await quick.call("PING")
                proxy.forget()
                for _ in range(3):
                    names = [f"{n}".encode() for n in range(50)]
                    assert await asyncio.gather(*(quick.call("ECHO", n) for n in names)) == names
                return proxy.connections, len(proxy.requests)

    connections, requests = asyncio.run(work())

    assert connections == 0
    assert requests <= 6


def test_more_callers_than_a_link_holds_wait_and_all_are_answered(server, monkeypatch):
    monkeypatch.setattr("redisops.fast.sending.WAITING", 64)

    async def work():
        async with connect_async(server.url, timeouts=PATIENT) as client:
            quick = AsyncFast.of(client)
            await quick.call("PING")
            mux = quick._lines._here[1]
            most = 0

            async def one():
                nonlocal most
                await quick.call("INCR", "n")
                most = max(most, len(mux._slots))

            await asyncio.gather(*(one() for _ in range(500)))
            return most, await quick.call("GET", "n")

    most, total = asyncio.run(work())

    assert most <= 64
    assert total == b"500"


def test_each_event_loop_has_a_connection_of_its_own(server):
    client = connect_async(server.url, timeouts=PATIENT)
    quick = AsyncFast.of(client)

    async def ask():
        number = await quick.call("CLIENT", "ID")
        await quick.aclose()
        return number

    assert asyncio.run(ask()) != asyncio.run(ask())


def test_an_open_breaker_refuses_without_a_packet(server, fast):
    with Proxy(server.port) as proxy:
        quick = fast(proxy.url)
        quick.call("PING")
        proxy.mode("down")
        for _ in range(4):
            with pytest.raises(redis.ConnectionError):
                quick.call("INCR", "n")
        proxy.mode("pass")
        proxy.forget()

        with pytest.raises(CircuitOpen):
            quick.script("counting", ["n"], [1])

        assert proxy.connections == 0


def test_a_unix_socket_and_tls_are_spoken_as_well(tmp_path, fast):
    path = tmp_path / "redis.sock"
    with running("--unixsocket", str(path)):
        quick = fast(f"unix://{path}?db=1")
        assert quick.calls([("SET", "n", 1), ("INCR", "n")]) == [b"OK", 2]

    if REDIS is None:
        pytest.skip("no redis-server with TLS on PATH")
    certificates, port = Certificates(tmp_path), free_port()
    with running(*tls_arguments(certificates, port, clients="no"), binary=REDIS):
        trust = TLS(ca=certificates.path("ca.crt"))
        quick = fast(f"rediss://127.0.0.1:{port}/0", tls=trust)
        big = os.urandom(1_000_000)
        for n in range(3):
            assert quick.call("SET", "big", big) == b"OK"
            assert quick.calls([("GET", "big"), ("ECHO", n)]) == [big, b"%d" % n]
