"""Keys in the palette: an exact name is looked up without a scan."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest
from django.urls import reverse

from dashboard.keys.browsing.state import LONGEST_IN_ADDRESS, Browse
from dashboard.servers import access
from dashboard.ui.palette import Hit
from redisops import keys
from redisops.keyspace import Keyspace
from redisops.resilience import deadline

SECONDS = 1.0


def exact_keys(request: HttpRequest, query: str) -> Iterable[Hit]:
    """The key of that very name, and a way to list those that begin with it. One round trip."""
    server = getattr(request, "server", None)
    if server is None or not query or not access.may(request.user, "keys.browse", server):
        return
    name = keys.from_printable(query)
    if len(name) > LONGEST_IN_ADDRESS:
        return
    with deadline(SECONDS):
        row = Keyspace(server.client()).lookup(name)
    group = f"Keys on {server.name}"
    if row is not None:
        url = reverse("keys:show", args=[server.slug, name])
        yield Hit(keys.printable(name), url, group, row.type, "key-round", mono=True)
    pattern = name if keys.is_glob(name) else keys.glob_escape(name) + b"*"
    if len(pattern) <= 512:
        url = Browse(server.slug).url(match=pattern)
        words = "Keys that match" if pattern == name else "Keys that begin with"
        yield Hit(f"{words} {keys.printable(name)}", url, group, "", "search")
