"""Policies as they are decided now."""

from __future__ import annotations

from django.http import Http404

from dashboard.limits.policies.models import LimitPolicy
from dashboard.servers.models import Server


def current(server: Server) -> list[LimitPolicy]:
    """The server's policies that are not deleted, by name, teams fetched too; one query."""
    rows = LimitPolicy.objects.filter(server=server, archived=None).select_related("team")
    return [_of(server, row) for row in rows.order_by("name")]


def archived(server: Server) -> list[LimitPolicy]:
    """Those that were deleted and can be restored, the last one first."""
    rows = LimitPolicy.objects.filter(server=server).exclude(archived=None).select_related("team")
    return [_of(server, row) for row in rows.order_by("-archived")[:100]]


def find(server: Server, name: str) -> LimitPolicy:
    """The policy of that name, deleted or not; Http404 without one."""
    row = LimitPolicy.objects.filter(server=server, name=name).select_related("team").first()
    if row is None:
        raise Http404(f"no policy {name} on {server.slug}")
    return _of(server, row)


def _of(server: Server, row: LimitPolicy) -> LimitPolicy:
    row.server = server
    return row
