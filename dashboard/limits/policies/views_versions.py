"""Every version of a policy, two of them side by side, and back to one of them."""

from __future__ import annotations

import dataclasses

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.limits.policies import changing, reading, rights
from dashboard.limits.policies.differences import LIMITS
from dashboard.limits.policies.models import PolicyVersion
from dashboard.publishing import pages
from dashboard.publishing.versions import readable
from dashboard.servers.access import on_server
from dashboard.servers.models import Server


@require_GET
@on_server("limits.read")
def index(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Author, time and reason of each, with the fields it changed; ``from`` and ``to`` compare."""
    row = reading.find(server, name)
    may_roll_back = rights.may_edit(request, row) and not row.archived
    context = {"policy": row, "may_roll_back": may_roll_back}
    return render(request, "limits/versions.html", context | pages.versions(request, row, LIMITS))


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.edit")
def roll_back(request: HttpRequest, server: Server, name: str, number: int) -> HttpResponse:
    """The settings of that version as a new one, history only grows; asks first."""
    row = reading.find(server, name)
    rights.require(request, server, name, row.team_id)
    to = get_object_or_404(PolicyVersion, policy=row, number=number)
    to.policy = row
    new = readable(to)[0]
    if new is None:
        messages.error(request, f"Version {number} cannot be read any more; nothing was changed.")
        return redirect("limits:versions", server.slug, name)
    if request.method != "POST":
        if row.archived:
            messages.warning(request, f"{name} is deleted: restore it, then roll it back.")
            return redirect(row)
        held = readable(row)[0]
        new = dataclasses.replace(new, owner=str(row.team or ""))  # its team keeps it
        context = {"policy": row, **pages.way_back(row, to, held, new, LIMITS)}
        return render(request, "limits/roll_back.html", context)
    why = request.POST.get("reason", "") or f"back to version {number}"
    return pages.act(
        request, row, lambda seen: changing.roll_back(request, row, to, why, seen=seen)
    )
