"""The streams of a server, one of them live or by id and time, one entry."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard import undo
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.streams.reading import filtering, listing
from dashboard.streams.reading.entries import Detail
from dashboard.streams.reading.showing import COUNT, Screen
from dashboard.ui import answers
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.streams.model import is_id

PROTECTED = "It belongs to the console itself: its sessions, cache and queues live below this name."


@require_safe
@on_server("streams.read")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Every stream that is known here, the troubled ones first."""
    page = request.GET.get("page", "")
    shown = listing.read(
        server,
        look_on=request.GET.get("look") == "on",
        match=request.GET.get("match", "")[:200],
        page=int(page) if page.isascii() and page.isdecimal() and len(page) < 5 else 1,
    )
    template = "streams/_rows.html" if answers.is_htmx(request) else "streams/index.html"
    return _answer(request, template, {"listing": shown, "page_count": listing.PAGE})


@require_safe
@on_server("streams.read")
def show(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """One stream: its newest entries, which go on live, or a part of it. A fragment: its groups."""
    if server.protects(key):
        return closed(request)
    screen = Screen(server, key, request.GET)
    try:
        screen.read(1 if answers.is_htmx(request) else COUNT)
    except InvalidArgument as error:
        return answers.error(
            request, 400, title="This address cannot be followed", sentence=f"{error}",
            next_step="Open the stream again from the list.",
        )  # fmt: skip
    if not screen.is_stream:
        return not_there(request, server, key, screen.page)
    trouble = listing.of(server, key) if screen.stream.groups else None
    context = {
        "screen": screen, "key": key, "placeholder": filtering.PLACEHOLDER,
        "removal": undo.told(request, server), "trouble": trouble,
    }  # fmt: skip
    template = "streams/_groups.html" if answers.is_htmx(request) else "streams/show.html"
    return _answer(request, template, context)


@require_safe
@on_server("streams.read")
def entry(request: HttpRequest, server: Server, key: bytes, entry: str) -> HttpResponse:
    """One entry, every field decoded."""
    if server.protects(key):
        return closed(request)
    if not (is_id(entry) and "-" in entry):
        raise Http404("no entry has such an id")
    detail = Detail(server, key, entry, request.GET.get("decode", "auto"))
    try:
        detail.read()
    except InvalidArgument as error:
        raise Http404(str(error)) from error
    if detail.page is None or detail.page.type != "stream":
        return not_there(request, server, key, detail.page)
    status = 200 if detail.entry is not None else 404
    return _answer(request, "streams/entry.html", {"detail": detail, "key": key}, status=status)


def not_there(request: HttpRequest, server: Server, key: bytes, page: Any) -> HttpResponse:
    """There is no stream of that name: no key at all, or one of another type."""
    context = {"key": key, "type": page.type if page is not None else ""}
    status = 404 if page is None else 409
    return _answer(request, "streams/gone.html", context, status=status)


def closed(request: HttpRequest) -> HttpResponse:
    """The console's own keys are neither shown nor written."""
    return answers.error(
        request, 403, title="This stream is not shown", icon="lock", sentence=PROTECTED,
        next_step="Whoever runs the console can read it on the server itself.",
    )  # fmt: skip


def _answer(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response


def name_of(key: bytes) -> str:
    return keys.printable(key)[:200]
