"""Clients on real servers: what they say, what they cost, what they know."""

from __future__ import annotations

import threading

import pytest
import redis

from redisops.connection import TLS, Timeouts, measure
from redisops.errors import InvalidArgument, UnknownResult
from redisops.resilience import Cause, diagnose
from tests.faults.proxy import Proxy
from tests.servers import (
    REDIS,
    Certificates,
    RedisProcess,
    free_port,
    restricted,
    running,
    tls_arguments,
)


def test_a_client_reads_and_writes_bytes(server, connecting):
    client = connecting(server.url)

    client.set(b"\x00key", b"\xff")

    assert client.get(b"\x00key") == b"\xff"


def test_connecting_is_one_round_trip_with_everything_switched_on(server, connecting):
    url = restricted(server, "allkeys", "+@all").replace(str(server.port), "{}").replace("/0", "/3")
    with Proxy(server.port) as proxy:
        client = connecting(url.format(proxy.port), touch=False, name="a name")

        client.ping()

        assert proxy.connections == 1
        assert proxy.round_trips == 2  # the handshake, and PING
        told = client.client_list()
    mine = next(row for row in told if row["cmd"].startswith("client"))
    assert (mine["name"], mine["user"], mine["db"]) == ("a-name", "narrow", "3")


def test_no_touch_is_asked_for_where_the_server_knows_it(valkey_process, connecting):
    client = connecting(valkey_process.url, touch=False, name="untouched")

    flags = next(row for row in client.client_list() if row["name"] == "untouched")["flags"]

    assert "T" in flags


def test_a_connection_is_used_again(server, connecting):
    with Proxy(server.port) as proxy:
        client = connecting(proxy.url)

        for _ in range(5):
            client.get("x")

        assert (proxy.connections, proxy.round_trips) == (1, 6)


def test_a_connection_that_the_server_closed_is_replaced_before_a_write(server, connecting):
    client = connecting(server.url)
    client.get("x")
    with server.client() as other:
        other.client_kill_filter(_type="normal", skipme=True)

    assert client.incr("n") == 1


def test_measure_counts_commands_and_round_trips_exactly(server, connecting):
    client = connecting(server.url)
    client.ping()

    with measure() as outer:
        client.get("a")
        with measure() as inner:
            pipe = client.pipeline(transaction=False)
            pipe.get("a")
            pipe.execute_command("DEBUG", "SLEEP", "0.05")  # told by the coarsest clock
            pipe.execute()
        pipe = client.pipeline(transaction=True)
        pipe.get("a")
        pipe.execute()

    assert (inner.commands, inner.round_trips) == (2, 1)
    assert (outer.commands, outer.round_trips) == (6, 3)  # MULTI and EXEC are commands too
    assert outer.seconds >= inner.seconds > 0


def test_measure_agrees_with_the_server(server, connecting):
    client = connecting(server.url)
    client.ping()
    with server.client() as plain:
        before = plain.info("stats")["total_commands_processed"]

        with measure() as cost:
            client.set("a", 1)
            client.mget("a", "b")
            client.pipeline().incr("a").get("a").execute()

        after = plain.info("stats")["total_commands_processed"]
    assert after - before - 1 == cost.commands == 6  # 1: the first INFO itself


def test_connecting_is_no_part_of_the_cost(server, connecting):
    client = connecting(server.url)

    with measure() as cost:
        client.ping()

    assert (cost.commands, cost.round_trips) == (1, 1)


def test_features_are_asked_for_once_in_one_round_trip(server, connecting):
    client = connecting(server.url)
    client.ping()

    with measure() as cost:
        features = client.features()
        assert client.features() is features

    assert (cost.commands, cost.round_trips) == (4, 1)
    assert features.flavour == ("Valkey" if "valkey" in server.binary else "Redis")
    assert features.version[0] >= 6
    assert {"GET", "XINFO STREAM", "CLIENT NO-EVICT"} <= features.commands
    assert "GET" in features.reading and "SET" not in features.reading
    assert (features.mode, features.role, features.modules) == ("standalone", "primary", {})


def test_features_say_in_words_what_the_server_lacks(server, connecting):
    features = connecting(server.url).features()

    assert features.lacks("get") == ""
    assert features.lacks("XINFO STREAM") == ""
    assert features.lacks("HEXPIRE") == f"needs Redis 7.4 or Valkey 9.0; this is {features}"
    assert features.lacks("VADD") == f"needs Redis 8.0; this is {features}"
    assert features.lacks("JSON.GET") == "needs the module ReJSON, which this server has not loaded"
    assert features.lacks("NOSUCH") == f"this server ({features}) has no NOSUCH"


def test_features_are_known_as_far_as_a_narrow_user_may_ask(server, connecting):
    client = connecting(restricted(server, "~x:*", "+get"))

    features = client.features()

    assert features.commands is None
    assert features.version[0] >= 6
    assert features.lacks("GET") == ""
    assert features.lacks("VADD").startswith("needs Redis 8.0")


def test_a_restricted_user_is_told_which_right_is_missing(server, connecting):
    client = connecting(restricted(server, "~x:*", "+get"))

    with pytest.raises(redis.exceptions.NoPermissionError) as refusal:
        client.set("x:1", "v")

    trouble = diagnose(refusal.value)
    assert trouble.cause is Cause.NOPERM
    assert trouble.detail.startswith("NOPERM ") and "'set'" in trouble.detail


def test_a_wrong_password_is_told_apart_from_a_server_that_is_away(server, connecting):
    restricted(server, "+@all")
    client = connecting(f"redis://narrow:wrong-pw@127.0.0.1:{server.port}/0")

    with pytest.raises(redis.AuthenticationError) as refusal:
        client.ping()

    trouble = diagnose(refusal.value)
    assert trouble.cause is Cause.AUTH
    assert trouble.detail.startswith("WRONGPASS ") and "wrong-pw" not in trouble.detail
    assert client.breaker.state == "closed"


def test_a_server_that_wants_a_password_says_so(connecting):
    with running("--requirepass", "secret") as server:
        client = connecting(server.url)

        with pytest.raises(redis.AuthenticationError) as refusal:
            client.get("x")

        assert diagnose(refusal.value).detail.startswith("NOAUTH ")
        assert "gives none" in diagnose(refusal.value).sentence
        assert connecting(server.url, password="secret").ping() is True


def test_an_acl_without_select_refuses_another_database_by_name(server, connecting):
    url = restricted(server, "~*", "+get").replace("/0", "/2")

    with pytest.raises(redis.exceptions.NoPermissionError, match="select"):
        connecting(url).get("x")


def test_a_server_without_hello_is_greeted_the_old_way(connecting):
    arguments = ("--rename-command", "HELLO", "", "--requirepass", "secret")
    with running(*arguments) as server:
        client = connecting(server.url, password="secret", name="old")

        assert client.client_getname() == "old"


def test_a_unix_socket_is_spoken_to(connecting):
    server = RedisProcess()
    path = server.directory / "redis.sock"
    server.arguments = ("--unixsocket", str(path))
    with server:
        client = connecting(f"unix://{path}?db=1")

        client.set("x", 1)

        assert client.client_info()["db"] == 1


def test_a_pool_is_bounded_and_a_caller_waits_for_a_free_connection(server):
    from redisops.connection import connect

    client = connect(server.url, max_connections=2, name="bounded")
    threads = [
        threading.Thread(target=lambda: [client.get("x") for _ in range(50)]) for _ in "12345678"
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = [row for row in client.client_list() if row["name"] == "bounded"]
    client.close()
    assert len(rows) <= 2


async def test_an_asyncio_pool_is_bounded_too(server):
    import asyncio

    from redisops.connection import connect_async

    client = connect_async(server.url, max_connections=2, name="bounded")

    await asyncio.gather(*(client.get("x") for _ in range(100)))

    rows = [row for row in await client.client_list() if row["name"] == "bounded"]
    await client.aclose()
    assert len(rows) <= 2


def test_a_pool_that_stays_in_use_says_so_and_blames_no_server(server):
    from redisops.connection import connect

    client = connect(server.url, max_connections=1)
    client.connection_pool.patience = 0.05
    taken = client.connection_pool.get_connection()

    with pytest.raises(redis.exceptions.MaxConnectionsError) as refusal:
        client.get("x")

    assert "connections that this process keeps" in diagnose(refusal.value).sentence
    assert client.breaker.state == "closed"
    client.connection_pool.release(taken)
    assert client.get("x") is None
    client.close()


def test_a_blocking_command_needs_the_client_for_it(server, connecting):
    client = connecting(server.url, timeouts=Timeouts(connect=20, read=0.5, deadline=20))

    with pytest.raises(InvalidArgument, match=r"BLPOP waits 1.0 s .* use client.blocking\(\)"):
        client.blpop("queue", 1.0)

    assert client.blocking().blpop("queue", 0.2) is None


def test_a_blocking_read_waits_longer_than_the_read_timeout(server, connecting):
    client = connecting(
        server.url, timeouts=Timeouts(connect=20, read=0.05, deadline=20)
    ).blocking()

    assert client.xread({"stream": "$"}, block=150) in ([], None)


def test_a_transaction_watches(server, connecting):
    client = connecting(server.url)
    pipe = client.pipeline()
    pipe.watch("n")
    with server.client() as other:
        other.set("n", 7)
    pipe.multi()
    pipe.incr("n")

    with pytest.raises(redis.WatchError):
        pipe.execute()

    assert client.get("n") == b"7"


def test_an_error_in_a_pipeline_keeps_the_words_and_shows_no_value(server, connecting):
    client = connecting(server.url)
    pipe = client.pipeline(transaction=False)
    pipe.set("a", "hunter2")
    pipe.lpush("a", "hunter3")

    with pytest.raises(redis.ResponseError) as refusal:
        pipe.execute()

    assert str(refusal.value).startswith("WRONGTYPE ")
    assert refusal.value.__notes__ == ["command 2 of the pipeline: LPUSH"]
    assert "hunter" not in str(refusal.value) + str(refusal.value.__notes__)


def test_a_script_is_loaded_again_after_it_was_flushed(server, connecting):
    client = connecting(server.url)
    script = client.register_script("return ARGV[1]")
    target = getattr(client, "target", client)
    call = lambda: script(keys=[], args=["x"], client=target)  # noqa: E731
    settle = connecting.loop.run_until_complete if connecting.awaiting else lambda x: x

    first = settle(call())
    client.script_flush()

    assert [first, settle(call())] == [b"x", b"x"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def encrypted(certificates):
    """A server that demands a client certificate. (The embedded Valkey is built without TLS.)"""
    if REDIS is None:
        pytest.skip("no redis-server with TLS on PATH")
    port = free_port()
    with running(*tls_arguments(certificates, port, clients="yes"), binary=REDIS):
        yield f"rediss://127.0.0.1:{port}/0"


@pytest.mark.parametrize("given", ["path", "text"])
def test_mutual_tls_takes_paths_and_text(encrypted, certificates, connecting, given):
    from pathlib import Path

    def of(name):
        path = certificates.path(name)
        return path if given == "path" else Path(path).read_text()

    tls = TLS(ca=of("ca.crt"), certificate=of("client.crt"), key=of("client.key"))

    assert connecting(encrypted, tls=tls).ping() is True


def test_a_certificate_of_an_unknown_authority_is_refused(encrypted, certificates, connecting):
    client = connecting(encrypted, tls=TLS(ca=certificates.path("other-ca.crt")))

    with pytest.raises(redis.ConnectionError) as refusal:
        client.ping()

    trouble = diagnose(refusal.value)
    assert trouble.cause is Cause.TLS
    assert "certificate verify failed" in trouble.detail.lower()


def test_a_certificate_for_another_name_is_refused_unless_that_name_is_asked_for(
    encrypted, certificates, connecting
):
    own = {"certificate": certificates.path("client.crt"), "key": certificates.path("client.key")}
    ca = certificates.path("ca.crt")

    with pytest.raises(redis.ConnectionError) as refusal:
        connecting(encrypted, tls=TLS(ca=ca, server_name="db.example", **own)).ping()

    assert diagnose(refusal.value).cause is Cause.TLS
    assert connecting(encrypted, tls=TLS(ca=ca, server_name="localhost", **own)).ping() is True


def test_verification_is_only_off_when_it_is_said(encrypted, certificates, connecting):
    own = {"certificate": certificates.path("client.crt"), "key": certificates.path("client.key")}

    with pytest.raises(redis.ConnectionError):
        connecting(encrypted, tls=TLS(**own)).ping()

    assert connecting(encrypted, tls=TLS(verify=False, **own)).ping() is True


def test_plain_words_to_a_tls_port_and_tls_to_a_plain_port_are_explained(
    server, encrypted, connecting
):
    with pytest.raises(redis.RedisError):
        connecting(encrypted.replace("rediss", "redis")).ping()

    timeouts = Timeouts(connect=0.5)
    with pytest.raises((redis.ConnectionError, redis.TimeoutError)) as refusal:
        connecting(server.url.replace("redis", "rediss"), timeouts=timeouts).ping()

    trouble = diagnose(refusal.value)
    assert (
        trouble.cause is Cause.TIMEOUT
    )  # the server waits for the rest of what it takes for words
    assert "does this port speak TLS?" in trouble.detail


def test_unusable_tls_material_is_the_callers_mistake(connecting):
    with pytest.raises(InvalidArgument, match="TLS material is not usable"):
        connecting("rediss://127.0.0.1:1", tls=TLS(ca="-----BEGIN CERTIFICATE-----\nx"))
    with pytest.raises(InvalidArgument, match="use rediss://"):
        connecting("redis://127.0.0.1:1", tls=TLS())


def test_a_host_without_an_address_is_told_apart(connecting):
    client = connecting("redis://no-such-host.invalid:6379")

    with pytest.raises(redis.ConnectionError) as refusal:
        client.incr("n")

    assert not isinstance(refusal.value, UnknownResult)
    assert diagnose(refusal.value).cause is Cause.DNS
