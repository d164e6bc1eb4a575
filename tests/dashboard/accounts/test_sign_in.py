"""The sign-in page: in, out, and how often somebody may try."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.accounts import throttle
from dashboard.accounts.models import Session, SignInAttempt
from dashboard.audit.models import Entry
from tests.dashboard.conftest import PASSWORD, assert_valid_html
from tests.waiting import Waiting

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"


@pytest.fixture
def visitor():
    throttle._told.clear()
    return Client()


@pytest.fixture
def in_sql_alone():
    """Tries are counted in SQL and nowhere else."""
    kept = throttle._limits
    throttle.register(None)
    yield
    throttle.register(kept)


def try_with(visitor, username, password, **more):
    return visitor.post(LOGIN, {"username": username, "password": password}, **more)


def test_the_page_is_valid_and_shows_nothing_real(visitor, server):
    response = visitor.get(LOGIN)

    assert response.status_code == 200
    assert_valid_html(response)
    assert "Shop" not in response.content.decode()
    assert "no-store" in response["Cache-Control"]


def test_signing_in_opens_the_console(visitor, owner):
    response = try_with(visitor, "owner", PASSWORD)

    assert (response.status_code, response["Location"]) == (302, "/")
    session = Session.objects.get()
    assert (session.user, session.address) == (owner, "127.0.0.1")
    assert Entry.objects.filter(action="accounts.sign_in", result="ok", actor="owner").exists()
    assert visitor.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ("/servers/", "/servers/"),
        ("/audit/?q=a%20b", "/audit/?q=a%20b"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_next_stays_on_this_console(visitor, owner, wanted, where):
    data = {"username": "owner", "password": PASSWORD, "next": wanted}

    assert visitor.post(LOGIN, data)["Location"] == where


def test_the_cookie_is_another_one_after_signing_in(visitor, owner):
    visitor.cookies["session"] = "planted0planted0planted0planted0"
    try_with(visitor, "owner", PASSWORD)
    first = visitor.cookies["session"].value
    try_with(visitor, "owner", PASSWORD)

    assert first != "planted0planted0planted0planted0"
    assert visitor.cookies["session"].value != first
    assert visitor.cookies["session"]["httponly"] and visitor.cookies["session"]["samesite"]
    assert Session.objects.filter(revoked_at=None).count() == 1


@pytest.mark.parametrize("username", ["owner", "nobody", "disabled"])
def test_the_answer_does_not_tell_who_exists(visitor, owner, django_user_model, username):
    django_user_model.objects.create_user("disabled", password=PASSWORD, is_active=False)
    password = PASSWORD if username == "disabled" else "wrong"

    response = try_with(visitor, username, password)

    assert response.status_code == 422
    text = response.content.decode()
    assert "User name and password do not match." in text and "4 tries left" in text
    assert_valid_html(response)


def test_the_time_does_not_tell_who_exists(owner, settings, monkeypatch, in_sql_alone):
    """Nothing is timed: the work is the same. The hash takes nearly all of it, SQL the rest."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    monkeypatch.setattr(throttle, "PER_ACCOUNT", 1000)
    monkeypatch.setattr(throttle, "PER_ADDRESS", 1000)
    encode, hashed = PBKDF2PasswordHasher.encode, []

    def counted(self, password, salt, iterations=None):
        hashed.append(iterations or self.iterations)
        return encode(self, password, salt, iterations)

    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 5_000)
    owner.set_password(PASSWORD)
    owner.save()
    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", counted)

    def work(name):
        hashed.clear()
        with CaptureQueriesContext(connection) as queries:
            try_with(Client(), name, "wrong")
        return hashed.copy(), [query["sql"].split()[0] for query in queries]

    for name in ("owner", "nobody"):
        work(name)  # the first time other things are found out and remembered
    known, unknown = work("owner"), work("nobody")

    assert known == unknown
    assert known[0] == [5_000]


def test_five_tries_for_an_account_then_it_waits(visitor, owner):
    for _ in range(5):
        assert try_with(Client(), "owner", "wrong", REMOTE_ADDR="10.0.0.1").status_code == 422

    refused = try_with(visitor, "OWNER", PASSWORD, REMOTE_ADDR="10.0.0.2")

    assert refused.status_code == 429
    assert 800 < int(refused["Retry-After"]) <= 900
    assert "Try again at" in refused.content.decode()
    assert_valid_html(refused)
    assert Entry.objects.filter(action="accounts.sign_in", result="refused").exists()
    assert not Session.objects.exists()


def test_an_unknown_account_waits_the_same(visitor, db):
    answers = [try_with(visitor, "nobody", "wrong").status_code for _ in range(6)]

    assert answers == [422] * 5 + [429]


def test_refusals_do_not_fill_the_audit(visitor, db):
    for _ in range(30):
        try_with(visitor, "nobody at all", "wrong")

    told = Entry.objects.filter(action="accounts.sign_in")
    assert told.filter(result="failed").count() == 5
    assert told.filter(result="refused").count() == 1


def test_refused_tries_do_not_push_the_end_away(visitor, owner, in_sql_alone):
    for _ in range(5):
        try_with(visitor, "owner", "wrong")
    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=13))
    for _ in range(10):
        assert try_with(visitor, "owner", PASSWORD).status_code == 429
    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=15, seconds=1))

    assert try_with(visitor, "owner", PASSWORD).status_code == 302


def test_twenty_tries_from_an_address(visitor, owner):
    for number in range(20):
        answer = try_with(visitor, f"name{number}", "wrong", REMOTE_ADDR="2001:db8:0:1::1")
        assert answer.status_code == 422

    assert try_with(visitor, "owner", PASSWORD, REMOTE_ADDR="2001:db8:0:1::2").status_code == 429
    assert try_with(visitor, "owner", PASSWORD, REMOTE_ADDR="2001:db8:0:2::1").status_code == 302


def test_success_forgets_the_account_but_not_the_address(visitor, owner):
    for _ in range(4):
        try_with(visitor, "owner", "wrong")
    try_with(visitor, "somebody", "wrong")

    assert try_with(visitor, "owner", PASSWORD).status_code == 302

    assert SignInAttempt.objects.count() == 1


def test_many_tries_at_once_do_not_slip_through(db, monkeypatch):
    """All of ten rows are written before any of them is counted."""
    create = SignInAttempt.objects.create

    def crowd(**fields):
        row = create(**fields)
        if SignInAttempt.objects.count() == 1:
            for _ in range(9):
                create(**fields)
        return row

    monkeypatch.setattr(SignInAttempt.objects, "create", crowd)

    assert not throttle.attempt("owner", "10.0.0.1").is_allowed


def test_what_is_typed_for_a_name_that_nobody_has_is_not_kept(visitor, db):
    try_with(visitor, "my secret password", "wrong")

    entry = Entry.objects.get(action="accounts.sign_in")
    assert entry.target == "(no such user)"
    assert "secret" not in SignInAttempt.objects.get().account


@pytest.mark.parametrize("data", [{}, {"username": "owner"}, {"username": "\0", "password": "x"}])
def test_bad_input_is_a_422(visitor, db, data):
    assert visitor.post(LOGIN, data).status_code == 422


def test_signing_in_needs_the_form_of_this_console(owner):
    strict = Client(enforce_csrf_checks=True)

    assert try_with(strict, "owner", PASSWORD).status_code == 403
    assert not Session.objects.exists()


def test_somebody_who_is_signed_in_goes_on(client_for, owner):
    assert client_for(owner).get(f"{LOGIN}?next=/servers/")["Location"] == "/servers/"


def test_signing_out_ends_the_session_everywhere(client_for, owner):
    visitor = client_for(owner)
    other = Client()
    other.cookies["session"] = visitor.cookies["session"].value

    response = visitor.post("/account/logout/")

    assert response["Location"] == LOGIN
    assert other.get("/account/")["Location"].startswith(LOGIN)
    assert Entry.objects.filter(action="accounts.sign_out", actor="owner").exists()


def test_signing_out_is_not_a_link(client_for, owner):
    visitor = client_for(owner)

    assert visitor.get("/account/logout/").status_code == 405
    assert visitor.get("/account/").status_code == 200


def test_signing_in_works_while_home_is_away(visitor, owner, home):
    home.kill()

    began = Waiting()
    assert try_with(visitor, "owner", PASSWORD).status_code == 302
    assert visitor.get("/account/").status_code == 200
    assert [try_with(Client(), "x", "wrong").status_code for _ in range(6)] == [422] * 5 + [429]

    assert began.seconds < 3
