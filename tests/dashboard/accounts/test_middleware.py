"""Default deny: what a stranger gets, in the words of whoever asks."""

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.accounts.middleware import PUBLIC
from dashboard.accounts.sessions import SessionStore
from redisops.contrib.django.watch import SessionsUnavailable

pytestmark = pytest.mark.django_db
# Opened by a token of their own, or holding nothing of this console.
BY_TOKEN = {
    "api:check_limits", "api:openapi", "api:register_instances", "api:beat_instances",
    "api:drain_instances", "api:http_sd", "api:service", "api:watch_service", "api:instance",
    "api:acquire_places", "api:renew_places", "api:release_places",
}  # fmt: skip


def routes(resolver=None, prefix="", names=()):
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path, (*names, *filter(None, [entry.namespace])))
        elif isinstance(entry, URLPattern):
            yield ":".join([*names, entry.name or ""]), path


def example(path):
    for part, value in (("<slug:slug>", "shop"), ("<int:pk>", "1")):
        path = path.replace(part, value)
    return "/" + (path if "<" not in path else path[: path.index("<")] + "a/")


def test_only_the_named_pages_are_public():
    assert {"accounts:login", "ui:healthz", "ui:readyz", "ui:metrics"} == PUBLIC


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_a_stranger_gets_no_further_than_the_door(method):
    asked = {name: path for name, path in routes() if name not in PUBLIC | BY_TOKEN}
    answers = {name: getattr(Client(), method)(example(path)) for name, path in asked.items()}
    # An example that does not fit its route shows nothing either way.
    met = {name: answer for name, answer in answers.items() if answer.status_code != 404}

    assert len(met) > len(asked) / 2
    assert {name: answer.status_code for name, answer in met.items()} == dict.fromkeys(met, 302)
    doors = {answer["Location"].partition("?")[0] for answer in met.values()}
    assert doors == {"/account/login/"}
    assert all("?next=/" in answer["Location"] for answer in met.values())


def test_the_way_back_is_the_page_that_was_asked_for():
    assert Client().get("/audit/?q=x")["Location"] == "/account/login/?next=/audit/%3Fq%3Dx"
    assert Client().post("/teams/")["Location"] == "/account/login/?next=/"


def test_htmx_is_sent_by_a_header():
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/servers/?a=1"}

    response = Client().get("/audit/", headers=headers)

    assert response.status_code == 204
    assert response["HX-Redirect"] == "/account/login/?next=/servers/%3Fa%3D1"


def test_a_client_that_asks_for_json_gets_401():
    response = Client().get("/audit/", headers={"Accept": "application/json"})

    assert (response.status_code, response.json()) == (401, {"error": "not signed in"})


def test_a_one_time_password_opens_only_the_page_that_changes_it(client_for, owner):
    owner.must_change_password = True
    owner.save()
    browser = client_for(owner)

    assert browser.get("/audit/")["Location"] == "/account/password/"
    assert browser.get("/account/password/").status_code == 200
    assert browser.get("/audit/", headers={"HX-Request": "true"})["HX-Redirect"]
    assert browser.post("/account/logout/").status_code == 302


@pytest.mark.parametrize("error", [SessionsUnavailable("away"), OperationalError("away")])
def test_when_nobody_can_say_the_cookie_stays(client_for, owner, monkeypatch, error):
    browser = client_for(owner)

    def refuse(self):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(SessionStore, "load", refuse)
        response = browser.get("/account/")

    assert response.status_code == 503
    assert "still signed in" in response.content.decode()
    assert "session" not in response.cookies
    assert browser.get("/account/").status_code == 200
