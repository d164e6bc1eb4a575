"""Whether it is alive, whether it is ready, and its numbers."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families

from dashboard.ui import health
from tests.waiting import Waiting


@pytest.fixture
def anybody(client_for):
    return client_for(None)


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch):
    """Each test asks anew; the SQL probe's own connection would not see the test's database."""
    monkeypatch.setattr(health, "SQL", health.Probe(lambda: None, health.SQL_SECONDS))
    monkeypatch.setattr(health, "HOME", health.Probe(health._ask_home, health.REDIS_SECONDS))


def test_alive_asks_nobody(anybody, django_assert_num_queries, home_process):
    with home_process.client() as plain:
        before = plain.info("commandstats")
        with django_assert_num_queries(0):
            response = anybody.get(reverse("ui:healthz"))
        after = plain.info("commandstats")

    assert response.json() == {"status": "ok"}
    assert set(after) - set(before) <= {"cmdstat_info"}


def test_ready_when_sql_and_home_answer(anybody):
    response = anybody.get(reverse("ui:readyz"))

    assert (response.status_code, response.json()) == (
        200, {"status": "ready", "sql": "ok", "home": "ok"},
    )  # fmt: skip


def test_without_home_degraded_but_ready_and_soon_told(anybody, home_process):
    anybody.get(reverse("ui:readyz"))
    health.HOME.last = None
    home_process.pause()
    try:
        start = Waiting()
        response = anybody.get(reverse("ui:readyz"))
        took = start.seconds
    finally:
        home_process.resume()

    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert took < 2
    assert "127.0.0.1" not in response.content.decode()


def test_without_sql_not_ready(anybody, monkeypatch):
    def away():
        raise OperationalError("connection to 10.0.0.1 failed: password=hunter2")

    monkeypatch.setattr(health, "SQL", health.Probe(away, 1))

    response = anybody.get(reverse("ui:readyz"))

    assert response.status_code == 503
    assert response.json()["sql"] == "OperationalError"
    assert b"hunter2" not in response.content and b"10.0.0.1" not in response.content


@pytest.mark.django_db(transaction=True)
def test_the_probe_really_asks_the_database():
    health._ask_sql()


def test_something_that_hangs_is_waited_for_once_and_briefly(monkeypatch):
    monkeypatch.setattr(health, "FRESH_SECONDS", 60.0)
    release = threading.Event()
    probe = health.Probe(lambda: release.wait(60) and None, 0.05)

    start = Waiting()
    answers = [probe.answer() for _ in range(5)]
    took = start.seconds
    release.set()

    assert answers == ["no answer within 0.05 s"] * 5
    assert took < 0.2  # five times 0.05 s would be more


def test_an_answer_is_remembered_for_a_while(monkeypatch):
    monkeypatch.setattr(health, "FRESH_SECONDS", 60.0)
    asked = []
    probe = health.Probe(lambda: asked.append(1), 1)

    for _ in range(20):
        probe.answer()

    assert len(asked) == 1


@pytest.mark.parametrize("name", ["ui:healthz", "ui:readyz", "ui:metrics"])
def test_nobody_needs_to_sign_in_and_nothing_is_kept(anybody, name):
    response = anybody.get(reverse(name))

    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies
    assert anybody.post(reverse(name)).status_code == 405


@pytest.mark.parametrize(
    ("options", "status"),
    [({}, 200),
     ({"REMOTE_ADDR": "::1"}, 200),
     ({"REMOTE_ADDR": "10.0.0.7"}, 403),
     ({"REMOTE_ADDR": ""}, 403),
     ({"headers": {"X-Forwarded-For": "127.0.0.1"}}, 403),
     ({"headers": {"Forwarded": "for=127.0.0.1"}}, 403),
     ({"REMOTE_ADDR": "10.0.0.7", "headers": {"Authorization": "Bearer right"}}, 200),
     ({"REMOTE_ADDR": "10.0.0.7", "headers": {"Authorization": "Bearer wrong"}}, 403),
     ({"REMOTE_ADDR": "10.0.0.7", "headers": {"Authorization": "Bearer "}}, 403)],
)  # fmt: skip
def test_numbers_are_for_this_machine_or_for_the_token(anybody, settings, options, status):
    settings.METRICS_TOKEN = "right"

    assert anybody.get(reverse("ui:metrics"), **options).status_code == status


def test_without_a_token_set_no_token_opens(anybody, settings):
    settings.METRICS_TOKEN = ""
    bearer = {"Authorization": "Bearer "}

    response = anybody.get(reverse("ui:metrics"), REMOTE_ADDR="10.0.0.7", headers=bearer)

    assert response.status_code == 403


def sample(body: str, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(body):
        for one in family.samples:
            if one.name == name and labels.items() <= one.labels.items():
                return one.value
    return 0.0


def test_requests_are_counted_by_view_never_by_path(owner, client_for, anybody):
    labels = {"view": "audit:show", "method": "GET", "status": "404"}
    before = anybody.get(reverse("ui:metrics")).content.decode()

    client_for(owner).get("/audit/987654321/")
    after = anybody.get(reverse("ui:metrics")).content.decode()

    name = "redisops_http_requests_total"
    assert sample(after, name, **labels) - sample(before, name, **labels) == 1
    assert sample(after, "redisops_http_request_seconds_count", view="audit:show") >= 1
    assert "987654321" not in after


def test_what_pages_cost_their_servers_is_counted(viewer, server, client_for, anybody):
    client_for(viewer).get(reverse("keys:index", args=[server.slug]))

    body = anybody.get(reverse("ui:metrics")).content.decode()

    assert sample(body, "redisops_redis_commands_total", view="keys:index") > 0
    assert sample(body, "redisops_redis_round_trips_total", view="keys:index") > 0


def test_breakers_and_live_topics_are_told(viewer, server, client_for, anybody):
    client_for(viewer).get(reverse("keys:index", args=[server.slug]))

    body = anybody.get(reverse("ui:metrics")).content.decode()

    assert sample(body, "redisops_breaker_state", server="shop", state="closed") == 1
    assert "redisops_live_topics" in body and "redisops_live_subscriptions" in body
