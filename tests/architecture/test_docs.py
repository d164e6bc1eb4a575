"""What the documentation says is there, and what is there is in the documentation."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT, named

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SETTING = re.compile(r"env\.\w+\(\s*\"([A-Z][A-Z0-9_]+)\"")
LINK = re.compile(
    r"(?<!!)\[[^\]]*\]\((?!https?://|mailto:)([^)\s]+)\)|!\[[^\]]*\]\((?!https?://)([^)\s]+)\)"
)


def settings() -> list[str]:
    """Every variable that the settings read, those of the helpers too."""
    text = (ROOT / "dashboard/settings.py").read_text() + (ROOT / "dashboard/home.py").read_text()
    found = {*SETTING.findall(text), *re.findall(r"env\.db_url\(\"([A-Z_]+)\"", text)}
    return sorted(found)


@pytest.mark.parametrize("name", settings())
def test_every_setting_is_in_the_install_page(name):
    assert f"`{name}`" in (ROOT / "docs/install.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for found in LINK.finditer(text):
        target = found.group(1) or found.group(2)
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text()), target


def anchors(text: str) -> set[str]:
    """The addresses of a page's headings, as readers of Markdown make them."""
    headings = re.findall(r"^#+\s+(.+?)\s*$", text, re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", one).lower() for one in headings)
    return {re.sub(r"[^\w\- ]", "", one).replace(" ", "-") for one in plain}


def test_every_page_of_the_documentation_is_reached_from_the_readme():
    seen: set[str] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if named(page) in seen or not page.exists():
            continue
        seen.add(named(page))
        for found in LINK.finditer(page.read_text()):
            path = (found.group(1) or found.group(2)).partition("#")[0]
            if path.endswith(".md"):
                waiting.append(page.parent / path)
            elif path.endswith("/"):
                waiting += (page.parent / path).glob("*.md")

    assert not {named(page) for page in (ROOT / "docs").rglob("*.md")} - seen
