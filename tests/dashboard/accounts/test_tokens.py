"""API tokens: their form, what is kept of them, the page, and who may end them."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.accounts import tokens
from dashboard.accounts.models import ApiToken
from dashboard.audit.models import Entry
from dashboard.servers.models import Grant
from tests.dashboard.conftest import assert_valid_html

pytestmark = pytest.mark.django_db
PAGE = "/account/tokens/"
SCANNER = re.compile(r"\brops_[0-9A-Za-z]{49}\b")


@pytest.fixture
def token(operator):
    """A valid token of the operator's for the server, and its text."""
    return tokens.create(operator, "Go gateway", scopes=["limits.check"], servers=["shop"], days=90)


def make(browser, **more):
    asked = {"name": "Go gateway", "scopes": ["limits.check"], "servers": ["shop"], "days": "90"}
    return browser.post(PAGE, {**asked, **more})


def test_a_token_is_random_and_a_scanner_can_tell_it_from_text_that_looks_like_one():
    made = {tokens.generated() for _ in range(500)}

    assert len(made) == 500
    assert all(SCANNER.fullmatch(one) and tokens.is_well_formed(one) for one in made)
    one = made.pop()
    changed = one[:9] + ("a" if one[9] != "a" else "b") + one[10:]
    for text in (changed, one[:-1], one + "0", one.replace("rops_", "ROPS_"), "", "ключ" * 14):
        assert not tokens.is_well_formed(text)


def test_what_cannot_be_a_token_costs_no_query(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert tokens.verified("rops_" + "A" * 49) is None


def test_a_token_is_shown_once_and_kept_as_a_digest(operator, client_for):
    browser = client_for(operator)

    answer = make(browser)

    assert answer.status_code == 200
    assert_valid_html(answer)
    assert "no-store" in answer["Cache-Control"]
    (text,) = set(SCANNER.findall(answer.content.decode()))
    row = ApiToken.objects.get()
    assert (row.owner, row.servers, row.scopes) == (operator, ["shop"], ["limits.check"])
    assert tokens.verified(text) == row
    kept = repr(ApiToken.objects.values().get())
    told = repr(Entry.objects.filter(action="accounts.token.create").values().get())
    page = browser.get(PAGE)
    for where in (kept, told, page.content.decode()):
        assert text[9:] not in where
    assert row.start in page.content.decode()
    assert_valid_html(page)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"servers": []},
        {"servers": ["other"]},
        {"days": "7"},
        {"name": "x" * 61},
        {"scopes": []},
        {"services": "orders, *all"},
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(operator, client_for, wrong):
    answer = make(client_for(operator), **wrong)

    assert answer.status_code == 422
    assert_valid_html(answer)
    assert not ApiToken.objects.exists()


def test_a_name_is_taken_once(operator, client_for, token):
    assert make(client_for(operator), name="go GATEWAY").status_code == 422
    assert make(client_for(operator), name="Another").status_code == 200


def test_who_may_nothing_anywhere_makes_none(stranger, viewer, client_for):
    page = client_for(stranger).get(PAGE)

    assert "Nothing that a token could do" in page.content.decode()
    assert make(client_for(viewer)).status_code == 422


def test_a_token_may_be_limited_to_services(operator, client_for):
    make(client_for(operator), scopes=["services.discover"], services="pay*, orders")

    row = ApiToken.objects.get()
    named = {one for one in ("orders", "orders2", "pay", "payments") if tokens.is_for(row, one)}
    assert named == {"orders", "pay", "payments"}
    assert "orders, pay*" in client_for(operator).get(PAGE).content.decode()


def test_the_last_use_is_written_once_a_minute(token, django_assert_num_queries):
    row, _ = token
    now = timezone.now()

    assert tokens.used(row, "10.0.0.7", now)
    row.refresh_from_db()
    with django_assert_num_queries(0):
        assert not tokens.used(row, "10.0.0.8", now + timedelta(seconds=59))
    assert tokens.used(row, "10.0.0.8", now + timedelta(seconds=61))
    row.refresh_from_db()
    assert (row.last_used, row.last_address) == (now + timedelta(seconds=61), "10.0.0.8")


def test_of_many_at_once_one_writes_the_last_use(token):
    _, text = token
    others = [tokens.verified(text) for _ in range(3)]

    assert [tokens.used(one, "10.0.0.7") for one in others] == [True, False, False]


def test_a_token_ends_with_its_time_its_owner_and_when_it_is_revoked(token, operator, client_for):
    row, text = token
    assert tokens.verified(text) == row

    ApiToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert tokens.verified(text) is None
    assert "Over" in client_for(operator).get(PAGE).content.decode()
    ApiToken.objects.update(expires=None)
    operator.is_active = False
    operator.save()
    assert tokens.verified(text) is None
    operator.is_active = True
    operator.save()
    assert tokens.verified(text) == row

    answer = client_for(operator).post(f"{PAGE}{row.pk}/revoke/")

    assert answer["Location"] == PAGE
    assert tokens.verified(text) is None
    assert Entry.objects.get(action="accounts.token.revoke").target == "Go gateway"
    page = client_for(operator).get(PAGE)
    assert "Revoked" in page.content.decode()
    assert_valid_html(page)


def test_only_the_owner_and_admins_revoke(token, stranger, owner, operator, client_for):
    row, text = token
    address = f"{PAGE}{row.pk}/revoke/"

    assert client_for(stranger).post(address).status_code == 404
    assert client_for(operator).get(address).status_code == 405
    assert tokens.verified(text)
    person = client_for(owner).get(operator.get_absolute_url())
    assert "Go gateway" in person.content.decode()
    assert_valid_html(person)
    assert client_for(owner).post(address)["Location"] == operator.get_absolute_url()
    assert ApiToken.objects.get().revoked_by == "owner"


def test_a_token_may_what_its_owner_may_by_now(token, operator, server, client_for):
    row, _ = token
    assert tokens.may(row, "limits.check", "shop")
    assert not tokens.may(row, "limits.check", "home")
    assert not tokens.may(row, "limits.edit", "shop")

    Grant.objects.all().delete()

    assert not tokens.may(row, "limits.check", "shop")
    assert "May nothing" in client_for(operator).get(PAGE).content.decode()
