"""What streams are like in one look, and what a trim would take."""

from __future__ import annotations

import pytest
import redis

from redisops.connection import connect, measure
from redisops.errors import InvalidArgument
from redisops.streams.info import AsyncStreams, Streams, Unread
from redisops.streams.trimming import AsyncTrimming, GroupLoss, StreamGone, Trim, Trimming
from tests.servers import RedisProcess


def fill(client: redis.Redis, key: bytes = b"orders", count: int = 10) -> list[str]:
    return [client.xadd(key, {"n": n}, id=f"{1000 + n}-0").decode() for n in range(count)]


def test_many_streams_are_told_in_two_trips(build, client):
    ids = fill(client)
    client.xgroup_create("orders", "\xff<b>".encode("latin-1"), "0")
    client.xreadgroup("\xff<b>".encode("latin-1"), "one", {"orders": ">"}, count=3)
    client.xadd("empty", {"a": "1"})
    client.xtrim("empty", 0, approximate=False)
    client.set("text", "x")

    found = build(Streams, AsyncStreams).overview([b"orders", b"text", b"gone", b"empty"])

    orders, text, gone, empty = found
    assert (orders.length, orders.first_id, orders.last_id) == (10, ids[0], ids[-1])
    assert orders.entries_added == 10 and orders.memory > 0 and orders.radix_nodes > 0
    [group] = orders.groups
    assert (group.name, group.pending, group.lag, group.oldest_pending) == (
        b"\xff<b>", 3, 7, ids[0],
    )  # fmt: skip
    assert (orders.lag, orders.pending) == (7, 3)
    assert text == Unread(b"text", "type") and gone == Unread(b"gone", "gone")
    assert (empty.length, empty.first_id) == (0, "") and empty.last_generated_id != "0-0"


def test_an_unknown_lag_is_not_a_number(client):
    fill(client)
    client.xgroup_create("orders", "mail", "0")
    client.xreadgroup("mail", "one", {"orders": ">"}, count=2)
    client.xdel("orders", "1005-0")

    [info] = Streams(client).overview([b"orders"])

    assert info.groups[0].lag is None and info.lag is None


def test_a_user_without_scripts_sees_all_but_the_oldest_pending(server: RedisProcess, client):
    fill(client)
    client.xgroup_create("orders", "mail", "0")
    client.xreadgroup("mail", "one", {"orders": ">"}, count=2)
    rules = ("on", "nopass", "~*", "+@read", "-@dangerous", "+ping")
    client.execute_command("ACL", "SETUSER", "narrow", *rules)
    link = connect(f"redis://narrow:x@127.0.0.1:{server.port}/0")
    try:
        with measure() as cost:
            [info, gone] = Streams(link).overview([b"orders", b"gone"])
    finally:
        link.close()
        client.execute_command("ACL", "DELUSER", "narrow")

    assert info.length == 10 and info.missing and info.groups[0].pending == 2
    assert info.groups[0].oldest_pending is None
    assert gone == Unread(b"gone", "gone") and cost.round_trips <= 4


def test_a_preview_says_what_each_group_would_lose(build, client):
    ids = fill(client)
    for name, read in (("fast", 10), ("slow", 2), ("late", 0)):
        client.xgroup_create("orders", name, "0")
        if read:
            client.xreadgroup(name, "one", {"orders": ">"}, count=read)
    client.xack("orders", "fast", *ids)
    trimming = build(Trimming, AsyncTrimming, b"orders")

    by_length = trimming.preview(Trim(max_length=4))
    by_id = trimming.preview(Trim(min_id="1006"))
    all_of_it = trimming.preview(Trim(max_length=0))
    nothing = trimming.preview(Trim(max_length=50))

    assert by_length == by_id
    assert (by_length.going, by_length.first_kept) == (6, ids[6])
    assert by_length.groups == (
        GroupLoss(b"fast", 0, 0), GroupLoss(b"late", 0, 6), GroupLoss(b"slow", 2, 4),
    )  # fmt: skip
    assert by_length.groups[0].is_safe
    assert (all_of_it.going, all_of_it.first_kept) == (10, "")
    assert nothing.is_nothing and nothing.first_kept == ids[0]
    assert client.xlen("orders") == 10

    assert trimming.trim(Trim(max_length=4)) == 6
    assert client.xlen("orders") == 4


def test_a_preview_says_where_it_stopped_counting(client, monkeypatch):
    fill(client, count=200)
    client.xgroup_create("orders", "late", "0")
    monkeypatch.setattr("redisops.streams.trimming.LOOK", 50)

    far = Trimming(client, b"orders").preview(Trim(min_id="1150-0"))

    assert (far.going, far.first_kept) == (None, "1150-0")
    assert far.groups[0].unread is None


def test_what_is_no_rule_or_no_stream_is_refused(client):
    for rule in ({}, {"max_length": 1, "min_id": "1-0"}, {"max_length": -1}, {"min_id": "x"}):
        with pytest.raises(InvalidArgument):
            Trim(**rule)
    with pytest.raises(StreamGone):
        Trimming(client, b"gone").preview(Trim(max_length=1))
    client.set("text", "x")
    with pytest.raises(redis.ResponseError):
        Trimming(client, b"text").preview(Trim(max_length=1))
