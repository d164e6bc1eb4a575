"""Edits when something is wrong: lost replies, rights, full and read-only servers, slots, races."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redisops import edits as e
from redisops.connection import connect, measure
from redisops.connection.features import Features
from redisops.dumps import Dump, Dumps
from redisops.edits import (
    OPERATIONS,
    AsyncEdits,
    Conflict,
    Edit,
    Edits,
    Exists,
    Missing,
    Refused,
    Saved,
    Seen,
    transfer,
    transfer_async,
)
from redisops.errors import UnknownResult
from tests.clients import Connecting
from tests.conftest import Settled
from tests.faults.proxy import Proxy
from tests.servers import Cluster, RedisProcess, full, replica_of, restricted

OLD = Seen.of(b"old")
LATER = 2_000_000_000_123


def over(connecting: Connecting, url: str) -> Any:
    """Edits through a client of ours, blocking or awaiting."""
    client = connecting(url)
    if connecting.awaiting:
        return Settled(AsyncEdits(client.target), connecting.loop)
    return Edits(client)


@pytest.fixture
def shop(valkey_process: RedisProcess) -> RedisProcess:
    valkey_process.reset()
    return valkey_process


@pytest.fixture
def plain(shop: RedisProcess) -> Iterator[redis.Redis]:
    with shop.client() as client:
        yield client


# Lost replies. Each edit with what it changes, read back from the server.
LOST: list[tuple[Edit, Callable[[redis.Redis], Any], str]] = [
    (e.SetString(b"s", b"new", OLD), lambda c: c.get("s"), "done"),
    (e.AppendString(b"s", b"+", OLD), lambda c: c.get("s"), "done"),
    (e.SetField(b"h", b"f", b"new", OLD), lambda c: c.hgetall("h"), "done"),
    (e.DeleteField(b"h", b"f", OLD), lambda c: c.hgetall("h"), "done"),
    (e.PushElement(b"l", b"x"), lambda c: c.lrange("l", 0, -1), "unclear"),
    (e.RemoveElement(b"l", 1, Seen.of(b"a")), lambda c: c.lrange("l", 0, -1), "unclear"),
    (e.AddMember(b"e", b"x"), lambda c: c.smembers("e"), "done"),
    (e.SetScore(b"z", b"m", 2.0, 1.0), lambda c: c.zscore("z", "m"), "done"),
    (e.AddEntry(b"x", ((b"n", b"2"),)), lambda c: c.xlen("x"), "unclear"),
    (e.Expire(b"s", LATER), lambda c: c.pexpiretime("s"), "done"),
    (e.Rename(b"s", b"new"), lambda c: c.exists("new"), "done"),
    (e.Create(b"new", "string", ((b"1",),)), lambda c: c.get("new"), "unclear"),
]


def fill(client: redis.Redis) -> None:
    client.flushall()
    client.set("s", "old")
    client.hset("h", mapping={"f": "old", "g": ""})
    client.rpush("l", "a", "a", "b")
    client.sadd("e", "a")
    client.zadd("z", {"m": 1})
    client.xadd("x", {"n": "1"})


def test_a_lost_reply_is_unknown_and_the_edit_is_done_once(
    shop: RedisProcess, plain: redis.Redis, connecting: Connecting
) -> None:
    """The server did it, the answer is lost: nothing is sent again, and `check` finds out."""
    with Proxy(shop.port) as proxy:
        edits = over(connecting, proxy.url)
        for edit, look, verdict in LOST:
            fill(plain)
            assert isinstance(edits.apply(edit, dry=True), Saved)  # the script is known by now
            untouched = look(plain)
            proxy.mode("lose_reply", match=b"EVALSHA")

            with pytest.raises(UnknownResult):
                edits.apply(edit)

            proxy.heal()
            after = look(plain)
            assert after != untouched, edit
            assert edits.check(edit) == verdict, edit
            assert look(plain) == after


def test_an_edit_that_never_arrived_is_told_from_one_that_did(plain: redis.Redis) -> None:
    for edit, *_ in LOST:
        fill(plain)

        assert Edits(plain).check(edit) == ("unclear" if edit.repeats else "not done"), edit


def test_what_another_person_wrote_meanwhile_is_no_proof(plain: redis.Redis) -> None:
    fill(plain)
    plain.set("s", "from bob")

    assert Edits(plain).check(e.SetString(b"s", b"new", OLD)) == "unclear"
    plain.delete("s")
    assert Edits(plain).check(e.SetString(b"s", b"new", OLD)) == "unclear"


# What the server refuses.


def test_a_read_only_server_refuses_in_words(shop: RedisProcess, plain: redis.Redis) -> None:
    fill(plain)
    with replica_of(shop) as replica, connect(replica.url) as client:
        outcome = Edits(client).apply(e.SetString(b"s", b"new", OLD))

    assert isinstance(outcome, Refused)
    assert "Nothing was changed." in outcome.reason and outcome.instead
    assert "READONLY" in outcome.detail


def test_a_full_server_refuses_and_nothing_is_half_done(
    shop: RedisProcess, plain: redis.Redis
) -> None:
    fill(plain)
    full(shop)
    try:
        for edit, look, _ in LOST:
            if isinstance(edit, e.Rename):
                continue
            before = look(plain)
            outcome = Edits(plain).apply(edit)
            if not isinstance(outcome, Saved):  # what frees memory or takes none goes through
                assert isinstance(outcome, Refused) and "OOM" in outcome.detail
                assert look(plain) == before
    finally:
        plain.config_set("maxmemory", 0)


@pytest.mark.parametrize(
    ("rules", "edit"),
    [
        (("~*", "+@read", "-@dangerous", "+ping"), e.SetField(b"h", b"f", b"new", OLD)),
        (("~*", "+@all", "-hset"), e.SetField(b"h", b"f", b"new", OLD)),
        (("~*", "+@all", "-lrem"), e.RemoveElement(b"l", 1, Seen.of(b"a"))),
        (("~*", "+@all", "-linsert"), e.InsertElement(b"l", 1, b"x", Seen.of(b"a"))),
        (("~*", "+@all", "-pexpireat"), e.Create(b"new", "list", ((b"x",),), LATER)),
        (("~other:*", "+@all"), e.SetField(b"h", b"f", b"new", OLD)),
    ],
)
def test_a_missing_right_is_refused_and_leaves_nothing_half_done(
    rules: tuple[str, ...], edit: Edit, shop: RedisProcess, plain: redis.Redis
) -> None:
    fill(plain)
    with connect(restricted(shop, *rules)) as client:
        outcome = Edits(client).apply(edit)

    assert isinstance(outcome, Refused) and "Nothing was changed." in outcome.reason
    assert plain.lrange("l", 0, -1) == [b"a", b"a", b"b"]
    assert plain.hgetall("h") == {b"f": b"old", b"g": b""}
    assert not plain.exists("new")


def test_a_server_that_lost_its_scripts_gets_them_again(plain: redis.Redis) -> None:
    plain.hset("h", "f", "old")
    for _ in range(2):
        plain.script_flush()
        assert isinstance(Edits(plain).apply(e.AddMember(b"h", b"x")), Conflict)


# Races and cost.


def test_of_many_at_once_exactly_one_saves(shop: RedisProcess, plain: redis.Redis) -> None:
    plain.hset("h", "f", "old")
    outcomes: list[Any] = []

    def save(number: int) -> None:
        with shop.client() as client:
            edit = e.SetField(b"h", b"f", b"%d" % number, OLD)
            outcomes.append((number, Edits(client).apply(edit)))

    threads = [threading.Thread(target=save, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [winner] = [number for number, outcome in outcomes if isinstance(outcome, Saved)]
    losers = [outcome for _, outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(losers) == 19
    assert plain.hget("h", "f") == b"%d" % winner
    assert {outcome.now.data for outcome in losers} == {b"%d" % winner}


def test_an_edit_is_one_round_trip_and_few_commands_whatever_the_size(
    shop: RedisProcess, plain: redis.Redis
) -> None:
    plain.zadd("small", {"m": 1, "n": 2})
    plain.zadd("big", {f"m{n}": n for n in range(20_000)} | {"m": 1})
    spent = []
    with connect(shop.url) as client:
        edits = Edits(client)
        edits.apply(e.SetScore(b"gone", b"m", 2.0, 1.0))
        for key in (b"small", b"big"):
            with measure() as cost:
                assert isinstance(edits.apply(e.SetScore(key, b"m", 2.0, 1.0)), Saved)
            spent.append((cost.round_trips, cost.commands))

    assert spent == [(1, 1), (1, 1)]


# Names in other slots, on other servers.


def test_a_cluster_edits_each_key_and_says_what_to_do_across_slots(
    cluster: Cluster, connecting: Connecting
) -> None:
    edits = over(connecting, cluster.url)
    keys = [b"k%d" % n for n in range(12)]

    for key in keys:
        assert isinstance(edits.apply(e.Create(key, "hash", ((b"f", b"old"),))), Saved)
        assert isinstance(edits.apply(e.SetField(key, b"f", b"new", OLD)), Saved)
    refused = edits.apply(e.Rename(b"k1", b"other"))
    same = edits.apply(e.Rename(b"k1", b"{k1}:new"))

    assert isinstance(refused, Refused) and "different slots" in refused.reason
    assert "delete the old one" in refused.instead
    assert isinstance(same, Saved)


def test_a_key_is_copied_to_another_slot(cluster: Cluster, connecting: Connecting) -> None:
    edits, client = over(connecting, cluster.url), connecting(cluster.url)
    edits.apply(e.Create(b"k1", "zset", ((b"m", b"inf"),), LATER))
    edits.apply(e.Create(b"taken", "string", ((b"",),)))

    def copy(edit: e.Copy) -> Any:
        if connecting.awaiting:
            return connecting.loop.run_until_complete(
                transfer_async(client.target, edit, client.target)
            )
        return transfer(client, edit, client)

    copied = copy(e.Copy(b"k1", b"other", kind="zset"))
    assert isinstance(copied, Saved)
    assert isinstance(edits.apply(e.RemoveScore(b"other", b"m", float("inf")), dry=True), Saved)
    assert edits.check(e.Expire(b"other", LATER)) == "done"
    assert isinstance(copy(e.Copy(b"k1", b"taken")), Exists)
    assert isinstance(copy(e.Copy(b"k1", b"other2", kind="hash")), Conflict)
    assert copy(e.Copy(b"gone", b"other2")) == Missing()


def test_a_copy_overwrites_only_what_was_kept(
    shop: RedisProcess, plain: redis.Redis, redis_process: RedisProcess
) -> None:
    redis_process.reset()
    plain.set("k", "mine")
    with redis_process.client() as other:
        other.set("k", "theirs")
        [kept] = Dumps(other).take([b"k"])
        assert isinstance(kept, Dump)
        other.set("k", "written since")
        copy = e.Copy(b"k", b"k2", replace=True)
        other.rename("k", "k2")

        refused = transfer(plain, copy, other, over=kept)
        [kept] = Dumps(other).take([b"k2"])
        assert isinstance(kept, Dump)
        too_big = transfer(plain, copy, other, over=kept, max_bytes=5)
        done = transfer(plain, copy, other, over=kept)

        assert isinstance(refused, Exists)
        assert isinstance(too_big, Refused) and too_big.instead
        if isinstance(done, Refused):  # an older server does not read a newer one's payload
            assert "cannot read" in done.reason
        else:
            assert isinstance(done, Saved) and other.get("k2") == b"mine"


# What a server lacks.


def test_controls_are_greyed_with_the_reason() -> None:
    common = {"EVALSHA", "SET", "HSET", "RENAMENX"}
    old = Features((6, 0), "Redis", frozenset(common), {})
    new = Features((8, 2), "Redis", None, {"ReJSON": 1})

    assert "7.4" in Edits.lacks(old, "hash.expire")
    assert "6.2" in Edits.lacks(old, "copy")
    assert "module ReJSON" in Edits.lacks(old, "json.set")
    assert "module ReJSON" in Edits.lacks(old, "create", "json")
    assert "8.0" in Edits.lacks(old, "vectorset.add")
    assert Edits.lacks(old, "create", "hash") == ""
    assert [name for name in OPERATIONS if Edits.lacks(new, name)] == []


def test_the_test_servers_do_what_is_not_greyed(server: RedisProcess) -> None:
    """What the features promise: an operation that is not greyed is never unknown there."""
    with connect(server.url) as client:
        features = client.features()
        for operation in OPERATIONS:
            lacking = Edits.lacks(features, operation)
            expected = operation.split(".")[0] in ("json", "vectorset") or (
                operation == "hash.expire"
            )
            assert bool(lacking) == expected, (operation, lacking)
