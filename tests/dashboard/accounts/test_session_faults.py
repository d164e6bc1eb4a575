"""Nobody is signed out because a server did not answer, and nobody stays who was revoked."""

import contextlib
import os
import subprocess
import sys
import time

import pytest
from django.db import OperationalError, connection

from dashboard.accounts import sessions
from dashboard.accounts.models import Session
from dashboard.accounts.sessions import SessionStore, SessionsUnavailable
from redisops.connection import measure
from tests import servers
from tests.waiting import Waiting

from .conftest import hash_of, row_of

pytestmark = pytest.mark.django_db


FAULTS = {
    "killed": lambda home: home.kill(),
    "stopped": lambda home: home.pause(),
    "flushed": lambda home: home.client().flushall(),
    "restarted empty": lambda home: (home.kill(), home.start()),
    "wrong password": lambda home: home.client().config_set("requirepass", "changed"),
    "no memory": lambda home: home.client().config_set("maxmemory", "1"),
    "no replicas": lambda home: home.client().config_set("min-replicas-to-write", 1),
    "paused writes": lambda home: home.client().execute_command("CLIENT", "PAUSE", 20000, "WRITE"),
    "too many clients": lambda home: home.client().config_set("maxclients", 1),
}
HARMLESS = ("flushed", "restarted empty")


def cut(home, fault):
    """Apply the fault so that no connection from before hides it."""
    FAULTS[fault](home)
    SessionStore.get_sessions().redis.connection_pool.disconnect()


def heal(home, fault):
    if fault == "stopped":
        home.resume()
    else:
        home.kill()
        home.start()


def until_redis_answers(seconds=20.0):
    """Wait, as a person would, for the breaker's next probe; R3 gives it two seconds."""
    end = time.monotonic() + seconds
    while end > time.monotonic():
        with contextlib.suppress(Exception):
            SessionStore.get_sessions().redis.ping()
            return
        time.sleep(0.05)
    raise AssertionError("the breaker did not close again")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_signed_in_person_stays_signed_in(signed_in, person, home, fault):
    store = signed_in(theme="dark")
    cut(home, fault)

    for _ in range(4):
        began = Waiting()
        again = SessionStore(store.session_key)
        assert again["_auth_user_id"] == str(person.pk)
        assert again["theme"] == "dark"
        again["visits"] = again.get("visits", 0) + 1
        again.save()
        assert began.seconds < 1

    assert SessionStore(store.session_key)["visits"] == 4
    heal(home, fault)
    until_redis_answers()
    assert SessionStore(store.session_key)["visits"] == 4


@pytest.mark.parametrize("trouble", [servers.loading, servers.busy])
def test_a_signed_in_person_stays_signed_in_while_home_is_busy(signed_in, person, home, trouble):
    store = signed_in(theme="dark")
    with trouble(home):
        for _ in range(3):
            began = Waiting()
            again = SessionStore(store.session_key)
            assert again["_auth_user_id"] == str(person.pk)
            again["visits"] = again.get("visits", 0) + 1
            again.save()
            assert began.seconds < 1

    until_redis_answers()
    assert SessionStore(store.session_key)["visits"] == 3


@pytest.mark.parametrize("fault", ["killed", "flushed"])
def test_none_of_a_hundred_is_signed_out(signed_in, person, home, fault):
    keys = [signed_in().session_key for _ in range(100)]
    cut(home, fault)

    found = [SessionStore(key).get("_auth_user_id") for key in keys]

    assert found == [str(person.pk)] * 100


@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_once_the_breaker_is_open_a_page_loses_nothing(signed_in, home, fault):
    store = signed_in()
    cut(home, fault)
    for _ in range(3):
        SessionStore(store.session_key).load()

    began = Waiting()
    with measure() as cost:
        for _ in range(10):
            again = SessionStore(store.session_key)
            again["n"] = 1
            again.save()

    assert began.seconds < 0.9  # one probe of 0.4 s may fall into it
    assert cost.round_trips <= 2


@pytest.mark.parametrize("fault", [*HARMLESS, "killed"])
def test_redis_is_repaired_when_it_answers(signed_in, home, fault):
    store = signed_in(theme="dark")
    cut(home, fault)
    SessionStore(store.session_key).load()
    if fault not in HARMLESS:
        heal(home, fault)
    until_redis_answers()

    SessionStore(store.session_key).load()

    assert SessionStore.get_sessions().load(store.session_key)["theme"] == "dark"


def test_signing_in_works_while_redis_is_away(signed_in, person, home):
    home.kill()

    store = signed_in()

    assert SessionStore(store.session_key)["_auth_user_id"] == str(person.pk)
    assert row_of(store).stale
    home.start()
    until_redis_answers()
    SessionStore.get_watch().expire()
    assert SessionStore(store.session_key)["_auth_user_id"] == str(person.pk)
    assert not row_of(store).stale


def test_an_older_hash_never_wins_after_an_outage(signed_in, home, other_process):
    store = signed_in(theme="light")
    home.pause()
    again = SessionStore(store.session_key)
    again["theme"] = "dark"
    again.save()
    home.resume()
    until_redis_answers()
    assert SessionStore.get_sessions().load(store.session_key)["theme"] == "light"  # the old one
    other_process()

    assert SessionStore(store.session_key)["theme"] == "dark"

    assert SessionStore.get_sessions().load(store.session_key)["theme"] == "dark"
    assert not row_of(store).stale


@pytest.mark.parametrize("fault", ["killed", "stopped", "wrong password"])
def test_revoking_works_while_redis_is_away_and_after_it_is_back(
    signed_in, person, home, fault, other_process
):
    store, kept = signed_in(), signed_in()
    cut(home, fault)

    began = Waiting()
    sessions.revoke_all(person, keep=kept.session_key)
    assert began.seconds < 1
    other_process()
    assert SessionStore(store.session_key).get("_auth_user_id") is None

    heal(home, "stopped" if fault == "stopped" else "killed")
    until_redis_answers()
    other_process()
    assert SessionStore(store.session_key).get("_auth_user_id") is None
    assert not sessions.is_live(store.session_key)
    assert SessionStore(kept.session_key).get("_auth_user_id") == str(person.pk)


def test_redis_emptied_between_load_and_save_gets_the_session_back(signed_in, home, behind):
    store = SessionStore(signed_in(theme="light").session_key)
    store["theme"] = "dark"
    behind.flushall()

    store.save()

    assert SessionStore.get_sessions().load(store.session_key)["theme"] == "dark"
    assert not row_of(store).stale


def test_a_process_that_saved_meanwhile_is_not_undone_by_a_repair(signed_in, home, behind):
    store = signed_in(theme="light")
    Session.objects.update(stale=True)
    SessionStore.get_watch().expire()
    repairing = SessionStore(store.session_key)
    row = row_of(store)
    Session.objects.update(session_data=row.session_data + "changed by another save")
    session = repairing._opened(row)

    repairing._repair(session, row)

    assert behind.exists(hash_of(store)) == 0  # the next load takes it from SQL


# --- SQL ------------------------------------------------------------------------------------


@pytest.fixture
def sql_is_down(monkeypatch):
    """Every query fails, as with a database that is away."""

    def refuse(*args, **kwargs):
        raise OperationalError("the database is away")

    @contextlib.contextmanager
    def down():
        with monkeypatch.context() as patch, connection.execute_wrapper(refuse):
            patch.setattr(SessionStore, "_touch_again_at", 0.0)
            yield

    return down


def test_people_stay_signed_in_while_sql_is_down(signed_in, person, home, sql_is_down):
    store = signed_in()
    SessionStore(store.session_key).load()

    with sql_is_down():
        SessionStore.get_watch().expire()
        again = SessionStore(store.session_key)
        assert again["_auth_user_id"] == str(person.pk)
        again["theme"] = "dark"
        again.save()  # Redis has it

    assert SessionStore(store.session_key)["theme"] == "dark"


def test_after_a_minute_without_sql_nobody_can_say(signed_in, home, sql_is_down, monkeypatch):
    store = signed_in()
    watch = SessionStore.get_watch()
    watch.marks()
    monkeypatch.setattr(watch, "trust", 0.05)
    time.sleep(0.06)

    with sql_is_down():
        watch.expire()
        again = SessionStore(store.session_key)
        with pytest.raises(SessionsUnavailable):
            again.load()
        assert not again.is_empty()  # the cookie stays
        assert not sessions.is_live(store.session_key)

    watch.expire()
    assert SessionStore(store.session_key).get("_auth_user_id")


def test_without_sql_and_redis_nobody_is_signed_out(signed_in, home, sql_is_down):
    store = signed_in()
    SessionStore.get_watch().marks()
    home.kill()

    with sql_is_down():
        again = SessionStore(store.session_key)
        with pytest.raises(SessionsUnavailable):
            again.load()
        assert not again.is_empty()

    assert SessionStore(store.session_key).get("_auth_user_id")


def test_signing_out_does_not_lie_when_sql_is_down(signed_in, home, sql_is_down):
    store = SessionStore(signed_in().session_key)
    store.load()

    with sql_is_down(), pytest.raises(OperationalError):
        store.flush()


LOCKED = """
import os, sqlite3, django
django.setup()
from django.conf import settings
from django.core.management import call_command
from dashboard.accounts.models import User
from dashboard.accounts.sessions import SessionStore
from tests.waiting import Waiting
call_command("migrate", verbosity=0)
user = User.objects.create_user("mara")
store = SessionStore()
store["_auth_user_id"] = str(user.pk)
store.save()
other = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
began = Waiting()
again = SessionStore(store.session_key)
assert again["_auth_user_id"] == str(user.pk)
again._in_redis.seen -= 61
again.save()
print(began.seconds)
began = Waiting()
again = SessionStore(store.session_key)
again.load()
again._in_redis.seen -= 61
again.save()
print(began.seconds)
"""


def test_a_locked_database_does_not_hold_up_a_page(home, tmp_path):
    """In a process of its own, because the tests' database is in memory and cannot be locked."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "REDISOPS_DATA": str(tmp_path),
        "REDIS_URL": home.url,
    }
    run = subprocess.run(
        [sys.executable, "-c", LOCKED], env=environment, capture_output=True, text=True, timeout=60
    )

    assert run.returncode == 0, run.stderr
    first, second = (float(line) for line in run.stdout.split())
    assert first < 0.6  # a quarter of a second for the lock, then last seen is let go
    assert second < 0.1  # and not tried again for a while
