"""A walk over a cluster: one cursor for each primary, resumable, and honest when one leaves."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redisops import keys
from redisops.connection import Timeouts, connect, connect_async, measure
from redisops.keyspace import AsyncKeyspace, Keyspace
from redisops.values import AsyncValues, Values
from tests.conftest import Settled
from tests.redisops.counting import counted
from tests.servers import Cluster, until

Build = Callable[[Any, Any], Any]


def plain_client(cluster: Cluster) -> redis.RedisCluster:
    """redis-py's own client, to look behind the code under test."""
    return redis.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port)


@pytest.fixture(params=["plain", "blocking", "awaiting"])
def on_cluster(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Build]:
    """``on_cluster(Keyspace, AsyncKeyspace)``: by redis-py's client, and by ours both ways."""
    if request.param != "awaiting":
        client = plain_client(cluster) if request.param == "plain" else connect(cluster.url)
        yield lambda blocking, awaiting: blocking(client)
        client.close()
        return
    loop = asyncio.new_event_loop()
    link = connect_async(cluster.url)
    yield lambda blocking, awaiting: Settled(awaiting(link), loop)
    loop.run_until_complete(link.aclose())
    loop.close()


@pytest.fixture
def filled(cluster: Cluster) -> Cluster:
    """3,000 keys, one list among them, spread over the primaries."""
    with plain_client(cluster) as client:
        pipe = client.pipeline()
        for n in range(2_999):
            pipe.set(f"key:{n}", "x")
        pipe.rpush("list", 1, 2)
        pipe.execute()
    return cluster


def test_a_walk_finds_every_key_of_every_primary(filled: Cluster, on_cluster: Build) -> None:
    keyspace = on_cluster(Keyspace, AsyncKeyspace)

    pages = [keyspace.page(count=500)]
    while pages[-1].cursor:
        pages.append(keyspace.page(count=500, cursor=pages[-1].cursor))

    found = [row for page in pages for row in page.rows]
    assert {row.key for row in found} == {b"key:%d" % n for n in range(2_999)} | {b"list"}
    assert {row.type for row in found} == {"string", "list"}
    assert all(row.missing == frozenset() for row in found)
    assert all(page.total == 3_000 for page in pages)
    assert pages[-1].scanned == 3_000
    assert 450 < len(pages[0].rows) < 700


def test_filters_and_exact_names_work_over_primaries(filled: Cluster, on_cluster: Build) -> None:
    keyspace = on_cluster(Keyspace, AsyncKeyspace)

    assert [row.key for row in keyspace.page(type="list").rows] == [b"list"]
    assert [row.key for row in keyspace.page(match="key:77").rows] == [b"key:77"]
    assert keyspace.page(match="key:77").total == 3_000
    assert len(keyspace.page(match="key:77?").rows) == 10
    assert keyspace.page(ttl="any").rows == []
    assert [r and r.key for r in keyspace.describe([b"list", b"no", b"key:1"])] == [
        b"list", None, b"key:1",
    ]  # fmt: skip


def test_a_level_adds_up_over_primaries(filled: Cluster, on_cluster: Build) -> None:
    level = on_cluster(Keyspace, AsyncKeyspace).level()

    assert [(folder.name, folder.keys) for folder in level.folders] == [(b"key:", 2_999)]
    assert level.keys == [b"list"]
    assert level.cursor is None


def test_at_most_max_scans_over_all_primaries(filled: Cluster, on_cluster: Build) -> None:
    page = on_cluster(Keyspace, AsyncKeyspace).page(match="none*", max_scans=2)

    assert page.scans == 2
    assert page.cursor is not None


def test_each_primary_gets_one_scan_and_its_own_keys(filled: Cluster) -> None:
    with connect(filled.url) as client:
        keyspace = Keyspace(client)
        keyspace.page()
        spent = []
        for node in filled.nodes:
            with node.client() as plain, counted(plain) as one, measure() as cost:
                page = keyspace.page()
            spent.append((one.calls["scan"], one.calls["dbsize"]))

    assert spent == [(1, 1)] * 3
    assert cost.commands == len(page.rows) + 6


def test_a_primary_that_left_is_named_and_the_walk_goes_on(
    filled: Cluster, on_cluster: Build
) -> None:
    keyspace = on_cluster(Keyspace, AsyncKeyspace)
    cursor = keyspace.page().cursor
    version, scanned, places = json.loads(
        base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    )
    taken_over = sorted(places)[0]
    places["10.0.0.1:6379"] = places.pop(taken_over)
    state = json.dumps([version, scanned, places]).encode()

    page = keyspace.page(cursor=base64.urlsafe_b64encode(state).decode().rstrip("="))

    assert page.left == ("10.0.0.1:6379",)
    found = {row.key for row in page.rows}
    assert keyspace.page(cursor=page.cursor).left == ()
    while page.cursor:
        page = keyspace.page(cursor=page.cursor)
        found |= {row.key for row in page.rows}
    # Of the primary that took over everything is found, from its beginning.
    port = int(taken_over.rpartition(":")[2])
    assert {
        key for n in range(2_999) if filled.node_of(keys.slot(key := b"key:%d" % n)).port == port
    } <= found


def test_a_broken_link_is_mended_unseen(filled: Cluster) -> None:
    with connect(filled.url) as client:
        keyspace = Keyspace(client)
        keyspace.page()
        for node in filled.nodes:
            with node.client() as plain:
                plain.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        assert len(keyspace.page().rows) >= 90


def test_values_are_read_where_they_are(filled: Cluster, on_cluster: Build) -> None:
    values = on_cluster(Values, AsyncValues)
    with plain_client(filled) as client:
        client.xadd("stream", {"a": 1})
        client.zadd("zset", {"a": 1})
        client.pfadd("log", *range(10))

    assert [row.value.data for row in values.read(b"list").rows] == [b"1", b"2"]
    assert values.read(b"key:1").data == b"x"
    assert len(values.read(b"stream").rows) == 1
    assert values.read(b"zset").rows[0].member.data == b"a"
    assert values.read(b"log").estimate == 10
    assert values.read(b"gone") is None


def test_a_cursor_of_another_topology_starts_over(filled: Cluster, client: redis.Redis) -> None:
    with plain_client(filled) as plain:
        cursor = Keyspace(plain).page().cursor
    client.set("a", 1)

    page = Keyspace(client).page(cursor=cursor)

    assert [row.key for row in page.rows] == [b"a"]
    assert len(page.left) == 3


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.TimeoutError:
        return False


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_a_primary_that_answers_too_late_is_asked_again(filled: Cluster, kind: str) -> None:
    loop = asyncio.new_event_loop()
    timeouts = Timeouts(connect=5, read=0.3, deadline=20)
    if kind == "blocking":
        client: Any = connect(filled.url, timeouts=timeouts)
        keyspace: Any = Keyspace(client)
    else:
        client = connect_async(filled.url, timeouts=timeouts)
        keyspace = Settled(AsyncKeyspace(client), loop)
    keyspace.page()
    with filled.nodes[1].client() as plain, plain.pipeline(transaction=False) as asleep:
        asleep.execute_command("DEBUG", "SLEEP", "0.45")
        sleeper = threading.Thread(target=asleep.execute)
        sleeper.start()
        with filled.nodes[1].client(socket_timeout=0.02) as other:
            until(lambda: not _answers(other), "it does not sleep")
        try:
            page = keyspace.page()
        finally:
            sleeper.join()

    assert len(page.rows) >= 90
    if kind == "blocking":
        client.close()
    else:
        loop.run_until_complete(client.aclose())
    loop.close()
