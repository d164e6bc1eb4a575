"""Saved views and recent keys in the palette."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest
from django.urls import reverse

from dashboard.keys.saved import recent, views
from dashboard.servers import access
from dashboard.ui.palette import Hit, matches

SHOWN = 4


def kept(request: HttpRequest, query: str) -> Iterable[Hit]:
    """What of this person's views and recent keys fits; no command to any server."""
    server = getattr(request, "server", None)
    if server is None or not access.may(request.user, "keys.browse", server):
        return
    group = f"Views on {server.name}"
    fitting = (line for line in views.lines(request.user, server) if matches(query, line.view.name))
    for line, _ in zip(fitting, range(SHOWN), strict=False):
        yield Hit(line.view.name, line.url, group, line.words, "bookmark")
    group = f"Opened lately on {server.name}"
    found = (one for one in recent.of(request.user, server) if matches(query, str(one)))
    for one, _ in zip(found, range(SHOWN), strict=False):
        url = reverse("keys:show", args=[server.slug, one.name])
        yield Hit(str(one), url, group, "", "key-round", mono=True)
