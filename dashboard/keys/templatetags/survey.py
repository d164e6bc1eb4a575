"""How the analysis page writes changes and times."""

from __future__ import annotations

import datetime

from django import template
from django.utils import timezone

from dashboard.ui import numbers

register = template.Library()


@register.filter
def signed(value: int | None) -> str:
    """A change with its sign: +1,204, −30, 0."""
    if value is None:
        return numbers.UNKNOWN
    return ("+" if value > 0 else "") + numbers.exact(value)


@register.filter
def signed_bytes(value: int | None) -> str:
    """A change of bytes with its sign."""
    if value is None:
        return numbers.UNKNOWN
    return ("+" if value > 0 else "") + numbers.size(value)


@register.filter
def svg(value: float) -> str:
    """A number as SVG takes it."""
    return f"{value:g}"


@register.simple_tag
def when_text(value: datetime.datetime) -> str:
    """A time as text, where no element may stand."""
    return numbers.clock(value.astimezone(datetime.UTC), timezone.now())
