"""A home Redis of the test's own, that it may kill, stop and empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from dashboard.accounts import sessions
from dashboard.accounts.models import Session, User
from dashboard.accounts.sessions import SessionStore
from redisops.sessions import handle_of
from tests.servers import RedisProcess


@pytest.fixture
def home(settings) -> Iterator[RedisProcess]:
    """Sessions of this test live here; it starts with a closed breaker and a new client."""
    with RedisProcess() as server:
        settings.REDIS_URL = server.url
        SessionStore.get_watch().expire()
        yield server
        sessions._sessions.cache_clear()


@pytest.fixture
def behind(home: RedisProcess) -> Iterator[redis.Redis]:
    """A plain client on home, to look and plant behind the engine's back."""
    with home.client() as plain:
        yield plain


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user("mara", "mara@example.org", "correct horse battery staple")


@pytest.fixture
def signed_in(person: User, home: RedisProcess) -> Callable[..., SessionStore]:
    """``signed_in()``: the store of a saved session of ``person``, with more data if given."""

    def make(**data: object) -> SessionStore:
        store = SessionStore()
        store.address, store.agent = "10.0.0.7", "Firefox/131"
        store["_auth_user_id"] = str(person.pk)
        store.update(data)
        store.save()
        return store

    return make


@pytest.fixture
def other_process() -> Callable[[], None]:
    """Forget what this process knows of itself, as if the next question came to another one."""

    def forget() -> None:
        watch = SessionStore.get_watch()
        watch._own.clear()
        watch.expire()
        sessions._expiries.clear()

    return forget


def row_of(store: SessionStore) -> Session:
    return Session.objects.get(pk=handle_of(store.session_key or ""))


def hash_of(store: SessionStore) -> str:
    return f"redisops:console:session:{{{handle_of(store.session_key or '')}}}"
