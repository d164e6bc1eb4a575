"""Dumps: every type there and back to the byte, and nothing removed that changed meanwhile."""

from __future__ import annotations

import random
import time

import pytest
import redis

from redisops.connection import connect
from redisops.dumps import AsyncDumps, Dump, Dumps, OutOfReach, TooBig, sending
from redisops.errors import InvalidArgument
from tests.hostile import NAMES, VALUES
from tests.redisops.counting import counted, scripted
from tests.servers import full, replica_of, restricted


@pytest.fixture
def dumps(build):
    return build(Dumps, AsyncDumps)


def seed(client):
    """One key of every type; three of them expire."""
    client.set(b"s\x00\xff", b"\x00" * 2000, px=987_654_321)
    client.hset(b"h", mapping={b"%d" % n: b"x" * n for n in range(200)})
    client.rpush(b"l", *range(3000))
    client.sadd(b"set", *range(1000))
    client.sadd(b"ints", 1, 2, 3)
    client.zadd(b"z", {b"a": 0.1, b"b": float("-inf"), b"\xff": 1e300})
    client.pfadd(b"hll", *range(50))
    for n in range(5):
        client.xadd(b"x", {b"n": n}, id=f"{n + 1}-0")
    client.xgroup_create(b"x", b"g", id="0")
    client.xreadgroup(b"g", b"c", {b"x": ">"}, count=3)
    client.pexpire(b"x", 123_456_789)
    client.pexpire(b"z", 1_000_000)
    return sorted(client.keys("*"))


def all_of(client):
    """Each key's contents, in whatever order a hash table has them, and its expiry."""
    keys = client.keys("*")
    digests = client.execute_command("DEBUG", "DIGEST-VALUE", *keys) if keys else []
    return {key: (one, client.pexpiretime(key)) for key, one in zip(keys, digests, strict=True)}


def test_every_type_goes_and_comes_back_to_the_byte_and_the_millisecond(build_each, client):
    dumps = build_each(Dumps, AsyncDumps)
    keys = seed(client)
    before = all_of(client)

    taken = dumps.take([*keys, b"absent"])

    assert taken.pop() is None
    assert {one.key: one.type for one in taken}[b"x"] == "stream"
    assert dumps.remove(taken) == ["removed"] * len(keys)
    assert client.dbsize() == 0
    assert dumps.restore(taken) == ["restored"] * len(keys)
    assert all_of(client) == before
    assert client.xinfo_groups("x")[0]["pending"] == 3


def test_hostile_names_and_values(dumps, client):
    client.mset(dict(zip(NAMES, VALUES[-len(NAMES) :], strict=True)))
    before = all_of(client)

    taken = dumps.take(NAMES)

    assert set(dumps.remove(taken)) == {"removed"}
    assert set(dumps.restore(taken)) == {"restored"}
    assert all_of(client) == before


def test_a_value_or_an_expiry_that_changed_stays(dumps, client):
    client.mset({"value": 1, "ttl": 1, "gone": 1, "same": 1})
    taken = dumps.take([b"value", b"ttl", b"gone", b"same"])
    client.set("value", 2)
    client.pexpire("ttl", 100_000)
    client.delete("gone")

    assert dumps.remove(taken) == ["changed", "changed", "gone", "removed"]
    assert client.get("value") == b"2" and client.exists("ttl")


def test_restore_overwrites_only_when_told_and_only_what_was_seen(dumps, client):
    client.mset({"a": "old", "b": "old", "c": "old"})
    taken = dumps.take([b"a", b"b", b"c"])
    client.mset({"a": "new", "b": "new"})
    client.delete("c")

    assert dumps.restore(taken) == ["taken", "taken", "restored"]
    client.delete("c")
    seen = dumps.take([b"a", b"b", b"c"])
    client.set("b", "newer")
    assert dumps.restore(taken, over=seen) == ["restored", "taken", "restored"]
    assert client.mget("a", "b", "c") == [b"old", b"newer", b"old"]
    assert dumps.restore(taken[1:2], replace=True) == ["restored"]
    assert client.get("b") == b"old"


def test_restore_under_another_name_leaves_the_first_alone(dumps, client):
    client.set("a", "x", px=500_000)
    taken = dumps.take([b"a"])

    assert dumps.restore(taken, names=[b"copy"]) == ["restored"]

    assert client.pexpiretime("copy") == client.pexpiretime("a")
    with pytest.raises(InvalidArgument, match="2 names"):
        dumps.restore(taken, names=[b"x", b"y"])


def test_what_has_expired_is_said_and_not_written(dumps, client):
    client.set("a", "x")
    [one] = dumps.take([b"a"])
    client.set("a", "still here")
    over = one._replace(expires_at=1)

    assert dumps.restore([over], replace=True) == ["expired"]
    assert client.get("a") == b"still here"
    assert abs(dumps.now() / 1000 - time.time()) < 60


def test_payloads_of_another_version_and_damaged_ones_are_incompatible(dumps, client):
    client.set("a", "x")
    [one] = dumps.take([b"a"])
    newer = one._replace(payload=one.payload[:-10] + b"\xff\xff" + one.payload[-8:])
    damaged = one._replace(payload=one.payload[:-1] + b"\x00")

    results = dumps.restore([newer, damaged, one], names=[b"n", b"d", b"ok"])

    assert [result.partition(":")[0] for result in results[:2]] == ["incompatible"] * 2
    assert "Restore it to" in results[0]
    assert results[2] == "restored"


def test_what_is_too_big_is_not_taken(dumps, client):
    client.set("big", random.Random(1).randbytes(20_000))
    client.hset("huge", mapping={f"{n}": "v" * 100 for n in range(2000)})
    client.set("small", "x")

    big, huge, small = dumps.take([b"big", b"huge", b"small"], max_bytes=12_000)

    assert isinstance(big, TooBig) and big.size > 12_000
    assert isinstance(huge, TooBig) and huge.type == "hash"
    assert isinstance(small, Dump)
    with pytest.raises(InvalidArgument):
        dumps.take([b"a"], max_bytes=0)


def test_large_values_travel_apart_and_a_budget_ends_early(dumps, client, monkeypatch):
    monkeypatch.setattr("redisops.dumps.taking.TRIP_BYTES", 100_000)
    monkeypatch.setattr("redisops.dumps.taking.LEAST_BYTES", 50_000)
    keys = [b"k%d" % n for n in range(6)]
    for key in keys:
        client.set(key, random.Random(1).randbytes(60_000))
    sizes = [one.size for one in dumps.take(keys)]

    assert len(sizes) == 6
    assert len(dumps.take(keys, budget=sizes[0] * 2)) == 2
    assert len(dumps.take(keys, budget=1)) == 1


def test_a_thousand_small_keys_cost_one_trip_each_way(client, server):
    keys = [b"k%d" % n for n in range(1000)]
    client.mset(dict.fromkeys(keys, b"x"))
    link = connect(server.url)
    library = Dumps(link)
    library.remove(library.take([b"absent"]) and [])
    from redisops.connection import measure

    with measure() as cost, counted(client) as spent:
        taken = library.take(keys)
        results = library.remove(taken)

    assert results == ["removed"] * 1000
    assert cost.round_trips == 2
    assert scripted(spent) == 2 * 1000 // sending.CALL_KEYS
    link.close()


def test_forgotten_scripts_are_sent_again(dumps, client):
    client.set("a", "x")
    dumps.remove(dumps.take([b"a"]))
    client.set("a", "y")
    seen = dumps.take([b"a"])
    client.script_flush()

    taken = dumps.take([b"a"])
    client.script_flush()

    assert dumps.remove(taken) == ["removed"]
    client.set("a", "y")
    client.script_flush()
    assert dumps.restore(taken, over=seen) == ["restored"]


def test_without_scripts_it_takes_by_commands_and_removes_nothing(client, server):
    keys = seed(client)
    url = restricted(server, "~*", "+@read", "-@dangerous", "+ping")
    narrow = Dumps(connect(url))

    taken = narrow.take([*keys, b"absent"])

    assert taken == Dumps(client).take([*keys, b"absent"])
    assert isinstance(narrow.take([b"h"], max_bytes=100)[0], TooBig)
    with pytest.raises(redis.exceptions.NoPermissionError):
        narrow.remove([one for one in taken if one])
    assert client.dbsize() == len(keys)


def test_a_key_out_of_reach_holds_up_no_other(client, server):
    client.mset({"mine:1": "x", "theirs": "y", "mine:2": "z"})
    url = restricted(server, "~mine:*", "+@all")
    narrow = Dumps(connect(url))
    every = [b"mine:1", b"theirs", b"mine:2"]

    one, other, two = narrow.take(every)

    assert isinstance(other, OutOfReach) and "NOPERM" in other.why
    known = Dumps(client).take(every)
    results = narrow.remove(known)
    assert (results[0], results[2]) == ("removed", "removed")
    assert results[1].startswith("refused: NOPERM")
    assert client.keys("*") == [b"theirs"]
    restored = narrow.restore([one, known[1]], names=[b"mine:1", b"elsewhere"])
    assert restored[0] == "restored" and restored[1].startswith("refused: NOPERM")
    assert isinstance(two, Dump)


def test_a_read_only_replica_refuses_as_a_whole(server, client):
    client.set("a", "x")
    with replica_of(server) as replica:
        library = Dumps(connect(replica.url))
        taken = library.take([b"a"])

        with pytest.raises(redis.exceptions.ReadOnlyError):
            library.remove(taken)
        with pytest.raises(redis.exceptions.ReadOnlyError):
            library.restore(taken, names=[b"b"])
    assert client.get("a") == b"x"


def test_a_full_server_still_removes_and_refuses_to_restore(dumps, client, server):
    client.set("a", "x" * 1000)
    taken = dumps.take([b"a"])
    full(server)
    try:
        assert dumps.remove(taken) == ["removed"]
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            dumps.restore(taken)
    finally:
        client.config_set("maxmemory", 0)
    assert dumps.restore(taken) == ["restored"]


@pytest.mark.parametrize("is_awaiting", [False, True])
def test_on_a_cluster_keys_of_all_nodes_at_once(cluster, is_awaiting):
    from tests.clients import Connecting

    connecting = Connecting(awaiting=is_awaiting)
    link = connecting(cluster.url)
    raw = link.target if is_awaiting else link
    kind = AsyncDumps if is_awaiting else Dumps
    library = kind(raw)

    def settled(call):
        return connecting.loop.run_until_complete(call) if is_awaiting else call

    keys = [b"k%d" % n for n in range(60)] + [b"{t}%d" % n for n in range(5)]
    for key in keys:
        link.set(key, b"v" + key, px=5_000_000)
    taken = settled(library.take([*keys, b"absent"]))
    link.set(b"k0", "changed")

    results = settled(library.remove(taken[:-1]))

    assert results == ["changed", *["removed"] * 64]
    assert settled(library.restore(taken[:-1])) == ["taken", *["restored"] * 64]
    assert [link.get(key) for key in keys[1:]] == [b"v" + key for key in keys[1:]]
    seen = settled(library.take(keys))
    assert settled(library.restore(taken[:-1], over=seen)) == ["restored"] * 65
    assert link.get(b"k0") == b"vk0"
    assert settled(library.now()) > 1_000_000
    connecting.close()


def test_a_budget_reads_no_large_value_in_vain(client):
    keys = [b"k%d" % n for n in range(40)]
    for key in keys:
        client.set(key, random.Random(1).randbytes(200_000))
    library = Dumps(client)
    found = []

    with counted(client) as spent:
        while len(found) < len(keys):
            found += library.take(keys[len(found) :], budget=800_000)

    assert [one.key for one in found] == keys
    assert spent.calls["dump"] < 2 * len(keys)
