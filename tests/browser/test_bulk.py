"""Five thousand keys are deleted by their folder and come back as they were, in a real browser."""

from __future__ import annotations

import re
from contextlib import closing

import pytest
import redis
from playwright.sync_api import expect

from tests.pages import count

KEYS = 5_000
LIST = "/servers/shop/keys/"
SLOW = 90_000  # milliseconds: a job slows down by itself where both cores are busy


@pytest.fixture(scope="module", autouse=True)
def _data(stage):
    with stage.shop.client() as plain:
        pipe = plain.pipeline(transaction=False)
        for number in range(KEYS):
            pipe.set(b"old:\xff:%d" % number, b"\x00\xfe%d" % number)
            if number % 3 == 0:
                pipe.pexpire(b"old:\xff:%d" % number, 3_600_000 + number)
        pipe.rpush("keep:list", *range(100))
        pipe.execute()
    with closing(stage.console.visit()) as person:
        count(person, "shop", KEYS + 21)


def snapshot(plain: redis.Redis) -> dict[bytes, tuple[bytes, int]]:
    """Every key as its DUMP and the millisecond at which it expires, but what the console itself
    publishes there."""
    names = sorted(name for name in plain.scan_iter(count=5_000) if b"redisops:" not in name)
    pipe = plain.pipeline(transaction=False)
    for name in names:
        pipe.dump(name)
        pipe.execute_command("PEXPIRETIME", name)
    told = pipe.execute()
    return dict(zip(names, zip(told[::2], told[1::2], strict=True), strict=True))


def test_a_folder_is_deleted_and_restored_byte_for_byte(visit, stage, violations):
    with stage.shop.client() as plain:
        before = snapshot(plain)
        page = visit(LIST)
        sheet = page.locator("#bulk-sheet")

        folder = page.locator(".tree li", has_text="old:")
        folder.hover()
        folder.get_by_label("Change all of old:").click()
        page.locator("#bulk-menu").get_by_role("link", name="Delete").click()
        sheet.get_by_role("button", name="Count the keys").click()
        acting = sheet.get_by_role("button", name="Delete 5,000 keys")
        expect(acting).to_be_visible(timeout=SLOW)
        assert violations(page) == []

        acting.click()
        expect(sheet).to_contain_text("Nothing was deleted")
        sheet.get_by_label(re.compile(r"Type old:\* to delete")).fill("old:*")
        sheet.get_by_label(re.compile("type the server's name, shop")).fill("shop")
        sheet.get_by_label("Why, for the audit log").fill("OPS-4412")
        sheet.get_by_label("At most, commands a second").fill("")
        acting.click()
        expect(page).to_have_url(re.compile(r"/jobs/\d+/"))
        undo = page.get_by_role("link", name="Undo…")
        expect(undo).to_be_visible(timeout=SLOW)
        assert plain.exists("keep:list") and not any(plain.scan_iter("old:*", count=5_000))

        undo.click()
        page.get_by_role("button", name=re.compile("Restore all")).first.click()
        expect(page).to_have_url(re.compile(r"/jobs/\d+/"))
        expect(page.locator("#part-verdict")).to_contain_text("Done", timeout=SLOW)
        assert snapshot(plain) == before


def test_keys_are_moved_through_and_ticked_by_keyboard(visit):
    page = visit(f"{LIST}?match=cart:*")
    names = [row.inner_text() for row in page.locator(".t.keys td.full").all()[:4]]

    for key in ("j", "j", "x", "j", "j", "Shift+X"):
        page.keyboard.press(key)
    expect(page.locator("[data-picked]")).to_have_text("3 keys selected")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#value .h-name")).to_contain_text(names[2].split(":")[-1])

    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Delete 3 keys")).to_be_visible(timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.locator("#bulk-dialog")).to_be_hidden()


def test_it_works_without_javascript(visit):
    page = visit(f"{LIST}?match=cart:*", script=False)
    page.get_by_label("Select cart:eu:1", exact=True).check()
    page.get_by_label("Select cart:eu:2", exact=True).check()
    page.get_by_role("button", name="Delete…").click()

    expect(page.get_by_role("button", name="Delete 2 keys")).to_be_visible(timeout=SLOW)
