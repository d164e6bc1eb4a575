"""A real Chromium on a real console. Playwright is started per module and stopped with it: its
event loop would otherwise stay running under the asyncio tests of the same process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from dashboard.run.prepare import chromium
from tests.console import PASSWORD, Console
from tests.servers import RedisProcess

AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
ASKED = """
window.asked = 0;
document.addEventListener("htmx:beforeRequest", () => { window.asked += 1; });
"""
UNHURRIED = """
import django
django.setup()
from dashboard.servers.models import Server
Server.objects.update(load_share=100)
"""
# Where both cores are busy nothing takes less than twice as long as anybody expects.
expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            # Whichever is first starts the console and the browser too.
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(400))


@dataclass
class Stage:
    """The console under test and the servers it shows: home, ``shop`` with data of its own, and
    ``two``, which is empty."""

    console: Console
    home: RedisProcess
    shop: RedisProcess
    two: RedisProcess


@pytest.fixture(scope="package")
def theatre() -> Iterator[Stage]:
    """One console for all modules: it takes longer to start than most of them to run."""
    with (
        RedisProcess() as home,
        RedisProcess() as shop,
        RedisProcess() as two,
        Console(
            home.url, {"shop": shop.url, "two": two.url}, worker=True, environment="production"
        ) as console,
    ):
        # What a job may take of a server is tested elsewhere; here people wait for it.
        console.run("-c", UNHURRIED)
        yield Stage(console, home, shop, two)


@pytest.fixture(scope="module")
def stage(theatre: Stage) -> Stage:
    """The console with a shop as good as new: twenty carts. What was done before is in its audit,
    its jobs and its recycle bin."""
    theatre.console.see_that_all_run()
    theatre.shop.reset()
    with theatre.shop.client() as plain:
        for number in range(20):
            plain.set(f"cart:eu:{number}", f"cart {number}", ex=3600)
    return theatre


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(
                executable_path=chromium(), args=FLAGS, timeout=120_000
            )
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no Chromium can be started here: {str(error).splitlines()[0]}")
        yield launched
        launched.close()


class Watch:
    """What a page must never do: break its own script, or what its security policy forbids."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _heard(self, message: Any) -> None:
        # A 4xx or 5xx that a test provokes is reported by the browser itself, on purpose. A
        # request that a newer one replaces, or that its page leaves behind, is aborted on purpose,
        # which htmx reports by these two.
        expected = ("Failed to load resource", "htmx:sendAbort,", "htmx:afterRequest,")
        if message.type == "error" and not any(words in message.text for words in expected):
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "ws://127.0.0.1:", "blob:")):
            self.foreign.append(request.url)


@pytest.fixture(scope="module")
def signed_in(stage: Stage, browser: Browser) -> Any:
    """The cookies of a signed-in admin, so that each test starts past the sign-in page."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{stage.console.origin}/account/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{stage.console.origin}/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(
    stage: Stage, browser: Browser, signed_in: Any
) -> Iterator[Callable[..., tuple[Page, Watch]]]:
    """``open_page("/servers/", width=390, theme="dark")``: a page of an admin, and its watch.

    ``script=False`` turns JavaScript off. The test fails when a watch has seen anything.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def make(
        path: str, *, width: int = 1440, theme: str = "light", script: bool = True
    ) -> tuple[Page, Watch]:
        context = browser.new_context(
            storage_state=signed_in,
            base_url=stage.console.origin,
            viewport={"width": width, "height": 900},
            color_scheme=theme,  # type: ignore[arg-type]
            # What fades in is half transparent for as long as a busy machine takes.
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        context.set_default_navigation_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        watches.append(Watch(page))
        page.goto(path)
        return page, watches[-1]

    yield make
    for context in contexts:
        context.close()
    for watch in watches:
        assert watch.complaints == []
        assert watch.foreign == []


@pytest.fixture
def visit(open_page: Callable[..., tuple[Page, Watch]]) -> Callable[..., Page]:
    """:func:`open_page` without its watch, which still watches."""
    return lambda path, **options: open_page(path, **options)[0]


@pytest.fixture(scope="session")
def violations() -> Callable[..., list[str]]:
    """``violations(page)``: what axe finds on the page, a line each; by all its rules, or one."""
    axe = AXE.read_text()

    def find(page: Page, *rules: str) -> list[str]:
        # Evaluated by the debugger, past the page's policy, which refuses injected scripts.
        if page.evaluate("!window.axe"):
            page.evaluate(axe)
            page.evaluate(ASKED)
        # Nothing is fetched again: no rule that is on reads the text of style sheets.
        how = {"resultTypes": ["violations"], "preload": False}
        only = {"runOnly": list(rules)} if rules else {}
        lines: list[tuple[str, str]] = []
        for _ in range(5):
            # What is being asked for anew is dimmed until the answer is there.
            expect(page.locator(".htmx-request")).to_have_count(0)
            asked = page.evaluate("window.asked")
            told = page.evaluate("(how) => axe.run(how)", {**how, **only})
            lines = [(one["id"], one["nodes"][0]["html"][:160]) for one in told["violations"]]
            if not lines or page.evaluate("window.asked") == asked:
                break
        return [f"{name}: {html}" for name, html in lines]

    return find
