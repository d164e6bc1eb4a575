"""Who may open what: each role on each page, and the one query behind it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from dashboard.accounts.models import Team, User
from dashboard.accounts.roles import Role
from dashboard.audit.models import Entry
from dashboard.servers import access
from dashboard.servers.models import Grant, Server
from tests.dashboard.conftest import assert_valid_html

ClientFor = Callable[[User | None], Client]
PAGES = ["servers:update", "servers:delete", "servers:rights", "servers:grants"]


@pytest.fixture
def admin(server: Server) -> User:
    """Admin of this server by a team, of no other and not of the console."""
    user = User.objects.create_user("admin", password="x")
    team = Team.objects.create(name="Platform")
    team.members.add(user)
    Grant.objects.create(server=server, team=team, role=Role.ADMIN)
    return user


@pytest.fixture
def person(request: pytest.FixtureRequest) -> User:
    user: User = request.getfixturevalue(request.param)
    return user


@pytest.mark.parametrize("view", PAGES)
@pytest.mark.parametrize(
    ("person", "status"),
    [("owner", 200), ("admin", 200), ("operator", 403), ("viewer", 403), ("stranger", 404)],
    indirect=["person"],
)
def test_each_role_on_each_page(
    person: User, status: int, view: str, server: Server, client_for: ClientFor
) -> None:
    response = client_for(person).get(reverse(view, args=[server.slug]))

    assert response.status_code == status
    assert_valid_html(response)
    if status == 403:
        assert "It needs the role Admin" in response.content.decode()


@pytest.mark.parametrize("view", PAGES)
def test_a_stranger_cannot_tell_a_server_from_none(
    view: str, stranger: User, server: Server, client_for: ClientFor
) -> None:
    browser = client_for(stranger)

    known = browser.get(reverse(view, args=[server.slug]))
    unknown = browser.get(reverse(view, args=["nothing"]))

    assert known.status_code == unknown.status_code == 404
    assert server.name not in known.content.decode()


@pytest.mark.parametrize("view", [*PAGES, "servers:index", "servers:create"])
def test_nobody_gets_in_without_signing_in(
    view: str, server: Server, client_for: ClientFor
) -> None:
    arguments = [server.slug] if view in PAGES else []

    response = client_for(None).get(reverse(view, args=arguments))

    assert response.status_code == 302
    assert reverse("accounts:login") in response["Location"]


@pytest.mark.parametrize("view", PAGES)
def test_a_refused_change_is_in_the_audit_and_a_refused_look_is_not(
    view: str, viewer: User, server: Server, client_for: ClientFor
) -> None:
    browser, url = client_for(viewer), reverse(view, args=[server.slug])

    browser.get(url)
    assert not Entry.objects.filter(result="refused").exists()

    response = browser.post(url, {"confirm": server.name})
    if view == "servers:rights":
        assert response.status_code == 405
        return
    assert response.status_code == 403
    entry = Entry.objects.get(result="refused")
    assert (entry.actor, entry.server) == ("viewer", "shop")


def test_only_admins_of_the_console_add_servers(
    admin: User, owner: User, client_for: ClientFor
) -> None:
    assert client_for(admin).get(reverse("servers:create")).status_code == 403
    assert client_for(owner).get(reverse("servers:create")).status_code == 200


def test_the_list_shows_what_one_may_see(
    viewer: User, stranger: User, owner: User, server: Server, client_for: ClientFor
) -> None:
    Server.objects.create(name="Other", slug="other", nodes="b:1")

    seen = {
        user.username: client_for(user).get(reverse("servers:index"))
        for user in (viewer, stranger, owner)
    }

    for response in seen.values():
        assert response.status_code == 200
        assert_valid_html(response)
    names = {name: response.content.decode() for name, response in seen.items()}
    assert "Shop" in names["viewer"] and "Other" not in names["viewer"]
    assert "Shop" not in names["stranger"]
    assert all(name in names["owner"] for name in ("Shop", "Other", "Home"))
    assert "Add a server" in names["owner"] and "Add a server" not in names["viewer"]


def test_the_greatest_of_several_roles_counts(viewer: User, server: Server) -> None:
    team = Team.objects.create(name="Orders")
    team.members.add(viewer)
    Grant.objects.create(server=server, team=team, role=Role.OPERATOR)

    assert access.role_on(viewer, server) is Role.OPERATOR
    team.members.remove(viewer)
    assert access.role_on(viewer, server) is Role.VIEWER


def test_server_and_role_are_one_query(
    viewer: User, server: Server, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        found = access.server_for(viewer, "shop")
        assert found is not None
        assert access.may(viewer, "servers.view", found)
        assert not access.may(viewer, "servers.change", found)


def test_a_role_found_for_one_person_says_nothing_about_another(
    owner: User, viewer: User, server: Server
) -> None:
    found = access.server_for(owner, "shop")

    assert found is not None
    assert access.may(owner, "servers.change", found)
    assert not access.may(viewer, "servers.change", found)


def test_the_disabled_and_the_unknown_have_no_role(owner: User, server: Server) -> None:
    owner.is_active = False
    owner.save()

    for user in (owner, AnonymousUser()):
        assert access.role_on(user, server) is None
        assert not access.may(user, "servers.create", None)
        assert not access.servers_for(user).exists()


def test_an_unregistered_permission_is_a_bug_and_not_a_right(server: Server, owner: User) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"servers\.fly"):
        access.may(owner, "servers.fly", server)


def test_templates_ask_what_the_reader_may_do(
    owner: User, viewer: User, server: Server, rf: RequestFactory
) -> None:
    template = Template('{% if request|may:"servers.change" %}edit{% else %}look{% endif %}')

    for user, shown in ((owner, "edit"), (viewer, "look")):
        request = rf.get("/")
        request.user, request.server = user, access.server_for(user, "shop")
        assert template.render(Context({"request": request})) == shown
