"""The API for places in flight: taken, renewed and given back by programs in any language."""

import json
import re

import pytest
from django.test import Client
from django.utils.dateparse import parse_datetime

from dashboard.limits.api import doors
from dashboard.limits.api.places import written
from dashboard.servers.models import Grant
from redisops.limits.document import Document
from redisops.limits.places import Held
from redisops.limits.policies import Policy
from redisops.limits.publishing import publish
from tests.faults.proxy import Proxy
from tests.servers import until

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("new_doors")]
PLACES = {"service": "reports", "algorithm": "concurrency", "period": 3600.0}
POLICIES = (
    Policy("all", subject=("global",), limit=2, **PLACES),
    Policy("ip", subject=("ip",), limit=1, order=1, **PLACES),
    Policy("rate", service="reports", limit=1, period=2_592_000.0),
    Policy("shed", service="shed", algorithm="concurrency", subject=("global",), limit=2,
           period=3600.0, shares=(("low", 0.5),)),
    Policy("strict", service="strict", algorithm="concurrency", limit=2, period=9.0,
           on_failure="closed"),
)  # fmt: skip
REPORT = {"service": "reports", "path": "/reports", "ip": "203.0.113.9"}


@pytest.fixture
def published(server):
    """The policies above, obeyed on the server."""
    assert publish(server.client(), Document(7, POLICIES)) == "published"
    return server


@pytest.fixture
def post(token):
    """``post("acquire", request={...})``: the API's answer."""
    caller = Client(headers={"Authorization": f"Bearer {token[1]}"}, enforce_csrf_checks=True)

    def send(what, text=None, **body):
        text = json.dumps({"server": "shop"} | body) if text is None else text
        return caller.post(f"/api/limits/{what}", text, content_type="application/json")

    return send


def test_places_are_taken_renewed_and_given_back(post, published, data):
    first = post("acquire", request=REPORT).json()
    second = post("acquire", request=REPORT | {"ip": "203.0.113.8"}).json()
    full = post("acquire", request=REPORT | {"ip": "203.0.113.7"}).json()

    assert first["allowed"] and second["allowed"] and first["lease"] != second["lease"]
    assert [one["policy"] for one in first["verdict"]["limits"]] == ["all", "ip"]
    assert 0 < first["seconds"] <= 3600 and parse_datetime(first["ends"]).tzinfo is not None
    assert first["verdict"]["undecided"] == ["rate"]
    assert 'qu="concurrent-requests"' in first["verdict"]["headers"]["RateLimit-Policy"]
    assert (full["allowed"], full["lease"], full["ends"]) == (False, "", None)
    assert (full["verdict"]["policy"], full["verdict"]["headers"]["Retry-After"]) == ("all", "1")

    doors.forget_all()  # any process of the console goes on with a lease
    held = post("renew", lease=first["lease"]).json()
    assert held["held"] and 0 < held["seconds"] <= 3600
    assert post("release", lease=first["lease"]).json() == {"server": "shop", "released": True}
    assert post("release", lease=first["lease"]).json()["released"] is False
    lost = post("renew", lease=first["lease"]).json()
    assert (lost["held"], lost["seconds"], lost["ends"]) == (False, 0, None)
    assert post("acquire", request=REPORT | {"ip": "203.0.113.7"}).json()["allowed"]
    assert all(data.ttl(key) > 0 for key in data.keys("limit:*"))


def test_each_call_is_one_round_trip(post, published, target):
    with Proxy(target.port) as proxy:
        published.nodes = f"127.0.0.1:{proxy.port}"
        published.save()
        door = doors.of(published)
        until(lambda: door.book.version == 7, "the policies never came", 20)
        post(
            "renew", lease=post("acquire", request=REPORT).json()["lease"]
        )  # the scripts are known
        door.close()  # nothing but what is asked goes to Redis from now on
        other = REPORT | {"ip": "203.0.113.8"}

        def trips(what, **body):
            proxy.forget()
            answer = post(what, **body).json()
            assert proxy.round_trips == 1, what
            return answer

        lease = trips("acquire", request=other)["lease"]
        assert trips("renew", lease=lease)["held"]
        assert trips("release", lease=lease)["released"]


def test_nobody_makes_up_a_lease_nor_uses_it_elsewhere(post, published, data):
    lease = post("acquire", request=REPORT).json()["lease"]
    foreign = written(type(published)(pk=published.pk + 1), [Held(b"victim", b"member", 9.0)])
    data.zadd("victim", {"member": 1})

    for wrong in (lease[:-1] + ("A" if lease[-1] != "A" else "B"), foreign, "x", "x:y:z"):
        for what in ("renew", "release"):
            refused = post(what, lease=wrong)
            assert refused.status_code == 422, wrong
            assert refused.json()["title"] == "This is no lease of this server"
    assert data.zcard("victim") == 1
    Grant.objects.update(role="viewer")
    assert post("release", lease=lease).status_code == 403


@pytest.mark.parametrize("what", ["acquire", "renew", "release"])
def test_what_is_not_as_described_is_refused_and_takes_nothing(what, post, published, data):
    bodies = ["", "[]", {"server": "shop"}, {"request": REPORT}, {"lease": ""}, {"lease": 7}]
    bodies += [{"request": REPORT | wrong} for wrong in ({"cost": 1}, {"priority": "urgent"})]

    for body in bodies:
        answer = post(what, body) if isinstance(body, str) else post(what, **body | {"more": 1})
        assert answer.status_code == 422, body
    assert not data.keys("limit:*")
    assert post(what, server="home", request=REPORT).status_code in (404, 422)


def test_priorities_and_requests_that_need_no_place(post, published):
    low = {"service": "shed", "priority": "low"}

    allowed = [post("acquire", request=low).json()["allowed"] for _ in range(2)]
    critical = post("acquire", request=low | {"priority": "critical"}).json()
    nothing = post("acquire", request={"service": "elsewhere"}).json()

    assert allowed == [True, False] and critical["allowed"]
    assert (nothing["allowed"], nothing["lease"], nothing["seconds"]) == (True, "", 0)


def test_redis_away_is_for_each_policy_to_decide_and_leases_end_by_themselves(
    post, published, target
):
    lease = post("acquire", request=REPORT).json()["lease"]
    target.kill()
    try:
        opened = post("acquire", request=REPORT).json()
        closed = post("acquire", request={"service": "strict", "ip": "203.0.113.9"}).json()
        answers = [post(what, lease=lease) for what in ("renew", "release")]
    finally:
        target.start()

    assert (opened["allowed"], opened["lease"]) == (True, "")
    assert opened["verdict"]["reason"] == "failed_open"
    assert (closed["allowed"], closed["verdict"]["reason"]) == (False, "failed_closed")
    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].json()["title"] == "The server does not answer"


def test_a_stopped_server_is_not_asked(post, published):
    lease = post("acquire", request=REPORT).json()["lease"]
    published.stopped_at = published.created
    published.save()

    assert post("acquire", request=REPORT).status_code == 503
    assert "stopped" in post("release", lease=lease).json()["title"]


def test_it_is_described_and_the_example_is_answered_as_the_documentation_says(
    post, server, settings, client_for, stranger
):
    page = (settings.BASE_DIR / "docs/using/api.md").read_text()
    bodies = re.findall(r"limits/(\w+) .*?-d '(\{.*?\})'", page, re.DOTALL)
    told = [json.loads(body) for _, body in bodies]
    answer = json.loads(re.search(r"```json\n(\{.*?\})\n```", page, re.DOTALL)[1])
    publish(server.client(), Document(7, (
        Policy("reports", service="reports", algorithm="concurrency", limit=2, period=30.0),
    )))  # fmt: skip

    taken = post("acquire", request=told[1]["request"]).json()

    assert [name for name, _ in bodies] == ["check", "acquire", "renew", "release"]
    assert taken.keys() == answer.keys()
    assert taken["verdict"]["headers"] == answer["verdict"]["headers"]
    assert taken["verdict"].keys() == answer["verdict"].keys()
    paths = client_for(None).get("/api/openapi.json").json()["paths"]
    for name in ("acquire", "renew", "release"):
        responses = paths[f"/api/limits/{name}"]["post"]["responses"]
        assert {"200", "401", "403", "404", "413", "422", "429", "503"} <= set(responses)
    shown = client_for(stranger).get("/api/docs?about=limits").content.decode()
    assert "/api/limits/acquire" in shown and "What acquire answers" in shown
