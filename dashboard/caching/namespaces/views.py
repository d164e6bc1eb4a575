"""The namespaces of a server, and what one of them does."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from dashboard.caching.namespaces import changing, figures, plotting, publishing, saying
from dashboard.caching.namespaces.publishing import CACHES, TROUBLE
from dashboard.publishing import pages
from dashboard.publishing.versions import readable
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops.cache import Policy
from redisops.cache.policy import NAMESPACE
from redisops.resilience import diagnose


@require_safe
@on_server("caching.read")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Every namespace that services used, or that people decided on; htmx polls the table."""
    words, page = request.GET.get("q", "")[:200], number(request.GET.get("page", ""))
    unanswered = ""
    try:
        found = figures.look(server, words, page)
    except TROUBLE as error:
        unanswered, found = trouble_of(error), without(server, words)
    context: dict[str, Any] = {
        "look": found, "q": words, "unanswered": unanswered, "before": page - 1, "after": page + 1,
    }  # fmt: skip
    if request.headers.get("HX-Request"):
        response = render(request, "caching/namespaces/_rows.html", context)
        patch_vary_headers(response, ["HX-Request"])
        return response
    context["state"] = publishing.state(server)
    return answer(request, "caching/namespaces/index.html", context)


def without(server: Server, words: str) -> figures.Look:
    """What is known while Redis does not answer: what people decided."""
    wanted = words.casefold().split()
    rows = [
        figures.Row(name, None, policy, figures.sums([], 0.0), [])
        for name, policy in figures.decided(server).items()
        if all(word in name.casefold() for word in wanted)
    ]
    return figures.Look(rows[: figures.ROWS], len(rows))


@require_safe
@on_server("caching.read")
def show(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """What one namespace does: figures of now, an hour, a day or a month of it plotted."""
    context = seen(request, server, namespace)
    row = changing.find(server, namespace)
    policy, broken = readable(row) if row and not row.archived else (None, "")
    context |= {
        "row": row, "said": saying.said(policy), "broken": broken,
        "state": publishing.state(server), "spans": plotting.SPANS.values(),
    }  # fmt: skip
    return answer(request, "caching/namespaces/show.html", context)


@require_safe
@on_server("caching.read")
def live(request: HttpRequest, server: Server, namespace: str) -> HttpResponse:
    """The moving part of that page; its script redraws the plots from it."""
    if request.GET.get("part") == "now":
        return answer(request, "caching/namespaces/_now.html", present(server, named(namespace)))
    return answer(request, "caching/namespaces/_live.html", seen(request, server, namespace))


def present(server: Server, namespace: str) -> dict[str, Any]:
    """The figures alone, for the page of its policy. One round trip."""
    try:
        minutes = plotting.read(server, namespace, plotting.SPANS["1h"])
    except TROUBLE as error:
        return {"unanswered": trouble_of(error)}
    return {"figures": figures.strip(minutes, time.time()), "unanswered": ""}


def seen(request: HttpRequest, server: Server, namespace: str) -> dict[str, Any]:
    """What services told of it. One round trip for an hour or a day, two for a month."""
    named(namespace)
    span, now = plotting.span_of(request.GET.get("range", "")), time.time()
    context: dict[str, Any] = {"namespace": namespace, "span": span, "unanswered": ""}
    try:
        minutes = plotting.read(server, namespace, span)
        is_fine = span.step < 3600
        recent = minutes if is_fine else plotting.read(server, namespace, plotting.SPANS["1h"])
    except TROUBLE as error:
        return context | {"unanswered": trouble_of(error)}
    drawn = plotting.drawings(minutes, span, now)
    return context | {
        "figures": figures.strip(recent, now), "verdict": figures.verdict(recent, now),
        "troubles": figures.troubles(recent, now), "is_known": bool(minutes),
        "drawings": drawn, "points": plotting.as_json(
            drawn, span, plotting.marks(server, namespace, now - span.seconds)
        ),
    }  # fmt: skip


@require_safe
@on_server("caching.read")
def declare(request: HttpRequest, server: Server) -> HttpResponse:
    """To the policy of the namespace that was named, used by a service or not yet."""
    namespace = request.GET.get("namespace", "").strip()
    wrong = [said for name, said in Policy(namespace).problems() if name == "namespace"]
    if wrong:
        messages.error(request, f"“{namespace[:40]}” is no name of a namespace: it {wrong[0]}.")
        return redirect("caching:index", slug=server.slug)
    return redirect("caching:policy", server.slug, namespace)


@require_POST
@on_server("caching.change")
def publish(request: HttpRequest, server: Server) -> HttpResponse:
    """Write the wanted document now."""
    return pages.publish(CACHES, request, server)


# --- What the views of this room share --------------------------------------------------------


def named(namespace: str) -> str:
    """The name, where a cache can have it; else 404."""
    if NAMESPACE.fullmatch(namespace) is None:
        raise Http404(f"no namespace of a cache can be called {namespace[:100]}")
    return namespace


def trouble_of(error: BaseException) -> str:
    """Why Redis told nothing, and what to do."""
    trouble = diagnose(error)
    return " ".join(one for one in (trouble.sentence, trouble.next_step, trouble.detail) if one)


def number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def answer(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    return response
