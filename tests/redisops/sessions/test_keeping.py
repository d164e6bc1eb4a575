"""Sessions on a real server, blocking and awaiting: what they keep, and what each call costs."""

import contextlib

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redisops.connection import connect
from redisops.errors import InvalidArgument
from redisops.sessions import (
    AsyncSessions,
    FieldNotLoaded,
    Seal,
    SessionGone,
    SessionInvalid,
    Sessions,
)
from redisops.sessions.packing import pack, unpack
from tests.redisops.counting import counted
from tests.redisops.sessions.kept import NEW, key_of, saved
from tests.servers import restricted


def test_a_session_comes_back_as_it_was_saved(sessions):
    data = {"cart": [1, {"a": b"\x00\xff"}], "big": 2**63 - 1, "@odd": None, "ü\n": "text", "": 1.5}
    session = saved(sessions, **data)

    loaded = sessions.load(session.id)

    assert dict(loaded) == data
    assert (loaded.principal, loaded.about) == ("mara", {"address": "10.0.0.7"})
    assert (loaded.handle, loaded.ends, len(loaded)) == (session.handle, session.ends, 5)
    assert sessions.load("nobody's") is None
    assert sessions.load("nobody's", fields=["cart"]) is None


def test_neither_the_id_nor_a_value_can_be_read_in_redis(sessions, client):
    session = saved(sessions, secret="attack at dawn")

    everything = b"".join(
        [
            key_of(session),
            *(part for pair in client.hgetall(key_of(session)).items() for part in pair),
        ]
    )

    assert session.id.encode() not in everything
    assert b"dawn" not in everything and b"mara" not in everything
    assert client.keys("*session:*") == [key_of(session)]


def test_each_call_costs_one_round_trip_and_an_unchanged_session_none(sessions, client, trips):
    def cost(call, *args, **kwargs):
        trips.clear()
        return call(*args, **kwargs), len(trips)

    saved(sessions, warm=1)
    session = sessions.new("mara")
    session.update(a=1, b=2, c=[3])
    assert cost(sessions.save, session) == (True, 1)
    before = client.hgetall(key_of(session))
    with counted(client) as spent:
        loaded, sent = cost(sessions.load, session.id)
        part, sent_for_part = cost(sessions.load, session.id, fields=["a"])
    assert (sent, sent_for_part, dict(part)) == (1, 1, {"a": 1})
    assert spent.calls == {"hrandfield": 1, "hmget": 1, "pexpire": 2}  # and no script
    loaded["a"] = 1
    for unchanged in (loaded, session):
        assert cost(sessions.save, unchanged) == (False, 0)
    loaded["a"] = 10
    loaded["c"].append(4)
    del loaded["b"]

    assert cost(sessions.save, loaded) == (True, 1)

    after = client.hgetall(key_of(session))
    # b is in @whole, which no save touches: a field of its own says that it is deleted.
    assert {field for field in after if after[field] != before.get(field)} == {b"a", b"b", b"c"}
    assert cost(sessions.save, loaded) == (False, 0)
    assert dict(sessions.load(session.id)) == {"a": 10, "c": [3, 4]}
    assert cost(sessions.rotate, loaded)[1] == 1


def test_what_two_requests_change_is_kept_by_both_and_by_a_session_saved_again(sessions):
    session = saved(sessions, a=1, b=1, c=1)
    one, two = sessions.load(session.id), sessions.load(session.id)
    one["a"] = 2
    two["b"] = 2
    del two["c"]

    sessions.save(one)
    sessions.save(two)
    assert dict(sessions.load(session.id)) == {"a": 2, "b": 2}

    two["c"] = two["a"] = 5  # what one object was saved with is no longer a change of its own
    one["a"] = 6
    sessions.save(two)
    assert dict(sessions.load(session.id)) == {"a": 5, "b": 2, "c": 5}
    one.about["address"] = "10.0.0.8"
    sessions.save(one)
    loaded = sessions.load(session.id)
    assert (dict(loaded), loaded.about) == ({"a": 6, "b": 2, "c": 5}, {"address": "10.0.0.8"})
    assert sessions.save(one) is False


def test_only_the_named_fields_travel_and_no_other_is_taken_for_missing(sessions, client):
    whole = saved(sessions, cart=["KB-87"], theme="dark", note="x" * 900)
    client.hset(key_of(whole), "note", "not even sealed")  # never opened

    part = sessions.load(whole.id, fields=("cart", "locale"))
    assert part["cart"] == ["KB-87"]
    assert "locale" not in part
    for ask in (lambda: part["theme"], lambda: part.get("theme"), lambda: "theme" in part):
        with pytest.raises(FieldNotLoaded):
            ask()
    part["cart"].append("CAB-2")
    part["last"] = 1
    sessions.save(part)
    again = sessions.load(whole.id, fields=["cart", "last", "theme"])
    assert dict(again) == {"cart": ["KB-87", "CAB-2"], "last": 1, "theme": "dark"}
    for write in (lambda: sessions.rotate(part), lambda: sessions.save(part, replace=True)):
        with pytest.raises(InvalidArgument, match="fields="):
            write()
    sessions.revoke_all("mara")
    part["cart"] = []
    with pytest.raises(SessionGone):
        sessions.save(part)


def test_rotation_moves_the_data_to_a_new_id(sessions):
    session = saved(sessions, a=1)

    fresh = sessions.rotate(session)

    assert sessions.load(session.id) is None
    assert dict(sessions.load(fresh.id)) == {"a": 1}
    assert fresh.ends == session.ends
    assert [info.handle for info in sessions.of("mara")] == [fresh.handle]


def test_a_revoked_session_comes_back_by_no_way(sessions, client):
    """A save that brings one field alone must not leave as much as that field behind."""
    session = saved(sessions, a=1)
    saving, rotating = sessions.load(session.id), sessions.load(session.id)
    sessions.revoke("mara", session.handle)
    saving["a"] = 2

    with pytest.raises(SessionGone):
        sessions.save(saving)
    with pytest.raises(SessionGone):
        sessions.rotate(rotating)

    assert client.keys("*") == []
    assert sessions.of("mara") == []


def test_the_same_id_is_not_created_twice(sessions):
    session = saved(sessions, a=1)
    second = sessions.new("mallory", id=session.id)

    with pytest.raises(InvalidArgument, match="exists already"):
        sessions.save(second)

    assert sessions.load(session.id).principal == "mara"


def test_replace_repairs_whatever_is_there(sessions, client):
    session = saved(sessions, a=1)
    client.delete(key_of(session))
    client.set(key_of(session), "planted")

    sessions.save(session, replace=True)

    assert dict(sessions.load(session.id)) == {"a": 1}
    assert 0 < client.pttl(key_of(session)) <= 30 * 60_000


def test_scripts_are_sent_again_after_a_script_flush(sessions, client):
    session = saved(sessions, a=1)
    client.script_flush()
    loaded = sessions.load(session.id)
    loaded["a"] = 2
    sessions.save(loaded)
    client.script_flush()

    saved(sessions, b=1)

    assert dict(sessions.load(session.id)) == {"a": 2}
    assert len(sessions.of("mara")) == 2


def test_a_server_that_refuses_writes_still_says_whose_session_it_is(sessions, client):
    session = saved(sessions, a=1)
    client.config_set("min-replicas-to-write", 1)
    try:
        loaded = sessions.load(session.id)
        assert sessions.load(session.id, fields=["a"])["a"] == 1
        loaded["a"] = 2

        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            sessions.save(loaded)
    finally:
        client.config_set("min-replicas-to-write", 0)

    assert dict(sessions.load(session.id)) == {"a": 1}
    client.pexpire(key_of(session), 5000)
    assert sessions.save(loaded) is True
    assert client.pttl(key_of(session)) > 1_700_000  # its load could not push it along


def test_a_user_without_a_right_is_told_which(server):
    whole = Sessions(connect(server.url), Seal([NEW]))
    session = saved(whole, a=1)
    rights = ("~session:*", "+hrandfield", "+hmget")
    with connect(restricted(server, *rights, user="reading")) as client:
        reading = Sessions(client, Seal([NEW]))
        assert dict(reading.load(session.id)) == {"a": 1}
    with connect(restricted(server, "~session:*", "+hmget", user="partly")) as client:
        partly = Sessions(client, Seal([NEW]))
        with pytest.raises(redis.exceptions.NoPermissionError, match="hrandfield"):
            partly.load(session.id)
        assert dict(partly.load(session.id, fields=["a"])) == {"a": 1}
    whole.redis.close()


def test_a_plain_client_of_either_protocol_serves_as_well(server):
    for protocol in (2, 3):
        with redis.Redis(port=server.port, protocol=protocol) as client:
            sessions = Sessions(client, Seal([NEW]))
            session = saved(sessions, a=1, b=[2])
            loaded = sessions.load(session.id)
            loaded["a"] = 3
            sessions.save(loaded)
            assert dict(sessions.load(session.id)) == {"a": 3, "b": [2]}


def test_an_error_in_the_index_reaches_the_caller(sessions, client):
    client.set("sessions:{mara}", "planted")

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        saved(sessions)


@pytest.mark.parametrize("value", [object(), {1, 2}, {"a": object()}, [b"x", 2**70]])
def test_what_cannot_be_packed_is_refused_by_name(value):
    sessions = Sessions(redis.Redis(), Seal([NEW]))
    session = sessions.new()
    session["x"] = value

    with pytest.raises(InvalidArgument, match="cannot hold"):
        sessions.save(session)


@pytest.mark.parametrize("arguments", [{"idle": 0}, {"idle": 20, "absolute": 10}])
def test_impossible_expiries_are_refused(arguments):
    with pytest.raises(InvalidArgument, match="idle"):
        Sessions(None, Seal([NEW]), **arguments)


def test_a_session_reads_its_values_as_a_mapping_does():
    session = AsyncSessions(redis.asyncio.Redis(), Seal([NEW])).new()
    session["a"] = 1
    del session["a"]
    for ask in (lambda: session["a"], lambda: session["b"], lambda: session.pop("a")):
        with pytest.raises(KeyError):
            ask()
    with pytest.raises(InvalidArgument, match="top-level key"):
        session[1] = 2
    assert (dict(session), len(session), session.get("a", 5)) == ({}, 0, 5)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_packs_exactly(value):
    assert unpack(pack(value)) == value


@given(st.integers())
def test_integers_of_any_size_are_exact(number):
    assert unpack(pack([number])) == [number]


@given(st.binary(max_size=40))
def test_any_bytes_unpack_or_are_invalid(data):
    with contextlib.suppress(SessionInvalid):
        unpack(data)


def test_what_is_left_of_a_save_that_came_too_late_is_nobodys_and_goes(sessions, client):
    """Its process ended between what it wrote and taking that away again."""
    session = saved(sessions, a=1)
    late = sessions.load(session.id)
    field = next(iter(client.hkeys(key_of(session))))
    sessions.revoke("mara", session.handle)
    client.hset(key_of(session), "a", b"sealed")
    late["b"] = 2

    with pytest.raises(SessionGone):
        sessions.save(late)

    assert field == b"@whole"
    assert client.hkeys(key_of(session)) == [b"a"]
    assert 0 < client.pttl(key_of(session)) <= 30 * 60_000
    with pytest.raises(SessionInvalid):
        sessions.load(session.id)
