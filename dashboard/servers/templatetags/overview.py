"""What only the overview draws: shares, and the strip of looks."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from redisops.series import Row

register = template.Library()

STEP, WIDE = 6, 4


@register.filter
def whole(value: float | None) -> str:
    """A count that JSON made a float: 1,270,531."""
    return "—" if value is None else f"{int(value):,}"


@register.filter
def percent(share: float | None) -> str:
    """34%, from a share between 0 and 1."""
    if share is None:
        return "—"
    return "under 1%" if 0 < share < 0.005 else f"{share * 100:.0f}%"


@register.simple_tag
def tries(steps: Sequence[tuple[int, Row | None]]) -> SafeString:
    """A bar per step, oldest first: answered ones stand tall and quiet, the others low and red.

    Where nobody looked there is no bar.
    """
    rows = [row for _, row in steps if row is not None]
    bars = (
        ("x", index * STEP, 20, 8) if row.failed else ("u", index * STEP, 0, 28)
        for index, (_, row) in enumerate(steps)
        if row is not None
    )
    failed = sum(1 for row in rows if row.failed)
    drawn = format_html_join("", '<rect class="{}" x="{}" y="{}" width="4" height="{}"/>', bars)
    return format_html(
        '<svg class="tries" viewBox="0 0 {} 28" preserveAspectRatio="none" role="img" '
        'aria-label="{} of {} steps of 6 s went without an answer">{}</svg>',
        max(len(steps) * STEP, WIDE), failed, len(rows), drawn,
    )  # fmt: skip
