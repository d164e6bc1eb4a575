"""Servers in the palette: open one, or go to what can be changed of it."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from dashboard.accounts.roles import Role
from dashboard.servers.access import may, role_found, servers_for
from dashboard.ui.palette import Hit, matches

GROUP = "Switch server"


def hits(request: HttpRequest, query: str) -> Iterator[Hit]:
    """The servers whose name, slug or address holds every word of the query; one SQL query."""
    for server in servers_for(request.user).order_by("name"):
        if not matches(query, f"{server.name} {server.slug} {server.address}"):
            continue
        mark = "" if server.environment == server.Environment.NONE else server.environment
        yield Hit(server.name, server.get_absolute_url(), GROUP, mark, "server")
        if query and role_found(server) is Role.ADMIN:
            edit = reverse("servers:update", args=[server.slug])
            access = reverse("servers:grants", args=[server.slug])
            yield Hit(f"Edit {server.name}", edit, "Do", "", "pencil")
            yield Hit(f"Access to {server.name}", access, "Do", "", "users")
    if query and matches(query, "Add a server") and may(request.user, "servers.create", None):
        yield Hit("Add a server", reverse("servers:create"), "Do", "", "plus")
