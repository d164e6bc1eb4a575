"""What a policy would take, changed and rolled back; an advice followed to the form of its fix."""

from __future__ import annotations

import random
import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
CACHING = "/servers/shop/caching/"


def test_eviction_is_read_changed_and_rolled_back_and_advice_leads_to_its_fix(visit, stage):
    chance = random.Random(3)
    with stage.shop.client() as plain:
        for number in range(60):
            plain.set(f"price:{number}", b"1", ex=9_000 + number % 10)
            plain.set(f"offer:{number}", chance.randbytes(50), ex=600 * (number + 1))
    page = visit(f"{CACHING}eviction/")
    rows = page.locator(".policies > li")
    expect(rows).to_have_count(8)
    expect(rows.filter(has_text="noeviction")).to_have_attribute("aria-current", "true")
    expect(rows.filter(has_text="volatile-ttl")).to_contain_text("offer:")

    rows.filter(has_text="volatile-ttl").get_by_role("link", name="Change to it").click()
    page.get_by_label("Limit").fill("64 MiB")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator(".changes")).to_contain_text("64 MiB")
    page.get_by_label("Why").fill("It is a cache")
    page.get_by_label("to go on").fill("shop")
    page.get_by_role("button", name="Change eviction of shop").click()
    expect(page.locator(".policies [aria-current]")).to_contain_text("volatile-ttl")
    expect(page.locator(".versions")).to_contain_text("It is a cache")
    with stage.shop.client() as plain:
        assert plain.config_get("maxmemory")["maxmemory"] == str(64 * 1024**2)

    page.get_by_role("link", name="Roll back").click()
    page.get_by_label("Why").fill("Not yet")
    page.get_by_label("to go on").fill("shop")
    page.get_by_role("button", name="Roll back eviction of shop").click()
    expect(page.locator(".policies [aria-current]")).to_contain_text("noeviction")
    with stage.shop.client() as plain:
        assert plain.config_get("maxmemory")["maxmemory"] == "0"

    page.get_by_role("navigation", name="Caching").get_by_role("link", name="Advice").click()
    advice = page.locator(".advice > li", has_text="Keys of price: that expire together")
    advice.get_by_text("Evidence").click()
    expect(advice).to_contain_text("In one minute")
    advice.get_by_role("link", name="Spread their expiry").click()
    expect(page.locator("[name=prefix]")).to_have_value("price:")
    page.get_by_role("button", name="Count the keys").click()
    set_it = page.get_by_role("button", name="Set expiry of 60 keys")
    expect(set_it).to_be_visible()
    page.get_by_label(re.compile(r"Type price:\* to")).fill("price:*")
    page.get_by_label(re.compile("type the server's name, shop")).fill("shop")
    page.get_by_label("Why, for the audit log").fill("As advised")
    set_it.click()
    expect(page.locator("#part-verdict")).to_contain_text("Done")
    with stage.shop.client() as plain:
        assert len({plain.ttl(f"price:{number}") // 60 for number in range(60)}) > 5
