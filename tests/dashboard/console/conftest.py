"""Short ways to the console: type a line as somebody, see what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from django.http import HttpResponse

from dashboard.accounts.models import User
from dashboard.accounts.roles import Role
from dashboard.console import own_keys
from dashboard.servers.models import Grant, Server

PAGE = "/servers/shop/console/"
RUN = PAGE + "run/"


@pytest.fixture(autouse=True)
def _own_keys_are_asked_anew() -> Iterator[None]:
    own_keys.forget()
    yield
    own_keys.forget()


@pytest.fixture
def admin(db: None, server: Server) -> User:
    """Admin of ``server``, not of the console."""
    user = User.objects.create_user("anna", "anna@example.org", "correct horse battery staple")
    Grant.objects.create(server=server, user=user, role=Role.ADMIN)
    return user


@pytest.fixture
def typing(client_for: Callable) -> Callable[..., HttpResponse]:
    """``typing(viewer, "GET cart:1")``: the whole page that answers."""

    def run(person: User, line: str, **fields: str) -> HttpResponse:
        fields = {"line": line, "once": str(uuid.uuid4()), **fields}
        return client_for(person).post(fields.pop("to", RUN), fields)

    return run


@pytest.fixture
def outcome(typing: Callable) -> Callable:
    """``outcome(viewer, "GET cart:1")``: what became of the last line that was looked at."""

    def run(person: User, line: str, **fields: str):
        return typing(person, line, **fields).context["run"].outcomes[-1]

    return run
