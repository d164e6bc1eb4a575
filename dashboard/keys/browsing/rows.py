"""The rows of the list and the lines of the tree as HTML, each written in one pass.

A page has hundreds of them, and a template takes twenty times as long for each. Everything that
comes from a server goes through ``escape``; the rest is digits, units and constants of ours.
"""

from __future__ import annotations

import math
from functools import lru_cache
from html import escape
from urllib.parse import urlencode

from django.utils.safestring import SafeString

from dashboard.keys.browsing.listing import Heading, Listing, Row
from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS, LONGEST_PREFIX_PATTERN
from dashboard.keys.browsing.tree import Branch, Tree
from dashboard.ui import numbers
from dashboard.ui.templatetags import ui
from redisops import keys

SELECTED = ' aria-selected="true"'
CONSOLE = ' <span class="lbl">console</span>'
NO_EXPIRY = '<span class="dim">no expiry</span>'
HEAD_CLASSES = {
    "type": ' class="c-type"',
    "name": "",
    "ttl": ' class="num"',
    "memory": ' class="num end"',
    "length": ' class="num wide"',
    "idle": ' class="num wide"',
}
TITLE, LABEL = 300, 200
LONGEST_POSTED = 64 * 1024
PICK_ALL = (
    '<th class="c-pick"><input type="checkbox" class="form-check-input needs-js" data-pick-page'
    ' aria-label="Select all keys on this page"></th>'
)
NO_PICK = '<td class="c-pick"></td>'


# The same few types, sizes and times stand in every row.
type_tag = lru_cache(maxsize=64)(ui.type_tag)
size = lru_cache(maxsize=1024)(numbers.size)
count = lru_cache(maxsize=1024)(numbers.count)


@lru_cache(maxsize=1024)
def left(seconds: float | None) -> str:
    """A time to live or of rest in one part, as lists have it: 23 min, 8 s."""
    if seconds is not None and seconds < 60:
        # Whole seconds, as the clock beside shows them; what is left of the last one is not 0.
        return "under 1 s" if 0 < seconds < 1 else f"{math.floor(seconds)} s"
    return " ".join(numbers.duration(seconds).split()[:2])


def key_head(listing: Listing) -> SafeString:
    """The list's ``<th>`` elements, each with the way to sort by it."""
    heads = "".join(map(_heading, listing.headings))
    return SafeString(PICK_ALL + heads if listing.is_pickable else heads)


def _heading(head: Heading) -> str:
    url = escape(head.url)
    return (
        f'<th{HEAD_CLASSES[head.name]} aria-sort="{head.sorted}">'
        f'<a href="{url}" hx-get="{url}">{head.label}</a></th>'
    )


def key_rows(listing: Listing) -> SafeString:
    """The list's ``<tr>`` elements in order."""
    rows = listing.rows
    names = _escaped([keys.printable(row.key[: ui.NAME_LIMIT]) for row in rows])
    urls = _escaped([row.url or "" for row in rows])
    picks = map(_pick, rows, names) if listing.is_pickable else [""] * len(rows)
    return SafeString("".join(map(_row, rows, names, urls, picks)))


def _escaped(column: list[str]) -> list[str]:
    """Printable names or addresses, which have no line ends, escaped in one go."""
    return escape("\n".join(column)).split("\n")


def _pick(row: Row, name: str) -> str:
    """The cell that selects a key; the console's own keys and endless names have none."""
    if row.is_protected or len(row.key) > LONGEST_IN_ADDRESS:
        return NO_PICK
    return (
        f'<td class="c-pick"><input type="checkbox" class="form-check-input" name="key"'
        f' value="{keys.to_url(row.key)}" aria-label="Select {name or "the empty name"}"></td>'
    )


def _row(row: Row, name: str, url: str, pick: str) -> str:
    facts = row.facts
    shown = ui.key_markup(name, len(row.key))
    if url:
        shown = f'<a class="open" href="{url}" hx-get="{url}">{shown}</a>'
    else:
        shown += f" <small>Its name is too long for an address: {size(len(row.key))}.</small>"
        if pick and not row.is_protected and len(row.key) <= LONGEST_POSTED:
            shown += _long_name(row.key)
    warns = " txt-warn" if row.expires_soon or row.never_expires_unlike_others else ""
    memory = size(facts.memory)
    return (
        f'<tr{SELECTED if row.is_open else ""}>{pick}<td class="c-type">{type_tag(facts.type)}</td>'
        f'<td class="full">{shown}{CONSOLE if row.is_protected else ""}</td>'
        f'<td class="num{warns}">{_expiry(row)}</td>'
        f'<td class="num end">{f"<b>{memory}</b>" if row.is_large else memory}</td>'
        f'<td class="num wide">{count(facts.length)}</td>'
        f'<td class="num wide">{left(facts.idle)}</td></tr>'
    )


def _long_name(key: bytes) -> str:
    """Buttons of forms at the page's end: the name travels in them, as no address carries it."""
    name = keys.to_url(key)
    return (
        f' <button class="btn btn-sm" form="long-edit" name="key" value="{name}">Rename…</button>'
        f' <button class="btn btn-sm danger-line" form="long-delete" name="key"'
        f' value="{name}">Delete…</button>'
    )


def _expiry(row: Row) -> str:
    if "~" in row.facts.missing:
        return numbers.UNKNOWN
    if row.facts.ttl is not None:
        return left(row.facts.ttl)
    return "no expiry" if row.never_expires_unlike_others else NO_EXPIRY


def tree_lines(tree: Tree) -> SafeString:
    """The tree's ``<li>`` elements in order; empty when no folder was seen."""
    lines = [_line(branch, tree.bulk_path) for branch in tree.branches()]
    return SafeString("".join(lines))


def _loose(branch: Branch) -> str:
    return (
        f'<li class="d{branch.depth}"><span class="line"><span></span>'
        '<span class="cut">(no folder)</span>'
        f'<span class="n">{numbers.exact(branch.keys)}</span></span></li>'
    )


def _others(branch: Branch) -> str:
    return (
        f'<li class="d{branch.depth}"><span class="line" title="Small folders that were counted'
        f' together"><span></span><span class="cut">(other folders)</span>'
        f'<span class="n">{numbers.exact(branch.keys)}</span></span></li>'
    )


def _figure(branch: Branch) -> str:
    if branch.keys is None:
        return f'<span class="n dim">{numbers.UNKNOWN}</span>'
    count = numbers.exact(branch.keys)
    if branch.is_seen:
        return f'<span class="n dim" title="As many were seen">{count} seen</span>'
    bar = _bar(round(branch.share, 3), branch.in_words)
    if branch.unseen:
        more = f"Up to {numbers.exact(branch.unseen)} more are among the other folders"
        return f'<span class="n" title="{more}">{count}+</span>{bar}'
    return f'<span class="n">{count}</span>{bar}'


def _line(branch: Branch, bulk_path: str) -> str:
    if branch.is_loose:
        return _loose(branch)
    if branch.is_other:
        return _others(branch)
    arrow = ui.icon("chevron-down" if branch.is_open else "chevron-right", "s")
    url = escape(branch.url)
    current = ' aria-current="true"' if branch.is_current else ""
    figure = _figure(branch)
    return (
        f'<li class="d{branch.depth}"><a href="{url}" hx-get="{url}"{current}'
        f' title="{cut(branch.name, TITLE)}">{arrow}'
        f'<span class="cut"><bdi>{cut(branch.label, LABEL)}</bdi></span>{figure}</a>'
        f"{_more(branch.name, bulk_path)}</li>"
    )


def _more(prefix: bytes, bulk_path: str) -> str:
    """The way to what can be done with all keys of a folder."""
    if not bulk_path or len(prefix) > LONGEST_PREFIX_PATTERN:
        return ""
    return (
        f'<a class="more" href="{bulk_path}?{urlencode({"prefix": keys.printable(prefix)})}"'
        f' data-bulk-menu title="Change all keys here" aria-label="Change all of'
        f' {cut(prefix, LABEL)}">{ui.icon("ellipsis", "s")}</a>'
    )


@lru_cache(maxsize=1024)
def _bar(share: float, words: str) -> SafeString:
    bar: SafeString = ui.bar(share, label=words)
    return bar


def cut(name: bytes, limit: int) -> str:
    """A name as text, escaped after it was cut."""
    text = keys.printable(name)
    return escape(text if len(text) <= limit else f"{text[: limit - 1]}…")
