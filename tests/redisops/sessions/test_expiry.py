"""When sessions end: idle, absolute, by nobody's hand but ours; and when they were last seen."""

import time

import pytest

from redisops.sessions import AsyncSessions, Seal, Sessions
from tests.redisops.sessions.kept import NEW, key_of, saved


def test_a_load_and_a_save_push_the_expiry_along(sessions, client, clock):
    session = saved(sessions, n=1)
    sessions.load(session.id)
    client.pexpire(key_of(session), 5000)

    sessions.load(session.id, fields=["n"])
    assert client.pttl(key_of(session)) > 1_700_000
    client.pexpire(key_of(session), 5000)
    loaded = sessions.load(session.id)
    assert client.pttl(key_of(session)) > 1_700_000

    client.pexpire(key_of(session), 5000)
    loaded["n"] = 2
    sessions.save(loaded)
    assert client.pttl(key_of(session)) > 1_700_000


def test_last_seen_is_written_at_most_once_a_minute(sessions, clock):
    session = saved(sessions)
    clock.now += 59
    assert sessions.save(sessions.load(session.id)) is False
    clock.now += 2

    assert sessions.save(sessions.load(session.id)) is True

    assert sessions.load(session.id).seen == pytest.approx(clock.now, abs=0.01)
    assert sessions.save(sessions.load(session.id)) is False


def test_the_idle_expiry_ends_a_session(build):
    sessions = build(Sessions, AsyncSessions, Seal([NEW]), idle=0.05, absolute=10)
    session = saved(sessions)
    time.sleep(0.07)

    assert sessions.load(session.id) is None


def test_the_idle_expiry_cannot_be_lifted_from_outside(sessions, client, clock):
    session = saved(sessions)
    client.persist(key_of(session))
    clock.now += 30 * 60 + 61

    assert sessions.load(session.id) is None
    assert client.exists(key_of(session)) == 0


def test_the_absolute_end_cannot_be_moved_from_outside(sessions, client, clock):
    session = saved(sessions)
    for turn in range(1, 26):
        clock.now += 29 * 60
        loaded = sessions.load(session.id)
        if loaded is None:
            break
        sessions.save(loaded)
        if turn == 24:  # the time to live never passes the absolute end
            assert 0 < client.pttl(key_of(session)) <= 24 * 60 * 1000 + 1000
        client.persist(key_of(session))

    assert clock.now - session.created == pytest.approx(25 * 29 * 60, abs=1)
    assert loaded is None
