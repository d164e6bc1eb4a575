"""Try a policy before anybody feels it: a draft beside what is live, on traffic of one's choice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods

from dashboard.limits import policies
from dashboard.limits.policies.forms import WAYS
from dashboard.limits.trying import replaying, running
from dashboard.limits.trying.forms import DRAFT, TryForm
from dashboard.limits.trying.showing import Shown
from dashboard.limits.trying.traffic import Traffic
from dashboard.publishing.versions import readable
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.ui import numbers
from redisops.limits.policies import Policy

MOST_TEXT = 200
METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(METHODS)
@on_server("limits.read")
def try_policy(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """A policy that exists: the form's numbers against those that are live."""
    row = policies.find(server, name)
    if request.method == "POST":
        return _as_link(request)
    live, broken = readable(row)
    if live is None:
        raise Http404(broken)
    return _page(request, server, live, {"policy": row, "live": live})


@require_http_methods(METHODS)
@on_server("limits.read")
def try_new(request: HttpRequest, server: Server) -> HttpResponse:
    """A draft that was never saved: there is nothing to put beside it, nor a last hour of it."""
    if request.method == "POST":
        return _as_link(request)
    return _page(request, server, Policy("draft", limit=100, period=60.0), {"live": None})


def _as_link(request: HttpRequest) -> HttpResponse:
    """The editor posts all its fields; those of the draft become an address that can be sent on."""
    told = {
        field: request.POST[field].strip()[:MOST_TEXT] for field in DRAFT if field in request.POST
    }
    if "subject" in request.POST:
        told["together"] = str(int("global" in request.POST.getlist("subject")))
    return redirect(f"{request.path}?{urlencode(told)}")


def _page(
    request: HttpRequest, server: Server, base: Policy, context: dict[str, Any]
) -> HttpResponse:
    form = TryForm(_given(request.GET), base)
    context |= {"form": form, "live_algorithm": WAYS[base.algorithm]}
    if form.is_valid():
        context |= _run(server, form, context["live"])
    fragment = bool(request.headers.get("HX-Request"))
    template = "limits/trying/_result.html" if fragment else "limits/trying/page.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _given(query: QueryDict) -> Mapping[str, str]:
    return {name: query.get(name, "")[:MOST_TEXT] for name in query}


def _run(server: Server, form: TryForm, live: Policy | None) -> dict[str, Any]:
    is_replay = form.cleaned_data["shape"] == "replay" and live is not None
    if is_replay:
        assert live is not None
        traffic = replaying.recorded(server, live.name, live.cost)
    else:
        minute = int(time.time()) // 60 * 60
        made = form.made()
        traffic = Traffic(made.counts, made.callers, minute)
    sides = {"draft": form.draft} | ({"live": live} if live is not None else {})
    found = running.run(traffic, sides, takes=form.cleaned_data["takes"] / 1000)
    return {"shown": Shown(found, _words(traffic, is_replay=is_replay)), "is_replay": is_replay}


def _words(traffic: Traffic, *, is_replay: bool) -> str:
    """What the traffic is, for the foot of the plot."""
    requests = f"{numbers.exact(traffic.total)} requests"
    if not is_replay:
        return f"{requests} by {len(traffic.callers)} made-up callers. Nothing was sent to Redis."
    from_, to = traffic.start, traffic.start + len(traffic.counts)
    clock = "{:%H:%M}".format
    first, last = (clock(at) for at in map(numbers.moment, (from_, to)) if at is not None)
    return (
        f"Replayed from {requests} between {first} and {last}, as they were counted. A replay "
        "cannot know who would have tried again."
    )
