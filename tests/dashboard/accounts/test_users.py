"""People and teams, as an admin manages them and as nobody else may."""

import pytest
from django.test import Client

from dashboard.accounts.models import OwnedPrefix, Team, User
from dashboard.audit.models import Entry
from tests.dashboard.conftest import PASSWORD, assert_valid_html

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client_for, owner):
    return client_for(owner)


@pytest.fixture
def team(db):
    return Team.objects.create(name="Orders")


@pytest.fixture
def pages(stranger, team):
    return ["/users/", "/users/add/", f"/users/{stranger.pk}/", "/teams/", f"/teams/{team.pk}/"]


@pytest.fixture
def writes(stranger, team):
    user, its = f"/users/{stranger.pk}/", f"/teams/{team.pk}/"
    return [
        ("/users/add/", {"username": "new"}),
        (f"{user}state/", {"state": "disabled"}),
        (f"{user}admin/", {"admin": "yes"}),
        (f"{user}password/", {}),
        (f"{user}sessions/", {"session": "all"}),
        ("/teams/", {"name": "Other"}),
        (f"{its}members/", {"user": stranger.pk}),
        (f"{its}prefixes/", {"prefix": "orders:"}),
        (f"{its}delete/", {"confirm": "Orders"}),
    ]


def test_an_admin_opens_every_page(admin, pages, team, stranger):
    team.members.add(stranger)
    OwnedPrefix.objects.create(team=team, prefix="<script>alert(1)</script>:")
    for page in pages:
        response = admin.get(page)

        assert response.status_code == 200, page
        assert_valid_html(response)
        assert "<script>alert" not in response.content.decode()


def test_others_are_told_which_right_is_missing(client_for, operator, pages, writes):
    browser = client_for(operator)
    for page in pages:
        response = browser.get(page)

        assert response.status_code == 403, page
        assert "It needs an admin of the console" in response.content.decode()
    for path, data in writes:
        assert browser.post(path, data).status_code == 403, path

    assert Entry.objects.filter(result="refused", actor="operator").count() == len(writes)
    assert Team.objects.count() == 1
    assert not User.objects.filter(username="new").exists()


def test_every_write_is_one_row_of_the_audit(admin, writes):
    for path, data in writes:
        before = Entry.objects.count()

        assert admin.post(path, data).status_code in (200, 302), path

        assert Entry.objects.count() == before + 1, path


def test_nothing_changes_by_get(admin, writes):
    for path, _ in writes:
        if path not in ("/users/add/", "/teams/"):
            assert admin.get(path).status_code == 405, path


def test_the_side_lists_people_for_admins_only(admin, client_for, stranger):
    assert 'href="/users/"' in admin.get("/account/").content.decode()
    assert 'href="/users/"' not in client_for(stranger).get("/account/").content.decode()


def test_a_new_users_password_is_shown_once_and_has_to_be_changed(admin):
    response = admin.post("/users/add/", {"username": "ines", "first_name": "Ines"})

    assert_valid_html(response)
    assert "no-store" in response["Cache-Control"]
    password = response.context["password"]
    assert response.content.decode().count(password) == 1
    ines = User.objects.get(username="ines")
    assert password not in admin.get(f"/users/{ines.pk}/").content.decode()
    assert all(password not in str(entry.content()) for entry in Entry.objects.all())
    browser = Client()
    browser.post("/account/login/", {"username": "ines", "password": password})
    assert browser.get("/account/")["Location"] == "/account/password/"


@pytest.mark.parametrize("username", ["", "owner", "OWNER", "with space", "x" * 151])
def test_a_bad_user_name_is_refused(admin, username):
    response = admin.post("/users/add/", {"username": username})

    assert response.status_code == 422
    assert_valid_html(response)
    assert User.objects.count() == 1


def test_disabling_signs_somebody_out_at_once(admin, client_for, stranger):
    browser = client_for(stranger)
    assert browser.get("/account/").status_code == 200

    admin.post(f"/users/{stranger.pk}/state/", {"state": "disabled"})

    assert browser.get("/account/").status_code == 302
    answer = Client().post("/account/login/", {"username": "stranger", "password": PASSWORD})
    assert answer.status_code == 422
    admin.post(f"/users/{stranger.pk}/state/", {"state": "active"})
    answer = Client().post("/account/login/", {"username": "stranger", "password": PASSWORD})
    assert answer.status_code == 302


def test_a_new_password_for_somebody_ends_the_old_one(admin, client_for, stranger):
    browser = client_for(stranger)

    password = admin.post(f"/users/{stranger.pk}/password/").context["password"]

    assert browser.get("/account/").status_code == 302
    stranger.refresh_from_db()
    assert stranger.check_password(password) and stranger.must_change_password


def test_an_admin_ends_the_sessions_of_somebody(admin, client_for, stranger):
    browser = client_for(stranger)

    admin.post(f"/users/{stranger.pk}/sessions/", {"session": "all"})

    assert browser.get("/account/").status_code == 302
    assert admin.get("/account/").status_code == 200


def test_ending_all_of_ones_own_keeps_this_one(admin, owner):
    admin.post(f"/users/{owner.pk}/sessions/", {"session": "all"})

    assert admin.get("/account/").status_code == 200


@pytest.mark.parametrize(("path", "value"), [("state", "disabled"), ("admin", "no")])
def test_nobody_locks_the_console_for_good(admin, owner, path, value):
    admin.post(f"/users/{owner.pk}/{path}/", {path: value})

    owner.refresh_from_db()
    assert owner.is_active and owner.is_superuser
    text = admin.get("/account/").content.decode()
    assert "yourself" in text


def test_the_admin_right_comes_and_goes(admin, client_for, stranger):
    browser = client_for(stranger)
    admin.post(f"/users/{stranger.pk}/admin/", {"admin": "yes"})
    assert browser.get("/users/").status_code == 200

    admin.post(f"/users/{stranger.pk}/admin/", {"admin": "no"})

    assert browser.get("/users/").status_code == 403


@pytest.mark.parametrize("path", ["/users/99/", "/teams/99/"])
def test_what_is_not_there_is_a_404(admin, path):
    assert admin.get(path).status_code == 404


def test_people_join_and_leave_a_team(admin, team, stranger):
    admin.post(f"/teams/{team.pk}/members/", {"user": stranger.pk, "verb": "add"})
    assert list(team.members.all()) == [stranger]

    admin.post(f"/teams/{team.pk}/members/", {"user": stranger.pk, "verb": "remove"})

    assert not team.members.exists()


@pytest.mark.parametrize("user", ["", "x", "99", "9" * 40, "-1"])
def test_a_team_takes_nobody_who_does_not_exist(admin, team, user):
    assert admin.post(f"/teams/{team.pk}/members/", {"user": user}).status_code == 404


def test_a_prefix_has_one_owner(admin, team):
    other = Team.objects.create(name="Search")
    for prefix in ("orders:", "a\\xff:", "  spaced: "):
        assert admin.post(f"/teams/{team.pk}/prefixes/", {"prefix": prefix}).status_code == 302

    refused = admin.post(f"/teams/{other.pk}/prefixes/", {"prefix": "orders:"})

    assert refused.status_code == 422
    assert "Orders owns this prefix already" in refused.content.decode()
    assert_valid_html(refused)
    owned = team.prefixes.get(prefix="orders:")
    admin.post(f"/teams/{team.pk}/prefixes/", {"verb": "remove", "owned": owned.pk})
    assert admin.post(f"/teams/{other.pk}/prefixes/", {"prefix": "orders:"}).status_code == 302


@pytest.mark.parametrize(
    "data", [{"prefix": ""}, {"prefix": "x" * 201}, {"prefix": "a", "server": "/"}]
)
def test_a_bad_prefix_is_refused(admin, team, data):
    assert admin.post(f"/teams/{team.pk}/prefixes/", data).status_code == 422


def test_a_team_goes_only_when_its_name_is_typed(admin, team):
    admin.post(f"/teams/{team.pk}/delete/", {"confirm": "orders"})
    assert Team.objects.exists()

    admin.post(f"/teams/{team.pk}/delete/", {"confirm": "Orders"})

    assert not Team.objects.exists()
