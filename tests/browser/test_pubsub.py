"""Listening to channels: what comes, what is muted, what is published, what was missed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
PAGE = "/servers/shop/pubsub/"
# All but what the shop's services and the library announce themselves.
ALL = "%5B%5Esr%5D*"


def test_messages_are_heard_muted_published_and_missed(visit, stage):
    page = visit(f"{PAGE}?kind=pattern&name={ALL}")
    rows = page.locator("[data-feed-rows] tr")
    rate = page.locator("[data-feed-rate]")
    expect(rate).to_have_text("Listening, nothing heard yet")
    with stage.shop.client() as plain:
        plain.publish("<b>orders", "<img src=x onerror=alert(1)>")
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("<b>orders")
        expect(rows.first).to_contain_text("<img src=x onerror=alert(1)>")

        page.get_by_label("Celery").check()
        page.get_by_label("Filter messages").fill("-boring")
        for channel, text in (
            ("/0.celeryev/worker.heartbeat", "beat"),
            ("a", "boring"),
            ("a", "b"),
        ):
            plain.publish(channel, text)
        expect(rows).to_have_count(2)
        expect(page.locator("[data-feed-total]")).to_contain_text(
            "4 heard, 2 shown, 2 muted or filtered"
        )

        page.get_by_label("Channel", exact=True).fill("greetings")
        page.get_by_label("Message", exact=True).fill("hello there")
        page.get_by_role("button", name="Publish on shop").click()
        expect(page.locator("main")).to_contain_text("1 subscription received it")

        expect(rate).to_have_text("Listening, nothing heard yet")
        plain.publish("a", "before")
        expect(rows.first).to_contain_text("before")
        stage.shop.pause()
        try:
            expect(page.locator("#source-note")).to_contain_text("shop cannot be heard")
        finally:
            stage.shop.resume()
        expect(page.locator("[data-feed-rows] tr.gap")).to_contain_text("Not listening from")
        expect(page.locator("#source-note")).to_be_hidden()
