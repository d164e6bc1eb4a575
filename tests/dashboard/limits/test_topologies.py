"""Limits on a cluster and behind Sentinel: published, asked for, watched, looked at, given back."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.accounts import tokens
from dashboard.limits import policies, publishing
from dashboard.limits.api import doors
from dashboard.servers.models import Server
from redisops import keys
from redisops.limits.policies import Policy
from tests.dashboard.conftest import assert_valid_html
from tests.servers import Cluster, Watched, until

POLICIES = (
    Policy("per-user", service="orders", subject=("user",), limit=3, period=3600.0),
    Policy("per-ip", service="orders", subject=("ip",), limit=9, period=3600.0, order=1,
           algorithm="sliding_counter"),
    Policy("places", service="orders", subject=("user",), limit=2, period=30.0, path="/none",
           algorithm="concurrency"),
)  # fmt: skip


def on_cluster(server: Server, cluster: Cluster) -> None:
    server.kind = Server.Kind.CLUSTER
    server.nodes = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)


def on_sentinel(server: Server, watched: Watched) -> None:
    server.kind = Server.Kind.SENTINEL
    server.nodes = ",".join(f"127.0.0.1:{one.port}" for one in watched.sentinels)
    server.service = watched.service


@pytest.mark.parametrize(("made", "put"), [(Cluster, on_cluster), (Watched, on_sentinel)])
def test_all_of_it_works_there(made, put, server, operator, owner, client_for):
    token = tokens.create(operator, "t", scopes=["limits.check"], servers=["shop"], days=30)[1]
    program, browser = Client(headers={"Authorization": f"Bearer {token}"}), client_for(owner)
    order = {"service": "orders", "user": "ann", "ip": "192.0.2.1"}

    def page(name, *args):
        answer = browser.get(reverse(f"limits:{name}", args=["shop", *args]))
        assert answer.status_code == 200
        assert_valid_html(answer)
        return " ".join(answer.content.decode().split())

    def ask(*requests, peek=False):
        body = json.dumps({"server": "shop", "requests": requests, "peek": peek})
        return program.post("/api/limits/check", body, content_type="application/json").json()

    with made() as servers:
        put(server, servers)
        server.save()
        policies.seed(server, POLICIES, "tests")
        assert publishing.publish("tests", server).is_well
        try:
            until(lambda: ask(order, peek=True)["version"] == 1, "never published", 20)
            told = ask(*[order] * 4, {**order, "user": "bob"})
            doors.of(server).recorder.flush()
            until(lambda: "Refused 1 of 5 requests" in page("use", "per-user"), "not counted", 20)

            shown = page("index")
            looked = page("subject", keys.to_url(b"ann"))
            back = browser.post(
                reverse("limits:subject_reset", args=["shop", "per-user"]),
                {"subject": keys.to_url(b"ann")},
            )
            rested = ask({**order, "ip": "192.0.2.2"})
        finally:
            doors.forget_all()

    assert [one["allowed"] for one in told["verdicts"]] == [True] * 3 + [False, True]
    assert shown.count("published</span>") >= 3 and "Published at version 1." in shown
    assert "Used up under per-user" in looked and "<b>2</b> of 2" in looked
    assert back.status_code == 302 and rested["allowed"]
