"""The way to the search in the palette."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest
from django.urls import reverse

from dashboard.servers import access
from dashboard.ui.palette import Hit, matches


def hits(request: HttpRequest, query: str) -> Iterable[Hit]:
    """The page of the server one is on; sends no command. What was typed is not carried along."""
    server = getattr(request, "server", None)
    label = "Search in values"
    if server is None or not query or not matches(query, label):
        return
    if access.may(request.user, "keys.search", server):
        url = reverse("keys:search", args=[server.slug])
        yield Hit(label, url, "Go to", server.name, "text-search")
