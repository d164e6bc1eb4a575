"""What a person does in the first ten minutes, in a real browser."""

from __future__ import annotations

import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

from redisops.keys import to_url
from tests.pages import count

SEED = 240


@pytest.fixture(scope="module", autouse=True)
def _data(stage):
    with stage.shop.client() as plain:
        pipe = plain.pipeline(transaction=False)
        for number in range(SEED):
            pipe.set(f"cart:eu:{number}", f"cart {number}", ex=3600)
            pipe.hset(f"sess:eu:{number}", mapping={"user": number, "seen": "2026-11-23"})
        pipe.rpush("queue:mail", *range(500))
        pipe.sadd("tags:all", *[f"tag-{n}" for n in range(300)])
        pipe.zadd("board:week", {f"player-{n}": n for n in range(1000)})
        for number in range(250):
            pipe.xadd("stream:orders", {"order": number, "sum": "12.50"})
        pipe.pfadd("visitors", *range(2000))
        pipe.execute()
    with closing(stage.console.visit()) as person:
        count(person, "shop", 2 * SEED + 5)


def test_signing_in_leads_to_the_fleet_and_a_moving_overview(open_page, stage):
    page, _ = open_page("/")
    expect(page.locator("h1")).to_contain_text("Fleet")
    page.locator("main").get_by_role("link", name="shop").first.click()
    expect(page.locator("h1")).to_contain_text("shop")

    figure = page.locator(".figs")
    expect(figure).to_be_visible()
    expect(page.locator(".uplot").first).to_be_visible()
    before = figure.inner_text()
    with stage.shop.client() as plain:
        for number in range(3000):
            plain.get(f"cart:eu:{number % SEED}")

    expect(figure).not_to_have_text(re.compile(re.escape(before)))


def test_a_key_is_found_by_prefix_and_by_name(open_page):
    page, _ = open_page("/servers/shop/keys/")
    page.locator(".tree").get_by_role("link", name="cart:").click()
    expect(page).to_have_url(re.compile(r"cart"))
    expect(page.locator(".tree")).to_contain_text("eu:")

    page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type("sess:eu:77")
    page.keyboard.press("Enter")

    expect(page.get_by_role("link", name="sess:eu:77").first).to_be_visible()
    page.get_by_role("link", name="sess:eu:77").first.click()
    expect(page.locator("main")).to_contain_text("2026-11-23")


SHOWN = {
    "cart:eu:1": "cart 1",
    "sess:eu:1": "seen",
    "queue:mail": "of 500",
    "tags:all": "tag-",
    "board:week": "player-999",
    "stream:orders": "12.50",
    "visitors": "about",
}


def test_each_type_is_read(open_page):
    page, _ = open_page("/servers/shop/keys/")

    for key, shows in SHOWN.items():
        page.keyboard.press("Control+k")
        expect(page.locator("#palette input[name=q]")).to_be_focused()
        page.keyboard.press("Control+a")
        page.keyboard.type(key)
        page.get_by_role("option", name=re.compile(re.escape(key))).first.click()

        page.wait_for_url(re.compile(re.escape(to_url(key.encode()))))
        expect(page.locator("main")).to_contain_text(shows)


def test_pulling_the_plug_keeps_the_console_composed_and_it_comes_back_by_itself(open_page, stage):
    overview, _ = open_page("/servers/shop/")
    keys, _ = open_page("/servers/shop/keys/")
    expect(overview.locator(".uplot").first).to_be_visible()

    stage.shop.pause()
    try:
        keys.reload()
        expect(keys.locator("h1")).to_contain_text("does not answer")
        expect(overview.locator("main")).to_contain_text(
            re.compile("does not answer|Unreachable", re.IGNORECASE)
        )
    finally:
        stage.shop.resume()

    expect(keys.locator("h1")).to_have_text(re.compile("Keys"))
    expect(overview.locator("main")).to_contain_text("Healthy")


def test_a_socket_comes_back_after_home_was_killed_without_a_reload(open_page, stage):
    page, _ = open_page("/servers/shop/")
    live = page.locator(".top .live")
    expect(live).to_contain_text("Live")
    page.evaluate("window.stillHere = true")

    stage.home.kill()
    expect(live).to_have_class(re.compile("lost"))
    stage.home.start()

    expect(live).not_to_have_class(re.compile("lost"))
    assert page.evaluate("window.stillHere")
