"""A cache in trouble: full, away, failed over, hung, narrow rights, dead loaders, forks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.cache import Cache, CacheUnavailable, EndedPartly, Inspector
from redisops.connection import Timeouts, connect
from redisops.keys import slot as slot_of
from redisops.resilience import CircuitBreaker
from tests.redisops.cache.rigs import PATIENT, QUICK, Rig, Source
from tests.servers import RedisProcess, full, restricted
from tests.servers.topologies import Watched

on_one = pytest.mark.parametrize("server", ["redis"], indirect=True)


def quiet(client, namespace="shop", **options) -> Cache:
    return Cache(client, namespace, early=0, jitter=0, follow=False, **options)


def until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_hit_runs_no_script_and_the_first_after_an_end_runs_one(server, client):
    def scripts() -> int:
        return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])

    with connect(server.url, timeouts=PATIENT) as own:
        cache = quiet(own)
        cache.put("k:1", "v", tags=["t"])
        before = scripts()
        assert [cache.get("k:1"), cache.get_or_load("k:1", list)] == ["v", "v"]
        assert cache.get_many(["k:1", "k:2"]) == {"k:1": "v"}
        assert scripts() == before
        cache.invalidate_tag("another")
        assert cache.get("k:1") == "v"
        number = client.get("redisops:cache:{shop}:seq")
        until(lambda: cache.get("k:1") and client.getrange("cache:{shop}:k:1", 2, 9) == number)
        before = scripts()
        assert cache.get("k:1") == cache.get_or_load("k:1", list) == "v"
        assert scripts() == before
        client.unlink("redisops:cache:{shop}:versions")
        assert cache.get("k:1") == "v"
        cache.invalidate_tag("another")  # of whose marks nothing is known any more: all ends
        assert cache.get("k:1") is None


@on_one
def test_narrow_rights_cost_speed_or_the_cache_and_never_the_value(server):
    keys = ("~cache:{shop}:*", "~redisops:cache:{shop}:*", "&*")
    needs = ("+get", "+pttl", "+zmscore", "+time", "+zadd", "+set", "+unlink", "+hmget", "+hset")
    more = ("+pexpire", "+evalsha", "+eval", "+zscore", "+hincrby", "+blpop", "+publish")
    for number, (rules, cached) in enumerate([((*needs, *more), 1), (needs, 0), ((), 0)]):
        url = restricted(server, *keys, *rules, user=f"narrow{number}")
        with connect(url, timeouts=PATIENT) as own:
            cache = quiet(own)
            asked: list[int] = []

            def load(asked=asked) -> str:
                asked.append(1)
                return "v"

            assert [cache.get_or_load("k", load) for _ in range(3)] == ["v"] * 3
            assert len(asked) == (1 if cached else 3)
            assert cache.get("k") == ("v" if cached else None)
            assert cache.get_many(["k"]) == ({"k": "v"} if cached else {})
        with server.client() as plain:
            plain.flushall()


@on_one
def test_a_full_server_still_ends_entries(server, client):
    with connect(server.url, timeouts=PATIENT) as own:
        cache = quiet(own)
        cache.put("k:1", 1, tags=["t"])
        cache.put("k:2", 2)
        full(server)
        try:
            cache.invalidate_tag("t")
            assert cache.get("k:1") is None
            assert cache.get("k:2") == 2
            cache.invalidate_namespace()
            assert cache.get("k:2") is None
        finally:
            client.config_set("maxmemory", 0)


@on_one
def test_ten_thousand_tags_are_kept_and_more_forget_the_oldest_safely(server, client):
    with connect(server.url, timeouts=PATIENT) as own:
        cache = quiet(own)
        cache.put("first", 1, tags=["tag:0"])
        cache.put("other", 1, tags=["none"])
        tags = [f"tag:{n}" for n in range(10_000)]
        for at in range(0, len(tags), 1000):
            cache.invalidate_tag(*tags[at : at + 1000])
        assert client.zcard("redisops:cache:{shop}:versions") == 10_001
        assert (cache.get("first"), cache.get("other")) == (None, 1)
        cache.invalidate_tag("one more")
        assert client.zcard("redisops:cache:{shop}:versions") <= 10_001
        cache.put("after", 1, tags=["tag:5"])
        assert cache.get("after") == 1


@on_one
def test_a_loader_that_is_killed_holds_up_nobody_after_its_lease(server, client):
    loader = os.fork()
    if loader == 0:  # pragma: no cover - in the child
        try:
            with connect(server.url, timeouts=PATIENT) as own:
                quiet(own, lease=0.4).get_or_load("k", lambda: time.sleep(60))
        finally:
            os._exit(1)
    try:
        until(lambda: client.exists("redisops:cache:{shop}:lease:k"))
    finally:
        os.kill(loader, signal.SIGKILL)
        os.waitpid(loader, 0)
    with connect(server.url, timeouts=PATIENT) as own:
        cache = quiet(own)
        assert cache.get_or_load("k", lambda: "mine") == "mine"
        assert cache.get("k") == "mine"


@on_one
def test_a_forked_child_goes_on_with_links_of_its_own(server):
    with connect(server.url, timeouts=PATIENT) as own:
        cache = Cache(own, "shop", local=10)
        cache.put("k", "v")
        assert cache.get("k") == "v"
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            done = 1
            try:
                done = 0 if cache.get("k") == "v" and cache.put("child", 1) else 2
            finally:
                os._exit(done)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert cache.get("child") == 1
        cache.close()


def test_a_server_that_hangs_costs_a_deadline_and_then_nothing():
    hasty = Timeouts(connect=0.2, read=0.2, deadline=0.3)
    soon = CircuitBreaker("hangs", failures=2, probe_every=0.1)
    with RedisProcess() as server, connect(server.url, timeouts=hasty, breaker=soon) as own:
        cache = quiet(own)
        until(lambda: _answers(lambda: cache.put("k", "cached")))
        server.pause()
        try:
            assert cache.get_or_load("k", lambda: "source") == "source"
            assert cache.get("k", "none") == "none"
            assert cache.counts.down == 2
        finally:
            server.resume()
        until(lambda: cache.get("k") == "cached")


def test_after_a_failover_of_sentinel_it_goes_on_by_itself():
    with Watched() as servers, connect(servers.url, timeouts=PATIENT) as own:
        cache = quiet(own)
        assert cache.get_or_load("k", lambda: "before", tags=["t"]) == "before"
        servers.fail_over()
        assert cache.get_or_load("k", lambda: "source") in ("before", "source")
        until(lambda: _answers(lambda: cache.put("k", "after", tags=["t"])))
        assert cache.get("k") == "after"
        cache.invalidate_tag("t")
        assert cache.get("k") is None


def _answers(call: Callable[[], object]) -> bool:
    try:
        return bool(call())
    except redis.RedisError:
        return False


def test_an_inspector_tells_what_there_is_and_what_would_go(server, client):
    with connect(server.url, timeouts=PATIENT) as own:
        cache = quiet(own, stale=30.0, ttl=60.0)

        def slow() -> dict[str, int]:
            time.sleep(0.03)
            return {"n": 1}

        for n in range(5):
            cache.get_or_load(f"shoe:{n}", slow, tags=["shoes", f"one:{n}"])
        cache.put("boot:1", b"\xff" * 3000, tags=[f"{n}" * 150 for n in range(9)])
        cache.put("x" * 300, 1)
        client.set("cache:{shop}:planted", b"\x80\x04N.")
        client.rpush("cache:{shop}:list", 1)
        client.set("cache:{other}:shoe:9", 1)
        look = Inspector(own)

        page = look.entries("shop")
        rows = {row.key: row for row in page.rows}
        assert page.cursor is None and page.total >= page.looked_at >= 8
        assert len(rows) == 8 and rows[b"planted"].state == "foreign" and rows[b"planted"].why
        shoe = rows[b"shoe:1"]
        assert (shoe.state, shoe.tags, shoe.prefixes) == (
            "fresh",
            (b"one:1", b"shoes"),
            (b"shoe:",),
        )
        assert 50 < shoe.fresh <= 60 and 80 < shoe.left <= 90 and shoe.load >= 0.02
        assert len(rows[b"boot:1"].tags) == 9 and not shoe.body
        assert [row.key for row in look.entries("shop", b"shoe:[12]").rows] in (
            [b"shoe:1", b"shoe:2"], [b"shoe:2", b"shoe:1"],
        )  # fmt: skip

        whole = look.describe("shop", "boot:1")
        assert whole and cache.codec.loads(whole.body) == b"\xff" * 3000
        assert look.describe("shop", "list").why == "a key of another type"
        assert look.describe("shop", "nothing") is None

        going = look.preview("shop", tag="shoes")
        assert (going.entries, going.is_complete, going.likely) == (5, True, 5)
        assert going.load >= 0.1 and going.bytes > 5 * 28 and len(going.sample) == 5
        assert look.preview("shop", prefix="shoe:").entries == 5
        assert look.preview("shop", key="shoe:3").entries == 1
        assert look.preview("shop").entries == 7

        cache.invalidate_tag("shoes")
        assert look.describe("shop", "shoe:1").ended_by == ("tag", b"shoes")
        assert look.preview("shop", tag="shoes").entries == 0
        assert look.describe("shop", "boot:1").state == "fresh"
        cache.invalidate_namespace()
        assert look.describe("shop", "boot:1").ended_by == ("namespace", b"")
        with pytest.raises(ValueError, match="namespace"):
            look.entries("no:such")


def test_redis_full_gives_the_source(rig):
    cache, source = rig.cache(follow=False), Source()
    load = rig.source(source)
    cache.get_or_load("there", load)
    with rig.server.client() as admin:
        full(rig.server)
        try:
            assert cache.get_or_load("there", load) == {"n": 1}
            assert cache.get_or_load("k", load) == {"n": 2}
            assert cache.get_or_load("k", load) == {"n": 3}
            assert cache.get("k") is None
            for key in ("k", "there"):
                with pytest.raises(redis.RedisError):
                    cache.put(key, 1)
            assert cache.get("there") is None  # rather than what the source has no more
        finally:
            admin.config_set("maxmemory", 0)
    assert cache.get_or_load("k", load) == {"n": 4}


def test_a_client_that_is_closed_under_its_cache_is_followed_again(rig, monkeypatch):
    """redis-py connects a closed link anew at its next use, where nothing is subscribed."""
    cache, other = rig.cache(local=10), rig.cache(follow=False)
    own = cache._target if rig.connecting.awaiting else cache
    load = rig.source(Source())

    def hears() -> None:
        rig.until(lambda: cache.get_or_load("k", load) and "k" in cache.local.rows)
        other.put("k", "put")
        rig.until(lambda: "k" not in cache.local.rows)

    hears()
    for _ in range(2):
        if rig.connecting.awaiting:
            rig.connecting.loop.run_until_complete(own.client.aclose())
        else:
            own.client.close()
        hears()
    if not rig.connecting.awaiting:  # between two reads, by the thread that reads
        told = own.changed
        cut = lambda names: (told(names), own._follower._link.disconnect())  # noqa: E731
        monkeypatch.setattr(own, "changed", cut)
        hears()
        monkeypatch.undo()
        hears()
        assert own._follower.thread.is_alive()


def test_redis_away_gives_what_the_policy_says(connecting):
    with RedisProcess() as server:
        rig = Rig(connecting, server)
        load = rig.source(Source())
        soon = CircuitBreaker("away", failures=2, probe_every=0.1)
        client = connecting(server.url, timeouts=QUICK, breaker=soon)
        loads = rig.cache("load", client)
        stale = rig.cache("stale", client, when_down="stale", local=10, stale=60.0)
        raises = rig.cache("raise", client, when_down="raise")
        rig.until(lambda: stale.get_or_load("k", load) and stale.local.rows)
        server.kill()
        rig.until(lambda: not stale.local.hears)
        for _ in range(2):
            assert loads.get_or_load("k", load)["n"] > 1
            assert loads.get("k", "none") == "none"
            assert stale.get_or_load("k", load)["n"] < 100
            with pytest.raises(CacheUnavailable):
                raises.get_or_load("k", load)
            with pytest.raises(CacheUnavailable):
                raises.get("k")
        assert stale.get("k")["n"] < 100
        assert stale.write("k", "new", rig.source(len)).may_be_old
        assert stale.get("k", "none") == "none"  # its own copy is older than what it wrote
        kept: list[Any] = []
        written = loads.write("k", "new", rig.source(kept.append))
        assert (written.cached, written.may_be_old, kept) == (False, True, ["new"])
        with pytest.raises(CacheUnavailable):
            loads.write("k", "newer", rig.source(kept.append), strict=True)
        assert kept == ["new"]
        assert loads.counts.down
        server.start()
        rig.until(lambda: loads.get_or_load("k", load) and loads.get("k"))
        rig.close()


def test_on_a_cluster_all_works_and_every_copy_hears(cluster, connecting):
    rig = Rig(connecting, cluster.nodes[0])
    rig.client = lambda: connecting(cluster.url, timeouts=Timeouts(connect=5, read=5, deadline=10))
    cache, other = rig.cache(local=100, stale=1.0), rig.cache()
    load = rig.source(lambda: "v")
    keys = [f"k:{n}" for n in range(20)]
    for key in keys:
        assert cache.get_or_load(key, load, tags=["t"]) == "v"
    assert len(other.get_many(keys)) == 20
    assert len({cache.keys.shard(key.encode()) for key in keys}) > 3
    rig.until(lambda: cache.get_or_load("k:1", load, tags=["t"]) and cache.local.rows)
    other.invalidate_tag("t")
    rig.until(lambda: not cache.local.rows)
    assert other.get_many(keys) == {}
    assert other.get_many_or_load(keys[:3], rig.source(lambda ks: dict.fromkeys(ks, 1)))
    other.invalidate_prefix("k:")
    assert other.get("k:1") is None
    assert other.write("k:1", 5, rig.source(lambda value: None)).cached
    cache.flush()
    rig.close()


def test_a_dead_node_of_a_cluster_keeps_nothing_from_the_others(cluster, connecting):
    patient = Timeouts(connect=5, read=5, deadline=10)
    rig = Rig(connecting, cluster.nodes[0])
    rig.client = lambda: connecting(cluster.url, timeouts=patient)
    cache = rig.cache("partly")
    dead = cluster.nodes[2]
    lost = [
        shard for shard, name in enumerate(cache.keys.numbers)
        if cluster.node_of(slot_of(name)) is dead
    ]  # fmt: skip
    assert 0 < len(lost) < 16
    names = [f"k:{n}" for n in range(64)]
    for name in names:
        assert cache.put(name, "old", tags=["t"])
    with dead.client() as plain:
        most = plain.config_get("maxclients")["maxclients"]
        plain.config_set("maxclients", 1)  # as if it were away: nobody else is let in
        plain.client_kill_filter(skipme=True)
        try:
            with pytest.raises(EndedPartly, match=f"{16 - len(lost)} of 16 shards did it; #") as e:
                cache.invalidate_tag("t")
            assert [shard for shard, _ in e.value.ended.failed] == lost
            there = [name for name in names if cache.keys.shard(name.encode()) not in lost]
            away = next(name for name in names if name not in there)
            assert cache.put(there[0], "new")
            for name in (away, there[1]):
                cache._owed.add(name.encode())
            assert cache.get(away) is None
            assert cache.get(there[0]) == "new", "what is owed elsewhere kept it from its node"
            assert away.encode() in cache._owed
        finally:
            plain.config_set("maxclients", most)
    assert there and not any(cache.get(name) for name in there[1:])
    rig.close()
