"""Many keys in one pipeline: a word for each, and what had been done when the reply was lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from redisops.bulk import AsyncBulk, Bulk
from redisops.connection import connect
from redisops.dumps import Dumps
from redisops.errors import InvalidArgument
from redisops.sweeps import AsyncMeasure, AsyncSweep, Measure, Sweep
from tests.hostile import NAMES
from tests.redisops.counting import counted
from tests.servers import Cluster, busy, full, replica_of, restricted

KEYS = [b"k:" + name for name in dict.fromkeys(NAMES)]
TOMORROW = int(time.time() * 1000) + 86_400_000


@pytest.fixture
def bulk(build: Callable[..., Any]) -> Any:
    return build(Bulk, AsyncBulk)


@pytest.fixture
def keys(client: redis.Redis) -> list[bytes]:
    """Hostile names, every second one with an expiry."""
    for n, key in enumerate(KEYS):
        client.set(key, key, ex=600 if n % 2 else None)
    return KEYS


def test_each_key_expires_at_its_own_time(bulk, keys, client):
    times = [TOMORROW + n for n in range(len(keys))]

    with counted(client) as spent:
        words = bulk.expire([*keys, b"absent"], [*times, TOMORROW])

    assert words == ["set"] * len(keys) + ["gone"]
    assert spent.calls == {"pexpireat": len(keys) + 1, "time": 1}
    assert bulk.expiries([*keys, b"absent"]) == [*times, -2]
    assert bulk.look_expire([*keys, b"absent"], [*times, 1]) == words


def test_a_time_that_is_past_is_refused_before_it_deletes(bulk, keys, client):
    with pytest.raises(InvalidArgument, match="past"):
        bulk.expire(keys[:1], [int(time.time() * 1000) - 1])

    assert client.exists(keys[0])


def test_a_time_that_is_past_by_the_servers_clock_is_refused_too(bulk, keys, client, monkeypatch):
    """The clock here is an hour behind: what is still to come here would delete there."""
    soon, now = int(time.time() * 1000) - 60_000, time.time()
    monkeypatch.setattr("redisops.bulk.time", SimpleNamespace(time=lambda: now - 3600))

    with pytest.raises(InvalidArgument, match="past"):
        bulk.expire(keys[:1], [soon])

    assert client.exists(keys[0])


def test_persist_and_look_tell_what_had_an_expiry(bulk, keys, client):
    timed = keys[1::2]
    assert bulk.look_persist(timed) == [""] * len(timed)

    words = bulk.persist(keys)

    assert words == ["persisted" if n % 2 else "unchanged" for n in range(len(keys))]
    assert bulk.look_persist([*timed, b"absent"]) == ["persisted"] * len(timed) + ["gone"]


def test_renaming_overwrites_nothing_unless_told(bulk, client):
    client.mset({"a:1": 1, "a:2": 2, "z:2": "theirs"})
    pairs = [(b"a:1", b"z:1"), (b"a:2", b"z:2"), (b"a:3", b"z:3")]
    there = bulk.exist([new for _, new in pairs])

    assert bulk.rename(pairs) == ["renamed", "taken", "gone"]
    assert bulk.look_rename(pairs, there) == ["renamed", "taken", "gone"]
    taken = Dumps(client).take([new for _, new in pairs])
    client.mset({"a:1": "again", "a:3": 3, "z:1": "newer", "z:3": "new"})
    assert bulk.rename(pairs, over=taken) == ["taken", "renamed", "taken"]
    assert client.mget("z:1", "z:2", "z:3") == [b"newer", b"2", b"new"]
    assert bulk.rename(pairs[1:2], over=taken[1:2]) == ["gone"]
    assert bulk.look_rename(pairs[1:2], [False]) == ["renamed"]


def test_looking_finds_what_was_not_done(bulk, keys, client):
    pairs = [(key, b"z:" + key) for key in keys]
    bulk.rename(pairs[: len(pairs) // 2])

    words = bulk.look_rename(pairs, [False] * len(pairs))

    half = len(pairs) // 2
    assert words == ["renamed"] * half + [""] * (len(pairs) - half)


def test_unlink_says_what_was_there(bulk, keys, client):
    assert bulk.unlink([*keys, b"absent"]) == ["removed"] * len(keys) + ["gone"]
    assert client.dbsize() == 0


def test_copies_keep_value_and_expiry_and_know_their_own(keys, client, server):
    with server.client(db=3) as target:
        target.flushdb()
        target.set(keys[0], "theirs")
        pairs = [(key, key) for key in [*keys, b"absent"]]
        there = Bulk(target).exist([new for _, new in pairs])

        words = Bulk(client).copy(target, pairs)

        assert words == ["taken", *["copied"] * (len(keys) - 1), "gone"]
        assert Bulk(client).look_copy(target, pairs, there)[:-1] == words[:-1]
        assert [target.dump(key) for key in keys[1:]] == [client.dump(key) for key in keys[1:]]
        assert Bulk(target).expiries(keys[1:]) == Bulk(client).expiries(keys[1:])
        assert Bulk(client).copy(target, pairs[:1], replace=True) == ["copied"]
        assert Bulk(client).look_copy(target, pairs[:1], [True], replace=True) == ["copied"]
        assert Bulk(client).copy(target, [(keys[2], b"big")], max_bytes=1)[0].startswith("too big")


def test_a_full_server_refuses_a_copy_and_nothing_is_claimed(keys, client, server, redis_process):
    with redis_process.client(db=5) as target:
        full(redis_process)
        try:
            with pytest.raises(redis.ResponseError, match="maxmemory"):
                Bulk(client).copy(target, [(key, key) for key in keys])
            assert target.dbsize() == 0
        finally:
            target.config_set("maxmemory", 0)


def test_a_key_out_of_reach_leaves_the_others_done(keys, client, server):
    url = restricted(server, "+@all", "~k:*")
    with redis.Redis.from_url(url) as narrow:
        words = Bulk(narrow).expire([keys[0], b"locked", keys[1]], [TOMORROW] * 3)

    assert [words[0], words[2]] == ["set", "set"]
    assert words[1].startswith("refused: ")


def test_trouble_of_the_server_is_raised_and_is_no_verdict_on_a_key(keys, client, server):
    with replica_of(server) as replica, replica.client() as reading:
        for act in (lambda bulk: bulk.persist(keys), lambda bulk: bulk.unlink(keys)):
            with pytest.raises(redis.exceptions.ReadOnlyError):
                act(Bulk(reading))
    with busy(server), pytest.raises(redis.ResponseError, match="busy"):
        Bulk(client).rename([(keys[0], b"z")])
    assert client.exists(*keys) == len(keys)


def test_a_move_between_slots_goes_on_where_it_was_cut(cluster: Cluster):
    with connect(cluster.url) as client:
        bulk = Bulk(client)
        pairs = [(b"a:%d" % n, b"z:%d" % n) for n in range(20)]
        for n, (old, _) in enumerate(pairs):
            client.set(old, b"v%d" % n, px=600_000)
        client.restore(pairs[0][1], client.pexpiretime(pairs[0][0]), client.dump(pairs[0][0]),
                       absttl=True)  # fmt: skip
        stays = bulk.moves(pairs)
        assert set(stays) == {False} or set(stays) == {False, True}

        words = bulk.look_move(pairs, [False] * 20)
        rest = [pair for pair, word in zip(pairs, words, strict=True) if not word]
        assert words[0] == "renamed"
        assert len(rest) == 19
        assert set(bulk.move(rest)) == {"renamed"}
        assert [client.get(new) for _, new in pairs] == [b"v%d" % n for n in range(20)]
        assert set(bulk.places([old for old, _ in pairs])) <= {
            f"127.0.0.1:{node.port}" for node in cluster.nodes
        }


# --- Sweeps and measures ----------------------------------------------------------------------


def walked(build: Callable[..., Any], **options: Any) -> tuple[list[bytes], int]:
    """All keys of a sweep in pieces of one round each, and how many pieces there were."""
    found: list[bytes] = []
    place, pieces = None, 0
    while True:
        sweep = build(Sweep, AsyncSweep, place, **options)
        sweep.begin()
        found += sweep.scan()
        pieces += 1
        place = sweep.place
        if place is None:
            return found, pieces


def test_a_sweep_in_pieces_finds_every_key(build, keys, client):
    for n in range(3000):
        client.set(f"other:{n}", n)

    found, pieces = walked(build, match=b"k:*")

    assert set(found) == set(keys)
    assert pieces > 2
    assert not walked(build, type="hash")[0]


def test_a_sweep_begins_again_on_another_process(client):
    for n in range(3000):
        client.set(f"k:{n}", n)
    sweep = Sweep(client)
    sweep.begin()
    sweep.scan()
    place = sweep.place
    assert place is not None

    again = Sweep(client, place.replace(client.info("server")["run_id"], "f" * 40))
    again.begin()
    found: list[bytes] = []
    while again.goes_on():
        found += again.scan()

    assert again.again
    assert len(set(found)) == 3000


def test_measures_name_the_right_that_lacks(build, keys, client, server):
    client.hset("k:hash", "f", 1)
    measure = build(Measure, AsyncMeasure)
    assert measure.types([keys[1], b"k:hash", b"absent"]) == ["string", "hash", "none"]
    assert measure.lengths([keys[1], b"k:hash"], ["string", "hash"]) == [len(keys[1]), 1]
    facts = measure.facts([keys[1], b"absent"])
    assert (facts[0].key, facts[0].type, facts[1]) == (keys[1], "string", None)
    with redis.Redis.from_url(restricted(server, "~k:*", "+@read", "-memory")) as narrow:
        told = Measure(narrow)
        assert told.types([keys[1], b"locked"]) == ["string", "unknown"]
        assert told.facts([keys[1]])[0].size is None
        assert told.missing == {"~", "memory|usage"}
