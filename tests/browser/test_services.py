"""The wall while services arrive, fall and leave; narrowed, on a phone, and without script. Then
five copies of the README's service: one killed, one hung, one drained, Redis cut off and back."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from redisops.connection import connect
from redisops.services import Balancer, Discovery, Instance, Registration, Registry
from tests.console import ROOT
from tests.faults.proxy import Proxy
from tests.servers import until as until_within

pytestmark = pytest.mark.browser
WALL = "/servers/shop/services/"


TTL = 1.6
# What the console's watcher does, with a hold that fits such leases: it sweeps, by the services'
# line to Redis, and keeps history.
KEEP = f"""
import asyncio
import os
import django
django.setup()
from dashboard.servers.models import Server
from dashboard.services.history.collecting import collect
from redisops.connection import connect_async
from redisops.services import AsyncSweeper
async def keep():
    server = await Server.objects.aget(slug="shop")
    redis = server.async_client()
    link = connect_async(os.environ["LINE"])
    async with AsyncSweeper(link, ["orders"], every=0.1, gap=1.2, hold={TTL}):
        while True:
            await collect(server, redis)
            await asyncio.sleep(0.2)
asyncio.run(keep())
"""


def _who(service: str, id: str, zone: str = "a") -> Registration:
    return Registration(service, id, "10.0.0.7", 8000, zone=zone, version="1.4.2", ttl=60)


def test_services_arrive_fall_and_leave_on_the_wall(visit, stage, violations):
    registry = Registry(connect(stage.shop.url))
    for service in registry.services():  # other tests may have left some
        for one in registry.read(service).instances:
            registry.deregister(service, one.id)
        registry.forget(service)
    page = visit(WALL)
    expect(page.locator("[data-live-mark]")).to_have_text("Live, 1 s")
    expect(page.get_by_text("Nobody is registered here")).to_be_visible()

    registry.register(_who("orders", "orders-1"))
    registry.register(_who("orders", "orders-2", "b"))
    registry.register(_who("mail", "mail-1"))

    cards = page.locator("[data-c]")
    expect(cards).to_have_count(2)
    expect(page.get_by_text("Nobody is registered here")).to_be_hidden()
    expect(page.locator("#wall-verdict")).to_contain_text("2 services, 3 instances: 3 passing.")
    expect(page.locator('[data-i="orders-2"] [data-in]')).to_contain_text("in ")
    expect(cards.first).to_have_attribute("data-c", "mail")

    page.evaluate("document.querySelector('[data-c=mail]').mine = true")
    for _ in range(2):
        registry.judge("orders", "orders-2", "refused", "connection refused")

    expect(cards.first).to_have_attribute("data-c", "orders")
    expect(cards.first).to_contain_text("1 of 2 up")
    expect(cards.first).to_contain_text("connection refused")
    assert page.evaluate("document.querySelector('[data-c=mail]').mine")  # not touched
    newest = page.locator("[data-changes] tr").first
    expect(newest).to_contain_text("orders-2 of orders is critical")
    assert violations(page) == []

    one = visit(f"{WALL}orders/orders-1/")
    expect(one.locator("#service-head")).to_contain_text("It gets calls.")
    registry.drain("orders", "orders-1", "deploy")
    expect(one.locator("#strip")).to_contain_text("It is draining (deploy)")
    expect(one.locator("#service-head")).to_contain_text("It gets no calls.")
    registry.resume("orders", "orders-1")
    expect(one.locator("#service-head")).to_contain_text("It gets calls.")
    expect(one.locator("#strip")).not_to_contain_text("draining")
    expect(one.locator("#service-figs, #service-side, #as-of")).to_have_count(3)
    assert violations(one) == []

    page.get_by_label("Filter by text or words").fill("zone:b")
    page.keyboard.press("Enter")
    expect(page.locator("[data-i]")).to_have_count(1)
    expect(page.locator("[data-found]")).to_have_text("1")
    registry.deregister("orders", "orders-2", "a new release")
    expect(page.get_by_text("Nobody fits the filter")).to_be_visible()

    phone = visit(f"{WALL}?mode=wall", width=390, theme="dark")
    expect(phone.locator("[data-c]")).to_have_count(2)
    expect(phone.get_by_role("link", name="Leave wall mode")).to_be_visible()
    assert violations(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    plain = visit(WALL, script=False)
    expect(plain.locator('[data-i="orders-1"]')).to_contain_text("orders-1 10.0.0.7:8000")
    expect(plain.locator('[data-i="orders-1"] [data-in]')).to_contain_text("to ")
    for service, id in (("orders", "orders-1"), ("mail", "mail-1")):
        registry.deregister(service, id)
        registry.forget(service)
    expect(phone.get_by_text("Nobody is registered here")).to_be_visible()


def until(is_so: Callable[[], Any], otherwise: str) -> None:
    """As long as five processes need on a machine that has much else to do."""
    until_within(is_so, otherwise, 20)


def program() -> str:
    """The README's service; its lease is short, and nobody has to check it."""
    text = (ROOT / "README.md").read_text()
    found = re.search(r"## A service that registers itself\n```python\n(.+?)```", text, re.DOTALL)
    assert found
    assert found[1].count('check={"kind": "http"}') == 1
    return found[1].replace('check={"kind": "http"}', f"ttl={TTL}")


@pytest.fixture
def line(stage) -> Iterator[Proxy]:
    """The services' and their caller's line to Redis, which can be cut; the console has its own."""
    with Proxy(stage.shop.port) as proxy:
        yield proxy


@pytest.fixture
def copies(stage, line) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Five of them, and who sweeps."""
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEP], cwd=ROOT, env={**stage.console.environment, "LINE": line.url}
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program()],
            cwd=ROOT, env={**os.environ, "REDIS_URL": line.url}, stderr=subprocess.DEVNULL,
        )
        for _ in range(5)
    ]  # fmt: skip
    yield started
    for one in (*started, keeper):
        one.kill()
        one.wait()


class Caller(threading.Thread):
    """Calls the service without a pause worth the name, one retry at most, and counts."""

    def __init__(self, orders: Balancer) -> None:
        super().__init__(daemon=True)
        self.orders = orders
        self.answered = self.attempts = 0
        self.failures: list[str] = []
        self.is_over = False

    def run(self) -> None:
        while not self.is_over:
            try:
                assert self.orders.call(self.ask, tries=2) == b"two orders\n"
                self.answered += 1
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            time.sleep(0.01)

    def ask(self, one: Instance) -> bytes:
        self.attempts += 1
        with urllib.request.urlopen(f"http://{one.authority}/", timeout=3) as answer:
            return bytes(answer.read())


def test_nobody_notices_that_instances_and_redis_come_and_go(visit, stage, line, copies):
    ids = [f"orders-{one.pid}" for one in copies]
    killed, hung, drained, *left = ids
    page = visit(WALL)
    verdict = page.locator("#wall-verdict")

    def is_called(id: str, kind: str) -> None:
        expect(page.locator(f'[data-i="{id}"]')).to_have_attribute("data-kind", kind)

    with connect(line.url) as link, Discovery(link, "orders") as discovery:

        def routed() -> set[str]:
            return {one.id for one in discovery.instances("orders")}

        until(lambda: routed() == set(ids), "five did not arrive")
        expect(verdict).to_contain_text("1 service, 5 instances: 5 passing.")
        caller = Caller(Balancer(discovery, "orders"))
        caller.start()
        until(lambda: caller.answered > 20, "nobody answers")

        # One after the other: a retry may not meet the next trouble.
        os.kill(copies[0].pid, signal.SIGKILL)
        is_called(killed, "gone")
        os.kill(copies[1].pid, signal.SIGSTOP)
        is_called(hung, "gone")
        expect(page.locator(f'[data-i="{hung}"]')).to_contain_text("lease over")
        expect(verdict).to_contain_text("1 service, 5 instances: 2 gone, 3 passing.")
        act = visit(f"{WALL}orders/{drained}/drain/")
        act.get_by_label("Why").fill("a new release")
        act.get_by_label("Type shop").fill("shop")
        act.get_by_role("button", name="on shop").click()
        is_called(drained, "draining")
        expect(page.locator(f'[data-i="{drained}"]')).to_contain_text("a new release")
        until(lambda: routed() == set(left), "not noticed")

        line.mode("down")
        until(lambda: discovery.trouble, "nobody noticed that Redis is away")
        before = caller.answered
        for id in left:
            is_called(id, "late")
        until(lambda: caller.answered > before + 20, "calls stopped with Redis")
        line.heal()
        os.kill(copies[1].pid, signal.SIGCONT)
        for id in (hung, *left):
            is_called(id, "passing")
        expect(verdict).to_contain_text("1 service, 5 instances: 1 gone, 1 draining, 3 passing.")
        until(lambda: routed() == {hung, *left}, "they did not come back")
        copies[2].terminate()
        is_called(drained, "left")
        assert copies[2].wait(20) == -signal.SIGTERM

        before = caller.answered
        until(lambda: caller.answered > before + 20, "calls stopped")
        caller.is_over = True
        caller.join(20)
    assert caller.failures == []
    assert caller.attempts > caller.answered  # some were asked who did not answer

    with stage.shop.client() as plain:
        told = [said for _, said in plain.xrange("svc:{orders}:events")]
    ends = {said[b"id"].decode(): said[b"why"].decode() for said in told if said[b"to"] == b"gone"}
    assert ends == {killed: "lease over", hung: "lease over", drained: "terminated"}
    journal = visit(f"{WALL}changes/?service=orders")
    for id, why in ends.items():
        row = journal.locator("tr", has_text=id).filter(has_text=why)
        until(lambda: journal.reload() and row.count(), f"{id} is not in the journal")  # noqa: B023
