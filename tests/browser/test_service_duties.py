"""Who is told of services and how they are checked, decided by hand: one walk through both."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from redisops.connection import connect
from redisops.services import Registration, Registry

pytestmark = pytest.mark.browser
SERVICES = "/servers/shop/services/"


class Neighbour(http.server.BaseHTTPRequestHandler):
    """Somebody on loopback who takes webhooks and is well."""

    heard: list[str]

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(self.headers["webhook-signature"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Silent."""


@pytest.fixture
def neighbour() -> Iterator[http.server.HTTPServer]:
    Neighbour.heard = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Neighbour) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_notification_is_added_and_tested_and_a_check_decided_tried_and_done(
    visit, stage, violations, neighbour
):
    port = neighbour.server_address[1]
    told = visit(f"{SERVICES}notifications/")
    told.get_by_role("link", name="Add a notification").first.click()
    told.get_by_label("Name").fill("Night watch")
    told.get_by_label("Address").fill(f"http://127.0.0.1:{port}/hook")
    told.get_by_role("button", name="Add on shop").click()
    expect(told.get_by_text("Test it before you rely on it.")).to_be_visible()
    told.get_by_role("button", name="Send a test of Night watch").click()
    log = told.locator("#deliveries")
    expect(log).to_contain_text("A test of Night watch, asked for by admin")

    registry = Registry(connect(stage.shop.url))
    registry.register(Registration("books", "books-1", "127.0.0.1", port, ttl=300))
    checks = visit(f"{SERVICES}books/checks/")
    checks.get_by_label("Instances are checked").select_option("written")
    checks.get_by_label("Path").fill("/health")
    checks.get_by_label("The body contains").fill("hello")
    checks.get_by_label("Every, seconds").fill("7")
    checks.get_by_label("Why").fill("it has a door now")
    expect(checks.locator("#check-says")).to_contain_text("GET /health is sent over HTTP every 7 s")
    checks.get_by_role("button", name="Try it now").click()
    expect(checks.locator("#exchange")).to_contain_text("HTTP 200")
    expect(checks.locator("#exchange")).to_contain_text("GET /health HTTP/1.1")
    assert violations(checks) == []
    checks.get_by_role("button", name="Save on shop").click()
    expect(checks.get_by_text("version 1 by admin")).to_be_visible()

    checks.goto(f"{SERVICES}books/books-1/")
    checks.get_by_role("button", name="Check now").click()
    expect(checks.locator("#exchange")).to_contain_text("GET /health HTTP/1.1")
    expect(checks.locator("#exchange")).to_contain_text("books-1")

    told.get_by_label("Service", exact=True).fill("books")
    told.get_by_label("Why").fill("it moves")
    told.get_by_role("button", name="Mute it").click()
    expect(told.locator("#mutes")).to_contain_text("it moves")
    expect(log).to_contain_text("delivered")
    expect(log).to_contain_text("Answered 204")
    assert [one.startswith("v1,") for one in Neighbour.heard] == [True]
    assert violations(told) == []
    registry.deregister("books", "books-1")
    registry.forget("books")
