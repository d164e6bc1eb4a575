"""The API for services that are not in Python: who may ask, and what is answered."""

import json
import re
import threading

import pytest
from django.db import OperationalError
from django.test import Client

from dashboard.accounts import tokens
from dashboard.accounts.models import ApiToken
from dashboard.limits.api import doors
from dashboard.limits.policies import protected
from dashboard.servers import home
from dashboard.servers.models import Grant
from redisops.limits.document import Document
from redisops.limits.limiter import Limiter
from redisops.limits.policies import Ban, Exemption, Policy
from redisops.limits.publishing import publish
from redisops.limits.use import Use
from tests.faults.proxy import Proxy
from tests.servers import until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("new_doors")]
CHECK = "/api/limits/check"
# Nothing comes back, and no window ends, while a test runs, however slow the machine is.
PERIOD = 2_592_000.0
POLICIES = (
    Policy("per-ip", service="orders", subject=("ip",), limit=3, period=PERIOD),
    Policy(
        "everybody", service="orders", subject=("global",), limit=100, period=PERIOD, order=1,
        algorithm="fixed_window",
    ),
    Policy("watching", service="orders", subject=("ip",), limit=1, period=PERIOD, mode="shadow"),
    Policy("counted", service="counted", subject=("ip",), limit=3, period=PERIOD),
    Policy("dear", service="counted", subject=("global",), limit=9, period=PERIOD, cost=4),
    Policy("strict", service="strict", subject=("ip",), limit=9, period=9.0, on_failure="closed"),
    Policy("alone", service="alone", subject=("ip",), limit=2, period=PERIOD, on_failure="local"),
)  # fmt: skip
PLACES = Policy("places", service="places", algorithm="concurrency", limit=1, period=3600.0)
ORDER = {"service": "orders", "method": "post", "path": "/orders/17", "ip": "203.0.113.9"}


@pytest.fixture
def published(server):
    """The policies above, obeyed on the server."""
    assert publish(server.client(), Document(7, POLICIES)) == "published"
    return server


@pytest.fixture
def ask(token):
    """``ask({...}, {...})``: the API's answer about these requests."""
    caller = Client(headers={"Authorization": f"Bearer {token[1]}"}, enforce_csrf_checks=True)

    def post(*requests, server="shop", body=None, headers=None, **more):
        asked = {"server": server, "requests": list(requests), **more} if body is None else body
        text = asked if isinstance(asked, str | bytes) else json.dumps(asked)
        return caller.post(CHECK, text, content_type="application/json", headers=headers or {})

    return post


def problem(answer):
    assert answer["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    return told


def test_many_limits_decide_about_a_request_in_one_step_and_a_refusal_takes_nothing(ask, published):
    answer = ask(ORDER, ORDER)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["server"], told["version"], told["allowed"]) == ("shop", 7, True)
    first, second = told["verdicts"]
    assert [limit["policy"] for limit in first["limits"]] == ["per-ip", "watching", "everybody"]
    assert (first["policy"], first["limit"], first["remaining"]) == ("per-ip", 3, 2)
    assert (first["shadow"], second["shadow"]) == (False, True)
    assert '"per-ip";q=3;w=2592000' in second["headers"]["RateLimit-Policy"]
    assert '"per-ip";r=1;' in second["headers"]["RateLimit"]

    (refused,) = ask(ORDER | {"cost": 2}).json()["verdicts"]

    assert (refused["allowed"], refused["reason"], refused["policy"]) == (False, "denied", "per-ip")
    assert 0 < refused["retry_after"] <= PERIOD
    assert int(refused["headers"]["Retry-After"]) >= refused["retry_after"]
    left = {limit["policy"]: limit["remaining"] for limit in refused["limits"]}
    assert (left["per-ip"], left["everybody"]) == (1, 98)


def test_a_hundred_requests_are_one_round_trip_each_decided_for_itself(ask, published, target):
    publish(published.client(), Document(8, (*POLICIES, PLACES)))
    orders = [ORDER | {"ip": f"10.0.0.{number % 25}"} for number in range(99)]
    with Proxy(target.port) as proxy:
        published.nodes = f"127.0.0.1:{proxy.port}"
        published.save()
        until(lambda: ask(ORDER, peek=True).json()["version"] == 8, "version 8 never came", 20)
        doors.of(published).close()  # nothing but what is asked goes to Redis from now on
        verdicts = ask(*orders, ORDER | {"service": "places"}).json()["verdicts"]
        proxy.forget()
        again = ask(*orders).json()["verdicts"]
        asked = proxy.round_trips
        looked = ask(*orders, peek=True).json()["verdicts"]

        # One each; a reply may begin before the whole of a long request has gone.
        assert asked <= 3 and proxy.round_trips <= 6

    assert [one["allowed"] for one in verdicts] == [True] * 75 + [False] * 24 + [True]
    assert verdicts[-1]["undecided"] == ["places"] and verdicts[0]["undecided"] == []
    assert not any(one["allowed"] for one in again + looked)


def test_it_counts_as_python_services_do_and_looking_does_not(ask, published):
    limit, subject = POLICIES[3].as_limit(), ORDER["ip"]
    order = ORDER | {"service": "counted"}
    for _ in range(2):
        (seen,) = ask(order, peek=True).json()["verdicts"]
        assert (seen["allowed"], seen["remaining"]) == (True, 3)
        assert [limit["remaining"] for limit in seen["limits"]] == [3, 9]

    ask(order, order)

    verdict = Limiter(published.client()).hit(limit, subject)
    assert (verdict.allowed, verdict.remaining) == (True, 0)
    (seen,) = ask(order, peek=True).json()["verdicts"]
    assert [limit["allowed"] for limit in seen["limits"]] == [False, False]

    def counted():
        doors.of(published).recorder.flush()
        return sum(step.allowed for step in Use(published.client()).series("counted"))

    until(lambda: counted() == 2, "the use was not recorded", 20)


def test_bans_and_exemptions_hold_for_looking_too(ask, server):
    far = 4_000_000_000.0
    base = {"service": "orders", "subject": ("ip",), "limit": 1, "period": PERIOD}
    banned = Policy("door", banned=(Ban("203.0.113.9", far, "abuse"),), **base)
    free = Policy("free", exempt=(Exemption("203.0.113.8", far),), **base)
    publish(server.client(), Document(8, (banned, free)))

    for peek in (True, False):
        answer = ask(ORDER, ORDER | {"ip": "203.0.113.8"}, peek=peek).json()
        refused, allowed = answer["verdicts"]
        assert (refused["allowed"], refused["reason"], refused["policy"]) == (
            False, "banned", "door",
        )  # fmt: skip
        assert "abuse" not in json.dumps(refused)
        assert allowed["allowed"], peek


def test_without_a_policy_everything_may_pass(ask, server):
    (verdict,) = ask(ORDER).json()["verdicts"]

    assert (verdict["allowed"], verdict["policy"], verdict["headers"]) == (True, "", {})


def test_the_answer_has_the_fields_of_the_token_itself(ask, published):
    answer = ask(ORDER)

    assert '"console-api";q=6000;w=60' in answer["RateLimit-Policy"]
    assert '"console-api";r=999;' in answer["RateLimit"]
    assert "Set-Cookie" not in answer and not answer.cookies
    assert answer["Cache-Control"] == "no-store"


def test_a_token_that_asks_too_often_is_refused_by_the_published_policy(ask, published):
    tuned = [policy for policy in protected.defaults() if policy.name != protected.API]
    api = Policy(
        protected.API, service=protected.SERVICE, methods=("POST",), path=protected.API_PATH,
        subject=("api_key",), limit=60, period=3600.0, on_failure="local", cost=10,
    )  # fmt: skip
    publish(home.ensure().client(), Document(3, (*tuned, api)))
    assert [ask(ORDER | {"ip": f"10.0.0.{n}"}).status_code for n in range(6)] == [200] * 6

    refused = ask(ORDER | {"ip": "10.0.0.9"})

    assert refused.status_code == 429
    assert problem(refused)["title"] == "This token asks too often"
    assert int(refused["Retry-After"]) > 0 and "console-api" in refused["RateLimit"]


def test_401_without_a_token_that_is_valid_and_never_by_a_session(owner, token, server, client_for):
    row, text = token
    body = {"server": "shop", "requests": [ORDER]}
    browser = client_for(owner)

    def answer(authorization):
        headers = {"Authorization": authorization} if authorization else {}
        return browser.post(CHECK, body, content_type="application/json", headers=headers)

    wrong = ["", "Basic b3duZXI6eA==", "Bearer", "Bearer x", f"Bearer {tokens.generated()}"]
    altered = text[:-1] + ("1" if text.endswith("0") else "0")
    for authorization in [*wrong, f"Token {text}", f"Bearer {altered}"]:
        refused = answer(authorization)
        assert refused.status_code == 401, authorization
        assert refused["WWW-Authenticate"].startswith("Bearer")
        problem(refused)
    assert answer(f"bearer {text}").status_code == 200
    row.delete()
    assert answer(f"Bearer {text}").status_code == 401


def test_403_and_404_tell_no_more_than_the_token_may_know(ask, token, published, operator):
    row, _ = token
    assert ask(ORDER, server="home").status_code == 404
    assert ask(ORDER, server="nowhere").status_code == 404
    Grant.objects.update(role="viewer")
    assert "no operator" in problem(ask(ORDER))["detail"]
    Grant.objects.all().delete()
    assert ask(ORDER).status_code == 404
    ApiToken.objects.filter(pk=row.pk).update(scopes=[])

    assert ask(ORDER).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        "", "[]", "null", "{", b"\xff\xfe", '{"a": NaN}', "[" * 100_000,
        {"server": "shop"},
        {"server": "shop", "requests": []},
        {"server": "shop", "requests": [ORDER] * 101},
        {"server": "shop", "requests": [{"path": "/"}]},
        {"server": "shop", "requests": [ORDER | {"cost": 0}]},
        {"server": "shop", "requests": [ORDER | {"cost": 1e300}]},
        {"server": "shop", "requests": [ORDER | {"cost": "2"}]},
        {"server": "shop", "requests": [ORDER | {"usr": "ann"}]},
        {"server": "shop", "requests": [ORDER | {"user": "x" * 1025}]},
        {"server": "shop", "requests": [ORDER | {"headers": {"a": 1}}]},
    ],
)  # fmt: skip
def test_422_says_where(ask, published, data, body):
    told = problem(ask(body=body))

    assert told["status"] == 422
    assert "203.0.113.9" not in json.dumps(told)
    assert not data.keys("limit:*")


def test_413_reads_no_more_than_it_takes(ask, published):
    for length in (None, "99", "99999999999999999999", "-1"):
        headers = {} if length is None else {"Content-Length": length}
        assert problem(ask(body=b"x" * (256 * 1024 + 1), headers=headers))["status"] in (413, 422)
    assert problem(ask(body=b"x" * (6 * 1024 * 1024)))["status"] == 413


def test_hostile_text_is_a_subject_like_any_other(ask, published, data):
    odd = ORDER | {"ip": "{x}:\r\n\0\ud800", "user": "ключ\u202e", "path": "/\n/../%00"}

    answer = ask(odd, odd | {"ip": "A" * 1024})

    assert answer.status_code in (200, 422)
    assert ask(ORDER | {"ip": "{x}:\r\n", "path": "/\n/../%00"}).status_code == 200
    assert all(data.ttl(key) > 0 for key in data.keys("limit:*"))


def test_another_site_may_ask_with_a_token(ask, published):
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"}

    assert ask(ORDER, headers=foreign).status_code == 200


def test_redis_away_is_for_each_policy_to_decide(ask, published, target):
    assert ask(ORDER).status_code == 200
    target.kill()
    try:
        requests = [ORDER | {"service": name} for name in ("orders", "strict", "alone")]
        answer = ask(*requests, requests[2], requests[2])
        looked = ask(ORDER, peek=True)
    finally:
        target.start()

    assert problem(looked)["title"] == "The server does not answer"
    assert answer.status_code == 200
    told = [(one["allowed"], one["reason"]) for one in answer.json()["verdicts"]]
    assert told[:3] == [(True, "failed_open"), (False, "failed_closed"), (True, "local")]
    assert [allowed for allowed, _ in told[2:]] == [True, True, False]


def test_a_server_that_refuses_to_be_looked_at_is_not_said_to_be_silent(ask, published, data):
    data.execute_command("ACL", "SETUSER", "default", "-time")
    try:
        looked = problem(ask(ORDER, peek=True))
    finally:
        data.execute_command("ACL", "SETUSER", "default", "+@all")

    assert (looked["status"], looked["title"]) == (503, "The server cannot tell")
    assert "may not run this command" in looked["detail"]


def test_503_for_a_stopped_server_and_a_database_that_is_away(ask, published, owner, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(tokens, "verified", away)
        assert problem(ask(ORDER))["title"] == "The database does not answer"
    published.stopped_at = published.created
    published.save()

    assert "stopped" in problem(ask(ORDER))["title"]
    assert "shop" not in doors._doors


def test_what_it_is_can_be_read(client_for, stranger, operator):
    document = client_for(None).get("/api/openapi.json")
    page = client_for(stranger).get("/api/docs")

    described = document.json()
    assert CHECK in described["paths"]
    answers = described["paths"][CHECK]["post"]["responses"]
    assert {"200", "401", "403", "404", "413", "422", "429", "503"} <= set(answers)
    assert page.status_code == 200
    assert b"<script>" not in page.content
    assert client_for(None).get("/api/docs").status_code == 302
    assert client_for(operator).get(CHECK).status_code == 405


def test_many_threads_share_one_door(published):
    found = []
    threads = [threading.Thread(target=lambda: found.append(doors.of(published))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(door) for door in found}) == 1
    until(lambda: found[0].book.version == 7, "the book was not read")


def test_a_door_that_nobody_uses_is_shut_though_nobody_comes_by(published, monkeypatch):
    door = doors.of(published)
    until(lambda: door.book.version == 7, "the book was not read")
    monkeypatch.setattr(doors, "UNUSED_SECONDS", 0.0)

    until(lambda: door.book._thread is None and door.recorder.closed, "it stayed open", 20)

    assert "shop" not in doors._doors


def test_the_example_of_the_documentation_is_answered_as_it_says(ask, server, settings):
    page = (settings.BASE_DIR / "docs/using/api.md").read_text()
    body = re.search(r"-d '(\{.*?\})'", page, re.DOTALL)[1]
    told = json.loads(re.search(r"\n(\{\"server\".*?\]\})\n```", page, re.DOTALL)[1])
    policy = Policy(
        "orders-per-ip", service="orders", methods=("POST",), path="/orders", limit=3, period=60.0
    )
    publish(server.client(), Document(7, (policy,)))

    answers = [ask(body=body).json() for _ in range(3)]
    while answers[-1]["allowed"]:  # on a slow machine some comes back meanwhile
        assert len(answers) < 20
        answers.append(ask(body=body).json())

    def keys(value):
        if isinstance(value, dict):
            return {name: keys(part) for name, part in value.items()}
        return [keys(part) for part in value] if isinstance(value, list) else None

    assert [answer["allowed"] for answer in answers[:3]] == [True, True, True]
    assert keys(answers[-1]) == keys(told)
    assert (
        answers[-1]["verdicts"][0]["headers"]["RateLimit-Policy"]
        == (told["verdicts"][0]["headers"]["RateLimit-Policy"])
    )
