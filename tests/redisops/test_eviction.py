"""CONFIG read and set, what policies would take, and trials of compression, on real servers."""

from __future__ import annotations

import dataclasses
import zlib

import pytest
import redis

from redisops.config import AsyncConfig, Config
from redisops.connection import connect, measure
from redisops.errors import InvalidArgument, UnknownResult
from redisops.eviction import (
    POLICIES,
    AsyncEviction,
    Eviction,
    Weight,
    forecast,
    forecasts,
    prefix_of,
)
from redisops.trials import AsyncTrials, Trials
from tests.faults.proxy import Proxy


def test_settings_are_read_tried_and_set(build, client):
    config = build(Config, AsyncConfig)

    config.change({"maxmemory": "104857600", "maxmemory-policy": "allkeys-lru"})

    told = config.read(["maxmemory", "maxmemory-policy"])
    assert told.values == {"maxmemory": "104857600", "maxmemory-policy": "allkeys-lru"}
    assert (told.differing, told.refused) == ({}, "")
    assert config.allowed().set == config.allowed().rewrite == ""
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lru"  # only tried
    assert config.rewrite() == "no file"
    with pytest.raises(redis.ResponseError, match="maxmemory"):
        config.change({"maxmemory-policy": "allkeys-lfu", "maxmemory": "much"})
    assert config.read(["maxmemory-policy"]).values["maxmemory-policy"] == "allkeys-lru"
    with pytest.raises(InvalidArgument):
        config.change({})


def test_a_narrow_user_is_told_what_it_may_not(server, client):
    client.execute_command(
        "ACL", "SETUSER", "narrow", "on", ">x", "~cart:*", "+randomkey", "+info", "+multi",
        "+discard", "+type", "+pttl", "+strlen", "+getrange",
    )  # fmt: skip
    client.mset({"cart:1": b"x", "user:1": b"y"})
    narrow = redis.Redis(port=server.port, username="narrow", password="x")

    assert "config|get" in Config(narrow).read(["maxmemory"]).refused
    assert "config|set" in Config(narrow).allowed().set
    assert Config(narrow).rewrite() == "refused"
    standing = Eviction(narrow).look(50)
    assert set(standing.missing) >= {"config|get", "memory|usage", "object|idletime", "~"}
    assert (standing.keys, {facts.key for facts in standing.sample}) == (2, {b"cart:1"})
    assert standing.key_bytes is None
    played = forecasts(standing)
    assert played["allkeys-lru"].unknown and not played["allkeys-random"].unknown
    assert [one.key for one in Trials(narrow).compress([b"cart:1", b"user:1"])] == [b"cart:1"]
    with pytest.raises(redis.exceptions.NoPermissionError):
        Trials(narrow).compress([b"user:1"])
    narrow.close()
    client.execute_command("ACL", "DELUSER", "narrow")


def test_a_look_costs_two_round_trips_and_leaves_idle_times_alone(server, client):
    client.mset({f"cart:eu:{number}": b"x" * 100 for number in range(200)})
    with connect(server.url) as link, measure() as cost:
        standing = Eviction(link).look()

    assert cost.round_trips == 2
    assert (standing.keys, standing.expiring, standing.limit) == (200, 0, 0)
    assert 100 < len(standing.sample) <= 200
    assert standing.policy == "noeviction" and standing.samples == 5
    with pytest.raises(InvalidArgument):
        Eviction(client).look(2_001)


def test_what_policies_take_follows_their_rules(build, client):
    with client.pipeline() as pipe:
        for number in range(100):
            pipe.set(f"page:a:{number}", b"x" * 200, ex=60)
            pipe.set(f"page:b:{number}", b"x" * 200, ex=6000)
            pipe.set(f"user:{number}", b"x" * 200)
        pipe.execute()

    standing = build(Eviction, AsyncEviction).look(1_000)
    played = forecasts(standing)

    assert list(played) == list(POLICIES)
    soonest = played["volatile-ttl"]
    # Not all: of the first few keys that are drawn each may be one of the others.
    assert soonest.groups[0].prefix == b"page:a:" and soonest.groups[0].share > 0.8
    assert soonest.lasting == 0 and 50 <= soonest.ttl <= 60
    assert abs(soonest.freed - soonest.goal) <= soonest.goal * 0.01
    assert 20 <= soonest.keys <= 40  # a tenth of 300
    assert soonest.candidates == pytest.approx(2 / 3)
    assert not played["noeviction"].is_enough
    assert played["allkeys-lfu"].unknown and not standing.counts_uses
    much = forecast(standing, POLICIES["volatile-lru"], goal=standing.memory)
    assert not much.is_enough and much.freed < standing.key_bytes
    assert {group.prefix for group in much.groups} == {b"page:a:", b"page:b:"}
    beyond = forecast(standing, POLICIES["allkeys-lru"], goal=2 * standing.key_bytes)
    assert beyond.is_enough is False  # all keys are not enough
    assert forecast(standing, POLICIES["allkeys-lru"], goal=standing.key_bytes).is_enough
    assert forecast(standing, POLICIES["allkeys-random"], goal=0).keys == 0


def test_a_heavy_tail_is_inside_the_range_that_is_told(client):
    client.mset({f"small:{number}": b"x" * 50 for number in range(400)})
    client.set("large", b"x" * 3_000_000)

    standing = Eviction(client).look(60)
    without = [facts for facts in standing.sample if facts.size < 1_000_000]
    weight = dataclasses.replace(standing, sample=tuple(without)).weight

    assert weight.low <= weight.value < 1_000_000 < 3_000_000 < weight.high <= standing.memory
    counted = dataclasses.replace(standing, counted=Weight(3_100_000, 3_000_000, 9e12))
    assert counted.key_bytes == 3_100_000 and counted.weight.high <= standing.memory


def test_frequencies_are_known_under_lfu_alone(build, client):
    client.config_set("maxmemory-policy", "allkeys-lfu")
    # Each read counts, and a minute that begins meanwhile takes nothing back.
    client.config_set("lfu-log-factor", 0)
    client.config_set("lfu-decay-time", 0)
    # Of the usual five that are drawn all may be used ones, about once in thirty times.
    client.config_set("maxmemory-samples", 64)
    client.mset({f"used:{number}": b"x" for number in range(50)})
    client.mset({f"rare:{number}": b"x" for number in range(50)})
    for number in range(50):
        for _ in range(10):
            client.get(f"used:{number}")

    standing = build(Eviction, AsyncEviction).look()

    assert standing.counts_uses and forecasts(standing)["allkeys-lru"].unknown
    taken = forecasts(standing)["allkeys-lfu"].groups
    assert [group.prefix for group in taken] == [b"rare:"]


def test_an_empty_server_has_a_forecast_too(build, client):
    standing = build(Eviction, AsyncEviction).look()

    assert standing.keys == 0 and standing.sample == ()
    assert all(one.groups == () for one in forecasts(standing).values())


def test_each_primary_of_a_cluster_is_asked_and_set(cluster):
    with connect(f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}") as link:
        for number in range(90):
            link.set(f"k:{number}", b"v", ex=100 if number % 2 else None)
        with cluster.nodes[1].client() as plain:
            plain.config_set("maxmemory", 50_000_000)

        standing = Eviction(link).look(60)
        assert (standing.keys, standing.expiring, len(standing.shards)) == (90, 45, 3)
        assert standing.limit == 50_000_000 and len(standing.sample) > 20
        assert list(standing.settings.differing) == ["maxmemory"]
        assert Config(link).allowed().set == ""
        Config(link).change({"maxmemory": "0", "maxmemory-policy": "noeviction"})
        assert Config(link).read(["maxmemory*"]).differing == {}
        assert len(Trials(link).compress([f"k:{n}".encode() for n in range(90)])) == 90


def test_a_lost_reply_to_a_change_is_an_unknown_result(server):
    with Proxy(server.port) as proxy, connect(proxy.url) as link:
        Config(link).read(["maxmemory"])
        proxy.mode("lose_reply", match=b"SET")
        with pytest.raises(UnknownResult):
            Config(link).change({"maxmemory": "0"})


def test_trials_read_a_part_and_know_what_is_packed(build, client):
    client.set("text", b"the same words again " * 5_000)
    client.set("packed", zlib.compress(bytes(range(256)) * 40))
    client.set("empty", b"")
    client.rpush("list", b"x")

    told = build(Trials, AsyncTrials).compress([b"text", b"packed", b"empty", b"list", b"gone"])

    by_key = {trial.key: trial for trial in told}
    assert by_key.keys() == {b"text", b"packed"}
    text = by_key[b"text"]
    assert (text.length, text.tried) == (105_000, 32_768) and text.ratio < 0.05
    assert by_key[b"packed"].is_packed and by_key[b"packed"].ratio == 1
    with pytest.raises(InvalidArgument):
        Trials(client).compress([b"x"] * 201)


@pytest.mark.parametrize(
    ("key", "prefix"),
    [(b"cart:eu:7", b"cart:eu:"), (b"user:7:name", b"user:"), (b"plain", b""), (b"", b""),
     (b"s:" + b"x" * 41 + b":y", b"s:"), (b":::", b"::")],
    ids=["two", "number", "none", "empty", "long", "colons"],
)  # fmt: skip
def test_prefixes_end_before_what_is_one_keys_own(key, prefix):
    assert prefix_of(key) == prefix
