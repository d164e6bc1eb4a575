"""The console in a browser: typed, completed, answered, asked again; readable at both widths."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
CONSOLE = "/servers/shop/console/"


def enter(page, line):
    before = page.locator(".ran").count()
    page.locator("#line").fill(line)
    page.locator("#line").press("Enter")
    expect(page.locator(".ran").nth(before)).to_be_visible()
    return page.locator(".ran").last


@pytest.mark.parametrize("width, theme", [(1440, "light"), (390, "dark")])
def test_a_walk_through_the_console(visit, violations, stage, width, theme):
    with stage.shop.client() as plain:
        plain.set("walk", "1")
        plain.delete("walk:list")
        plain.rpush("walk:list", "a", "b", "c")
    page = visit(CONSOLE, width=width, theme=theme)
    line = page.locator("#line")

    line.press_sequentially("ge")
    expect(page.locator("#completions [role=option]").first).to_be_visible()
    line.press("Escape")
    expect(page.locator("#completions")).to_be_hidden()
    line.press_sequentially("t")
    expect(page.locator("[data-h=name]")).to_have_text("GET")
    line.press_sequentially("r")
    expect(page.locator("#completions [aria-selected=true] b")).to_have_text("GETRANGE")
    line.press("Tab")
    expect(line).to_have_value("GETRANGE ")
    expect(page.locator("[data-h=name]")).to_have_text("GETRANGE")

    expect(enter(page, "GET walk").locator("pre").first).to_contain_text("1")
    expect(line).to_have_value("")
    expect(enter(page, "LRANGE walk:list 0 -1").locator("tbody tr")).to_have_count(3)
    expect(enter(page, "KEYS *")).to_contain_text("SCAN 0 MATCH")
    line.fill("")
    line.press("ArrowUp")
    expect(line).to_have_value("KEYS *")
    line.press("ArrowUp")
    expect(line).to_have_value("LRANGE walk:list 0 -1")

    asked = enter(page, "CLIENT PAUSE 1")
    asked.locator("[name=confirm]").fill("CLIENT PAUSE shop")
    asked.locator("[name=confirm]").press("Enter")
    expect(page.locator(".ran.confirm")).to_have_count(0)
    expect(page.locator(".ran").last).to_contain_text("OK")

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_typed_before_the_names_arrive_is_completed_when_they_do(open_page, stage):
    page, _ = open_page("/", width=1440)
    held = []
    page.route("**/console/commands/", lambda route: held.append(route))
    page.goto(CONSOLE)
    page.locator("#line").press_sequentially("getr")
    expect(page.locator("#completions")).to_be_hidden()
    held[0].continue_()
    expect(page.locator("#completions [aria-selected=true] b")).to_have_text("GETRANGE")


def test_the_console_works_without_javascript(visit, stage):
    page = visit(CONSOLE, script=False)

    page.fill("#line", "PING\nECHO 'a b'\nNOPE\nPING")
    page.click("text=Run on shop")

    expect(page.locator(".ran.reply")).to_have_count(2)
    expect(page.locator(".ran.refused")).to_contain_text("no command NOPE")
    expect(page.get_by_text("1 more line was not run")).to_be_visible()
    page.fill("#help", "config get")
    page.click("text=Show help")
    expect(page.locator("[data-h=name]")).to_have_text("CONFIG GET")
