"""Keys are selected, exported and imported into another server, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_bulk import SLOW, snapshot


@pytest.fixture(scope="module")
def stage(theatre):
    """The console with a few keys on its shop, and nothing on its second server."""
    theatre.two.reset()
    theatre.shop.reset()
    with theatre.shop.client() as plain:
        for number in range(6):
            plain.set(b"cart:\xff:%d" % number, b"\x00\xfe", px=3_600_000 + number)
        plain.rpush("cart:list", *range(12_000))
    return theatre


def test_selected_keys_go_to_another_server(visit, stage, violations, tmp_path):
    page = visit("/servers/shop/keys/?match=cart:*")
    for box in page.get_by_label(re.compile("^Select cart:")).all():
        box.check()
    page.locator(".pick-bar").get_by_role("button", name="Export…").click()
    page.get_by_role("link", name="Export 7 keys").click(timeout=SLOW)
    assert violations(page) == []
    page.get_by_role("button", name="Export 7 keys").click()
    download = page.get_by_role("link", name=re.compile("^Download "))
    expect(download).to_be_visible(timeout=SLOW)
    with page.expect_download() as caught:
        download.click()
    path = tmp_path / caught.value.suggested_filename
    caught.value.save_as(path)

    page.goto("/servers/two/keys/")
    page.get_by_role("link", name="Import keys").click()
    assert violations(page) == []
    page.get_by_label("File").set_input_files(path)
    page.get_by_role("button", name="Upload and look").click()
    acting = page.get_by_role("button", name="Import 7 keys")
    expect(acting).to_be_visible(timeout=SLOW)
    assert violations(page) == []
    acting.click()
    expect(page.locator("#import-page")).to_contain_text("Nothing was imported")
    page.get_by_label("Type the server's name").fill("two")
    page.get_by_label("Why, for the audit log").fill("OPS-1")
    acting.click()
    expect(page.locator("#part-verdict")).to_contain_text("Done", timeout=SLOW)

    with stage.shop.client() as source, stage.two.client() as target:
        assert snapshot(target) == snapshot(source)
