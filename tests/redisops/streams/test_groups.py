"""Groups as an operator sees them, and acts on what they hold."""

from __future__ import annotations

import contextlib

import pytest
import redis

from redisops.connection import connect
from redisops.errors import InvalidArgument, UnknownResult
from redisops.streams import groups as model
from redisops.streams.dead import dead_key
from redisops.streams.groups import AsyncGroups, GroupGone, Groups, Reading, StreamGone, rates
from redisops.streams.pending import (
    AsyncPending,
    Pending,
    PendingEntry,
    Seen,
    by_age,
    by_deliveries,
    poison,
    stuck,
)
from redisops.streams.replaying import AsyncDeadLetters, DeadLetters
from tests.hostile import NAMES
from tests.servers import RedisProcess, restricted
from tests.servers.topologies import Cluster

KEY = b"orders"
GROUP = b"mailer"
NARROW = ("+@read", "-@dangerous", "+ping")


@pytest.fixture
def groups(build):
    return build(Groups, AsyncGroups, KEY)


@pytest.fixture
def pending(build):
    return build(Pending, AsyncPending, KEY, GROUP)


@pytest.fixture
def letters(build):
    return build(DeadLetters, AsyncDeadLetters, KEY)


@pytest.fixture
def filled(client):
    """Ten entries; the group got six: four by one consumer, two by another."""
    for n in range(10):
        client.execute_command("XADD", KEY, f"{n + 1}-1", "n", n, "twice", "a", "twice", "b")
    client.xgroup_create(KEY, GROUP, "0")
    client.xreadgroup(GROUP, b"one", {KEY: ">"}, count=4)
    client.xreadgroup(GROUP, b"two", {KEY: ">"}, count=2)
    return client


def seen(pending, *ids):
    return [Seen.of(row) for row in pending.window().rows if not ids or row.id in ids]


def test_a_look_says_lag_pending_and_the_oldest(groups, filled):
    look = groups.look()

    [group] = look.groups
    assert (look.length, look.added, look.first_id, look.last_id) == (10, 10, "1-1", "10-1")
    assert (group.name, group.consumers, group.pending, group.lag) == (GROUP, 2, 6, 4)
    assert (group.last_delivered, group.entries_read) == ("6-1", 6)
    assert group.oldest and (group.oldest.id, group.oldest.consumer) == ("1-1", b"one")


def test_a_lag_that_the_server_does_not_know_is_none_and_never_0(groups, filled):
    filled.xgroup_setid(KEY, GROUP, "3-1")
    filled.xdel(KEY, "8-1")

    assert groups.look().groups[0].lag is None


def test_what_is_missing_is_told_apart(groups, build, client):
    with pytest.raises(StreamGone):
        groups.look()
    client.set(KEY, "text")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        groups.look()
    client.delete(KEY)
    client.xadd(KEY, {"a": 1})
    for act in (
        build(Pending, AsyncPending, KEY, GROUP).window,
        lambda: build(Pending, AsyncPending, KEY, GROUP).ack([]),
        lambda: groups.set_id(GROUP, "$"),
        lambda: groups.delete_consumer(GROUP, b"one"),
    ):
        with pytest.raises(GroupGone):
            act()
    assert groups.delete(GROUP) is False


def test_groups_are_made_moved_and_deleted(groups, filled):
    assert groups.create(b"new", "0") is True
    assert groups.create(b"new", "$") is False
    assert {g.name: g.lag for g in groups.look().groups} == {b"mailer": 4, b"new": 10}

    groups.set_id(b"new", "$")

    assert {g.name: g.lag for g in groups.look().groups}[b"new"] == 0
    assert groups.delete_consumer(GROUP, b"two") == 2
    assert groups.delete(b"new") is True
    assert [g.name for g in groups.look().groups] == [GROUP]
    with pytest.raises(InvalidArgument):
        groups.create(b"x", "yesterday")


def test_a_window_has_consumers_and_pages_of_what_is_pending(pending, filled):
    first = pending.window(count=4)
    rest = pending.window(first.next, count=4)

    assert {c.name: (c.pending, c.oldest.id) for c in first.consumers} == {
        b"one": (4, "1-1"), b"two": (2, "5-1"),
    }  # fmt: skip
    assert [row.id for row in (*first.rows, *rest.rows)] == [f"{n}-1" for n in range(1, 7)]
    assert rest.next is None
    assert [row.id for row in pending.window(consumer=b"two").rows] == ["5-1", "6-1"]


def test_two_workers_of_one_name_are_one_consumer(groups, pending, filled, server):
    with server.client() as other:
        other.xreadgroup(GROUP, b"one", {KEY: ">"}, count=1)

    window = pending.window()

    assert sorted((c.name, c.pending) for c in window.consumers) == [(b"one", 5), (b"two", 2)]
    assert sum(c.pending for c in window.consumers) == groups.look().groups[0].pending


def test_only_what_is_as_it_was_seen_is_acted_on(pending, filled):
    all_seen = seen(pending)
    filled.xack(KEY, GROUP, "1-1")
    filled.xclaim(KEY, GROUP, b"two", 0, ["2-1"])
    filled.xreadgroup(GROUP, b"one", {KEY: "2-1"}, count=1)  # delivers 3-1 again
    filled.xdel(KEY, "4-1")

    words = pending.claim(all_seen, b"two")

    assert words == ["gone", "changed", "changed", "deleted", "same", "same"]
    assert pending.look(all_seen[3:]) == ["done", "done", "done"]
    assert pending.ack(all_seen) == ["gone", "changed", "changed", "done", "done", "done"]
    assert [row.id for row in pending.window().rows] == ["2-1", "3-1"]


def test_claimed_entries_keep_their_deliveries(pending, filled):
    assert pending.claim(seen(pending, "1-1", "2-1"), b"\x00new<b>") == ["done", "done"]

    rows = pending.window(consumer=b"\x00new<b>").rows
    assert [(row.id, row.deliveries) for row in rows] == [("1-1", 1), ("2-1", 1)]


def test_what_is_buried_is_whole_and_comes_back_whole(pending, letters, filled):
    assert pending.bury(seen(pending, "1-1", "5-1"), "no such <b>") == ["done", "done"]

    [newest, oldest] = letters.page().letters
    assert (oldest.stream, oldest.origin, oldest.group) == (KEY, "1-1", GROUP)
    assert (oldest.consumer, oldest.deliveries, oldest.cause) == (b"one", 1, "no such <b>")
    assert oldest.fields == ((b"n", b"0"), (b"twice", b"a"), (b"twice", b"b"))
    assert letters.ids(None, "+") == [oldest.id, newest.id]

    [again] = letters.replay([oldest.id])

    raw = filled.connection_pool.get_connection()
    raw.send_command("XRANGE", KEY, again, again)
    assert raw.read_response()[0][1] == [b"n", b"0", b"twice", b"a", b"twice", b"b"]
    filled.connection_pool.release(raw)
    assert letters.replay([oldest.id]) == ["gone"]
    assert letters.count() == 1


def test_who_may_not_acknowledge_writes_no_dead_letter(filled, server):
    asked = seen(Pending(filled, KEY, GROUP), "1-1")
    url = restricted(server, "~*", "+@all", "-xack")
    with (
        connect(url) as link,
        pytest.raises(redis.ResponseError, match=r"NOPERM|permission|can't run this command"),
    ):
        Pending(link, KEY, GROUP).bury(asked, "poison")

    assert filled.exists(dead_key(KEY)) == 0


def test_a_huge_entry_is_buried_and_replayed_without_a_script(pending, letters, filled):
    filled.delete(KEY)
    many = [part for n in range(10_000) for part in (f"f{n}", "v")]
    filled.execute_command("XADD", KEY, "1-1", *many)
    filled.xgroup_create(KEY, GROUP, "0")
    filled.xreadgroup(GROUP, b"one", {KEY: ">"})

    assert pending.bury(seen(pending), "too many fields") == ["done"]
    assert pending.window().rows == ()
    [dead] = letters.ids(None, "+")
    assert letters.replay([dead], after_cut=True) == ["perhaps"]
    [again] = letters.replay([dead])
    assert len(filled.xrange(KEY, again, again)[0][1]) == 10_000


def test_nobody_can_have_letters_replayed_into_another_stream(letters, pending, filled):
    pending.bury(seen(pending, "1-1"), "x")
    forged = filled.execute_command("XADD", dead_key(KEY), "*", "dead:stream", "session:1", "a", 1)
    plain = filled.xadd(dead_key(KEY), {"any": "thing"})

    page = letters.page()

    assert set(page.others) == {forged.decode(), plain.decode()}
    assert letters.replay(list(page.others)) == ["foreign", "foreign"]
    filled.delete(KEY)
    assert letters.replay([page.letters[0].id]) == ["missing"]
    assert letters.count() == 3 and not filled.exists(KEY)


@pytest.mark.parametrize("name", [b"", b"\x00\x01\x02\xff", NAMES[-2], b"n" * 5_000])
def test_names_of_any_bytes_are_read_and_acted_on(name, build, client):
    client.xadd(KEY, {"a": 1}, id="1-1")
    client.xgroup_create(KEY, name, "0")
    client.xreadgroup(name, name or b"-", {KEY: ">"})

    [group] = build(Groups, AsyncGroups, KEY).look().groups
    mine = build(Pending, AsyncPending, KEY, name)
    window = mine.window()

    assert name.startswith(group.name) and group.is_cut is (len(name) > model.MOST_NAME)
    assert window.consumers[0].is_cut is group.is_cut
    if not group.is_cut:
        assert mine.bury(seen(mine), "x") == ["done"]


def test_a_narrow_user_reads_all_of_it_and_is_told_what_is_missing(filled, server, connecting):
    filled.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", *NARROW)
    with connect(f"redis://narrow:pw@127.0.0.1:{server.port}/0") as link:
        look = Groups(link, KEY).look()
        window = Pending(link, KEY, GROUP).window()
        letters = DeadLetters(link, KEY).page()

        assert (look.groups[0].lag, look.groups[0].oldest.id) == (4, "1-1")  # type: ignore[union-attr]
        assert len(window.rows) == 6 and window.consumers[0].oldest.id == "1-1"  # type: ignore[union-attr]
        assert "eval" in look.missing and "eval" in window.missing and not letters.letters
        with pytest.raises(redis.exceptions.NoPermissionError):
            Pending(link, KEY, GROUP).ack([])
    filled.execute_command("ACL", "DELUSER", "narrow")


def test_a_refusal_after_the_first_is_told_for_each(pending, filled):
    filled.set(dead_key(KEY), "not a stream")
    rows = seen(pending)

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        pending.bury(rows, "x")

    assert pending.look(rows) == ["done"] * 6


def test_on_a_cluster_both_ways_move_everything(cluster: Cluster):
    for key in (b"plain", b"{tag}s"):
        with connect(cluster.url) as link:
            for n in range(3):
                link.xadd(key, {"n": n})
            link.xgroup_create(key, GROUP, "0")
            link.xreadgroup(GROUP, "one", {key: ">"})
            mine, dead = Pending(link, key, GROUP), DeadLetters(link, key)

            assert mine.bury(seen(mine), "x") == ["done"] * 3
            assert Groups(link, key).look().groups[0].pending == 0
            ids = dead.ids(None, "+")
            assert dead.is_atomic is (key == b"{tag}s")
            assert all("-" in word for word in dead.replay(ids))
            assert dead.count() == 0 and link.xlen(key) == 6


def test_a_lost_reply_is_unknown_and_can_be_looked_at(filled, server: RedisProcess):
    with connect(f"redis://127.0.0.1:{server.port}/0?timeout=0.2") as link:
        mine = Pending(link, KEY, GROUP)
        rows = seen(mine)
        server.pause()
        try:
            with pytest.raises((UnknownResult, redis.TimeoutError)):
                mine.ack(rows)
        finally:
            server.resume()
    with server.client() as plain:
        words = Pending(plain, KEY, GROUP).look(rows)
    assert set(words) <= {"done", "gone"} and len(set(words)) == 1


def test_rates_need_two_readings_of_one_stream():
    first = Reading(100.0, 1_000, 5_000, 4_000, 50, 1_000)
    later = Reading(110.0, 1_000, 5_100, 4_050, 40, 1_050)

    told = rates(first, later)

    assert told is not None
    assert (told.added, told.read, told.acknowledged, told.growth) == (10.0, 5.0, 6.0, 5.0)
    assert told.drain is None and told.loss == 0.0
    catching_up = rates(first, Reading(110.0, 1_100, 5_100, 4_500, 50, 600))
    assert catching_up is not None and catching_up.drain == 15.0
    assert rates(first, Reading(110.0, 3, 3, 0, 0, 3)) is None
    unknown = rates(first, Reading(110.0, 1_000, 5_100, None, 50, None))
    assert unknown is not None and unknown.growth is None and unknown.acknowledged is None


def test_classes_of_what_is_pending_and_what_wants_a_person(pending, filled):
    rows = [PendingEntry(f"{n}-0", b"c", n * 7_000, n) for n in range(1, 12)]

    assert sum(share.count for share in by_age(rows)) == len(rows)
    assert [share.count for share in by_deliveries(rows)] == [1, 3, 5, 2]
    assert [row.deliveries for row in poison(rows, 9)] == [11, 10, 9]
    with contextlib.suppress(AttributeError):
        assert {c.name for c in stuck(pending.window().consumers, idle=0)} == {b"one", b"two"}
    assert Seen.parse(str(Seen.of(rows[0]))) == Seen.of(rows[0])
    for wrong in ("", "1-1", "1-1.x." + "0" * 40, "<b>.1." + "0" * 40, "1-1.1." + "z" * 40):
        with pytest.raises(InvalidArgument):
            Seen.parse(wrong)
