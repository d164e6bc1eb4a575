"""Clusters and Sentinels: found lazily, followed when they change, survived in part."""

from __future__ import annotations

import contextlib

import pytest
import redis

from redisops.connection import Timeouts, measure
from redisops.errors import CircuitOpen, UnknownResult
from redisops.resilience import Cause, CircuitBreaker, diagnose
from tests.faults.proxy import Proxy
from tests.servers import REDIS, VALKEY, Cluster, Watched, free_port, running, until

QUICK = Timeouts(connect=1.0, read=0.25, deadline=2.0)


@pytest.fixture
def watchful_cluster():
    """A cluster of the test's own that notices within a second or two."""
    with Cluster(node_timeout=500) as nodes:
        yield nodes


def test_a_cluster_is_used_like_one_server(cluster, connecting):
    client = connecting(cluster.url)

    for n in range(30):
        client.set(f"k{n}", n)

    assert client.get("k7") == b"7"
    assert client.topology == "cluster"
    assert client.features().mode == "cluster"
    assert sorted(node.dbsize() > 0 for node in client.primaries()) == [True] * 3
    assert sum(node.dbsize() for node in client.primaries()) == 30


def test_connecting_to_a_cluster_that_is_away_fails_at_the_first_command_not_before(connecting):
    client = connecting("redis+cluster://127.0.0.1:1,127.0.0.1:2", timeouts=QUICK)

    for call in (lambda: client.get("x"), lambda: client.primaries(), lambda: client.incr("n")):
        with pytest.raises(redis.ConnectionError) as refusal:
            call()
        assert not isinstance(refusal.value, UnknownResult)

    assert diagnose(refusal.value).cause in (Cause.UNREACHABLE, Cause.OPEN_CIRCUIT)
    with pytest.raises(CircuitOpen):
        client.get("x")


def test_a_cluster_pipeline_is_one_round_trip_per_node(cluster, connecting):
    client = connecting(cluster.url)
    client.set("k1", 1)
    pipe = client.pipeline(transaction=False)
    for n in range(30):
        pipe.incr(f"n{n}")

    with measure() as cost:
        replies = pipe.execute()

    assert replies == [1] * 30
    assert (cost.commands, cost.round_trips) == (30, 3)


def test_an_error_in_a_cluster_pipeline_keeps_the_words_and_shows_no_value(cluster, connecting):
    client = connecting(cluster.url)
    client.set("k1", "hunter2")
    pipe = client.pipeline(transaction=False)
    pipe.get("k1")
    pipe.lpush("k1", "hunter3")

    with pytest.raises(redis.ResponseError) as refusal:
        pipe.execute()

    assert str(refusal.value).startswith("WRONGTYPE ")
    assert refusal.value.__notes__ == ["command 2 of the pipeline: LPUSH"]

    pipe.get("k1")
    pipe.lpush("k1", "x")
    value, error = pipe.execute(raise_on_error=False)
    assert value == b"hunter2" and isinstance(error, redis.ResponseError)


def test_keys_in_two_slots_are_told_apart(cluster, connecting):
    client = connecting(cluster.url)

    with pytest.raises(redis.RedisError) as refusal:
        client.eval("return 1", 2, "a", "b")

    assert diagnose(refusal.value).cause in (Cause.CROSSSLOT, Cause.OTHER)


def test_a_plain_client_on_a_cluster_node_is_told_where_the_key_lives(cluster, connecting):
    client = connecting(cluster.nodes[0].url)
    key = cluster.key_on(cluster.nodes[2])

    with pytest.raises(redis.exceptions.MovedError) as refusal:
        client.get(key)

    trouble = diagnose(refusal.value)
    assert trouble.cause is Cause.MOVED
    assert trouble.detail.endswith(f"127.0.0.1:{cluster.nodes[2].port}")


def test_a_slot_that_moves_is_followed_both_while_and_after_it_moves(cluster, connecting):
    client = connecting(cluster.url)
    key, source, target = cluster.to_move()
    client.set(key, 1)
    with source.client() as old, target.client() as new:
        slot = old.cluster("KEYSLOT", key)
        ids = [plain.execute_command("CLUSTER", "MYID").decode() for plain in (old, new)]
        new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        old.migrate("127.0.0.1", target.port, key, 0, 1000)

        assert client.get(key) == b"1"  # ASK
        assert client.incr(key) == 2

        for node in cluster.nodes:
            with node.client() as plain:
                plain.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[1])

    assert client.incr(key) == 3  # MOVED
    assert client.pipeline(transaction=False).incr(key).get(key).execute() == [4, b"4"]


@pytest.mark.parametrize("piped", [False, True])
def test_a_write_on_a_cluster_whose_reply_is_lost_is_done_once(
    cluster, connecting, monkeypatch, piped
):
    node = cluster.nodes[0]
    key = cluster.key_on(node)
    with Proxy(node.port) as proxy:
        client = connecting(cluster.url)
        client.get(key)
        _send_through(client, node.port, proxy.port)
        proxy.mode("lose_reply", match=b"INCR")

        with pytest.raises(UnknownResult):
            if piped:
                client.pipeline(transaction=False).incr(key).execute()
            else:
                client.incr(key)

        assert sum(b"INCR" in sent for sent in proxy.requests) == 1
    with node.client() as plain:
        assert plain.get(key) == b"1"


def _send_through(client, port, other):
    """Let a cluster client's links to ``port`` go to ``other`` from now on."""
    target = getattr(client, "target", client)
    for node in target.get_primaries():
        if node.port != port:
            continue
        if target is client:
            pool = node.redis_connection.connection_pool
            pool.connection_kwargs["port"] = other
            pool.disconnect()
            for link in pool._available_connections:
                link.port = other
        else:
            node.connection_kwargs["port"] = other
            client.connecting.loop.run_until_complete(node.disconnect())
            for link in node._connections:
                link.port = other


def test_one_stopped_node_leaves_the_others_usable_and_gets_a_breaker_of_its_own(
    cluster, connecting
):
    client = connecting(cluster.url, timeouts=QUICK)
    sick, well = cluster.nodes[0], cluster.nodes[1]
    bad, good = cluster.key_on(sick), cluster.key_on(well)
    client.get(bad), client.get(good)
    sick.pause()
    try:
        seen = set()
        for _ in range(6):
            with pytest.raises(redis.RedisError) as refusal:
                client.get(bad)
            seen.add(type(refusal.value))
            if isinstance(refusal.value, CircuitOpen):
                break
        else:
            raise AssertionError(f"the node's breaker did not open: {seen}")

        for _ in range(20):  # a busy machine may need a second try now and then, never each time
            with measure() as cost:
                assert client.get(good) is None
            if cost.round_trips == 1:
                break
        assert cost.round_trips == 1
        assert client.breaker.state == "closed"
    finally:
        sick.resume()


def test_a_dead_primary_of_three_is_a_cluster_that_is_down(watchful_cluster, connecting):
    client = connecting(watchful_cluster.url, breaker=CircuitBreaker("c", failures=99, rate=2))
    dead, alive = watchful_cluster.nodes[:2]
    key = watchful_cluster.key_on(alive)
    client.get(key)
    dead.kill()
    with alive.client() as plain:
        until(
            lambda: plain.cluster("INFO")["cluster_state"] == "fail", "the cluster did not notice"
        )

    with pytest.raises(redis.exceptions.ClusterDownError) as refusal:
        client.get(key)

    assert diagnose(refusal.value).cause is Cause.CLUSTERDOWN
    assert len(client.primaries()) == 3  # what is known is still shown


@pytest.fixture(scope="module")
def all_watched():
    """``all_watched(binary)``: one set of servers for all tests that leave them whole."""
    started = {}
    with contextlib.ExitStack() as stack:

        def of(binary):
            if binary not in started:
                started[binary] = stack.enter_context(Watched(binary))
            return started[binary]

        yield of


@pytest.fixture
def watched(request, all_watched):
    binary = getattr(request, "param", VALKEY)
    if binary is None:
        pytest.skip("no redis-server on PATH")
    servers = all_watched(binary)
    servers.steady()
    return servers


@pytest.fixture
def own_watched():
    """Servers of the test's own, to break."""
    with Watched() as servers:
        yield servers


@pytest.mark.parametrize("watched", [VALKEY, REDIS], ids=["valkey", "redis"], indirect=True)
def test_a_failover_is_followed_by_the_next_command(watched, connecting):
    client = connecting(watched.url)
    client.set("x", 1)
    with watched.replica.client() as plain:
        until(lambda: plain.get("x") == b"1", "it was not replicated")
    assert client.topology == "sentinel"

    watched.fail_over()

    assert client.set("x", 2) is True  # READONLY on the old link, then the new primary
    assert client.get("x") == b"2"
    with watched.replica.client() as plain:
        assert plain.get("x") == b"2"


@pytest.mark.parametrize("transaction", [False, True])
def test_a_pipeline_follows_a_failover(watched, connecting, transaction):
    client = connecting(watched.url)
    client.ping()

    watched.fail_over()

    assert client.pipeline(transaction=transaction).get("x").incr("n").execute() == [None, 1]


def test_the_primary_is_looked_up_once_and_then_readonly_is_explained(watched, connecting):
    client = connecting(watched.url)
    client.ping()
    for sentinel in watched.sentinels:
        sentinel.pause()  # they would put it right
    with watched.primary.client() as plain:
        plain.replicaof("127.0.0.1", watched.replica.port)
    for sentinel in watched.sentinels[:1]:
        sentinel.resume()

    with measure() as cost, pytest.raises(redis.exceptions.ReadOnlyError) as refusal:
        client.incr("n")

    assert diagnose(refusal.value).cause is Cause.READONLY
    assert cost.commands == 2
    for sentinel in watched.sentinels[1:]:
        sentinel.resume()


def test_after_the_primary_died_writes_go_on_as_soon_as_sentinel_names_another(
    own_watched, connecting
):
    client = connecting(own_watched.url, breaker=CircuitBreaker("shop", probe_every=0.5))
    client.set("x", 1)
    own_watched.primary.kill()
    with pytest.raises(redis.ConnectionError):
        client.set("x", 2)

    own_watched.wait_for_primary(own_watched.replica.port)

    assert client.breaker.retry_after <= 0.5
    until(lambda: client.set("x", 2) is True, "no write after the failover")


def test_a_service_that_no_sentinel_knows_is_explained(watched, connecting):
    client = connecting(watched.url.replace("/shop/", "/shopp/"))

    with pytest.raises(redis.ConnectionError) as refusal:
        client.incr("n")

    trouble = diagnose(refusal.value)
    assert trouble.sentence == "Sentinel names no healthy primary for this service."
    assert trouble.detail.count("no such service") == 3
    assert trouble.sent is False


def test_dead_sentinels_are_passed_over(watched, connecting):
    """One is stopped, one gone; neither keeps a client from its server."""
    stopped, _, well = watched.sentinels
    stopped.pause()
    addresses = (stopped.port, free_port(), well.port)
    url = "redis+sentinel://" + ",".join(f"127.0.0.1:{port}" for port in addresses) + "/shop/0"
    client = connecting(url, timeouts=Timeouts(connect=1.0, read=1.0, deadline=20.0))

    assert client.set("x", 1) is True

    stopped.resume()


def test_a_server_that_is_no_cluster_says_so(connecting):
    with running() as server:
        client = connecting(server.url.replace("redis://", "redis+cluster://").replace("/0", ""))

        with pytest.raises(redis.RedisError) as refusal:
            client.get("x")

    assert "cluster" in diagnose(refusal.value).detail.lower()
