"""The page of a service and the page of one instance."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.services.history.foreign import plain
from dashboard.services.history.models import Change
from dashboard.services.instances import calling, plotting, reading, saying, telling
from dashboard.ui import answers
from redisops.services import Instance, Keys

METADATA = 50
_PARTS = {
    "services/instances/service.html": "services/instances/_service_now.html",
    "services/instances/instance.html": "services/instances/_instance_now.html",
}


@require_safe
@on_server("services.read")
def service(request: HttpRequest, server: Server, service: str) -> HttpResponse:
    """Its instances with the evidence for their state, uptime, incidents, latency, timeline."""
    page = _number(request.GET.get("page", ""))
    look = reading.look(server, service, page=page)
    shown = reading.paged(look.reading, page)
    changes = _changes(server, service)
    if not look.instances and not changes and not look.reading.epoch:
        nobody = {"service": service, "verdict": ("off", "Nobody has registered under this name.")}
        return _answer(request, "services/instances/unknown.html", nobody, status=404)
    rows = [look.row(one) for one in shown]
    context: dict[str, Any] = {
        "service": service, "look": look, "record": look.record, "rows": rows,
        "verdict": saying.verdict(look), "notes": saying.notes(look),
        "unrouted": [row for row in rows if row.reason],
        "lines": telling.lines(look, changes), "callers": calling.callers(
            look.known.readers, reading.listeners(server, service), look.reading.version
        ),
        "page": page, "more": len(look.instances) > (page + 1) * reading.ROWS,
        "first": page * reading.ROWS + 1,
        **_plot(request, server, service, look.now),
    }  # fmt: skip
    return _answer(request, "services/instances/service.html", context)


@require_safe
@on_server("services.read")
def instance(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """One instance: what it says of itself, what is known of it, and what happened to it."""
    look = reading.look(server, service, ids=[instance])
    one = next((one for one in look.instances if one.id == instance), None)
    changes = _changes(server, service, instance)
    lines = telling.lines(look, changes, instance)
    context: dict[str, Any] = {
        "service": service, "instance": instance, "look": look, "one": one,
        "row": look.row(one) if one is not None else None,
        "record": look.record_of(instance), "lines": lines,
        "document": Keys(service).document(instance), **_told(one),
        **plotting.own_of(look.known.of(instance).ring),
        "notes": saying.notes(look), "last": lines[0] if lines else None,
        **_plot(request, server, service, look.now, f"Latency of all checks of {service}"),
    }  # fmt: skip
    status = 200 if one is not None or any(not line.is_gap for line in changes) else 404
    return _answer(request, "services/instances/instance.html", context, status=status)


def _plot(
    request: HttpRequest, server: Server, service: str, now: float, title: str = plotting.TITLE
) -> dict[str, Any]:
    """The latency of its checks; not for what moves, where no plot is."""
    if answers.is_htmx(request):
        return {}
    return plotting.latency_of(server, service, request.GET.get("range", ""), now, title)


def _changes(server: Server, service: str, instance: str = "") -> list[Change]:
    """The newest changes, with the gaps between them."""
    found = Change.objects.filter(server=server, service=service)
    if instance:
        found = found.filter(instance__in=[instance, ""])
    return list(found.order_by("-at", "-pk")[: telling.LINES])


def _told(one: Instance | None) -> dict[str, Any]:
    """What an instance says of itself, bounded: whoever may write to Redis wrote it."""
    if one is None:
        return {}
    check = "" if one.check is None else plain(json.dumps(dict(one.check), ensure_ascii=False))
    metadata = [(plain(name, 60), plain(value)) for name, value in sorted(one.metadata.items())]
    # A fence is the microsecond of the registration by the server's clock, where nobody forged it.
    return {
        "metadata": metadata[:METADATA], "tags": [plain(tag, 60) for tag in one.tags[:METADATA]],
        "name": plain(one.name, 200), "check_words": check,
        "registered": _moment(one.fence / 1e6),
    }  # fmt: skip


def _moment(seconds: float) -> float | None:
    return seconds if 0 < seconds < 4e9 else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0


def _answer(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """The page; for a page that shows it, and asks every few seconds, what moves on it."""
    is_part = answers.is_htmx(request)
    if is_part and status != 200:  # who was shown is gone: the page says so anew
        response = HttpResponse(status=status, headers={"HX-Refresh": "true"})
    else:
        place = _PARTS.get(template, template) if is_part else template
        response = render(request, place, context | {"is_part": is_part}, status=status)
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["HX-Request"])
    return response
