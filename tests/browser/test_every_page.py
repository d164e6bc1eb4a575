"""Every page in both themes and widths: accessible, within its width, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import cycle

import pytest
from django.urls import Resolver404, resolve
from playwright.sync_api import Page

from redisops import keys
from tests import pages
from tests.hostile import NAMES

KEYS = {
    "string": b"text:greeting",
    "hash": b"user:1",
    "list": b"queue:mail",
    "set": b"tags:all",
    "zset": b"board:week",
    "stream": b"orders",
    "geo": b"stores",
}
# The rules whose result another width may change where the markup is the same.
LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable")
NOWHERE, UNCLEAR = "/no/such/page/", "/servers/shop/pubsub/?kind=x"
# The innermost of what reaches farther right than the window.
STICKS_OUT = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
  .filter((one, _, all) => !all.some((other) => other !== one && one.contains(other)))
  .slice(0, 3).map((one) => one.outerHTML.slice(0, 200)).join("\\n")"""
STATUS = {NOWHERE: 404, UNCLEAR: 422}  # of all others 200
PAGES = [
    "/", "/servers/", "/servers/add/", *pages.plain_pages("shop"),
    "/servers/shop/keys/?match=user:*&type=hash", "/servers/home/keys/", "/audit/", "/audit/1/",
    "/account/", "/users/", "/teams/", "/help/", "/find/?q=a&server=shop", NOWHERE,
    "/live/", "/servers/shop/pubsub/?kind=channel&name=%3Cb%3E%5Cxff",
    UNCLEAR, "/servers/shop/access/",
    *pages.pages_of_key("shop", KEYS["hash"])[1:],
    *(pages.pages_of_key("shop", key, ("",))[0] for key in KEYS.values()),
    *(f"/servers/shop/streams/{keys.to_url(KEYS['stream'])}/{page}"
      for page in ("groups/", f"groups/{keys.to_url(b'billing')}/", "dead-letters/")),
]  # fmt: skip
COLLECTIONS = [b"all in a hash", b"all in a set", b"all in a stream"]


@pytest.fixture(scope="module", autouse=True)
def made(stage) -> list[str]:
    """Something of everything, under names that have broken consoles; the pages that it makes."""
    with stage.shop.client() as plain:
        plain.set(KEYS["string"], '{"greeting": "hello", "n": 9007199254740993}')
        plain.hset(KEYS["hash"], mapping={f"field-{n}": f"value {n}" for n in range(40)})
        plain.rpush(KEYS["list"], *range(300))
        plain.sadd(KEYS["set"], *range(300))
        plain.zadd(KEYS["zset"], {f"player-{n}": n * 1.5 for n in range(300)})
        for number in range(120):
            plain.xadd(KEYS["stream"], {"order": number})
        plain.xgroup_create(KEYS["stream"], "billing", "0")
        plain.xreadgroup("billing", "worker-1", {KEYS["stream"]: ">"}, count=20)
        plain.geoadd(KEYS["geo"], (10.75, 59.91, "Oslo", 5.32, 60.39, "Bergen"))
        plain.hset(COLLECTIONS[0], mapping=dict.fromkeys(NAMES, b"<b>x</b>"))
        plain.sadd(COLLECTIONS[1], *NAMES)
        for name in NAMES:
            plain.xadd(COLLECTIONS[2], {name or b"empty": name})
        with closing(stage.console.visit()) as person:
            pages.post(person, "/servers/shop/analysis/", to="/servers/shop/analysis/count/")
            return pages.furnish(person, plain, "shop", list(dict.fromkeys(NAMES)))


def one_of_each(paths: list[str]) -> list[str]:
    """The last address of each view."""
    of_view = {}
    for path in paths:
        try:
            view = resolve(path.partition("?")[0]).view_name
        except Resolver404:
            view = path
        of_view[view] = path
    return list(of_view.values())


def in_turns(tabs: Iterable[Page], paths: Iterable[str]) -> Iterator[tuple[Page, str]]:
    """Each page, loaded, in one tab or another: the next is on its way there meanwhile."""
    here: tuple[Page, str] | None = None
    for tab, path in zip(cycle(tabs), paths, strict=False):
        answer = tab.goto(path, wait_until="commit")
        assert answer is not None
        assert answer.status == STATUS.get(path, 200), f"{path}: {answer.status}"
        if here is not None:
            here[0].wait_for_load_state()
            yield here
        here = tab, path
    assert here is not None
    here[0].wait_for_load_state()
    yield here


@pytest.mark.timeout(600)
def test_every_page_is_accessible_and_fits(visit, violations, made):
    """On a dark phone, by all rules; then the same page on a wide screen.

    There one address of each view is looked at by all rules too, and in the dark; the others
    by those rules that depend on where things are and how they look.
    """
    tabs = [visit("/", width=390, theme="dark") for _ in range(2)]
    found: list[str] = []
    paths = [*PAGES, *made]
    of_each = set(one_of_each(paths))

    def look(page: Page, where: str, *rules: str) -> None:
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{where} scrolls sideways: {page.evaluate(STICKS_OUT)}")
        found.extend(f"{where}: {line}" for line in violations(page, *rules))

    for page, path in in_turns(tabs, paths):
        look(page, f"{path} on a dark phone")
        page.set_viewport_size({"width": 1440, "height": 900})
        if path in of_each:
            look(page, f"{path} in the dark", "color-contrast")
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        look(page, path, *(() if path in of_each else LOOKS))
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        page.set_viewport_size({"width": 390, "height": 900})

    assert not found, "\n".join(found)


@pytest.mark.timeout(400)
def test_every_view_reads_without_javascript(visit, made):
    tabs = [visit("/", script=False) for _ in range(2)]
    of_each_type = [pages.pages_of_key("shop", key, ("",))[0] for key in KEYS.values()]
    paths = dict.fromkeys([*of_each_type, *one_of_each([*PAGES, *made])])
    for page, path in in_turns(tabs, paths):
        assert page.locator("h1").first.is_visible(), path
        assert page.locator("#side nav").first.is_visible(), path


def test_pages_hold_at_2560(visit):
    page = visit("/", width=2560)
    for path in ("/", "/servers/shop/", "/servers/shop/keys/", "/servers/shop/analysis/"):
        page.goto(path)

        assert page.evaluate("document.documentElement.scrollWidth") <= 2560, path


@pytest.mark.timeout(400)
def test_hostile_names_and_values_execute_nothing_anywhere(open_page, stage):
    """The watch of ``open_page`` fails on dialogs, script errors and policy violations too.

    On the pages of lists, jobs and the recycle bin the same names stand, in the tests above.
    """
    with stage.shop.client() as plain:
        for name in NAMES:
            plain.set(name, name)
    tabs = [open_page("/servers/shop/keys/")[0] for _ in range(2)]
    addresses = [f"/servers/shop/keys/{keys.to_url(name)}/" for name in [*NAMES, *COLLECTIONS]]

    for page, address in in_turns(tabs, addresses):
        assert not page.evaluate("'pwned' in window"), address
