"""How the key browser writes values: everything is escaped, nothing is fetched."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dashboard.keys.browsing import cells, rows, showing
from dashboard.keys.browsing.pane import Pane
from dashboard.keys.browsing.showing import Shown
from dashboard.keys.editing import controls
from dashboard.keys.editing.showing import Page

register = template.Library()
register.simple_tag(rows.key_head)
register.simple_tag(rows.key_rows)
register.simple_tag(rows.tree_lines)
register.filter(rows.left)
register.simple_tag(cells.cell)
register.simple_tag(cells.value_rows)
register.simple_tag(cells.entry_rows)


@register.filter
def coloured(shown: Shown) -> SafeString:
    """Decoded text with its words told apart; plain text stays plain."""
    if shown.decoded.language != "json":
        return format_html("{}", shown.decoded.text)
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<span class="{}">{}</span>', kind, piece) if kind else piece,)
            for kind, piece in showing.tokens(shown.decoded.text)
        ),
    )


@register.filter
def group_url(name: bytes, pane: Pane) -> str:
    """Where a stream's group opens."""
    return pane.moved(group=name, pending=None, consumer=None)


register.simple_tag(controls.of_key, name="edit_controls")
register.simple_tag(controls.of_row, name="row_controls")


@register.filter
def spelled_url(spelled: str, page: Page) -> str:
    """Where the same edit opens with its value typed another way."""
    told = page.request.GET if page.request.method == "GET" else page.request.POST
    names = ("do", "field", "index", "member", "path", "element")
    return page.address("edit", **{n: told[n] for n in names if n in told}, **{"as": spelled})


@register.simple_tag
def at(pane: Pane, **changes: object) -> str:
    """The address of this key with other options, from the first page."""
    return pane.url(**changes)


@register.simple_tag
def moved(pane: Pane, **changes: object) -> str:
    """The same place with some options changed."""
    return pane.moved(**changes)


@register.simple_tag
def hidden(pane: Pane, *names: str) -> SafeString:
    """Hidden fields that keep the list and the view while a form changes ``names``."""
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pane.hidden(*names))
