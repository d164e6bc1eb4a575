"""Edits of every type: done when what was seen is there, else nothing; and taken back exactly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops import edits as e
from redisops.edits import (
    AsyncEdits,
    Conflict,
    Edit,
    Edits,
    Exists,
    Missing,
    Refused,
    Saved,
    Seen,
    Version,
)
from redisops.errors import InvalidArgument
from tests.hostile import NAMES, VALUES

LATER = 2_000_000_000_123  # ms since 1970
INF = float("inf")


@pytest.fixture
def edits(build: Callable[..., Any]) -> Any:
    return build(Edits, AsyncEdits)


def state(client: redis.Redis) -> dict[bytes, Any]:
    """Every key with its value and expiry. Not its DUMP, which has an order."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    return {
        key: (read[client.type(key)](key), client.pexpiretime(key)) for key in client.scan_iter()
    }


def fill(client: redis.Redis) -> None:
    """A key of each type, half of them with one element only, all of them to expire."""
    client.set("s", b"old\x00\xff")
    client.hset("h", mapping={"f": "old", "g": "1"})
    client.hset("h1", "f", "9223372036854775807")
    client.rpush("l", *"abcde")
    client.rpush("l1", "a")
    client.sadd("e", "a", "b")
    client.sadd("e1", "a")
    client.zadd("z", {"m": 1.5, "n": -INF})
    client.zadd("z1", {"m": 2.0**63})
    client.geoadd("g", (10.75, 59.91, "oslo"))
    client.xadd("x", {"n": "1"}, id="5-1")
    for key in list(client.scan_iter()):
        client.pexpireat(key, LATER)


OLD = Seen.of(b"old")
# Each edit whose inverse takes it back, on what `fill` made.
REVERSIBLE: list[Edit] = [
    e.AppendString(b"s", b"\x00more", Seen.of(b"old\x00\xff")),
    e.SetBit(b"s", 0, 1, 0),
    e.SetBit(b"s", 12_345, 1, 0),
    e.SetField(b"h", b"f", b"\xffnew", OLD),
    e.SetField(b"h", b"new", b""),
    e.DeleteField(b"h", b"f", OLD),
    e.DeleteField(b"h1", b"f", Seen.of(b"9223372036854775807")),
    e.PushElement(b"l", b"", "head"),
    e.PushElement(b"l", b"x", "tail"),
    *(e.SetElement(b"l", n, b"\xff", Seen.of(b"abcde"[n : n + 1])) for n in range(5)),
    *(e.RemoveElement(b"l", n, Seen.of(b"abcde"[n : n + 1])) for n in range(5)),
    e.RemoveElement(b"l", -2, Seen.of(b"d")),
    e.RemoveElement(b"l1", 0, Seen.of(b"a")),
    e.InsertElement(b"l", 2, b"x", Seen.of(b"c")),
    e.InsertElement(b"l", 0, b"x", Seen.of(b"a")),
    e.InsertElement(b"l", 5, b"x"),
    e.AddMember(b"e", b"\xff"),
    e.RemoveMember(b"e", b"a"),
    e.RemoveMember(b"e1", b"a"),
    e.SetScore(b"z", b"m", INF, 1.5),
    e.SetScore(b"z", b"n", 5e-324, -INF),
    e.SetScore(b"z", b"new", 0.1),
    e.RemoveScore(b"z", b"n", -INF),
    e.RemoveScore(b"z1", b"m", 2.0**63),
    e.SetPlace(b"g", b"oslo", -180.0, -85.0, 3684363709426071.0),
    e.SetPlace(b"g", b"rome", 12.5, 41.9),
    e.AddEntry(b"x", ((b"n", b"\xff"), (b"n", b"2")), "5-2"),
    e.AddEntry(b"x", ((b"n", b""),)),
    e.Expire(b"s", 2_100_000_000_000, LATER),
    e.Expire(b"s", None, LATER + 3, within=3, kind="string"),
    e.Rename(b"s", b"new"),
    e.Rename(b"h", b"new", kind="hash"),
]


def name(edit: Edit) -> str:
    return edit.operation


@pytest.mark.parametrize("edit", REVERSIBLE, ids=name)
def test_an_edit_is_done_and_its_inverse_takes_it_back(
    edit: Edit, server: Any, client: redis.Redis
) -> None:
    fill(client)
    before = state(client)

    dry = Edits(client).apply(edit, dry=True)
    assert isinstance(dry, Saved) and state(client) == before
    saved = Edits(client).apply(edit)
    assert isinstance(saved, Saved) and saved.inverse is not None and not edit.needs_dump
    # What is kept for undo is kept before the edit is sent: the dry run must know it already.
    assert dry.inverse == saved.inverse or edit.operation == "stream.add"
    assert state(client) != before
    back = Edit.from_dict(json.loads(json.dumps(saved.inverse.to_dict())))
    assert back == saved.inverse
    undone = Edits(client).apply(back)

    assert isinstance(undone, Saved)
    assert state(client) == before


def test_both_clients_do_the_same(edits: Any, client: redis.Redis) -> None:
    client.hset("k", "f", "old")

    saved = edits.apply(e.SetField(b"k", b"f", b"new", OLD))
    again = edits.apply(e.SetField(b"k", b"f", b"newer", OLD))

    assert saved == Saved(
        e.SetField(b"k", b"f", b"old", Seen.of(b"new")), Version.of(b"old"), Version.of(b"new")
    )
    assert again == Conflict(Version.of(b"new"), OLD.version)
    assert edits.check(e.SetField(b"k", b"f", b"new", OLD)) == "done"
    assert client.hget("k", "f") == b"new"


# What each edit meets when somebody was there between the look and the save.
CHANGED = [
    (e.SetString(b"s", b"new", OLD), Conflict),
    (e.SetString(b"s", b"new", Seen.of(b"old", 6)), Conflict),
    (e.AppendString(b"s", b"new", Seen.of(b"\xfe", 5, 4)), Conflict),
    (e.CutString(b"s", 1, Seen.of(b"x", 5, 4)), Conflict),
    (e.SetBit(b"s", 0, 0, 1), Conflict),
    (e.SetField(b"h", b"f", b"new", Seen.of(b"older")), Conflict),
    (e.SetField(b"h", b"f", b"new"), Exists),
    (e.SetField(b"h", b"gone", b"new", OLD), Missing),
    (e.DeleteField(b"h", b"f", Seen.of(b"older")), Conflict),
    (e.DeleteField(b"h", b"gone", OLD), Missing),
    (e.SetElement(b"l", 1, b"new", Seen.of(b"a")), Conflict),
    (e.SetElement(b"l", 5, b"new", Seen.of(b"a")), Missing),
    (e.SetElement(b"l", -6, b"new", Seen.of(b"a")), Missing),
    (e.RemoveElement(b"l", 2, Seen.of(b"b")), Conflict),
    (e.InsertElement(b"l", 2, b"new", Seen.of(b"b")), Conflict),
    (e.InsertElement(b"l", 6, b"new"), Conflict),
    (e.AddMember(b"e", b"a"), Exists),
    (e.RemoveMember(b"e", b"gone"), Missing),
    (e.SetScore(b"z", b"m", 2.0, 1.0), Conflict),
    (e.SetScore(b"z", b"m", 2.0), Exists),
    (e.SetScore(b"z", b"gone", 2.0, 1.0), Missing),
    (e.RemoveScore(b"z", b"m", 1.0), Conflict),
    (e.SetPlace(b"g", b"oslo", 1.0, 1.0, 1.0), Conflict),
    (e.DeleteEntry(b"x", "4-1"), Missing),
    (e.AddEntry(b"x", ((b"n", b"2"),), "5-1"), Refused),
    (e.Expire(b"s", None, LATER + 1), Conflict),
    (e.Expire(b"s", LATER, None), Conflict),
    (e.Expire(b"s", 1), Refused),
    (e.Rename(b"s", b"h"), Exists),
    (e.Rename(b"s", b"new", kind="hash"), Conflict),
    (e.Copy(b"s", b"h"), Exists),
    (e.Create(b"s", "string", ((b"",),)), Exists),
    (e.AddToHyperLogLog(b"s", (b"a",)), Refused),
    (e.SetBit(b"s", 2**32 - 1, 1, 0), Refused),
]


def test_nothing_is_written_when_it_is_not_as_it_was_seen(client: redis.Redis) -> None:
    fill(client)
    before = state(client)

    for edit, outcome in CHANGED:
        assert isinstance(Edits(client).apply(edit), outcome), edit

    assert state(client) == before


def test_a_key_that_is_gone_is_not_made_by_an_edit(client: redis.Redis) -> None:
    """Every operation but the making of a key, on a server with nothing in it."""
    for edit, _ in [*CHANGED, *((edit, Saved) for edit in REVERSIBLE)]:
        if not isinstance(edit, e.Create):
            assert Edits(client).apply(edit) == Missing("key"), edit

    assert client.dbsize() == 0


def test_a_key_of_another_type_is_left_alone(client: redis.Redis) -> None:
    for edit, _ in [*CHANGED, *((edit, Saved) for edit in REVERSIBLE)]:
        if edit.type:
            client.flushall()
            other = "set" if edit.type == "list" else "list"
            (client.sadd if other == "set" else client.rpush)(edit.key, "x")

            outcome = Edits(client).apply(edit)

            assert isinstance(outcome, Conflict) and outcome.now.type == other, edit
            assert client.type(edit.key) == other.encode()


def test_the_value_that_changes_between_the_look_and_the_save_wins(client: redis.Redis) -> None:
    """Two people look, both save: one of them is told, with both versions at hand."""
    client.set("k", "as both saw it")
    seen = Seen.of(b"as both saw it")

    first = Edits(client).apply(e.SetString(b"k", b"from ann", seen))
    second = Edits(client).apply(e.SetString(b"k", b"from bob", seen))

    assert isinstance(first, Saved)
    assert isinstance(second, Conflict)
    assert (second.now.data, second.seen.data) == (b"from ann", b"as both saw it")
    assert client.get("k") == b"from ann"


def test_a_string_keeps_its_expiry_unless_told(client: redis.Redis) -> None:
    client.set("k", "old", pxat=LATER)

    kept = Edits(client).apply(e.SetString(b"k", b"new", OLD))
    at = client.pexpiretime("k")
    dropped = Edits(client).apply(e.SetString(b"k", b"newer", Seen.of(b"new"), keep_ttl=False))

    assert isinstance(kept, Saved) and isinstance(dropped, Saved)
    assert (at, client.pexpiretime("k")) == (LATER, -1)


def test_overwriting_a_whole_value_asks_for_the_dump_first() -> None:
    whole = [
        e.SetString(b"k", b"", OLD),
        e.AddToHyperLogLog(b"k", (b"a",)),
        e.SetJson(b"k", "$", b"{}", OLD),
        e.SetField(b"k", b"f", b"", Seen.of(b"start", 2_000_000)),
        e.Rename(b"a", b"k", replace=True),
        e.Copy(b"a", b"k", replace=True),
    ]

    assert all(edit.needs_dump and edit.dump_key == b"k" for edit in whole)
    assert not e.SetField(b"k", b"f", b"", OLD).needs_dump


def test_a_large_value_is_guarded_by_its_window_and_shown_in_part(client: redis.Redis) -> None:
    large = b"0123456789" * 300_000
    client.set("k", large)
    window = Seen.of(large[1000:2000], len(large), 1000)

    client.setrange("k", 1500, "!")
    conflict = Edits(client).apply(e.SetString(b"k", b"new", window))
    client.setrange("k", 1500, large[1500:1501])
    saved = Edits(client).apply(e.SetString(b"k", large[::-1], window))

    assert isinstance(conflict, Conflict) and isinstance(saved, Saved)
    for version in (conflict.now, saved.before, saved.after):
        assert (len(version.data or b""), version.length) == (65_536, 3_000_000)
        assert version.is_cut and len(version.digest) == 40
    assert client.get("k") == large[::-1]


def test_a_member_too_large_for_an_inverse_says_so(client: redis.Redis) -> None:
    large = b"x" * 1_100_000
    client.hset("h", "f", large)
    client.rpush("l", "a", large)
    changes = [
        e.DeleteField(b"h", b"f", Seen.of(large)),
        e.SetElement(b"l", 1, b"", Seen.of(large)),
    ]

    for edit in changes:
        saved = Edits(client).apply(edit)

        assert edit.needs_dump
        assert isinstance(saved, Saved) and saved.inverse is None


def test_an_element_is_removed_among_equals(client: redis.Redis) -> None:
    client.rpush("l", *"aabaacaa")
    client.expire("l", 100)

    for index in (6, 4, 3, 0):
        assert isinstance(Edits(client).apply(e.RemoveElement(b"l", index, Seen.of(b"a"))), Saved)

    assert client.lrange("l", 0, -1) == [b"a", b"b", b"c", b"a"]
    assert client.ttl("l") > 0


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, 1.7976931348623157e308, INF, -INF, 2.0**63])
def test_scores_arrive_exactly(value: float, client: redis.Redis) -> None:
    client.zadd("z", {"m": 1, "n": 2})

    saved = Edits(client).apply(e.SetScore(b"z", b"m", value, 1.0))

    assert isinstance(saved, Saved) and saved.inverse
    assert client.zscore("z", "m") == value
    assert float(saved.after.data or b"") == value
    assert isinstance(Edits(client).apply(saved.inverse), Saved)


@pytest.mark.parametrize("text", ["nan", "NaN", "", "x", "9007199254740993", "1e400", "9" * 400])
def test_what_is_no_score_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        e.score(text)


def test_scores_are_read_as_people_type_them() -> None:
    typed = ("1", "-1.5", "+inf", "-inf", "1e3", "9223372036854775808")
    assert [e.score(text) for text in typed] == [1.0, -1.5, INF, -INF, 1000.0, 2.0**63]
    assert math.copysign(1, e.score("-0")) == -1


def test_hostile_names_and_values_survive(client: redis.Redis) -> None:
    for number, key in enumerate(NAMES[:40]):
        value = VALUES[number % len(VALUES)]
        made = Edits(client).apply(e.Create(key, "hash", ((key, value),), LATER))
        changed = Edits(client).apply(e.SetField(key, key, key, Seen.of(value)))

        assert isinstance(made, Saved), key
        assert isinstance(changed, Saved) and changed.before == Version.of(value)
        assert client.hgetall(key) == {key: key}
        assert client.pexpiretime(key) == LATER


CREATED: dict[str, tuple[tuple[bytes, ...], ...]] = {
    "string": ((b"\xff",),),
    "list": tuple((b"%d" % n,) for n in range(7001)),
    "hash": tuple((b"f%d" % n, b"\x00") for n in range(4001)),
    "set": ((b"a",), (b"b",)),
    "zset": tuple((b"m%d" % n, b"-inf") for n in range(3001)),
    "geo": ((b"oslo", b"10.75", b"59.91"),),
    "hyperloglog": ((b"a",), (b"b",)),
    "stream": ((b"5-1", b"n", b"1"), (b"5-2", b"n", b"2", b"m", b"3")),
}


@pytest.mark.parametrize("kind", CREATED)
def test_a_key_of_each_type_is_made_where_there_is_none(kind: Any, client: redis.Redis) -> None:
    create = e.Create(b"k", kind, CREATED[kind], LATER)

    made = Edits(client).apply(create)
    again = Edits(client).apply(create)

    assert isinstance(made, Saved) and made.inverse is None and made.note
    assert isinstance(again, Exists)
    type = {"geo": "zset", "hyperloglog": "string"}.get(kind, kind)
    assert client.type("k") == type.encode()
    assert client.pexpiretime("k") == LATER
    count = {"list": "llen", "hash": "hlen", "zset": "zcard", "stream": "xlen"}.get(kind)
    assert count is None or getattr(client, count)("k") == len(CREATED[kind])
    assert Edit.from_dict(json.loads(json.dumps(create.to_dict()))) == create


@pytest.mark.parametrize("kind", ["json", "vectorset"])
def test_a_type_that_the_server_lacks_is_refused_whole(kind: Any, client: redis.Redis) -> None:
    rows = {"json": ((b"{}",),), "vectorset": ((b"e", b"1", b"2"),)}[kind]

    refused = Edits(client).apply(e.Create(b"k", kind, rows, LATER))

    assert isinstance(refused, Refused)
    assert "has no JSON.SET" in refused.reason or "has no VADD" in refused.reason
    assert client.dbsize() == 0


def test_a_hyperloglog_counts_more(client: redis.Redis) -> None:
    client.pfadd("k", "a")

    saved = Edits(client).apply(e.AddToHyperLogLog(b"k", (b"a", b"b")))

    assert isinstance(saved, Saved)
    assert (saved.before.data, saved.after.data, client.pfcount("k")) == (b"1", b"2", 2)


def test_a_stream_only_grows_at_its_end(client: redis.Redis) -> None:
    client.xadd("x", {"n": "1"}, id="5-1")

    low = Edits(client).apply(e.AddEntry(b"x", ((b"n", b"2"),), "4-9"))
    deleted = Edits(client).apply(e.DeleteEntry(b"x", "5-1"))
    back = Edits(client).apply(e.AddEntry(b"x", deleted.before.fields, "5-1"))

    assert isinstance(low, Refused) and "5-1" in low.reason and low.instead
    assert isinstance(deleted, Saved) and deleted.inverse is None
    assert "cannot come back" in deleted.note
    assert deleted.before.fields == ((b"n", b"1"),)
    assert isinstance(back, Refused)


def test_fields_have_an_expiry_of_their_own_only_where_the_server_has_it(
    client: redis.Redis,
) -> None:
    client.hset("h", "f", "old")
    before = state(client)

    for edit in (
        e.ExpireField(b"h", b"f", LATER, OLD),
        e.SetField(b"h", b"f", b"new", OLD, field_at=LATER),
        e.SetField(b"h", b"g", b"new", field_at=LATER),
    ):
        refused = Edits(client).apply(edit)
        if not isinstance(refused, Saved):  # a server of Redis 7.4 or Valkey 9 has it
            assert isinstance(refused, Refused) and "expiry per field" in refused.reason
            assert state(client) == before


def test_a_key_is_renamed_or_copied_over_another_only_when_told(client: redis.Redis) -> None:
    client.set("a", "1", pxat=LATER)
    client.rpush("b", "x")

    copied = Edits(client).apply(e.Copy(b"a", b"b", replace=True))
    renamed = Edits(client).apply(e.Rename(b"a", b"b", replace=True, kind="string"))

    assert isinstance(copied, Saved) and isinstance(renamed, Saved)
    assert client.keys("*") == [b"b"]
    assert (client.get("b"), client.pexpiretime("b")) == (b"1", LATER)


BAD: list[Callable[[], object]] = [
    lambda: e.SetField(b"k", "f", b"v"),  # type: ignore[arg-type]
    lambda: e.SetField("k", b"f", b"v"),  # type: ignore[arg-type]
    lambda: e.SetScore(b"k", b"m", math.nan),
    lambda: e.SetScore(b"k", b"m", 1),
    lambda: e.SetBit(b"k", -1, 1, 0),
    lambda: e.SetBit(b"k", 1, True, 0),
    lambda: e.SetPlace(b"k", b"m", 181.0, 0.0),
    lambda: e.AddEntry(b"k", ()),
    lambda: e.AddEntry(b"k", ((b"a", b"b"),), "5-1; FLUSHALL"),
    lambda: e.DeleteEntry(b"k", "-"),
    lambda: e.DeleteEntry(b"k", "99999999999999999999-0"),
    lambda: e.Expire(b"k", 0),
    lambda: e.Expire(b"k", 2**60),
    lambda: e.Rename(b"k", b"k"),
    lambda: e.SetJson(b"k", "$", b"{", None),
    lambda: e.SetJson(b"k", "$", b"NaN", None),
    lambda: e.Create(b"k", "string", ()),
    lambda: e.Create(b"k", "hash", ((b"f",),)),
    lambda: e.Create(b"k", "zset", ((b"m", b"nan"),)),
    lambda: e.Create(b"k", "geo", ((b"m", b"0", b"90"),)),
    lambda: e.Create(b"k", "stream", ((b"5-1", b"n", b"1"), (b"5-1", b"n", b"2"))),
    lambda: e.Create(b"k", "stream", ((b"5-1", b"n"),)),
    lambda: e.Create(b"k", "list", ((b"x",),) * 10_001),
    lambda: Seen(3, 3, "not a digest"),
    lambda: Seen(-1, 3, "0" * 40),
    lambda: Edit.from_dict({"operation": "flushall"}),
    lambda: Edit.from_dict({"operation": "set.add", "key": {"base64": "!"}}),
    lambda: Edit.from_dict({"operation": "set.add", "key": "k", "member": "m"}),
    lambda: Edit.from_dict({"operation": "set.add", "member": {"base64": ""}}),
    lambda: Edit.from_dict({"operation": "set.add", "key": {"base64": ""}, "script": "x"}),
    lambda: Edits.lacks(None, "flushall"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", BAD)
def test_what_breaks_a_rule_is_refused_before_anything_is_sent(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidArgument):
        make()
