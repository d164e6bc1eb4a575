"""A group in trouble, from the list to the replay of what was given up."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from redisops.keys import to_url

pytestmark = pytest.mark.browser
KEY = b"orders:<b>placed"
HERE = f"/servers/shop/streams/{to_url(KEY)}/"


def test_a_poison_message_is_moved_out_of_the_way_and_replayed(visit, stage, violations):
    with stage.shop.client() as plain:
        for n in range(4):
            plain.xadd(KEY, {"order": f"NO-{n}<i>"}, id=f"{n + 1}-0")
        plain.xgroup_create(KEY, "mailer", "0")
        plain.xreadgroup("mailer", "mailer-1", {KEY: ">"}, count=2)
        plain.xclaim(KEY, "mailer", "mailer-1", 0, ["1-0"], idle=900_000, retrycount=9)
        page = visit(f"{HERE}groups/")
        expect(page.locator("#groups-verdict")).to_contain_text("mailer holds 2 entries")
        page.get_by_role("link", name="mailer", exact=True).click()
        lag = page.locator("#standing .figs > div").first

        expect(lag).to_contain_text("2")
        plain.xadd(KEY, {"order": "later"})

        expect(lag).to_contain_text("3")
        assert violations(page) == []
        page.get_by_role("button", name="Move to dead letters…").first.click()
        expect(page.locator("main")).to_contain_text("NO-0<i>")
        page.get_by_label("Cause").fill("cannot be parsed")
        page.get_by_role("button", name="Move 1 entry").click()
        expect(page.locator("main")).to_contain_text("1 entry moved to dead letters.")
        assert plain.xlen(KEY + b":dead") == 1

        page.goto(f"{HERE}dead-letters/")
        expect(page.locator("tbody")).to_contain_text("cannot be parsed")
        page.get_by_role("button", name="Replay all 1…").click()
        page.get_by_role("button", name="Replay 1").click()
        expect(page.locator("#part-verdict")).to_contain_text("Done")
        assert (plain.xlen(KEY), plain.xlen(KEY + b":dead")) == (6, 0)
