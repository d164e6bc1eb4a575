"""A stream is watched, filtered, paused, held and gone on with; an entry is opened and added."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from redisops.keys import to_url

pytestmark = pytest.mark.browser
KEY = "watched:<b>orders"
PLACE = f"/servers/shop/streams/{to_url(KEY.encode())}/"


def test_a_stream_is_watched_and_an_entry_added(visit, stage):
    with stage.shop.client() as plain:
        plain.xadd(KEY, {"via": "web", "n": "first"})
        page = visit(PLACE)
        rows = page.locator("#tail-rows tbody tr")
        mark = page.locator("[data-live-mark]")
        expect(page.locator("h1")).to_have_text(KEY)
        expect(mark).to_contain_text("Live")
        plain.xadd(KEY, {"via": "<i>pos", "n": "second"})
        expect(rows.first).to_contain_text("<i>pos")

        page.get_by_role("button", name="Pause").click()
        expect(mark).to_contain_text("Paused")
        plain.xadd(KEY, {"via": "app", "n": "third"})
        expect(page.locator("[data-newer]")).to_have_text("1 newer")
        expect(rows).to_have_count(2)
        expect(page.get_by_role("link", name="Read on from here instead")).to_be_visible()
        page.keyboard.press("p")
        expect(rows.first).to_contain_text("third")
        expect(page.get_by_role("link", name="Read on from here instead")).to_be_hidden()
        expect(page.locator("dd[data-fact=length]")).to_have_text("3")

        plain.delete(KEY)
        expect(rows.first).to_contain_text("the stream was deleted")
        plain.xadd(KEY, {"via": "web", "n": "anew"})
        expect(rows.first).to_contain_text("anew")

        page.get_by_label("Filter entries").fill("via=pos")
        page.get_by_label("Filter entries").press("Enter")
        expect(page.locator("#tail-empty")).to_contain_text("None of these entries match")
        expect(mark).to_contain_text("Live")
        plain.xadd(KEY, {"via": "web", "n": "no"})
        plain.xadd(KEY, {"via": "pos", "n": "yes"})
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("yes")

    page.get_by_role("link", name="Add an entry").click()
    page.get_by_label("Fields").fill("via = pos\nn = by hand")
    page.get_by_label("Why").fill("a try")
    page.get_by_label("Type shop to go on").fill("shop")
    page.get_by_role("button", name="Add the entry").click()
    expect(page.locator("#tail-rows tbody tr").first).to_contain_text("by hand")
    page.locator("#tail-rows td.id a").first.click()
    expect(page.locator("main")).to_contain_text("by hand")
