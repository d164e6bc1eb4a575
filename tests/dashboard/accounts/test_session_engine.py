"""The session engine while all is well: what it stores, costs and refuses."""

import os
import pickle
import time
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.base import UpdateError
from django.utils import timezone

from dashboard.accounts import sessions
from dashboard.accounts.models import Session
from dashboard.accounts.sessions import SessionStore
from redisops.connection import measure
from redisops.sessions import handle_of
from tests.waiting import Waiting

from .conftest import hash_of, row_of

pytestmark = pytest.mark.django_db


def seen_ago(store, seconds):
    """Make the session look as if it was last seen that long ago, in both places."""
    lib = SessionStore.get_sessions()
    session = lib.load(store.session_key)
    session.seen -= seconds
    place = lib.seal.place(hash_of(store).encode())
    lib.redis.hset(hash_of(store), "@seen", place.seal(b"@seen", b"%d" % (session.seen * 1000)))
    Session.objects.filter(pk=handle_of(store.session_key)).update(
        last_seen=timezone.now() - timedelta(seconds=seconds)
    )


def test_a_session_comes_back(signed_in, person):
    key = signed_in(big=2**60).session_key

    store = SessionStore(key)

    assert store["_auth_user_id"] == str(person.pk)
    assert store["big"] == 2**60
    assert (store.address, store.agent) == ("10.0.0.7", "Firefox/131")


def test_a_load_costs_one_round_trip_and_an_unchanged_save_nothing(
    signed_in, django_assert_num_queries
):
    key = signed_in().session_key
    SessionStore(key).load()

    with measure() as cost, django_assert_num_queries(0):  # the process's snapshot is fresh
        store = SessionStore(key)
        store.get("anything")
        store.save()

    assert (cost.round_trips, cost.commands) == (1, 2)  # read it, push its expiry along


def test_a_change_costs_one_round_trip_and_one_query(signed_in, django_assert_num_queries):
    store = SessionStore(signed_in().session_key)
    store["theme"] = "dark"

    with measure() as cost, django_assert_num_queries(1):
        store.save()

    assert cost.round_trips == 1
    assert SessionStore(store.session_key)["theme"] == "dark"


def test_a_stranger_without_a_cookie_costs_nothing(home, django_assert_num_queries):
    with measure() as cost, django_assert_num_queries(0):
        store = SessionStore()
        assert store.get("_auth_user_id") is None

    assert cost.round_trips == 0


def test_the_table_signs_nobody_in(signed_in):
    store = signed_in(secret="attack at dawn")
    row = row_of(store)

    assert store.session_key not in f"{row.pk} {row.session_data}"
    assert "dawn" not in row.session_data
    assert (row.principal, row.address) == (store["_auth_user_id"], "10.0.0.7")


def test_last_seen_is_written_once_a_minute(signed_in):
    store = signed_in()
    again = SessionStore(store.session_key)
    again.load()
    assert not again.modified
    seen_ago(store, 61)

    later = SessionStore(store.session_key)
    later.get("x")
    assert later.modified  # the middleware saves, and slides the cookie
    before = timezone.now()
    later.save()

    assert row_of(store).last_seen >= before
    assert row_of(store).stale is False
    fresh = SessionStore(store.session_key)
    fresh.get("x")
    assert not fresh.modified


def test_a_new_key_leaves_nothing_behind_the_old_one(signed_in, behind, other_process):
    store = signed_in(theme="dark")
    old, old_hash, ends = store.session_key, hash_of(store), row_of(store).ends
    other_process()

    again = SessionStore(old)
    again.load()
    again = SessionStore(old)
    again["x"] = 1
    again.cycle_key()
    again.save()

    assert again.session_key != old
    assert behind.exists(old_hash) == 0
    assert dict(SessionStore(old).items()) == {}
    assert SessionStore(again.session_key)["theme"] == "dark"
    assert row_of(again).ends == ends


def test_a_flush_ends_the_session_and_frees_the_store(signed_in, behind):
    store = signed_in()
    key = store.session_key

    store.flush()

    assert store.session_key is None and store.is_empty()
    assert SessionStore(key).get("_auth_user_id") is None
    assert behind.keys("*session:*") == []


def test_an_invented_key_is_not_adopted(home):
    store = SessionStore("0123456789abcdef0123456789abcdef")
    store["x"] = 1
    store.save()

    assert store.session_key != "0123456789abcdef0123456789abcdef"


def test_a_save_does_not_revive_what_was_revoked(signed_in, behind):
    store = SessionStore(signed_in().session_key)
    store["x"] = 1
    SessionStore.revoke("", handle_of(store.session_key))

    with pytest.raises(UpdateError):
        store.save()

    assert behind.keys("*session:*") == []


def test_a_hash_restored_from_an_old_snapshot_stays_dead(signed_in, behind, other_process):
    store = signed_in()
    copy = behind.dump(hash_of(store))
    SessionStore(store.session_key).flush()
    behind.restore(hash_of(store), 0, copy)
    other_process()

    assert SessionStore(store.session_key).get("_auth_user_id") is None


@pytest.mark.parametrize("plant", ["pickle", "wrong type", "another's field", "garbage"])
def test_what_is_planted_in_redis_is_not_believed(signed_in, behind, plant, tmp_path):
    canary = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(canary),))

    store, theirs = signed_in(role="viewer"), signed_in(role="admin")
    name = hash_of(store)
    if plant == "pickle":
        behind.hset(name, "role", pickle.dumps(Payload()))
    elif plant == "wrong type":
        behind.delete(name)
        behind.set(name, pickle.dumps(Payload()))
    elif plant == "another's field":
        behind.hset(name, "@whole", behind.hget(hash_of(theirs), "@whole"))
    else:
        behind.hset(name, "@about", b"\x80\x05garbage")

    assert SessionStore(store.session_key)["role"] == "viewer"

    assert not canary.exists()
    assert behind.type(name) == b"hash"  # repaired from the copy
    assert SessionStore.get_sessions().load(store.session_key)["role"] == "viewer"


def test_a_damaged_copy_is_nobody(signed_in, behind):
    store = signed_in()
    behind.flushall()
    Session.objects.filter(pk=handle_of(store.session_key)).update(session_data="AAAA")

    assert SessionStore(store.session_key).get("_auth_user_id") is None


def test_the_idle_expiry_holds_in_sql_too(signed_in, behind):
    store = signed_in()
    behind.flushall()
    Session.objects.filter(pk=handle_of(store.session_key)).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )

    assert SessionStore(store.session_key).get("_auth_user_id") is None


def test_the_absolute_end_survives_a_repair(signed_in, behind):
    store = signed_in()
    ends = row_of(store).ends.timestamp()
    behind.flushall()
    SessionStore(store.session_key).load()

    assert SessionStore.get_sessions().load(store.session_key).ends == pytest.approx(
        ends, abs=0.001
    )


def test_expired_rows_are_removed(signed_in):
    gone, here = signed_in(), signed_in()
    Session.objects.filter(pk=handle_of(gone.session_key)).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )

    assert SessionStore.remove_expired() == 1

    assert list(Session.objects.values_list("pk", flat=True)) == [handle_of(here.session_key)]


def test_revoke_all_spares_the_one_that_asks(signed_in, person, other_process):
    mine, other = signed_in(), signed_in()

    assert sessions.revoke_all(person, keep=mine.session_key) == 1
    other_process()

    assert SessionStore(mine.session_key).get("_auth_user_id") == str(person.pk)
    assert SessionStore(other.session_key).get("_auth_user_id") is None


@pytest.mark.parametrize("change", ["password", "disabled"])
def test_a_new_password_and_being_disabled_end_every_session(
    signed_in, person, change, other_process
):
    store = signed_in()
    if change == "password":
        person.set_password("another good password")
    else:
        person.is_active = False
    person.save()
    other_process()

    assert SessionStore(store.session_key).get("_auth_user_id") is None
    assert not sessions.is_live(store.session_key)


def test_other_changes_to_a_person_end_nothing(signed_in, person):
    store = signed_in()
    person.first_name = "Mara"
    person.save()
    person.check_password("correct horse battery staple")

    assert SessionStore(store.session_key).get("_auth_user_id") == str(person.pk)


def test_is_live_knows_revoked_expired_unknown_and_none(signed_in, other_process):
    store = signed_in()
    assert sessions.is_live(store.session_key)
    assert not sessions.is_live("unknown-unknown") and not sessions.is_live(None)

    SessionStore.revoke("", handle_of(store.session_key))
    assert not sessions.is_live(store.session_key)

    expired = signed_in()
    Session.objects.filter(pk=handle_of(expired.session_key)).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )
    other_process()
    assert not sessions.is_live(expired.session_key)


def test_is_live_costs_no_query_while_the_snapshot_is_fresh(signed_in, django_assert_num_queries):
    store = signed_in()
    sessions.is_live(store.session_key)

    with django_assert_num_queries(0):
        assert all(sessions.is_live(store.session_key) for _ in range(500))


@pytest.mark.django_db(transaction=True)
async def test_is_live_for_consumers(signed_in):
    store = await sync_to_async(signed_in)()
    key = store.session_key

    assert await sessions.is_live_async(key)
    assert await sessions.is_live_async(key)  # without a thread this time
    assert not await sessions.is_live_async("unknown-unknown")
    assert not await sessions.is_live_async(None)

    SessionStore.get_watch().revoked_here(handle_of(key))
    assert not await sessions.is_live_async(key)


def test_a_revocation_elsewhere_is_known_within_a_second(signed_in):
    store = signed_in()
    assert sessions.is_live(store.session_key)
    # Another process marks the row; this one only has its snapshot.
    Session.objects.filter(pk=handle_of(store.session_key)).update(revoked_at=timezone.now())

    began = Waiting()
    while sessions.is_live(store.session_key):
        assert began.seconds < 2
        time.sleep(0.05)

    assert SessionStore(store.session_key).get("_auth_user_id") is None
