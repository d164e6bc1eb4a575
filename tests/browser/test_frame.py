"""The frame in a browser: keys, palette, theme, phone, and all of it for everybody."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_ctrl_k_finds_a_page_and_enter_opens_it(visit):
    page = visit("/help/")

    page.keyboard.press("Control+k")
    page.keyboard.type("audi")
    page.keyboard.press("Enter")  # At once: what was typed counts, not what was found before.

    page.wait_for_url(re.compile("/audit/$"))


def test_arrows_move_the_choice_and_the_field_keeps_the_focus(visit):
    page = visit("/servers/shop/keys/")
    page.keyboard.press("Control+k")
    page.locator("#palette-hits a").nth(2).wait_for()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")

    chosen = page.locator('#palette-hits [aria-selected="true"]')
    expect(chosen).to_have_count(1)
    field = page.locator("#palette input[name=q]")
    expect(field).to_be_focused()
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")


def test_the_palette_is_accessible_and_escape_gives_the_focus_back(visit, violations):
    page = visit("/audit/")
    page.locator(".find").click()
    page.locator("#palette-hits a").first.wait_for()

    assert violations(page) == []
    page.keyboard.press("Escape")

    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator(".find")).to_be_focused()


def test_an_exact_key_is_found(visit):
    page = visit("/servers/shop/")

    page.keyboard.press("Control+k")
    page.keyboard.type("cart:eu:7")
    page.locator("#palette-hits a", has_text="cart:eu:7").first.wait_for()


def test_question_mark_lists_the_keys_and_g_goes(visit, violations):
    page = visit("/help/")

    page.keyboard.press("?")
    expect(page.locator("#keyboard")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("a")

    page.wait_for_url(re.compile("/audit/$"))


def test_slash_goes_to_the_filter_and_letters_in_it_are_only_letters(visit):
    page = visit("/audit/")

    page.keyboard.press("/")
    page.keyboard.type("gt?")

    field = page.locator("[data-filter]")
    expect(field).to_be_focused()
    expect(field).to_have_value("gt?")
    expect(page.locator("#keyboard")).to_be_hidden()


def test_the_skip_link_is_first_and_leads_to_the_page(visit):
    page = visit("/audit/")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


def test_the_theme_changes_at_once_and_is_there_on_the_next_page(visit):
    page = visit("/audit/")
    page.locator(".me-pop summary").click()

    with page.expect_response(re.compile("/theme/")):
        page.locator("[data-theme-form] button", has_text="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    first_byte = page.request.get("/help/").text()

    assert 'data-bs-theme="dark"' in first_byte


def test_menus_close_on_escape_and_elsewhere(visit):
    page = visit("/audit/")
    menu = page.locator(".me-pop")

    menu.locator("summary").click()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    menu.locator("summary").click()
    page.locator("h1").click()

    expect(menu).not_to_have_attribute("open", "")


def test_a_phone_has_the_pages_in_a_drawer(visit, violations):
    page = visit("/servers/shop/keys/", width=390)
    opener = page.locator("[data-menu]")

    opener.click()
    expect(page.locator("#side")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")

    expect(page.locator("#side")).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_phone_without_javascript_has_the_drawer_too(visit):
    page = visit("/audit/", width=390, script=False)

    page.locator("[data-menu]").click()

    expect(page.locator("#side")).to_be_visible()


def test_production_is_marked_on_every_width(visit):
    for width in (390, 1440):
        page = visit("/servers/shop/", width=width)
        expect(page.locator(".prod-tag:visible").first).to_have_text("Production")
        expect(page.locator("body")).to_have_class("prod")


def test_a_filter_of_the_audit_is_in_the_address_and_moves_nothing_else(visit):
    page = visit("/audit/")

    page.locator("[name=who]").fill("nobody-of-that-name")
    page.locator("[name=who]").press("Enter")

    expect(page.locator("#entries")).to_contain_text("No entry matches")
    assert "who=nobody-of-that-name" in page.url


def test_an_answer_that_never_comes_is_said_and_the_old_content_stays(visit):
    page = visit("/audit/")
    page.route(re.compile("/audit/"), lambda route: route.fulfill(status=204))
    page.unroute(re.compile("/audit/"))
    rows = page.locator("#entries tbody tr").count()

    page.evaluate("document.dispatchEvent(new CustomEvent('htmx:sendError', {bubbles: true}))")

    expect(page.locator("#request-note")).to_contain_text("did not answer")
    assert page.locator("#entries tbody tr").count() == rows
