"""What every page's frame knows about servers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from dashboard.servers import listing
from dashboard.servers.access import servers_seen_by


def servers(request: HttpRequest) -> dict[str, Any]:
    """The page's server, and the servers its reader may see (fetched only when shown)."""
    return {
        "server": getattr(request, "server", None),
        "my_servers": SimpleLazyObject(lambda: _mine(request)),
    }


def _mine(request: HttpRequest) -> list[Any]:
    user = getattr(request, "user", None)
    if user is None:
        return []
    light = ("name", "slug", "environment", "kind", "watched", "declared", "withdrawn",
             "stopped_at", "stopped_by", "stopped_why")  # fmt: skip
    found = list(servers_seen_by(user).only(*light))
    listing.mark_states(found)
    return found
