"""Counting keys and looking at what they are made of, as people do it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Stage
from tests.pages import count


@pytest.fixture(scope="module")
def counted(stage: Stage) -> Stage:
    """Shop with some sessions beside its carts, counted now: an earlier count knew others."""
    with stage.shop.client() as plain:
        plain.mset({f"session:{number}": "x" * 500 for number in range(30)})
    with closing(stage.console.visit()) as person:
        count(person, "shop", 50)
    return stage


def test_the_tree_leads_to_the_analysis_and_the_map_into_a_folder(
    counted: Stage, visit: Callable[..., Page], violations: Callable[[Page], list[str]]
) -> None:
    page = visit("/servers/shop/keys/")
    expect(page.locator("#tree .p-foot")).to_contain_text("Every name was counted", timeout=60_000)
    page.locator("#tree").get_by_role("link", name="What takes the memory").click()

    tile = page.locator(".share.lg a").first
    tile.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/analysis/?prefix=*")
    expect(page.locator("h1")).to_contain_text("session:")
    assert violations(page) == []
