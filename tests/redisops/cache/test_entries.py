"""Values kept and ended: by key, tag, prefix, namespace and policy; blocking and awaiting."""

from __future__ import annotations

import math
import os
import socket
from typing import Any

import pytest

from redisops import scripts
from redisops.cache import (
    AsyncInspector,
    AsyncPublishing,
    AsyncStatistics,
    Cache,
    Document,
    Inspector,
    Poisoned,
    Policy,
    Publishing,
    Statistics,
    cached,
)  # fmt: skip
from redisops.cache.declared import telling_code
from redisops.errors import InvalidArgument
from tests.redisops.cache.rigs import Source


def test_a_value_is_loaded_once_and_ended_by_each_way(rig, client):
    cache, source = rig.cache(follow=False), Source()
    load = rig.source(source)

    def asked() -> int:
        return cache.get_or_load("product:7", load, tags=["shoes"])["n"]

    assert (asked(), asked(), cache.get("product:7")) == (1, 1, {"n": 1})
    ends = [
        lambda: cache.invalidate_tag("shoes"), lambda: cache.invalidate_prefix("product:"),
        cache.invalidate_namespace, lambda: cache.delete("product:7"),
        lambda: client.flushall(), lambda: client.unlink("redisops:cache:{shop}:seq"),
    ]  # fmt: skip
    for turn, end in enumerate(ends, 2):
        end()
        assert cache.get("product:7") is None
        assert (asked(), asked()) == (turn, turn)
    cache.invalidate_tag("boots")
    cache.invalidate_prefix("product:8:")
    assert asked() == turn
    assert client.script_flush()
    assert asked() == turn
    ttl = client.pttl("cache:{shop}:product:7")
    assert 0 < ttl <= 300_000


def test_the_oldest_marks_are_forgotten_to_the_safe_side(rig, client, monkeypatch):
    monkeypatch.setattr("redisops.cache.body.MOST_MARKS", 20)
    cache = rig.cache(follow=False)
    cache.put("old", 1)
    cache.invalidate_tag("first")
    for n in range(30):
        cache.invalidate_tag(f"tag{n}")
    cache.put("new", 2, tags=["tag3"])

    assert client.zcard("redisops:cache:{shop}:versions") == 21
    assert cache.get("old") is None
    assert cache.get("new") == 2


def test_none_stale_own_ttl_and_sizes_follow_the_policy(rig, client):
    cache, nothing, source = rig.cache(follow=False, max_bytes=100), Source(), Source()
    none = rig.source(lambda: nothing() and None)
    cache.get_or_load("none", none)
    cache.get_or_load("none", none)
    assert nothing.asked == 2

    cache = rig.cache("negative", negative_ttl=60.0, follow=False)
    assert [cache.get_or_load("none", none) for _ in range(3)] == [None] * 3
    assert nothing.asked == 3
    assert cache.counts.negative == 2

    cache = rig.cache("small", max_bytes=100, compress=50, follow=False)
    assert cache.get_or_load("big", rig.source(lambda: b"%d" % 7**400)) == b"%d" % 7**400
    assert cache.get("big") is None
    assert cache.counts.too_big == 1
    assert cache.put("packed", "x" * 5000)
    assert client.strlen("cache:{small}:packed") < 150
    assert cache.get("packed") == "x" * 5000
    assert cache.put("own", 1, ttl=1000.0)
    assert 900_000 < client.pttl("cache:{small}:own") <= 1_000_000

    cache = rig.cache("stale", ttl=0.05, stale=60.0, follow=False)
    load = rig.source(source)
    cache.get_or_load("k", load)
    rig.until(lambda: client.pttl("cache:{stale}:k") < 60_000)
    rig.until(lambda: cache.get_or_load("k", load)["n"] > 1)
    assert cache.counts.stale >= 1
    source.error = ValueError("down")
    rig.until(lambda: client.pttl("cache:{stale}:k") < 60_000)
    for _ in range(3):
        assert cache.get_or_load("k", load)["n"] >= 2
        rig.rest()
    assert cache.inspect("k")[0].stale == 60.0


def test_a_poisoned_value_is_a_miss_and_counted(rig, client):
    cache, source = rig.cache(follow=False), Source()
    load = rig.source(source)
    cache.get_or_load("k", load)
    whole = client.get("cache:{shop}:k")
    foreign = [
        b"",
        b"\x80\x04N.",
        b"{}",
        whole[:-1],
        whole[:20],
        b"\xc1" * 4000,
        b"\xc1" + bytes(99),
    ]
    for turn, value in enumerate(foreign, 2):
        client.set("cache:{shop}:k", value)
        assert cache.get("k", "none") == "none"
        assert cache.get_or_load("k", load) == {"n": turn}
    client.unlink("cache:{shop}:k")
    client.rpush("cache:{shop}:k", "a list")
    assert cache.get("k") is None
    assert cache.get_or_load("k", load) == {"n": turn + 1}
    client.set("cache:{shop}:k", b"\xc1" + b"x" * 9)
    with pytest.raises(Poisoned):
        cache.inspect("k")
    client.persist("cache:{shop}:k")

    assert cache.counts.poisoned >= len(foreign)
    for name in (b"\xff\x00\r\n", "ключ:{x}", b"x" * 5000, "", "*"):
        assert cache.put(name, [1])
        assert cache.get(name) == [1]


def test_write_through_leaves_no_lie(rig, client):
    cache = rig.cache(follow=False)
    kept: list[Any] = []
    cache.put("k", "before")
    written = cache.write("k", "new", rig.source(kept.append))
    assert (written.cached, written.may_be_old, kept) == (True, False, ["new"])
    assert cache.get("k") == "new"

    def fails(_: Any) -> None:
        assert client.get("cache:{shop}:k") is None
        raise ValueError("source")

    with pytest.raises(ValueError, match="source"):
        cache.write("k", "newer", rig.source(fails))
    assert cache.get("k") is None
    assert not client.exists("redisops:cache:{shop}:lease:k")

    def crossed(_: Any) -> None:
        with rig.server.client() as plain, Cache(plain, "shop", follow=False) as other:
            assert other.write("k", "other", lambda value: None).cached

    written = cache.write("k", "mine", rig.source(crossed))
    assert not written.cached
    assert cache.get("k") is None


def test_values_are_stored_unless_there_touched_and_counted(rig, client):
    cache = rig.cache(follow=False, counters=True, place="mine:")
    assert (cache.put_new("k", 5, tags=["t"]), cache.put_new("k", 6)) == (True, False)
    assert (cache.increase("k"), cache.increase("k", -7), cache.get("k")) == (6, -1, -1)
    assert cache.increase("none") is None
    assert cache.put_many({"a": 1, "b": "x", "none": None}, ttl=20.0) == []
    assert cache.get_many(["a", "b", "none", "c"]) == {"a": 1, "b": "x", "none": None}
    with pytest.raises(InvalidArgument, match="not an integer"):
        cache.increase("b")
    assert cache.touch("a", 1000.0)
    assert 900_000 < client.pttl("mine:cache:{shop}:a") <= 1_000_000
    assert cache.touch("a", math.inf)
    assert client.pttl("mine:cache:{shop}:a") == -1
    assert cache.get("a") == 1
    assert not cache.counts.stale
    cache.invalidate_tag("t")
    assert not cache.touch("k", 5.0)
    assert cache.increase("k") is None
    assert cache.put_new("k", "again")
    assert all(key.startswith(b"mine:") for key in client.keys("*"))


def test_a_decorated_function_is_cached_by_its_arguments(rig):
    cache = rig.cache(follow=False)
    own = cache._target if rig.connecting.awaiting else cache
    asked: list[Any] = []

    if rig.connecting.awaiting:

        @cached(own, "product:{id}:{size}", tags=lambda id, size=1: [f"size-{size}"])
        async def product(id: Any, size: int = 1) -> Any:
            asked.append((id, size))
            return [id, size]

        @cached(own)
        async def plain(*args: Any) -> Any:
            return len(args)
    else:

        @cached(own, "product:{id}:{size}", tags=lambda id, size=1: [f"size-{size}"])
        def product(id: Any, size: int = 1) -> Any:
            asked.append((id, size))
            return [id, size]

        @cached(own)
        def plain(*args: Any) -> Any:
            return len(args)

    run: Any = rig.connecting.loop.run_until_complete if rig.connecting.awaiting else lambda it: it
    assert run(product(7)) == run(product(id=7, size=1)) == [7, 1]
    assert run(product("7:1")) == ["7:1", 1]
    assert asked == [(7, 1), ("7:1", 1)]
    assert product.key_of(7) == "product:7:1"
    cache.invalidate_tag("size-1")
    run(product(7))
    assert len(asked) == 3
    assert (run(plain(1)), run(plain(1, 2)), run(plain(1))) == (1, 2, 1)
    with pytest.raises(InvalidArgument, match="give a key"):
        run(plain(object()))
    with pytest.raises(InvalidArgument, match="AsyncCache"):
        cached(own)(lambda: 1) if rig.connecting.awaiting else cached(own)(rig_coroutine)


async def rig_coroutine() -> None:
    return


def test_copies_in_the_process_end_when_anybody_ends_them(rig, client):
    cache, other = rig.cache(local=100, stale=1.0), rig.cache(local=100, stale=1.0)
    source = Source()
    load = rig.source(source)

    def copied() -> bool:
        cache.get_or_load("k:1", load, tags=["t"])
        return "k:1" in cache.local.rows

    rig.until(copied)
    before = cache.counts.local
    assert cache.get("k:1") == {"n": source.asked}
    assert cache.counts.local == before + 1
    ends = [
        lambda: other.put("k:1", "put"), lambda: other.delete("k:1"),
        lambda: other.invalidate_tag("t"), lambda: other.invalidate_prefix("k:"),
        other.invalidate_namespace, lambda: client.unlink("cache:{shop}:k:1"), client.flushall,
    ]  # fmt: skip
    for end in ends:
        rig.until(copied)
        end()
        rig.until(lambda: "k:1" not in cache.local.rows)
    rig.until(copied)
    client.client_kill_filter(_type="pubsub")
    rig.until(lambda: not cache.local.rows)
    rig.until(copied)


def test_policies_are_obeyed_live_and_use_is_told(rig, client):
    cache = rig.cache(ttl=300.0)
    publishing = rig.of(Publishing, AsyncPublishing)
    cache.put("k", "v")
    assert cache.get("k") == "v"
    document = Document(3, (Policy("shop", ttl=20.0, stale=5.0),))
    assert publishing.publish(document) == "published"
    rig.until(lambda: cache.policy.ttl == 20.0)
    assert publishing.published() == document
    cache.put("k", "v")
    assert 20_000 < client.pttl("cache:{shop}:k") <= 25_000
    client.set("redisops:cache", b'{"format":1,"version":9}')
    rig.rest(0.1)
    assert cache.policy.ttl == 20.0
    assert publishing.publish(Document(10)) == "published"
    rig.until(lambda: cache.policy.ttl == 300.0)

    cache.get("none")
    cache.flush()
    statistics = rig.of(Statistics, AsyncStatistics)
    assert [name for name, _ in statistics.namespaces()] == ["shop"]
    for rows in (statistics.minutes("shop"), statistics.hours("shop")):
        total = {name: sum(row.figures.get(name, 0) for row in rows) for name in ("hits", "misses")}
        assert total == {"hits": 1, "misses": 1}
    assert statistics.code("shop").policy == cache.default
    place = "redisops:cache:{shop}:stats:code"
    assert client.ttl(place) > 86_400
    client.delete(place)
    cache.get("none")
    cache.flush()
    assert statistics.code("shop") is None  # told once a minute
    for odd in ("[1]", '{"at": 1, "policy": {"namespace": "other"}}', "[" * 3_999, "\x00"):
        client.set(place, odd)
        assert statistics.code("shop") is None and statistics.codes("shop") == []


def test_an_inspector_judges_as_readers_do_by_the_policy_that_holds(rig, client):
    rig.cache(ttl=300.0, jitter=0.0, follow=False).put("k", "v")
    client.pexpire("cache:{shop}:k", 250_000)  # stored 50 s ago
    for ttl, stale, state, served in (
        (300.0, 0.0, "fresh", True), (60.0, 0.0, "fresh", True), (20.0, 60.0, "stale", True),
        (20.0, 0.0, "ended", False),
    ):  # fmt: skip
        policy = Policy("shop", ttl=ttl, stale=stale, jitter=0.0, early=0.0)
        inspector = rig.of(Inspector, AsyncInspector, policy=policy)
        reader = rig.cache(ttl=ttl, stale=stale, jitter=0.0, early=0.0, follow=False)

        one = inspector.describe("shop", "k")

        assert one.state == state and (reader.get("k") == "v") is served
        assert (0 < one.fresh <= ttl - 50) is (state == "fresh")
        assert inspector.preview("shop").entries == served
    assert rig.of(Inspector, AsyncInspector).describe("shop", "k").state == "fresh"


def test_processes_whose_code_differs_are_told_apart(rig, client):
    cache, statistics = rig.cache(ttl=300.0), rig.of(Statistics, AsyncStatistics)
    cache.get("none")
    cache.flush()
    (same,) = statistics.codes("shop")
    assert same == statistics.code("shop")._replace(processes=same.processes)
    own = f"{socket.gethostname()}:{os.getpid()}"
    assert same.processes == (own,)

    newer = Policy("shop", ttl=9.0)
    for process in ("web-2:7", "web-3:7", "web-2:7"):
        name, keys, args = telling_code(newer, 1_700_000_000, 1, "")
        client.eval(scripts.source(name), 3, *keys, *args[:2], process, *args[3:])
    found = {code.policy: sorted(code.processes) for code in statistics.codes("shop")}
    assert found == {cache.default: [own], newer: ["web-2:7", "web-3:7"]}

    cache.aclose() if rig.connecting.awaiting else cache.close()
    assert [code.policy for code in statistics.codes("shop")] == [newer]  # it says no more
    assert statistics.code("shop").policy == newer
    tellers = "redisops:cache:{shop}:stats:tellers"
    assert 0 < client.ttl(tellers) <= 180
    client.zadd(tellers, {b"\xff": 9e9, "no digest": 9e9})
    assert [code.policy for code in statistics.codes("shop")] == [newer], "somebody else's"
