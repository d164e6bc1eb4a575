"""Publish again by hand, and whether a second person must let changes through."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from dashboard.audit import record
from dashboard.limits.publishing.document import LIMITS
from dashboard.limits.publishing.models import Publication
from dashboard.publishing import pages
from dashboard.servers.access import on_server
from dashboard.servers.models import Server


@require_POST
@on_server("limits.edit")
def publish(request: HttpRequest, server: Server) -> HttpResponse:
    """Write the wanted document now."""
    return pages.publish(LIMITS, request, server)


@require_POST
@on_server("limits.settings")
def settings(request: HttpRequest, server: Server) -> HttpResponse:
    """Ask for a second person, or no more. It holds where the server is marked as production."""
    asked = request.POST.get("second_person") == "on"
    with transaction.atomic():
        row, _ = Publication.objects.get_or_create(server=server)
        before = row.second_person
        row.second_person = asked
        row.save(update_fields=["second_person"])
        record(
            request, "limits.settings", server=server.slug, target=server.name,
            before={"second person": before}, after={"second person": asked},
        )  # fmt: skip
    said = "waits for a second person from now on" if asked else "is published at once from now on"
    messages.success(request, f"A change of a rate limit on {server.name} {said}.")
    return redirect("limits:index", slug=server.slug)
