"""Cache namespaces in the palette, and the pages of caching that the side does not list."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from dashboard.caching.namespaces import figures
from dashboard.caching.namespaces.publishing import TROUBLE
from dashboard.servers.access import may_here
from dashboard.ui.palette import LIMIT, Hit, matches
from redisops.cache import Statistics
from redisops.resilience import deadline

PAGES = (("Eviction", "caching:eviction", "flame"), ("Advice", "caching:advice", "lightbulb"))
SECONDS = 0.3


def hits(request: HttpRequest, query: str) -> Iterator[Hit]:
    """Pages and namespaces whose name holds every word: one SQL query and one round trip.

    Where Redis does not answer at once, the namespaces that people decided on.
    """
    server = getattr(request, "server", None)
    if server is None or not query.strip() or not may_here(request, "caching.read"):
        return
    for label, name, icon in PAGES:
        if matches(query, label):
            yield Hit(label, reverse(name, args=[server.slug]), "Go to", "caching", icon)
    names = dict.fromkeys(figures.decided(server))
    if not server.is_stopped:
        try:
            with deadline(SECONDS):
                names |= dict.fromkeys(n for n, _ in Statistics(server.client()).namespaces(500))
        except TROUBLE:
            pass  # the palette says what is known; the page of caching says what is wrong
    found = sorted(name for name in names if matches(query, name))
    for name in found[:LIMIT]:
        url = reverse("caching:show", args=[server.slug, name])
        yield Hit(name, url, "Caches", "cache", "database-zap")
