"""What whoever writes to that Redis can do to a session: nothing but end it."""

import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redisops.errors import InvalidArgument
from redisops.sessions import AsyncSessions, Seal, SessionInvalid, Sessions, handle_of
from redisops.sessions.packing import pack
from redisops.sessions.store import MAX_FIELDS
from tests.redisops.sessions.kept import NEW, OLD, key_of, saved


@pytest.mark.parametrize("field", [b"a", b"big", b"@whole", b"@about", b"@seen"])
def test_a_changed_field_makes_the_session_invalid(sessions, client, clock, field):
    session = saved(sessions, a=0, b=1, big="x" * 900)
    session["a"], session.about["address"] = 1, "10.0.0.8"
    clock.now += 61
    sessions.save(session)
    assert set(client.hkeys(key_of(session))) == {b"a", b"big", b"@whole", b"@about", b"@seen"}
    sealed = client.hget(key_of(session), field)
    damaged = {
        "flip": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "nonce": sealed[:16] + bytes([sealed[16] ^ 1]) + sealed[17:],
        "cut": sealed[:12],
        "empty": b"",
        "plain": b"admin",
        "unknown key": sealed[:1] + b"????" + sealed[5:],
        "unknown version": b"\x07" + sealed[1:],
    }
    for damage in damaged.values():
        client.hset(key_of(session), field, damage)
        with pytest.raises(SessionInvalid):
            sessions.load(session.id)
        with pytest.raises(SessionInvalid):
            sessions.load(session.id, fields=["a", "big"])
    client.hset(key_of(session), field, sealed)
    assert dict(sessions.load(session.id)) == {"a": 1, "b": 1, "big": "x" * 900}


def test_a_field_does_not_open_elsewhere(sessions, client):
    mine, theirs = (saved(sessions, who, user="0", role="x") for who in ("mallory", "mara"))
    for session, user in ((mine, "1"), (theirs, "2")):
        session["user"], session["role"] = user, "y"
        sessions.save(session)
    kept = client.hgetall(key_of(mine))
    elsewhere = [
        (b"user", client.hget(key_of(theirs), "user")), (b"user", kept[b"role"]),
        (b"@whole", client.hget(key_of(theirs), "@whole")), (b"@about", kept[b"@whole"]),
        (b"@whole", kept[b"user"]), (b"theme", kept[b"user"]), (b"@@whole", kept[b"@whole"]),
    ]  # fmt: skip

    for field, sealed in elsewhere:
        client.hset(key_of(mine), field, sealed)
        with pytest.raises(SessionInvalid, match="changed by somebody else"):
            sessions.load(mine.id)
        client.delete(key_of(mine))
        client.hset(key_of(mine), mapping=kept)
    assert dict(sessions.load(mine.id)) == {"user": "1", "role": "y"}


def test_what_is_planted_is_not_a_session(sessions, client):
    theirs = saved(sessions, user="2")
    client.copy(key_of(theirs), f"session:{{{handle_of('chosen-by-mallory')}}}")
    client.set(f"session:{{{handle_of('x')}}}", "planted")
    client.hset(key_of(theirs), "@new", "")

    with pytest.raises(SessionInvalid):
        sessions.load("chosen-by-mallory")
    for fields in (None, ["user"]):
        with pytest.raises(SessionInvalid, match="not a hash"):
            sessions.load("x", fields=fields)
    with pytest.raises(SessionInvalid, match="unknown field"):
        sessions.load(theirs.id)
    planted = Seal([NEW]).place(key_of(theirs)).seal(b"user", pack("41"))
    client.delete(key_of(theirs))
    client.hset(key_of(theirs), "user", planted)
    for fields in (None, ["user"]):
        with pytest.raises(SessionInvalid, match="no sealed metadata"):
            sessions.load(theirs.id, fields=fields)


def test_of_a_hash_of_many_planted_fields_no_more_than_a_session_has_is_read(sessions, client):
    session = saved(sessions)
    client.hset(key_of(session), mapping={f"f{n}": "x" for n in range(20_000)})
    sent = int(client.info("stats")["total_net_output_bytes"])

    with pytest.raises(SessionInvalid, match="more than 1000 fields"):
        sessions.load(session.id)

    assert int(client.info("stats")["total_net_output_bytes"]) - sent < 50_000
    whole = sessions.new("mara")
    whole.update({f"f{n}": n for n in range(MAX_FIELDS - 2)})
    sessions.save(whole)
    assert len(sessions.load(whole.id)) == MAX_FIELDS - 2


def test_a_planted_pickle_is_never_run(sessions, client, tmp_path):
    canary = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(canary),))

    session = saved(sessions, a=1)
    client.hset(key_of(session), "a", pickle.dumps(Payload()))

    with pytest.raises(SessionInvalid):
        sessions.load(session.id)
    assert not canary.exists()


def test_old_keys_still_open_and_the_next_save_seals_anew(build, clock):
    before = build(Sessions, AsyncSessions, Seal([OLD]), clock=clock)
    session = saved(before, a=1, b=2, c=3, big="x" * 900)
    session["b"] = 3
    before.save(session)
    rotated = build(Sessions, AsyncSessions, Seal([NEW, OLD]), clock=clock)
    loaded = rotated.load(session.id)
    assert dict(loaded) == {"a": 1, "b": 3, "c": 3, "big": "x" * 900}
    other = rotated.load(session.id)
    other["b"] = 4  # while the first is under way: not undone by what it seals anew
    rotated.save(other)
    loaded["a"] = 5
    del loaded["c"]
    rotated.save(loaded)
    assert rotated.save(loaded) is False
    assert rotated.save(rotated.load(session.id)) is False

    after = build(Sessions, AsyncSessions, Seal([NEW]), clock=clock)

    assert dict(after.load(session.id)) == {"a": 5, "b": 4, "big": "x" * 900}
    with pytest.raises(SessionInvalid):
        before.load(session.id)


def test_a_session_of_before_there_was_a_whole_is_read_and_kept(sessions, client, clock):
    session = saved(sessions)
    seal = Seal([NEW]).place(key_of(session)).seal
    about = pack(["mara", clock.now, clock.now + 900, {"address": "10.0.0.7"}])
    before = {b"@about": about, b"@seen": b"%d" % (clock.now * 1000), b"a": pack(1), b"b": pack(2)}
    client.delete(key_of(session))
    client.hset(key_of(session), mapping={name: seal(name, one) for name, one in before.items()})

    loaded = sessions.load(session.id)
    assert (dict(loaded), loaded.about, loaded.principal) == (
        {"a": 1, "b": 2}, {"address": "10.0.0.7"}, "mara",
    )  # fmt: skip
    assert sessions.save(loaded) is False
    loaded["a"] = 3
    del loaded["b"]
    sessions.save(loaded)
    assert dict(sessions.load(session.id)) == {"a": 3}
    assert set(client.hkeys(key_of(session))) == {b"@about", b"@seen", b"a"}
    assert [info.about for info in sessions.of("mara")] == [{"address": "10.0.0.7"}]
    fresh = sessions.rotate(loaded)
    assert client.hkeys(key_of(fresh)) == [b"@whole"]
    assert dict(sessions.load(fresh.id)) == {"a": 3}


@pytest.mark.parametrize("key", [b"short", "not base64 !", "YWJj"])
def test_a_key_that_is_not_32_bytes_is_refused(key):
    with pytest.raises(InvalidArgument, match="32 bytes"):
        Seal([key])


@given(st.binary(), st.binary(), st.binary())
def test_a_seal_opens_only_in_its_place(name, field, value):
    seal = Seal([NEW])
    sealed = seal.place(name).seal(field, value)

    assert seal.place(name).open(field, sealed) == value
    with pytest.raises(SessionInvalid):
        seal.place(name + b"x").open(field, sealed)
    with pytest.raises(SessionInvalid):
        seal.place(name).open(field + b"x", sealed)


@given(st.binary(max_size=80))
def test_any_bytes_either_open_or_are_invalid(data):
    with pytest.raises(SessionInvalid):
        Seal([NEW]).place(b"k").open(b"f", data)
