"""The page that decides on checks, tries them and tells what they found."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from dashboard.audit.models import Entry
from dashboard.services.checks.models import ServiceCheck
from dashboard.services.checks.spec import Check
from redisops.connection import connect
from redisops.services import Registration, Registry
from tests.dashboard.conftest import assert_valid_html


@pytest.mark.django_db
def test_the_page_decides_tries_and_tells(
    client_for: Any, viewer: Any, operator: Any, server: Any, data: Any, loopback: None, target: Any
) -> None:
    with connect(target.url) as redis:
        told = Registration("shop", "s<1>", "127.0.0.1", target.port, check={"kind": "tcp"})
        Registry(redis).register(told)
    page, write = (reverse(f"services:{name}", args=["shop", "shop"])
                   for name in ("checks", "check_write"))  # fmt: skip
    now = reverse("services:check_now", args=["shop", "shop", "s<1>"])
    looks, acts = client_for(viewer), client_for(operator)

    shown = looks.get(page)
    assert_valid_html(shown)
    text = shown.content.decode()
    assert "A TCP connection is opened" in text and "needs" not in text and "Operator" in text
    for url in (write, now):
        assert looks.post(url).status_code == 403
    form = {
        "mode": "written", "kind": "redis", "path": "/", "method": "GET", "port": "0",
        "expect": "200-299", "warn_ms": "0", "certificate_days": "14", "interval": "5",
        "timeout": "1", "jitter": "10", "delay": "0", "rise": "3", "fall": "4",
        "start_period": "30", "seen": "0", "instance": "s<1>", "verify": "on",
    }  # fmt: skip
    tried = acts.post(write, form | {"do": "try"})
    assert_valid_html(tried)
    assert "PONG" in tried.content.decode() and not ServiceCheck.objects.exists()
    own = acts.post(write, form | {"do": "try", "mode": "own"})  # what it asks for: TCP
    assert "port open" in own.content.decode()
    assert acts.post(write, form | {"do": "try", "mode": "none"}).status_code == 409
    wrong = acts.post(write, form | {"do": "save", "timeout": "6"})
    assert wrong.status_code == 422 and "overtake" in wrong.content.decode()
    says = acts.post(write, form | {"do": "say"}).content.decode()
    assert "PING is sent to Redis every 5 s" in says and "4 failures in a row" in says

    assert acts.post(write, form | {"do": "save"}).status_code == 302
    row = ServiceCheck.objects.get()
    assert (row.as_check(), row.version, row.author) == (
        Check(kind="redis", interval=5.0, timeout=1.0), 1, "operator",
    )  # fmt: skip
    assert data.hget("svc:{shop}:cfg", "fall") == b"4"
    again = acts.post(write, form | {"do": "save", "fall": "9"})
    assert again.status_code == 409 and "operator changed this check" in again.content.decode()
    assert acts.post(write, form | {"do": "save", "seen": "1", "mode": "own"}).status_code == 302
    exchange = acts.post(now)
    assert_valid_html(exchange)
    assert "port open" in exchange.content.decode()
    kinds = list(
        Entry.objects.filter(action__startswith="services.").values_list("action", flat=True)
    )
    for action in ("services.try_check", "services.write_check", "services.check_now"):
        assert action in kinds

    server.nodes = "127.0.0.1:1"
    server.save()
    down = acts.get(page)
    assert_valid_html(down)
    assert down.status_code == 200 and "not known now" in down.content.decode()
    assert acts.post(now).status_code == 503
