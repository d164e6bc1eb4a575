"""Who acts, from where, in which request."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True)
class Actor:
    """A name and an address as text; they stay readable when the person is long gone."""

    name: str
    address: str = ""
    request_id: str = ""


def actor_of(who: HttpRequest | str) -> Actor:
    """The person of a request, or a name for what acts on its own ("sampler", "manage.py")."""
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    # The number may come from a header that the client chose.
    request_id = "".join(c for c in request_id if c.isascii() and c.isprintable())[:64]
    if isinstance(who, str):
        return Actor(who[:150], "", request_id)
    user = getattr(who, "user", None)
    known = user is not None and user.is_authenticated
    name = user.get_username() if known and user is not None else "anonymous"
    return Actor(name[:150], address_of(who), request_id)


def address_of(request: HttpRequest) -> str:
    """The client's IP address; X-Forwarded-For is believed as far as TRUSTED_PROXIES says."""
    given = request.META.get("REMOTE_ADDR") or ""
    if settings.TRUSTED_PROXIES:
        forwarded = request.headers.get("X-Forwarded-For", "").split(",")
        hops = [hop.strip() for hop in forwarded if hop.strip()]
        if len(hops) >= settings.TRUSTED_PROXIES:
            given = hops[-settings.TRUSTED_PROXIES]
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        return ""
