"""A search in values leads to its matches and on to the dry run of a bulk action, in a browser."""

from __future__ import annotations

import json
import re
import zlib

import pytest
from playwright.sync_api import expect

SLOW = 90_000  # milliseconds: a job slows down by itself where both cores are busy


@pytest.fixture(scope="module", autouse=True)
def _data(stage):
    with stage.shop.client() as plain:
        for number in range(300):
            told = json.dumps({"who": "anna" if number < 40 else "otto", "id": 2**53 + number})
            plain.set(f"cart:us:{number}", zlib.compress(told.encode()))
        plain.set("cart:us:bad", b"anna <script>window.pwned=1</script>\xff")


def test_a_search_leads_to_its_matches_and_to_a_dry_run(visit, violations):
    page = visit("/servers/shop/keys/?match=cart:us:*")
    page.get_by_role("link", name="Search in values…").click()
    expect(page.get_by_label("In names that match")).to_have_value("cart:us:*")
    line, cost = page.get_by_label("Look for"), page.locator("#search-cost")

    line.fill("contains anna")
    page.get_by_label("Type", exact=True).select_option("string")
    expect(cost).to_contain_text("matches cart:us:*, of type string, is searched for a text inside")
    assert violations(page) == []
    line.fill("matches (anna")
    page.get_by_role("button", name="Start search").click()
    expect(page.locator(".form-error")).to_contain_text("At column 9")
    line.fill("contains anna")
    page.get_by_role("button", name="Start search").click()

    expect(page.get_by_role("heading", name="41 keys found")).to_be_visible(timeout=SLOW)
    assert page.locator(".matches mark").first.inner_text() == "anna"
    assert page.evaluate("window.pwned") is None and violations(page) == []
    page.get_by_role("button", name="Delete…").click()
    expect(page).to_have_url(re.compile(r"/bulk/\d+/\?do=delete"))
    expect(page.get_by_role("button", name="Delete 41 keys")).to_be_visible(timeout=SLOW)


def test_it_works_without_javascript_on_a_phone(visit):
    page = visit("/servers/shop/search/?prefix=cart:us:", script=False, width=390)
    page.get_by_label("Look for").fill("$.id = 9007199254740993")
    page.get_by_role("button", name="Start search").click()
    expect(page.get_by_role("heading", name="1 key found")).to_be_visible(timeout=SLOW)
    expect(page.locator(".matches")).to_contain_text("$.id (zlib, then JSON)")
    page.get_by_role("button", name="Change the search").click()
    expect(page.get_by_label("Look for")).to_have_value("$.id = 9007199254740993")
