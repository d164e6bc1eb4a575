"""Services in the palette, by name."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from dashboard.servers.access import may_here
from dashboard.services.history.models import Followed
from dashboard.ui.palette import LIMIT, Hit, matches


def hits(request: HttpRequest, query: str) -> Iterator[Hit]:
    """The services of the page's server whose name holds every word; one SQL query, no Redis."""
    server = getattr(request, "server", None)
    words = query.split()
    if server is None or not words or not may_here(request, "services.read"):
        return
    names = Followed.objects.filter(server=server).order_by("service")
    for word in words[:8]:
        names = names.filter(service__icontains=word)
    for name in names.values_list("service", flat=True)[:LIMIT]:
        if matches(query, name):
            url = reverse("services:service", args=[server.slug, name])
            yield Hit(name, url, "Services", "service", "heart-pulse")
