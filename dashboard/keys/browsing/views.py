"""The key browser: a list of keys, one key's value, a value as a file.

One address answers with the page, or with the part of it that htmx is about to replace: the
tree and the list (``browse``) or the value (``value``).
"""

from __future__ import annotations

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from dashboard import undo
from dashboard.audit import record
from dashboard.keys.browsing import downloads
from dashboard.keys.browsing.listing import Listing
from dashboard.keys.browsing.pane import Pane
from dashboard.keys.browsing.room import roomy
from dashboard.keys.browsing.state import BadAddress, Browse
from dashboard.keys.browsing.tree import Tree
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops.errors import InvalidArgument
from redisops.keyspace import Keyspace

SCANS = 20  # SCAN calls in one request, those of list and tree together
LIST_SCANS = 12
PROTECTED = "It belongs to the console itself: its sessions, cache and queues live below this name."


def _read_address(view: Any) -> Any:
    """Answer 400 with the reason when the address breaks a rule."""

    @functools.wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = view(request, *args, **kwargs)
        except (BadAddress, InvalidArgument) as error:
            return answers.error(
                request, 400, title="This address cannot be followed", sentence=f"{error}",
                next_step="Go back, or open Keys again from the side.",
            )  # fmt: skip
        return response

    return checked


@require_GET
@on_server("keys.browse")
@roomy
@_read_address
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """A page of keys, and the tree. A pattern that is an exact name opens the key, too."""
    browse = Browse.of(server.slug, request.GET)
    redis = server.client()
    context = _browsing(request, server, browse, redis, opened=browse.exact)
    pane = None
    if browse.exact is not None and context["listing"].rows:
        pane = Pane(server, browse.exact, browse, request.GET)
        pane.read(redis)
    return _answer(request, context | {"pane": pane})


@require_GET
@on_server("keys.browse")
@roomy
@_read_address
def show(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """One key: beside the list when the address has one, by itself otherwise."""
    browse = Browse.of(server.slug, request.GET)
    pane = Pane(server, key, browse, request.GET)
    redis = server.client()
    pane.read(redis)
    context: dict[str, Any] = {"pane": pane, "browse": browse}
    if browse.is_given and not _wants(request, "value"):
        context = _browsing(request, server, browse, redis, opened=key) | context
    return _answer(request, context, status=404 if pane.page is None else 200)


@require_GET
@on_server("keys.download")
@_read_address
def download(request: HttpRequest, server: Server, key: bytes) -> HttpResponseBase:
    """The whole value as a file; written to the audit before the first byte."""
    told: dict[str, Any] = {"server": server.slug, "target": key}
    if server.protects(key):
        record(request, "keys.download", result="refused", reason="the console's own key", **told)
        return answers.error(
            request, 403, title="This value is not shown", icon="lock", sentence=PROTECTED,
            next_step="Whoever runs the console can read it on the server itself.",
        )  # fmt: skip
    row = Keyspace(server.client()).lookup(key)
    if row is None:
        pane = Pane(server, key, Browse(server.slug), request.GET)
        return _answer(request, {"pane": pane, "browse": pane.browse}, status=404)
    record(request, "keys.download", after={"type": row.type}, **told)
    return downloads.stream(request, server, key, row.type)


def _browsing(
    request: HttpRequest, server: Server, browse: Browse, redis: Any, *, opened: bytes | None
) -> dict[str, Any]:
    may_pick = may_here(request, "keys.export")
    listing = Listing(server, browse, redis, scans=LIST_SCANS, opened=opened, is_pickable=may_pick)
    bulk_path = reverse("keys:bulk", args=[server.slug]) if may_pick else ""
    folders_path = bulk_path if may_here(request, "keys.bulk") else ""
    tree = None
    if browse.view == "tree":
        tree = Tree(server, browse, bulk_path=folders_path)
        tree.read(redis, scans=SCANS - listing.page.scans)
        tree.may_count = may_here(request, "keys.survey")
    return {
        "browse": browse,
        "listing": listing,
        "tree": tree,
        "bulk_path": bulk_path,
    }


def _wants(request: HttpRequest, part: str) -> bool:
    """Whether htmx is about to replace only this part of the page."""
    return answers.is_htmx(request) and request.headers.get("HX-Target") == part


def _answer(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    template = "keys/index.html"
    if _wants(request, "browse") and "listing" in context:
        template = "keys/_swap_browse.html"
    elif _wants(request, "value"):
        template = "keys/_swap_value.html"
    context["may_download"] = may_here(request, "keys.download")
    removal = undo.told(request, request.server)  # type: ignore[attr-defined]
    if removal is not None:
        context["removal"] = removal
        if removal.job:
            context["job_url"] = reverse("jobs:show", args=[removal.server.slug, removal.job])
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    response["Cache-Control"] = "no-store"
    return response
