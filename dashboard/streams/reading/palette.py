"""Streams in the palette, by name."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from dashboard.servers import finding
from dashboard.servers.access import may_here
from dashboard.ui.palette import LIMIT, Hit, matches
from redisops.keys import printable


def hits(request: HttpRequest, query: str) -> Iterator[Hit]:
    """The streams that pages found on the page's server; one command on home, no look."""
    server = getattr(request, "server", None)
    if server is None or not query.strip() or not may_here(request, "streams.read"):
        return
    found = 0
    for name in finding.remembered(server, "stream"):
        shown = printable(name)
        if matches(query, shown):
            url = reverse("streams:show", args=[server.slug, name])
            yield Hit(shown[:200], url, "Streams", "stream", "list-end", mono=True)
            found += 1
            if found == LIMIT:
                return
