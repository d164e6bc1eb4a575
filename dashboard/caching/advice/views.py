"""Advice: what would make a server's caches cheaper, what it costs now, and a button for it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.caching.advice import knowing, rules
from dashboard.caching.advice.rules import silent
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server


@require_safe
@on_server("caching.read")
def advice(request: HttpRequest, server: Server) -> HttpResponse:
    """Computed anew each time, from the last count of all keys and a sample of some hundred."""
    known = knowing.look(server)
    found = rules.apply(known)
    unasked = silent.of(known)
    context = {
        "known": known, "standing": known.standing,
        "rows": [
            {"advice": one, "may": one.fix is not None and may_here(request, one.fix.permission)}
            for one in found
        ],
        "risks": sum(one.kind == 0 for one in found), "rules": len(rules.RULES),
        "unasked": unasked, "asked": len(rules.RULES) - len(unasked),
    }  # fmt: skip
    response = render(request, "caching/advice/index.html", context)
    response["Cache-Control"] = "no-store"
    return response
