"""The command console: a page, a submission, what completes and helps, an export, the history."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from dashboard.accounts.roles import Role
from dashboard.console import history
from dashboard.console.guide import Guide
from dashboard.console.running import MOST_LINES, Run
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops import commands
from redisops.commands import Commands
from redisops.errors import InvalidArgument

LISTED = 50
LONGEST = 200_000
FORMATS = {
    "json": (commands.as_json, "application/json"),
    "csv": (commands.as_csv, "text/csv; charset=utf-8"),
    "txt": (commands.text, "text/plain; charset=utf-8"),
}


@require_GET
@on_server("console.run")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """The page; ``?again=`` puts a line of one's history into the field, ``?help=`` explains."""
    again = request.GET.get("again", "")
    own = history.of(request.user, server)  # type: ignore[arg-type]
    line = own.filter(pk=int(again)).first() if again.isdecimal() and len(again) < 19 else None
    return _page(request, server, typed=line.text if line else "")


@require_POST
@on_server("console.run")
def run(request: HttpRequest, server: Server) -> HttpResponse:
    """Run what was typed; the page, or for htmx the new part of the transcript."""
    text = request.POST.get("line", "")
    if len(text) > LONGEST:
        return answers.error(
            request, 400, title="This is too long", sentence=f"At most {LONGEST:,} characters.",
            next_step="Import data as a job from the Keys page.",
        )  # fmt: skip
    given = Run(request, server, text, _token(request))
    if given.lines:
        given.all()
    context = {"run": given, "most": MOST_LINES, "token": str(uuid.uuid4())}
    failed = bool(given.outcomes) and not given.outcomes[-1].is_done
    if answers.is_htmx(request):
        response = render(request, "console/_swap.html", {"server": server, **context})
        response["Cache-Control"] = "no-store"
        return response
    return _page(request, server, typed=text if failed else "", **context)


@require_GET
@on_server("console.run")
def guide(request: HttpRequest, server: Server) -> JsonResponse:
    """Every command with its help and who may run it, as JSON."""
    table = Commands(server.client()).table()
    response = JsonResponse(Guide(table, str(server.role)).as_json())
    response["Cache-Control"] = "no-store"
    return response


@require_GET
@on_server("console.run")
def lines(request: HttpRequest, server: Server) -> JsonResponse:
    """One's own last lines, newest first, as JSON; ``?q=`` is a part of them."""
    found = history.shown(request.user, server, request.GET.get("q", "")[:200])  # type: ignore[arg-type]
    response = JsonResponse({"lines": [line.text for line in found]})
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@on_server("console.run")
def forget(request: HttpRequest, server: Server) -> HttpResponse:
    """Remove one's own history on this server."""
    history.forget(request.user, server)  # type: ignore[arg-type]
    return redirect(reverse("console:index", args=[server.slug]))


@require_POST
@on_server("console.run")
def export(request: HttpRequest, server: Server) -> HttpResponse:
    """An answer that the page already shows, as a file; nothing is asked of Redis."""
    kind = request.POST.get("format", "")
    try:
        if kind not in FORMATS:
            raise InvalidArgument(f'"{kind[:20]}" is no format: json, csv or txt is')
        write, content_type = FORMATS[kind]
        body = write(commands.unpack(request.POST.get("reply", "")))
    except InvalidArgument as error:
        return answers.error(
            request, 400, title="This cannot be exported", sentence=f"{error}",
            next_step="Go back and run the command again.",
        )  # fmt: skip
    response = HttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{server.slug}-answer.{kind}"'
    response["Cache-Control"] = "no-store"
    return response


def _page(request: HttpRequest, server: Server, **context: Any) -> HttpResponse:
    reader = Commands(server.client())
    table = reader.table()
    query = request.GET.get("history", "")[:200]
    told = {
        "token": str(uuid.uuid4()),
        "guide": Guide(table, str(server.role), request.GET.get("help", "")[:80]),
        "nodes": reader.places(),
        "query": query,
        "lines": history.shown(request.user, server, query, LISTED),  # type: ignore[arg-type]
        "role": Role(str(server.role)),
    }
    response = render(request, "console/index.html", told | context)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response


def _token(request: HttpRequest) -> str:
    """The mark of this submission; a form without one is new."""
    try:
        return str(uuid.UUID(request.POST.get("once", "")))
    except ValueError:
        return str(uuid.uuid4())
