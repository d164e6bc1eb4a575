"""The live sentence, the match tester, and policies as JSON out and in. Nothing here is saved,
but what is imported."""

from __future__ import annotations

import json
import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.limits.policies import listing, reading, rights, taking_in, views
from dashboard.limits.policies.forms import METHODS, PolicyForm
from dashboard.publishing.versions import readable
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.ui.answers import is_htmx
from redisops import keys
from redisops.limits.matching import Asked, explain, subject_of

ASKED = ("service", "method", "path", "ip", "user", "api_key", "headers")
HEADER = re.compile(r"\s*([^:\s]+)\s*:\s*(.*?)\s*")


@require_GET
@on_server("limits.read")
def say(request: HttpRequest, server: Server) -> HttpResponse:
    """What the policy that is being typed would do, in one sentence."""
    name = request.GET.get("of", "")
    row = reading.find(server, name) if name else None
    base = readable(row)[0] if row is not None else None
    form = PolicyForm(
        request.GET, base=base, teams=rights.teams(request, server), fixed=row.name if row else ""
    )
    form.is_valid()
    return render(
        request, "limits/_say.html", {"form": form, "is_live": True, **views.said(form, base)}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.read")
def match(request: HttpRequest, server: Server) -> HttpResponse:
    """Which policies a request falls under, in which order, for which subject, and why not.

    Asked by POST, because an API key belongs in no address. Nothing is sent to Redis.
    """
    sent: Any = request.POST if request.method == "POST" else request.GET
    typed = {name: str(sent.get(name, ""))[:4000] for name in ASKED}
    context: dict[str, Any] = {"asked": typed, "methods": METHODS, "total": 0}
    if request.method == "POST" or any(typed.values()):
        context["results"] = results = _results(server, typed)
        context["matched"] = [one for one in results if not one["why"]]
        context["passed"] = [one for one in results if one["why"]]
    template = "limits/_matched.html" if is_htmx(request) else "limits/match.html"
    return render(request, template, context)


def _results(server: Server, typed: dict[str, str]) -> list[dict[str, Any]]:
    headers = {}
    for line in typed["headers"].splitlines()[:50]:
        found = HEADER.fullmatch(line)
        if found:
            headers[found[1]] = found[2]
    asked = Asked(
        service=typed["service"].strip(), method=typed["method"].strip().upper(),
        path=typed["path"].strip(), ip=typed["ip"].strip(), user=typed["user"].strip(),
        api_key=typed["api_key"].strip(), headers=headers,
    )  # fmt: skip
    rows = {row.name: row for row in reading.current(server)}
    policies = [one for row in rows.values() if (one := readable(row)[0]) is not None]
    return [
        {
            "policy": policy, "row": rows[policy.name], "why": why,
            "mode": listing.MODES.get(policy.mode),
            "subject": "" if why else keys.printable(subject_of(policy, asked) or b""),
        }
        for policy, why in explain(policies, asked)
    ]  # fmt: skip


@require_GET
@on_server("limits.read")
def export(request: HttpRequest, server: Server) -> HttpResponse:
    """All policies as JSON, as the import takes them."""
    found = [policy.as_dict() for row in reading.current(server) if (policy := readable(row)[0])]
    answer = JsonResponse({"policies": found}, json_dumps_params={"indent": 2})
    answer["Content-Disposition"] = f'attachment; filename="rate-limits-{server.slug}.json"'
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.edit")
def take_in(request: HttpRequest, server: Server) -> HttpResponse:
    """Policies from JSON: new ones are created, known ones get a new version."""
    teams = rights.teams(request, server)
    context: dict[str, Any] = {"teams": teams, "text": ""}
    if request.method == "POST":
        context["text"] = text = request.POST.get("text", "")
        team = next((one for one in teams if f"{one.pk}" == request.POST.get("team")), None)
        try:
            policies = taking_in.read(text)
        except (ValueError, json.JSONDecodeError) as error:
            context["problem"] = f"{error}"
            return render(request, "limits/import.html", context, status=422)
        result = taking_in.take(request, server, policies, team, request.POST.get("reason", ""))
        if result.is_well:
            messages.success(request, result.words)
            return redirect("limits:index", slug=server.slug)
        context["result"] = result
        return render(request, "limits/import.html", context, status=422)
    return render(request, "limits/import.html", context)
