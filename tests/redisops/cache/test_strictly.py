"""What a strict reader asks of a cache: nothing old after an end, nothing without a bound."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.cache import AsyncCache, Cache, Document, Policy
from redisops.cache.body import _How
from redisops.cache.counts import Counts
from redisops.cache.followers import Follower
from redisops.cache.following import KEY
from redisops.cache.publishing import Publishing
from redisops.connection import connect
from redisops.errors import NotSupported
from redisops.fast import Fast
from tests.redisops.cache.rigs import PATIENT, Source
from tests.servers import restricted

on_one = pytest.mark.parametrize("server", ["redis"], indirect=True)


def until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.01)


class Slow:
    """A source that gives its value when it is let go."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self.go.wait(20)
        return self.value


class Aside:
    """A call in a thread; ``result`` waits for what it gave."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.got: list[Any] = []
        self._thread = threading.Thread(target=lambda: self.got.append(call()))
        self._thread.start()

    def result(self) -> Any:
        self._thread.join(20)
        return self.got[0]


def test_who_does_not_wait_loads_and_stores_all_the_same(rig, client):
    cache, load = rig.cache(wait=0.0, follow=False), rig.source(Source())

    assert cache.get_or_load("k", load) == cache.get_or_load("k", load) == {"n": 1}
    assert not client.exists("redisops:cache:{shop}:lease:k")


@on_one
def test_who_comes_after_another_process_ended_it_gets_no_older_load(server, client):
    with connect(server.url, timeouts=PATIENT) as own, connect(server.url) as others:
        cache = Cache(own, "shop", follow=False)
        other = Cache(others, "shop", follow=False)
        for end in (other.delete, lambda _: other.invalidate_namespace()):
            cache.delete("k")
            old = Slow("old")
            first = Aside(lambda old=old: cache.get_or_load("k", old))
            assert old.began.wait(20)
            end("k")
            second = Aside(lambda: cache.get_or_load("k", lambda: "new"))
            flight = cache._flights[b"k"]
            waits = flight._over._cond._waiters  # type: ignore[attr-defined]
            until(lambda waits=waits: waits)
            old.go.set()

            assert (first.result(), second.result()) == ("old", "new")
            assert cache.get("k") == "new"


@on_one
def test_a_load_that_outlives_its_lease_is_neither_joined_nor_stored(server, client):
    with connect(server.url, timeouts=PATIENT) as own, connect(server.url) as others:
        cache = Cache(own, "shop", lease=0.05, follow=False)
        old = Slow("old")
        first = Aside(lambda: cache.get_or_load("k", old))
        assert old.began.wait(20)
        until(lambda: not client.exists("redisops:cache:{shop}:lease:k"))
        Cache(others, "shop", follow=False).delete("k")
        new = Slow("new")
        second = Aside(lambda: cache.get_or_load("k", new))
        assert new.began.wait(20)
        old.go.set()
        assert first.result() == "old"
        assert cache.get("k") is None
        new.go.set()
        assert second.result() == "new"


@on_one
def test_a_reader_that_is_slow_to_come_is_woken_by_the_next_who_loads(server, client):
    with connect(server.url, timeouts=PATIENT) as own:
        cache = Cache(own, "shop", follow=False)
        wake = "redisops:cache:{shop}:wake:k"
        assert cache._taken(b"k", b"", b"one")[0] == 1
        assert cache._taken(b"k", b"", b"slow")[0] == 2
        cache.run(cache._store(b"k", None, "load", b"one"))  # the source had nothing to keep
        assert client.llen(wake) == 1
        assert cache._taken(b"k", b"", b"two")[0] == 1  # before the slow one asked to be woken
        assert client.llen(wake) == 0
        cache.run(cache._store(b"k", None, "load", b"two"))
        assert client.llen(wake) == 1


@on_one
def test_what_could_not_be_deleted_is_not_read_again(server, client, monkeypatch):
    monkeypatch.setattr("redisops.cache.owed.MOST_OWED", 2)
    rules = ("~*", "&*", "+@all")
    with connect(restricted(server, *rules), timeouts=PATIENT) as own:
        cache = Cache(own, "shop", follow=False)
        followed = Cache(own, "followed", when_down="stale", local=10)
        others = [Cache(own, name, follow=False) for name in ("shop", "followed")]
        for one in (cache, followed):
            until(lambda one=one: [one.put(key, "old") for key in ("a", "b", "c", "d")])
        until(lambda: followed.get("a") == "old" and followed.local.rows)
        restricted(server, *rules, "-evalsha", "-eval", "-script")
        for one in (cache, followed):
            assert one.write("a", "new", len).may_be_old
        assert cache.get("a") is None and followed.get("a") is None
        assert others[0].get("a") == "old" and cache.get("b") == "old"
        restricted(server, *rules)
        assert cache.get("b") == "old" and others[0].get("a") is None
        until(lambda: others[1].get("a") is None)  # told although nobody asked anything
        restricted(server, *rules, "-evalsha", "-eval", "-script")
        for key in ("b", "c", "e"):
            assert cache.write(key, "new", len).may_be_old
        assert len(cache._owed._names) <= 2
        restricted(server, *rules)
        assert [cache.get(key) for key in "bcd"] == [None] * 3  # too many to be named: all
        assert not cache._owed
        followed.close()


@on_one
def test_one_that_cannot_be_deleted_keeps_no_other_from_it(server, client):
    with connect(server.url, timeouts=PATIENT) as own:
        cache = Cache(own, "shop", follow=False)
        for key in ("a", "b", "c"):
            cache.put(key, "old")
        client.set("redisops:cache:{shop}:lease:a", "a string of somebody else's")
        assert cache.write("a", "new", len).may_be_old
        cache._owed.add(b"b")
        assert (cache.get("b"), cache.get("c"), cache.get("a")) == (None, "old", None)
        assert [name for name in (b"a", b"b") if name in cache._owed] == [b"a"]
        cache._owed.add(b"c")
        cache.run(cache._pay((), 1))
        cache.run(cache._pay((), 1))
        assert b"c" not in cache._owed, "the one that is refused stands before it for ever"


@on_one
def test_a_source_that_hangs_takes_a_bounded_number_of_refreshes(server, client, monkeypatch):
    monkeypatch.setattr("redisops.cache.loading.MOST_REFRESHING", 2)
    with connect(server.url, timeouts=PATIENT) as own:
        cache = Cache(own, "shop", ttl=0.01, stale=60.0, jitter=0, lease=0.05, follow=False)
        cache.put("k", "v")
        hangs = Slow("new")
        until(lambda: cache.get_or_load("k", hangs) and hangs.began.is_set())
        for _ in range(5):
            cache._refreshing.clear()  # as if each lease was over
            assert cache.get_or_load("k", hangs) == "v"
        assert len([one for one in threading.enumerate() if one.name == "cache-refresh"]) <= 2
        hangs.go.set()
        until(lambda: not cache._refreshes)


def test_a_refresh_that_is_cancelled_before_it_begins_counts_no_longer():
    async def due() -> AsyncCache:
        cache = AsyncCache(redis.asyncio.Redis(), "shop", follow=False)
        cache._refresh("k", None, _How((), None))
        assert cache._refreshes == 1
        await cache.aclose()
        return cache

    cache = asyncio.run(due())

    assert (cache._refreshes, cache._refreshing) == (0, {})


@on_one
def test_a_listener_that_ended_with_its_last_cache_is_followed_by_another(server, client):
    rights = restricted(server, "~*", "+@all", "resetchannels")  # may not listen: looks alone
    with connect(rights, timeouts=PATIENT) as own:
        cache = Cache(own, "shop")
        cache.put("k", "v")
        assert cache.get("k") == "v"
        gone = Follower.of(own)
        until(lambda: gone.problem is not None)
        del cache
        gc.collect()
        gone.thread.join(20)
        with Cache(own, "shop") as cache:
            assert cache.get("k") == "v"
            assert Follower.of(own) is not gone and Follower.of(own).thread.is_alive()
            with Cache(own, "alone", follow=False) as alone:
                alone.get("none")
                alone.flush()
                assert alone not in Follower.of(own).caches
        assert cache.local.most == 0


def test_a_document_that_is_none_is_read_once():
    class Client:
        connection_pool = None

    follower = Follower.__new__(Follower)
    follower._begin()
    follower._fast = type("Fast", (), {"call": staticmethod(lambda *words: words)})()
    steps = follower._look()
    assert next(steps)[1] == KEY
    steps.send(b"not json")
    with pytest.raises(StopIteration):
        steps.send(b"not json, and more")
    again = follower._look()
    next(again)
    with pytest.raises(StopIteration):
        again.send(b"not json")


def test_what_was_counted_is_told_by_one():
    counts = Counts()
    counts.hits += 3
    assert (counts.take(), counts.take()) == ({"hits": 3}, {})
    counts.hits += 1
    counts.begin_anew()  # in a forked child: the parent tells it

    assert counts.take() == {}


@on_one
def test_copies_live_as_long_as_the_policy_that_holds_says(server, client):
    with connect(server.url, timeouts=PATIENT) as own, Cache(own, "shop", local=9) as cache:
        cache.get("k")
        until(lambda: cache.local.hears)
        assert cache.local.longest == 60.0
        cache.obey(Document(1, (Policy("shop", local_ttl=0.5),)))
        assert cache.local.longest == 0.5


def test_a_plain_client_of_a_cluster_obeys_and_outlives_a_cluster_that_is_away(cluster):
    plain = redis.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port)
    with plain, Cache(plain, "shop", local=9) as cache:
        Publishing(plain).publish(Document(1, (Policy("shop", ttl=77.0),)))
        cache.put("k", "v")
        assert cache.get("k") == "v"
        until(lambda: cache.policy.ttl == 77.0)
        follower = cache._follower
        assert isinstance(follower.problem, NotSupported) and not cache.local.rows

        away = redis.RedisClusterException("Redis Cluster cannot be connected.")
        told = follower.tell([cache])
        next(told)
        with pytest.raises(StopIteration) as over:
            told.throw(away)
        assert over.value.value is False, "what it counted is lost, and it goes on"


@pytest.mark.parametrize("ours", [False, True])
def test_what_has_no_slot_goes_the_clients_own_way_by_its_name_in_bytes(cluster, ours):
    node = cluster.nodes[0]
    plain = redis.RedisCluster(host="127.0.0.1", port=node.port)
    with connect(cluster.url, timeouts=PATIENT) if ours else plain as client:
        assert Fast.of(client).call(b"DBSIZE") == 0
