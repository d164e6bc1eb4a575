"""A board that is watched while it moves, searched, and changed with the way back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from redisops.keys import to_url

pytestmark = pytest.mark.browser
KEY = b"game:arena"
BOARD = f"/servers/shop/leaderboards/keys/{to_url(KEY)}/"


def test_a_board_moves_is_searched_and_changed(visit, stage, violations):
    with stage.shop.client() as plain:
        plain.zadd(KEY, {f"player:{n:03}": 5000 - 10 * n for n in range(150)})
        plain.zadd(KEY, {b"<b>bold\xff": 4995})
    page = visit(BOARD)
    rows = page.locator("[data-board] tbody tr")
    expect(page.locator("[data-live-mark]")).to_have_text("Live, 8/s")
    expect(rows).to_have_count(20)
    expect(rows.nth(1)).to_contain_text(r"<b>bold\xff")
    assert violations(page) == []

    with stage.shop.client() as plain:
        plain.zincrby(KEY, 1000, "player:005")

    first = rows.first
    expect(first).to_contain_text("player:005")
    expect(first).to_contain_text("▲ 6")
    expect(first).to_contain_text("+1,000")
    expect(rows.nth(1)).to_contain_text("▼ 1")
    expect(page.locator("[data-movers]")).to_contain_text("player:005 7 to 1, +1,000")

    # The order holds still under the pointer; the scores do not.
    rows.nth(3).hover()
    with stage.shop.client() as plain:
        plain.zincrby(KEY, 2000, "player:010")
    expect(page.locator("[data-held]")).to_contain_text("rows would move")
    expect(first).to_contain_text("player:005")
    page.mouse.move(5, 5)
    expect(first).to_contain_text("player:010")
    expect(page.locator("[data-held]")).to_be_hidden()

    with stage.shop.client() as plain:
        plain.rename(KEY, b"game:elsewhere")
    expect(page.locator("#gone-note")).to_contain_text("the key is not there")
    expect(rows).to_have_count(20)
    with stage.shop.client() as plain:
        plain.rename(b"game:elsewhere", KEY)
    expect(page.locator("#gone-note")).to_be_hidden()

    page.get_by_label("Member", exact=True).fill(r"<b>bold\xff")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("[data-found]")).to_contain_text("has rank 4 of 151, score 4,995")
    page.get_by_role("link", name="Change the score").click()
    page.get_by_label(re.compile("^Score")).fill("9000")
    page.get_by_label(re.compile("^Why")).fill("OPS-7")
    page.get_by_label(re.compile("^Type")).fill("shop")
    page.get_by_role("button", name="Change it").click()
    expect(page.locator("main")).to_contain_text("has 9,000 now.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("main")).to_contain_text(re.compile("[Rr]estored|back"))
    with stage.shop.client() as plain:
        assert plain.zscore(KEY, b"<b>bold\xff") == 4995
