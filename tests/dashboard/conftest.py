"""The cast of the console's tests: four people, one server, and a way to act as somebody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import html5lib
import pytest
import redis
from django.http import HttpResponse
from django.test import Client

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.limits.api import doors
from dashboard.servers import clients, listing
from dashboard.servers.models import Grant, Server
from tests.servers import RedisProcess

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _home_is_empty(home_process: RedisProcess) -> None:
    """Sessions, cache and leases of one test are not there in the next."""
    with home_process.client() as plain:
        plain.flushall()


@pytest.fixture(autouse=True)
def _clients_are_new() -> Iterator[None]:
    """Each test connects anew, with closed breakers; no thread of one is at work in the next."""
    yield
    shut_doors()
    clients.forget_all()
    listing.forget_states()


def shut_doors() -> None:
    """End the threads that follow policies and tell of use, on servers that the next test empties.

    The console shuts a door aside; here it is waited for, last words included.
    """
    kept = list(doors._doors.values())
    doors._doors.clear()
    for door in kept:
        door.close()
    for thread in threading.enumerate():
        if thread.name == "shut a door":
            thread.join(20)


@pytest.fixture(autouse=True)
def _pages_may_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all commands of a page may take is a promise to people, and no test's on a busy machine.

    That it is kept under faults is tested by tests/faults, against a console of its own.
    """
    monkeypatch.setattr("dashboard.servers.access.PAGE_SECONDS", 20.0)


@pytest.fixture
def owner(db: None) -> User:
    """The console's administrator."""
    return User.objects.create_superuser("owner", "owner@example.org", PASSWORD)


@pytest.fixture
def operator(db: None, server: Server) -> User:
    """May write data on ``server``."""
    return _person("operator", server, Role.OPERATOR)


@pytest.fixture
def viewer(db: None, server: Server) -> User:
    """May read ``server``."""
    return _person("viewer", server, Role.VIEWER)


@pytest.fixture
def stranger(db: None) -> User:
    """Signed in, with no role on any server."""
    return User.objects.create_user("stranger", "stranger@example.org", PASSWORD)


def _person(name: str, server: Server, role: Role) -> User:
    user = User.objects.create_user(name, f"{name}@example.org", PASSWORD)
    Grant.objects.create(server=server, user=user, role=role)
    return user


@pytest.fixture
def target(valkey_process: RedisProcess) -> RedisProcess:
    """The emptied Valkey process behind ``server``."""
    valkey_process.reset()
    return valkey_process


@pytest.fixture
def server(db: None, target: RedisProcess) -> Server:
    """A server row named Shop on a real, empty Valkey."""
    return Server.objects.create(name="Shop", slug="shop", nodes=f"127.0.0.1:{target.port}")


@pytest.fixture
def data(target: RedisProcess) -> Iterator[redis.Redis]:
    """A plain client on ``server``, to put data there and look at it behind the console's back."""
    with target.client() as plain:
        yield plain


@pytest.fixture
def client_for(db: None) -> Callable[[User | None], Client]:
    """``client_for(viewer)``: a browser in which that person is signed in; None signs in nobody."""

    def make(user: User | None, **options: Any) -> Client:
        browser = Client(**options)
        if user is not None:
            browser.force_login(user)
        return browser

    return make


def assert_valid_html(response: HttpResponse | str) -> None:
    """Fail on the first thing that the HTML standard calls a parse error; fragments too."""
    text = response if isinstance(response, str) else response.content.decode()
    parser = html5lib.HTMLParser(strict=True)
    whole = text.lstrip()[:9].lower() == "<!doctype"
    try:
        parser.parse(text) if whole else parser.parseFragment(text, container="div")
    except html5lib.html5parser.ParseError as error:
        line, column = parser.errors[0][0]
        shown = text.splitlines()[line - 1][max(column - 120, 0) : column + 40]
        raise AssertionError(f"line {line}: {error}: …{shown}…") from None
