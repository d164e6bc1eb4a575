"""A cache's page moves, its policy is typed and obeyed, a tag and a person's sessions are ended."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, expect

from redisops.cache import Cache
from redisops.connection import connect
from redisops.sessions import Seal, Sessions

pytestmark = pytest.mark.browser
PAGE = "/servers/shop/caching/"


@pytest.fixture
def cache(stage) -> Iterator[Cache]:
    client = connect(stage.shop.url)
    with Cache(client, "catalog", ttl=300) as made:
        yield made
    client.close()


def test_a_cache_is_watched_its_policy_typed_and_a_tag_ended(visit, stage, cache, violations):
    cache.get_or_load("product:1", lambda: {"name": "shoe"}, tags=["shoes"])
    cache.flush()
    page = visit(f"{PAGE}namespaces/catalog/")
    verdict = page.locator("#cache-verdict")
    expect(verdict).to_contain_text("0% of 1 reads")
    expect(page.locator(".uplot")).to_have_count(6)
    cache.get("product:1")
    cache.flush()
    expect(verdict).to_contain_text("50% of 2 reads")
    assert violations(page) == []

    page.get_by_role("link", name="Change its policy").click()
    page.get_by_label("Fresh for").fill("90 s")
    expect(page.locator("#say")).to_contain_text("An entry is fresh for 90 s")
    page.get_by_role("button", name="Save on").click()
    expect(page.get_by_text("saved as version 1. It is published")).to_be_visible()
    expect(page.get_by_role("link", name="Versions")).to_be_visible()
    obeyed(cache, 90)
    cache.get_or_load("product:2", lambda: {"name": "boot"}, tags=["boots"])

    page.get_by_role("link", name="Entries", exact=True).click()
    rows = page.locator("tbody tr")
    for name in ("product:1", "product:2"):  # the older one, too, was to live for five minutes
        expect(rows.filter(has_text=name).get_by_role("cell").nth(3)).to_have_text(
            re.compile("^(1 min|[1-8]?[0-9] s)")
        )
    page.get_by_role("link", name="product:1").click()
    page.get_by_role("link", name="shoes").click()
    expect(page.get_by_text("1 entry would end.")).to_be_visible()
    page.get_by_label(re.compile("^Why")).fill("old")
    page.get_by_label(re.compile("^Type shop")).fill("shop")
    page.get_by_role("button", name="Invalidate on").click()
    expect(page.get_by_text("Invalidated the tag shoes of catalog")).to_be_visible()
    assert cache.get("product:1") is None and cache.get("product:2") == {"name": "boot"}

    # The same page on a phone in the dark: another context would fetch everything anew.
    page.set_viewport_size({"width": 390, "height": 900})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    for place in ("policy/", "invalidate/?what=namespace"):
        page.goto(f"{PAGE}namespaces/catalog/{place}", wait_until="domcontentloaded")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
        assert violations(page, "color-contrast", "label", "button-name", "target-size") == [], (
            place
        )


def obeyed(cache: Cache, ttl: float) -> None:
    """Until the service has heard of the new policy."""
    end = time.monotonic() + 20
    while cache.policy.ttl != ttl:
        assert time.monotonic() < end, cache.policy
        time.sleep(0.05)


def test_a_persons_sessions_are_ended_and_their_browser_is_signed_out(
    visit, stage, browser: Browser, game
):
    theirs = browser.new_context()
    player = theirs.new_page()
    player.goto(f"{game}/enter")
    player.goto(game)
    expect(player.get_by_text("mara plays")).to_be_visible()

    page = visit("/servers/shop/sessions/?who=mara")
    expect(page.locator(".signed tbody tr")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440, "a long agent is cut"
    page.get_by_role("link", name="End these").click()
    expect(page.get_by_text("1 session: 1 of Redisops. Nothing has been done yet.")).to_be_visible()
    player.reload()
    expect(player.get_by_text("mara plays")).to_be_visible()
    page.get_by_label("Type shop").fill("shop")
    page.get_by_role("button", name="End 1 session on shop").click()
    expect(page.get_by_text("1 session ended.")).to_be_visible()

    player.reload()
    expect(player.get_by_text("Nobody plays")).to_be_visible()
    theirs.close()


@pytest.fixture
def game(stage) -> Iterator[str]:
    """The address of a service whose players' sessions are the library's, on the shop's Redis."""
    client = connect(stage.shop.url)
    sessions = Sessions(client, Seal([os.urandom(32)]))

    class Play(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get("game")
            session = sessions.load(cookie.value) if cookie else None
            if self.path == "/enter":
                session = sessions.new("mara", address="10.0.0.7", agent="W" * 300)
                sessions.save(session)
                self.send_header("Set-Cookie", f"game={session.id}; HttpOnly")
            self.end_headers()
            who = session.principal if session is not None else "Nobody"
            self.wfile.write(f"<!doctype html><title>Game</title><p>{who} plays".encode())

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Play) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
    client.close()
