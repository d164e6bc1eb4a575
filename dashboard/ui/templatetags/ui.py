"""Tags and filters that every template may use: they format, they never fetch."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

from django import template
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from dashboard.ui import icons, navigation, numbers
from redisops import keys

register = template.Library()

NAME_LIMIT = 512
# kind -> (class of the colour, shape, words for those who do not see the shape)
DISC = '<circle cx="6" cy="6" r="4" fill="currentColor"/>'
RING = (
    '<circle cx="6" cy="6" r="4.6" fill="none" stroke="currentColor" stroke-width="1.6" '
    'stroke-dasharray="2.6 2.2"/>'
)
HALF = (
    '<circle cx="6" cy="6" r="4.6" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    '<path d="M6 1.4a4.6 4.6 0 0 1 0 9.2Z" fill="currentColor"/>'
)
TRIANGLE = '<path d="M6 .8 11.6 11H.4Z" fill="currentColor"/>'
OCTAGON = '<path d="M3.6.5h4.8l3.1 3.1v4.8l-3.1 3.1H3.6L.5 8.4V3.6Z" fill="currentColor"/>'
ZIGZAG = (
    '<path d="M1 8 3.5 3 6 9l2.5-6L11 8" fill="none" stroke="currentColor" stroke-width="1.8" '
    'stroke-linejoin="round"/>'
)
CROSSED = (
    RING + '<path d="m4.2 4.2 3.6 3.6m0-3.6L4.2 7.8" stroke="currentColor" stroke-width="1.6"/>'
)
STATES = {
    "ok": ("ok", DISC, "Healthy"),
    "warn": ("warn", TRIANGLE, "Needs a look"),
    "bad": ("bad", OCTAGON, "Down"),
    "off": ("off", RING, "Off"),
    "run": ("run", HALF, "Running"),
    "changing": ("warn", HALF, "Changing"),
    "unreachable": ("bad", CROSSED, "Unreachable"),
    "unknown": ("off", RING, "Not known"),
    "flapping": ("warn", ZIGZAG, "Flapping"),
}
ENVIRONMENTS = {"staging": "staging", "development": "dev"}


@register.simple_tag
@lru_cache(maxsize=1024)
def icon(name: str, size: str = "") -> SafeString:
    """One outline icon, drawn in the text's colour. Beside a word only: it has no name of its own.

    ``size`` is "s" (14 px) or "xl" (24 px); 16 px without it.
    """
    # The shapes come from a file of the lucide-static package, not from anybody's data.
    shapes = mark_safe(icons.shapes(name))  # noqa: S308
    classes = f"i i-{size}" if size else "i"
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', classes, shapes
    )


@register.simple_tag
def state(kind: str, word: str | None = None, unseen: str | None = None) -> SafeString:
    """A state: shape and word, never colour alone. An empty word leaves the shape, named unseen:
    by ``unseen``, "" where what follows says it, else by its usual word."""
    colour, shape, usual = STATES.get(kind, STATES["unknown"])
    # Shapes are the constants above.
    drawing = format_html(
        '<svg viewBox="0 0 12 12" aria-hidden="true">{}</svg>',
        mark_safe(shape),  # noqa: S308
    )
    words = usual if word is None else word
    hidden = usual if unseen is None else unseen
    text = words
    if hidden and not words:
        text = format_html('<span class="visually-hidden">{}</span>', hidden)
    return format_html('<span class="st {}">{}{}</span>', colour, drawing, text)


@register.simple_tag
def environment(name: str | None) -> SafeString:
    """The mark of a server's environment: unmistakable for production, quiet for the others."""
    if name == "production":
        return format_html('<span class="lbl prod-tag">{}</span>', "Production")
    if not name or name == "none":
        return SafeString("")
    return format_html('<span class="lbl">{}</span>', ENVIRONMENTS.get(name, name))


@register.filter
def may(request: HttpRequest, permission: str) -> bool:
    """``{% if request|may:"keys.change" %}``: what one may not do is not shown."""
    return navigation.may(request, permission)


@register.filter(name="bytes")
def bytes_(value: float | None) -> str:
    """38.1 GiB."""
    return numbers.size(value)


@register.filter
def count(value: float | None, how: str = "") -> str:
    """41.2k, or 1,270,531 with ``|count:"exact"``."""
    return numbers.exact(value) if how == "exact" else numbers.count(value)


@register.filter
def duration(value: float | datetime.timedelta | None) -> str:
    """16 min 45 s, from seconds or a timedelta."""
    return numbers.duration(value)


@register.filter
def ms(value: float | None) -> str:
    """Milliseconds as a duration: 0.9 ms."""
    return numbers.UNKNOWN if value is None else numbers.duration(value / 1000)


@register.simple_tag
def when(value: datetime.datetime | float | None, how: str = "") -> SafeString:
    """A point in time in UTC, exact with its age on hover; "age" writes the age beside it."""
    at = numbers.moment(value)
    if at is None:
        return format_html("{}", numbers.UNKNOWN)
    now = datetime.datetime.now(datetime.UTC)
    age = numbers.age(at, now)
    title = f"{at.day} {at:%b %Y %H:%M:%S} UTC, {age}"
    text = numbers.clock(at, now)
    if how == "age":
        text = f"{text}, {age}"
    return format_html(
        '<time datetime="{}" title="{}" data-when="{}">{}</time>',
        f"{at:%Y-%m-%dT%H:%M:%SZ}", title, how, text,
    )  # fmt: skip


@register.simple_tag
def key_name(key: bytes) -> SafeString:
    """A key's name: prefix dim, last part strong, hostile bytes written out, never interpreted."""
    return SafeString(key_markup(escape(keys.printable(key[:NAME_LIMIT])), len(key)))


def key_markup(name: str, size: int) -> str:
    """The same from the printable name, escaped already, and the size of the whole key."""
    if not name:
        return '<span class="key"><i>(empty name)</i></span>'
    prefix, colon, last = name.rpartition(":")  # an escape has no colon in it
    if colon and not last:
        prefix, colon, last = "", "", name
    more = f"… {numbers.exact(size)} bytes" if size > NAME_LIMIT else ""
    return f'<bdi class="key">{prefix}{colon}<b>{last}</b>{more}</bdi>'


@register.filter
def printable(value: bytes | str | None) -> str:
    """Bytes as unambiguous text."""
    if value is None:
        return numbers.UNKNOWN
    return keys.printable(value) if isinstance(value, bytes) else value


@register.filter
def key_url(key: bytes) -> str:
    """A key's name as it stands in an address."""
    return keys.to_url(key)


@register.simple_tag
def type_tag(name: str) -> SafeString:
    """A key's type, in outlined capitals."""
    short = {"ReJSON-RL": "JSON", "MBbloom--": "BLOOM", "TSDB-TYPE": "SERIES"}.get(name, name)
    return format_html('<span class="type">{}</span>', short.upper()[:16] or "?")


@register.simple_tag
def bar(share: float | None, kind: str = "", label: str = "") -> SafeString:
    """A share from 0 to 1 as a bar; the number belongs in text beside it."""
    if share is None:
        words = label or "not known"
        return format_html('<svg class="bar off" role="img" aria-label="{}"></svg>', words)
    percent = round(min(max(share, 0.0), 1.0) * 100, 1)
    return format_html(
        '<svg class="bar {}" role="img" aria-label="{}"><rect width="{}%" height="100%"/></svg>',
        kind, label or f"{percent:.0f} percent", f"{percent:g}",
    )  # fmt: skip


@register.simple_tag
def spark(values: Sequence[float | None], kind: str = "", label: str = "") -> SafeString:
    """The shape of the last values, oldest first; None is drawn as a gap."""
    path = " ".join(_strokes(list(values)))
    named = format_html('role="img" aria-label="{}"', label) if label else "aria-hidden=true"
    return format_html(
        '<svg class="spark {}" viewBox="0 0 88 20" preserveAspectRatio="none" {}>'
        '<path d="{}"/></svg>',
        kind, named, path,
    )  # fmt: skip


def _strokes(values: list[float | None]) -> Iterable[str]:
    known = [value for value in values if value is not None]
    if len(values) < 2 or not known:
        return
    low, high = min(known), max(known)
    spread = (high - low) or 1.0
    pen_is_down = False
    for position, value in enumerate(values):
        if value is None:
            pen_is_down = False
            continue
        x = position * 88 / (len(values) - 1)
        y = 18 - (value - low) / spread * 16 if high > low else 11.0
        yield f"{'L' if pen_is_down else 'M'}{x:.1f} {y:.1f}"
        pen_is_down = True


@register.simple_tag
def letters(text: str) -> SafeString:
    """Keys to press, one cap each: {% letters "g k" %}."""
    return format_html_join(" ", "<kbd>{}</kbd>", ((key,) for key in text.split()))


@register.filter
def marked(text: str, query: str) -> SafeString:
    """The text with each word of the query marked where it first stands."""
    words = sorted(set(query.split()), key=len, reverse=True)
    if not words:
        return format_html("{}", text)
    # The split keeps what it splits at: every second piece is a match.
    pattern = re.compile("(" + "|".join(re.escape(word) for word in words) + ")", re.IGNORECASE)
    pieces = enumerate(pattern.split(text))
    return format_html_join(
        "", "{}", ((format_html("<mark>{}</mark>", p) if n % 2 else p,) for n, p in pieces)
    )
