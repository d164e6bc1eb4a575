"""Live use of one policy: as of now, and then by a socket."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.limits import policies
from dashboard.limits.using import reading, showing
from dashboard.servers.access import on_server
from dashboard.servers.models import Server


@require_safe
@on_server("limits.read")
def use(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Fifteen minutes of it; a socket keeps it moving, without a script it is as of now."""
    policy = policies.find(server, name)
    found = reading.read(server, name)
    context = showing.shown(found) | {
        "policy": policy,
        **showing.excepted(policy),
        "drawing": showing.drawing(found),
        "points": showing.as_json(found),
        "rankings": showing.rankings(found),
    }
    return render(request, "limits/using/use.html", context)


@require_safe
@on_server("limits.read")
def series(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """The seconds as data: the page fetches them again after a hole."""
    policies.find(server, name)
    data = showing.as_json(reading.read(server, name))
    return HttpResponse(
        data, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
