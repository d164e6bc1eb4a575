"""Signing in under the console's own policies: counted on home, with SQL's book beside it."""

import dataclasses

import pytest
from django.test import Client

from dashboard.accounts import throttle
from dashboard.accounts.models import SignInAttempt
from dashboard.limits.api import doors
from dashboard.limits.policies import protected
from dashboard.servers import home as home_row
from redisops.limits.document import Document
from redisops.limits.policies import Ban, Exemption
from redisops.limits.publishing import publish
from redisops.limits.use import Use
from tests.dashboard.conftest import PASSWORD, assert_valid_html
from tests.servers import until

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"
ACCOUNT, ADDRESS, API = protected.defaults()
FAR = 4_000_000_000.0


@pytest.fixture(autouse=True)
def _doors_are_new():
    throttle._told.clear()
    doors.forget_all()
    yield
    doors.forget_all()


@pytest.fixture
def behind(home_process):
    with home_process.client() as plain:
        yield plain


def attempt(username="owner", password="wrong", address="10.0.0.1"):
    data = {"username": username, "password": password}
    return Client().post(LOGIN, data, REMOTE_ADDR=address)


def statuses(count, **more):
    return [attempt(**more).status_code for _ in range(count)]


def tune(*changed):
    """Publish the console's policies with these in place of the seeded ones."""
    names = {policy.name for policy in changed}
    kept = [policy for policy in protected.defaults() if policy.name not in names]
    publish(home_row.ensure().client(), Document(5, (*kept, *changed)))


def test_tries_are_counted_on_home_and_the_page_says_when_again(owner, behind):
    assert statuses(5) == [422] * 5
    SignInAttempt.objects.all().delete()  # what SQL knows is not what refuses here

    refused = attempt(password=PASSWORD, address="10.0.0.2")

    assert refused.status_code == 429
    assert 880 < int(refused["Retry-After"]) <= 900
    assert "Try again at" in refused.content.decode()
    assert_valid_html(refused)
    assert not SignInAttempt.objects.exists()
    kept = behind.keys("limit:*")
    assert {key.split(b":")[1].strip(b"{") for key in kept} == {
        b"console-sign-in-account", b"console-sign-in-address",
    }  # fmt: skip
    assert all(0 < behind.pttl(key) <= 900_000 for key in kept)
    assert b"owner" not in b"".join(kept)

    def denied():
        door = doors.own()
        door.recorder.flush()
        return sum(step.denied for step in Use(door.client).series(protected.ACCOUNT))

    until(lambda: denied() >= 1, "the refusal was not recorded", 20)


def test_a_flush_of_home_forgets_nothing(owner, behind):
    statuses(5)
    behind.flushall()

    assert attempt(password=PASSWORD).status_code == 429


def test_success_forgets_the_account_and_no_address_is_charged_for_it(owner, behind):
    for _ in range(6):
        assert statuses(3) == [422] * 3
        assert attempt(password=PASSWORD).status_code == 302

    assert attempt().status_code == 422
    assert statuses(2, address="10.0.0.9", username="x") == [422] * 2
    assert attempt("other").status_code == 422
    assert attempt("owner", PASSWORD).status_code == 429  # 20 failures from this address
    assert attempt("owner", PASSWORD, "10.0.0.2").status_code == 302


def test_a_tuned_policy_is_obeyed_by_both_books(owner, behind):
    tune(dataclasses.replace(ACCOUNT, limit=3, period=600.0))
    page = attempt().content.decode()
    assert "2 tries left in the next 10\u00a0min" in page
    assert statuses(3) == [422, 422, 429]

    behind.delete(*behind.keys("limit:*"))

    refused = attempt(password=PASSWORD)
    assert refused.status_code == 429
    assert 300 < int(refused["Retry-After"]) <= 600


def test_a_weakened_policy_is_not_obeyed(owner):
    tune(dataclasses.replace(ACCOUNT, mode="off"), dataclasses.replace(ADDRESS, limit=10_000))

    assert statuses(6) == [422] * 5 + [429]


def test_an_address_may_be_exempt_or_banned(owner):
    tune(
        dataclasses.replace(
            ADDRESS,
            limit=5,
            exempt=(Exemption("10.0.0.1", FAR),),
            banned=(Ban("10.0.0.66", FAR),),
        )
    )

    tries = [attempt(f"name{n}").status_code for n in range(7)]
    assert tries == [422] * 7
    assert [attempt(f"n{n}", address="10.0.0.2").status_code for n in range(6)] == [422] * 5 + [429]
    assert attempt(password=PASSWORD, address="10.0.0.66").status_code == 429


def test_sql_alone_holds_while_home_is_away_by_the_rules_known_last(owner, home_process):
    tune(dataclasses.replace(ACCOUNT, limit=4))
    statuses(2)
    home_process.kill()
    try:
        assert statuses(3) == [422, 422, 429]
        SignInAttempt.objects.all().delete()
        assert statuses(6, password=PASSWORD) == [302] * 6
    finally:
        home_process.start()
