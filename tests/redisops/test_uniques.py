"""Uniques: counts within the stated error, by window, merged so that nobody counts twice."""

from __future__ import annotations

import pytest
import redis

from redisops.connection import connect, measure
from redisops.errors import InvalidArgument
from redisops.uniques import (
    ERROR,
    AsyncCounters,
    AsyncUniques,
    Counters,
    Uniques,
    margin,
    series_named,
    series_of,
)
from tests.hostile import NAMES
from tests.redisops.windows import far_from_midnight
from tests.servers import restricted

midnight = pytest.fixture(far_from_midnight, autouse=True)


def test_a_count_is_within_its_error_and_a_merge_counts_nobody_twice(build, client):
    visitors = build(Uniques, AsyncUniques, "visitors", keep=2)
    raw = getattr(visitors, "_target", visitors)
    today = visitors.current()
    raw._clock.learn((1, 0))  # this process believes that it is 1970

    assert visitors.add(*(f"a{n}" for n in range(10_000)))
    assert not visitors.add("a1", "a2") and not visitors.add()

    key = raw.key(today)
    assert key == b"uniques:{visitors}:" + today.label.encode()
    assert client.keys("*") == [key] and client.expiretime(key) == today.step(2).end
    assert abs(visitors.count() - 10_000) <= margin(10_000, 4)
    before = today.step(-1)
    past = build(lambda _: raw.at(before), lambda _: raw.at(before.label))
    past.add(*(f"a{n}" for n in range(5_000, 12_000)))
    assert past.count() == visitors.count(before) > visitors.count("2001-01-01") == 0
    assert client.expiretime(raw.key(before)) == today.step(1).end
    merged = visitors.merge_count(today.step(-2), today.label)
    assert abs(merged - 12_000) <= margin(12_000, 4)
    counts = visitors.counts(today.step(-2).label, today)
    assert [window for window, _ in counts] == [today.step(-2), before, today]
    assert counts[0][1] == 0 and counts[1][1] == visitors.count(before)
    assert visitors.merge_count(today, before) == 0
    assert (ERROR, margin(10_000)) == (0.0081, 162)


def test_members_of_any_bytes_count_and_what_is_no_counter_says_so(build, client):
    visitors = build(Uniques, AsyncUniques, b"\xff any", window="all", prefix="u:")
    visitors.add(*NAMES)

    assert abs(visitors.count() - len(NAMES)) <= 1
    assert client.ttl(b"u:{\xff any}:all") == -1
    client.set(b"u:{\xff any}:all", "text")
    for call in (visitors.count, lambda: visitors.counts("all", "all"), lambda: visitors.add("x")):
        with pytest.raises(redis.ResponseError, match="HyperLogLog"):
            call()
    for wrong in (lambda: visitors.add(*["x"] * 10_001), lambda: visitors.count("2026-11-23")):
        with pytest.raises(InvalidArgument):
            wrong()


def test_reading_and_adding_is_one_command_and_reading_needs_no_scripts(server):
    with connect(server.url) as link:
        own = Uniques(link, "v")
        own.add("a")
        calls = (own.count, lambda: own.merge_count(own.current().step(-9), own.current()))
        for call in (lambda: own.add("b", "c"), *calls):
            with measure() as cost:
                call()
            assert (cost.commands, cost.round_trips) == (1, 1)
        with connect(restricted(server, "+@read", "-@dangerous", "+ping", "~*")) as narrow:
            other = Uniques(narrow, "v")
            assert other.count() == own.count() == 3
            assert other.merge_count(own.current(), own.current()) == 3
            with pytest.raises(redis.exceptions.NoPermissionError):
                other.add("d")


def test_windows_merge_on_a_cluster(cluster):
    with connect(cluster.url) as link:
        visitors = Uniques(link, "v", window="month")
        visitors.add("a", "b")
        now = visitors.current()
        assert visitors.merge_count(now.step(-11), now) == 2
        assert [count for _, count in visitors.counts(now.step(-1), now)] == [0, 2]


@pytest.mark.parametrize(
    ("key", "pattern", "label"),
    [
        (b"v:2026-11-23", b"v:<day>", "2026-11-23"),
        (b"2026-01-01:\xff:2026-W48:x", b"2026-01-01:\xff:<week>:x", "2026-W48"),
        (b"v20261123b", b"v<yyyymmdd>b", "2026-11-23"),
        (b"v:2026-11", b"v:<month>", "2026-11"),
        (b"v:2026-13-45", b"v:2026-13-45", None),
        (b"v:120261123", b"v:120261123", None),
        (b"", b"", None),
    ],
)
def test_keys_that_differ_in_their_date_are_windows_of_one(key, pattern, label):
    series, window = series_of(key)

    assert (series.pattern, window and window.label) == (pattern, label)
    assert series_named(pattern) == series
    assert window is None or series.key(window) == key


def test_counters_of_others_are_known_by_their_bytes_and_merge(build, client):
    counters = build(Counters, AsyncCounters)
    client.pfadd("v:1", "a", "b")
    client.pfadd("v:2", "b", "c")
    client.set("text", "HYLx")
    client.set("fake", b"HYLL and no more")
    client.lpush("list", 1)

    assert counters.which([b"v:1", b"text", b"list", b"gone"]) == {b"v:1"}
    keys = [b"v:1", b"v:2", b"gone", b"text", b"list", b"fake"]
    assert counters.counts(keys) == [2, 2, 0, None, None, None]
    assert counters.merged([b"v:1", b"v:2"]) == 3 and counters.merged([]) == 0
    with pytest.raises(InvalidArgument):
        counters.counts([b"x"] * 1_001)


def test_counters_of_several_slots_cannot_be_merged(cluster):
    with connect(cluster.url) as link:
        for key in ("{a}1", "{a}2", "{b}1"):
            link.pfadd(key, key)
        counters = Counters(link)
        assert counters.counts([b"{a}1", b"{b}1"]) == [1, 1]
        assert counters.merged([b"{a}1", b"{a}2"]) == 2
        assert counters.merged([b"{a}1", b"{b}1"]) is None
