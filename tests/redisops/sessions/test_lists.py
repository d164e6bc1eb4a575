"""Sessions of one principal: listed, revoked, limited in number, and told of when they end."""

import threading

import pytest

from redisops.connection import connect
from redisops.errors import InvalidArgument
from redisops.sessions import AsyncSessions, Seal, Sessions, TooManySessions
from tests.redisops.sessions.kept import NEW, key_of, saved


def test_a_principals_sessions_are_listed_last_seen_first(sessions, clock):
    first = saved(sessions)
    clock.now += 5
    second = saved(sessions)
    saved(sessions, "somebody else")

    listed = sessions.of("mara")

    assert [info.handle for info in listed] == [second.handle, first.handle]
    assert listed[0].about == {"address": "10.0.0.7"}
    assert sessions.of("nobody") == []


def test_a_list_prunes_what_is_gone_and_says_which_rows_it_cannot_read(sessions, client):
    gone, here = saved(sessions), saved(sessions)
    client.delete(key_of(gone))

    assert [info.handle for info in sessions.of("mara")] == [here.handle]
    assert client.zrange("sessions:{mara}", 0, -1) == [here.handle.encode()]

    client.hset(key_of(here), "@whole", "x")
    (info,) = sessions.of("mara")
    assert (info.handle, info.readable) == (here.handle, False)


def test_the_index_forgets_expired_members_and_then_itself(sessions, client):
    client.zadd("sessions:{mara}", {"long gone": 1})
    session = saved(sessions)

    assert client.zrange("sessions:{mara}", 0, -1) == [session.handle.encode()]
    assert 0 < client.pttl("sessions:{mara}") <= 31 * 60 * 1000


def test_revoke_all_keeps_the_one_that_asks_and_deleting_twice_is_harmless(sessions):
    mine, other = saved(sessions), saved(sessions)

    assert sessions.revoke_all("mara", keep=mine.handle) == 1

    assert sessions.load(other.id) is None
    assert sessions.load(mine.id) is not None
    sessions.delete(mine)
    sessions.delete(mine)
    assert sessions.load(mine.id) is None


def test_what_others_wrote_into_a_list_keeps_nobody_signed_in(sessions, client):
    mine = saved(sessions)
    index = "sessions:{mara}"
    client.zadd(index, {b"\xff}:{": 9e15, b"{}": 9e15})

    assert [info.handle for info in sessions.of("mara")] == [mine.handle]
    client.zadd(index, {b"\xff}:{": 9e15, b"{}": 9e15})
    assert sessions.revoke_all("mara") == 1
    assert sessions.load(mine.id) is None and not client.exists(index)


def test_one_more_ends_the_one_that_was_seen_the_longest_ago(build, client, clock):
    sessions = build(
        Sessions, AsyncSessions, Seal([NEW]), clock=clock, limit=2, events=True, when_full="end"
    )
    ids = []
    for _ in range(4):
        ids.append(saved(sessions).id)
        clock.now += 1
    assert [sessions.load(id) is not None for id in ids] == [False, False, True, True]
    assert len(sessions.of("mara")) == 2
    assert [(end.how, end.principal) for end in sessions.ended()] == [("displaced", "mara")] * 2

    # A new id for the same session takes the place of the old one, not of another session.
    fresh = sessions.rotate(sessions.load(ids[3]))
    there = [sessions.load(id) is not None for id in (ids[2], fresh.id, ids[3])]
    assert there == [True, True, False]
    assert len(sessions.ended()) == 2
    assert client.scard("sessions:{mara}:ending") == 0


def test_a_place_that_was_taken_but_never_made_free_is_made_free_by_the_next(build, client):
    """Whoever took the place died before it ended the session that had to go."""
    sessions = build(Sessions, AsyncSessions, Seal([NEW]), limit=1)
    victim = saved(sessions)
    client.zrem("sessions:{mara}", victim.handle)
    client.sadd("sessions:{mara}:ending", victim.handle)
    saved(sessions)
    assert sessions.load(victim.id) is None


def test_the_newest_is_refused_and_a_lost_session_takes_no_place(build, client):
    sessions = build(Sessions, AsyncSessions, Seal([NEW]), limit=1, when_full="refuse")
    first = saved(sessions)
    second = sessions.new("mara")
    with pytest.raises(TooManySessions, match="1 sessions"):
        sessions.save(second)
    assert sessions.load(second.id) is None
    assert sessions.load(first.id) is not None
    client.delete(f"session:{{{first.handle}}}")  # evicted: its place is free
    sessions.save(second)
    assert sessions.load(second.id) is not None


def test_a_sign_in_that_loses_its_place_before_it_is_written_ends_itself(server):
    client = connect(server.url)
    other = Sessions(client, Seal([NEW]), limit=1)

    class Overtaken(Sessions):
        def _admit(self, *args, **kwargs):
            due = yield from super()._admit(*args, **kwargs)
            if not client.exists("overtaken"):
                client.set("overtaken", 1)
                saved(other)  # takes the place of who is not there yet, and is written first
            return due

    saved(Overtaken(client, Seal([NEW]), limit=1))

    assert len(list(client.scan_iter(match="session:*"))) == 1
    assert len(other.of("mara")) == client.zcard("sessions:{mara}") == 1
    assert not client.exists("sessions:{mara}:ending")
    client.close()


def test_a_list_that_is_read_while_somebody_signs_in_takes_no_place_away(server):
    client = connect(server.url)

    class Listed(Sessions):
        def _admit(self, *args, **kwargs):
            due = yield from super()._admit(*args, **kwargs)
            Sessions(client, Seal([NEW])).of("mara")  # strikes out who is not there yet
            return due

    session = saved(Listed(client, Seal([NEW]), limit=1))

    assert client.zrange("sessions:{mara}", 0, -1) == [session.handle.encode()]
    other = saved(Sessions(client, Seal([NEW]), limit=1))
    assert [row.handle for row in Sessions(client, Seal([NEW])).of("mara")] == [other.handle]
    client.close()


def test_of_many_sign_ins_at_once_only_the_limit_stays(server):
    def sign_in():
        sessions = Sessions(connect(server.url), Seal([NEW]), limit=3)
        for _ in range(5):
            saved(sessions)
        sessions.redis.close()

    threads = [threading.Thread(target=sign_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = connect(server.url)
    assert len(Sessions(client, Seal([NEW])).of("mara")) == 3
    assert len(list(client.scan_iter(match="session:*"))) == 3
    client.close()


def test_each_end_is_told_once_with_its_reason(build, clock):
    sessions = build(
        Sessions, AsyncSessions, Seal([NEW]), clock=clock, events=True, idle=30, absolute=60
    )
    out, revoked, left, old = (saved(sessions) for _ in range(4))
    saved(sessions, "")  # a visitor: nobody's session
    sessions.delete(out)
    sessions.delete(out)
    sessions.revoke("mara", revoked.handle)
    kept = sessions.rotate(left)
    assert sessions.sweep() == 0
    clock.now += 91
    assert sessions.sweep() == 2
    assert sessions.sweep() == 0
    told = {(end.how, end.handle) for end in sessions.ended()}
    assert told == {
        ("signed out", out.handle), ("revoked", revoked.handle),
        ("expired", kept.handle), ("expired", old.handle),
    }  # fmt: skip
    assert len(sessions.ended()) == 4
    assert len(sessions.ended(after=sessions.ended()[2].id)) == 1
    with pytest.raises(InvalidArgument, match="events=True"):
        build(Sessions, AsyncSessions, Seal([NEW])).sweep()


def test_ten_thousand_sessions_of_one_principal(server):
    client = connect(server.url)
    sessions = Sessions(client, Seal([NEW]), events=True)
    [real] = [saved(sessions)]
    raw = client.dump(f"session:{{{real.handle}}}")
    pipe = client.pipeline(transaction=False)
    for at in range(10_000):
        pipe.restore(f"session:{{h{at}}}", 900_000, raw)
    pipe.zadd("sessions:{mara}", {f"h{at}": 4e12 for at in range(10_000)})
    pipe.execute()

    assert len(sessions.of("mara")) == 1_000
    limited = Sessions(client, Seal([NEW]), limit=5, clock=lambda: real.created + 1)
    fresh = saved(limited)  # a thousand are ended on the way, the rest by those who follow
    assert client.zcard("sessions:{mara}") == 10_001 + 1 - 1_000
    assert limited.load(fresh.id) is not None
    assert sessions.revoke_all("mara", keep=fresh.handle) >= 9_000
    assert client.zcard("sessions:{mara}") <= 1
    client.close()


def test_a_limit_and_its_announcements_work_on_a_cluster(cluster):
    client = connect(cluster.url)
    sessions = Sessions(client, Seal([NEW]), limit=1, events=True)
    first, second = saved(sessions), saved(sessions)
    assert sessions.load(first.id) is None
    assert sessions.load(second.id) is not None
    assert [end.handle for end in sessions.ended()] == [first.handle]
    client.close()
