"""One's own account: the password, and where one is signed in."""

import pytest
from django.test import Client

from dashboard.accounts.models import Session
from dashboard.audit.models import Entry
from tests.dashboard.conftest import PASSWORD, assert_valid_html

pytestmark = pytest.mark.django_db
NEW = "a much better passphrase"


def signed_in_browser(user, agent="Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Firefox/131.0"):
    browser = Client(headers={"User-Agent": agent})
    browser.post("/account/login/", {"username": user.username, "password": PASSWORD})
    return browser


@pytest.fixture
def here(stranger):
    return signed_in_browser(stranger)


@pytest.fixture
def there(stranger):
    return signed_in_browser(stranger, "curl/8.5.0")


@pytest.mark.parametrize("path", ["/account/", "/account/sessions/", "/account/password/"])
def test_the_pages_are_valid(here, there, path):
    response = here.get(path)

    assert response.status_code == 200
    assert_valid_html(response)


def test_the_account_says_where_one_is_signed_in(here, there):
    text = here.get("/account/").content.decode()

    assert "Firefox 131 on Linux" in text and "curl 8" in text and "127.0.0.1" in text
    assert text.count("This one") == 1


def handle_of_other(browser):
    (other,) = [row for row in browser.get("/account/").context["sessions"] if not row.is_current]
    return other.handle


def test_one_session_can_be_ended(here, there):
    response = here.post("/account/sessions/", {"session": handle_of_other(here)})

    assert response.status_code == 302
    assert there.get("/account/").status_code == 302
    assert here.get("/account/").status_code == 200
    assert Entry.objects.filter(action="accounts.revoke", actor="stranger").count() == 1


def test_all_others_can_be_ended(here, there, stranger):
    third = signed_in_browser(stranger)
    here.post("/account/sessions/", {"session": "others"})

    assert here.get("/account/").status_code == 200
    assert {there.get("/account/").status_code, third.get("/account/").status_code} == {302}


@pytest.mark.parametrize("which", ["", "nonsense", "of somebody else"])
def test_only_ones_own_sessions_can_be_ended(here, owner, which):
    theirs = signed_in_browser(owner)
    if which == "of somebody else":
        which = Session.objects.get(user=owner).pk

    assert here.post("/account/sessions/", {"session": which}).status_code == 404
    assert theirs.get("/account/").status_code == 200


def change(browser, now=PASSWORD, new=NEW, again=NEW):
    return browser.post("/account/password/", {"current": now, "new": new, "again": again})


def test_a_new_password_ends_the_others_and_keeps_this_one(here, there, stranger):
    before = here.cookies["session"].value

    response = change(here)

    assert response["Location"] == "/account/"
    assert here.get("/account/").status_code == 200
    assert here.cookies["session"].value != before
    assert there.get("/account/").status_code == 302
    stranger.refresh_from_db()
    assert stranger.check_password(NEW)
    assert Entry.objects.filter(action="accounts.password", target="stranger").count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"now": "wrong"}, {"again": "another one of these"}, {"new": "short", "again": "short"},
        {"new": "stranger12", "again": "stranger12"}, {"new": "", "again": ""},
        {"new": "password1234", "again": "password1234"}, {"new": PASSWORD, "again": PASSWORD},
    ],
)  # fmt: skip
def test_a_bad_new_password_changes_nothing(here, there, stranger, fields):
    response = change(here, **fields)

    assert response.status_code == 422
    assert_valid_html(response)
    stranger.refresh_from_db()
    assert stranger.check_password(PASSWORD)
    assert there.get("/account/").status_code == 200


def test_a_one_time_password_is_gone_after_it_was_changed(here, stranger):
    stranger.must_change_password = True
    stranger.save()
    assert here.get("/account/")["Location"] == "/account/password/"

    change(here)

    assert here.get("/account/").status_code == 200
