"""The web process dies by ``kill -9`` under open pages: they come back by themselves, honestly."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from redisops.keys import to_url

pytestmark = pytest.mark.browser
KEY = b"survives"


def test_a_killed_web_process_costs_a_stream_no_row_and_pubsub_an_honest_gap(open_page, stage):
    """What came while nobody read is fetched by id; of messages, which nobody keeps, the times."""
    with stage.shop.client() as plain:
        first = plain.xadd(KEY, {"n": 0})
        feed, watch = open_page("/servers/shop/pubsub/?kind=channel&name=news")
        tail = feed.context.new_page()
        tail.goto(f"/servers/shop/streams/{to_url(KEY)}/")
        expect(feed.locator("[data-feed-rate]")).to_have_text("Listening, nothing heard yet")
        expect(tail.locator("[data-live-mark]")).to_contain_text("Live")
        ids = [first, plain.xadd(KEY, {"n": 1})]
        plain.publish("news", "before")
        expect(feed.locator("[data-feed-rows] tr")).to_have_count(1)
        expect(tail.locator("#tail-rows td.id")).to_have_count(2)

        web = stage.console.processes["web"]
        web.kill()
        web.wait()
        try:
            expect(tail.locator("[data-live-mark]")).to_contain_text("Not live since")
            ids += [plain.xadd(KEY, {"n": n}) for n in range(2, 40)]
            plain.publish("news", "nobody hears this")
        finally:
            stage.console.start_web()

        expect(tail.locator("#tail-rows td.id")).to_have_count(len(ids))
        shown = tail.locator("#tail-rows td.id").all_inner_texts()
        assert [re.search(r"\d+-\d+", one)[0].encode() for one in shown] == ids[::-1]
        expect(tail.locator("#tail-rows tr.gap")).to_have_count(0)
        expect(feed.locator("[data-feed-rows] tr.gap")).to_contain_text("Not listening from")
        plain.publish("news", "after")
        expect(feed.locator("[data-feed-rows] tr").first).to_contain_text("after")
    # The browser itself reports each try that nobody answered, or that was cut.
    watch.complaints[:] = [one for one in watch.complaints if "WebSocket connection" not in one]
