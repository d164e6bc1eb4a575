"""Counting keys and looking at what they are made of, as people do it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Stage
from tests.pages import count

UNCOUNTED = """
import django
django.setup()
from dashboard.keys.survey.models import Pass
Pass.objects.filter(server__slug="two").delete()
"""

MANY = "for n = 1, 20000 do redis.call('set', 'f' .. n % 40 .. ':' .. ARGV[1] .. ':' .. n, n) end"


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


def test_counting_dims_nothing(stage: Stage, visit: Callable[..., Page]) -> None:
    with stage.two.client() as plain:
        plain.set("cart:1", "x")
    stage.console.run("-c", UNCOUNTED)
    page = visit("/")
    held: list[Route] = []
    page.route("**/analysis/visit/**", lambda route: held.append(route))
    page.goto("/servers/two/keys/")  # asks for a count by itself, and hears nothing
    asking = page.locator("#tree .htmx-request")
    expect(asking).to_have_count(1)
    page.wait_for_timeout(1000)  # what a slow answer changes, it changes after 300 ms

    for part in (".list .busy", "#tree .busy"):
        assert page.locator(part).evaluate("(part) => getComputedStyle(part).opacity") == "1"
    held[0].fulfill(status=204)
    expect(asking).to_have_count(0)


def test_the_list_stays_while_the_tree_grows(stage: Stage, visit: Callable[..., Page]) -> None:
    """The map, which comes with the first figures, moves what asks for more to another place."""
    with stage.two.client() as plain:
        for part in range(30):
            plain.eval(MANY, 0, part)
    stage.console.run("-c", UNCOUNTED)
    page = visit("/servers/two/keys/")
    expect(page.locator("#tree-growing")).to_have_count(1)
    foot = page.locator("#tree .p-foot")

    expect(foot).to_contain_text("Every name was counted", timeout=60_000)
    expect(page.locator("#tree-growing")).to_have_count(0)
    page.wait_for_timeout(2500)  # a timer that outlived its element would ask once more
    expect(page.locator(".pane.list")).to_have_count(1)
    expect(page.locator("#tree")).to_have_count(1)
