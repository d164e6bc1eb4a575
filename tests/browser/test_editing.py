"""One walk through a key's life in a real browser: made, edited, fought over, renamed, undone."""

from __future__ import annotations

import json

import pytest

from redisops.keys import to_url

KEYS = "/servers/shop/keys/"


def confirm(page):
    """What production asks for."""
    page.fill("#value [name=confirm]", "shop")
    page.fill("#value [name=reason]", "OPS-1")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_key_from_creation_to_undo(stage, visit, violations, width):
    key = f"walk:{width}".encode()
    found = []
    page = visit("/servers/shop/new-key/", width=width)
    found += violations(page)
    page.fill("[name=name]", key.decode())
    page.fill("[name=value]", json.dumps({"sku": "KB-87", "qty": 9007199254740993}))
    page.click("text=Create the key on shop")
    page.wait_for_url(f"**{KEYS}{to_url(key)}/")
    assert "is created." in page.inner_text("#main")
    found += violations(page)

    # The keyboard opens the edit in the pane; the difference comes before anything is saved.
    page.keyboard.press("e")
    area = page.locator("#value textarea[name=value]")
    area.wait_for()
    area.fill(area.input_value().replace("KB-87", "KB-88"))
    found += violations(page)
    page.click("text=Review the change")
    page.locator(".diff .add mark", has_text="KB-88").wait_for()
    found += violations(page)

    # Somebody else is faster.
    with stage.shop.client() as other:
        theirs = other.get(key).replace(b"KB-87", b"KB-99")
        other.set(key, theirs)
        confirm(page)
        page.click("text=Save the value on shop")
        page.locator("text=Use mine on top of theirs").wait_for()
        found += violations(page)
        assert other.get(key) == theirs
        page.click("text=Use mine on top of theirs")
        page.locator("text=Save the value on shop").wait_for()
        confirm(page)
        page.click("text=Save the value on shop")
        page.locator("#strip", has_text="Changed").wait_for()
        assert json.loads(other.get(key)) == {"sku": "KB-88", "qty": 9007199254740993}

        page.click("#value >> text=Set expiry")
        page.fill("#value [name=when]", "2h 30m")
        page.keyboard.press("Control+Enter")
        page.locator("#value .meta", has_text="2 h").wait_for()
        assert 8_900 < other.ttl(key) <= 9_000

        page.click("#value summary")
        page.click("#value >> text=Rename…")
        page.fill("#value [name=to]", f"{key.decode()}:renamed")
        page.click("text=Rename the key on shop")
        renamed = key + b":renamed"
        page.locator("#strip", has_text="Renamed").wait_for()
        assert other.exists(renamed) and not other.exists(key)

        page.keyboard.press("Delete")
        page.locator("text=Delete it from shop").wait_for()
        found += violations(page)
        confirm(page)
        page.click("text=Delete it from shop")
        page.locator("#strip", has_text="Deleted").wait_for()
        assert not other.exists(renamed)
        page.click("#strip >> text=Undo")
        page.locator("main .note", has_text="estored").first.wait_for()
        assert other.exists(renamed) and other.ttl(renamed) > 8_000
    assert found == []
