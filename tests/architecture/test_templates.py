"""Templates: nothing inline that the page's security policy refuses, nothing unescaped, small."""

from __future__ import annotations

import re
from collections.abc import Callable

from dashboard.ui import icons
from tests.architecture.sources import ROOT, named, python_files, templates

PAGE, FRAGMENT = 120, 50
# One long drawing, of the same line again and again.
DRAWINGS = {"templates/accounts/_gate_art.html"}
FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "an inline handler": re.compile(r"\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "unescaped output": re.compile(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off|mark_safe"),
    "htmx that evaluates": re.compile(r"hx-on\b|hx-on:|[\"'{]\s*js:|hx-vars\b"),
    "hx-disable, which htmx 4 reads another way": re.compile(r"hx-disable[\s=>]"),
    "an address of another origin": re.compile(r"(?:src|href|action)=[\"'](?:https?:)?//"),
}
WRITES_MARKUP = r"\.(?:inner|outer)HTML\s*\+?="
UNSAFE_IN_SCRIPTS = (
    r"\beval\(",
    r"new Function",
    WRITES_MARKUP,
    r"document\.write",
    r"insertAdjacentHTML",
    r"setAttribute\(\s*[\"']style",
    r"localStorage",
    r"https?://(?!www\.w3\.org)",
)
# Put fragments into the page that the server rendered and escaped, as htmx does.
SWAPS_FRAGMENTS = {"static/js/overview.js"}


def broken_in(rule: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """What a rule finds in each template's text: one test for all, as there are hundreds."""
    found = {named(path): rule(path.read_text()) for path in templates()}
    return {name: hits for name, hits in found.items() if hits}


def test_no_template_has_what_the_policy_refuses():
    def rule(text: str) -> list[str]:
        return [what for what, pattern in FORBIDDEN.items() if pattern.search(text)]

    assert not broken_in(rule)


def test_what_polls_is_named():
    """Else a morph takes it for another element, whose attributes are not the timer's: the next
    answer then goes where that one's would."""
    tags = re.compile(r"<\w[^<]*?hx-trigger=\"every[^<]*?>")

    def nameless(text: str) -> list[str]:
        return [tag for tag in tags.findall(text) if not re.search(r"\sid=", tag)]

    assert broken_in(nameless) == {}


def test_templates_stay_small():
    lines = {path: len(path.read_text().splitlines()) for path in templates()}
    long = [
        named(path)
        for path, count in lines.items()
        if count > (FRAGMENT if path.name.startswith("_") else PAGE)
    ]

    assert not set(long) - DRAWINGS, "split these"


def test_every_icon_exists():
    names = {
        name
        for path in templates()
        for name in re.findall(r"{%\s*icon\s+\"([^\"]+)\"", path.read_text())
    }

    assert names
    for name in names:
        icons.shapes(name)


def test_every_changing_form_carries_its_token():
    def rule(text: str) -> list[str]:
        forms = re.findall(r"<form\b.*?</form>", text, re.DOTALL | re.IGNORECASE)
        posts = [one for one in forms if re.search(r"method=[\"']post", one, re.IGNORECASE)]
        return [form[:200] for form in posts if "{% csrf_token %}" not in form]

    assert not broken_in(rule)


def test_every_included_template_exists():
    def rule(text: str) -> list[str]:
        names = re.findall(r"{%\s*(?:include|extends)\s+\"([^\"]+)\"", text)
        return [name for name in names if not (ROOT / "templates" / name).exists()]

    assert not broken_in(rule)


def test_there_is_one_style_sheet_of_ours():
    assert [named(path) for path in (ROOT / "static").rglob("*.css")] == ["static/css/look.css"]


def test_scripts_neither_evaluate_nor_write_markup_from_data():
    scripts = sorted((ROOT / "static/js").rglob("*.js"))
    found = [
        (named(path), forbidden)
        for path in scripts
        for forbidden in UNSAFE_IN_SCRIPTS
        if re.search(forbidden, path.read_text())
    ]

    assert scripts
    assert not [one for one in found if one[1] != WRITES_MARKUP or one[0] not in SWAPS_FRAGMENTS]


def test_no_markup_with_styles_is_built_in_python():
    found = [named(path) for path in python_files("dashboard") if 'style="' in path.read_text()]

    assert not found
