"""The analysis page, the button that counts again, and the tree as it grows."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from dashboard.jobs import Busy
from dashboard.keys.browsing.state import BadAddress, Browse
from dashboard.keys.browsing.tree import Tree
from dashboard.keys.survey import passes, reading
from dashboard.keys.survey.analysis import Analysis
from dashboard.keys.survey.models import Pass
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from redisops import keys
from redisops.errors import InvalidArgument


@require_GET
@on_server("keys.browse")
def analysis(request: HttpRequest, server: Server) -> HttpResponse:
    """What takes the memory, folder by folder; costs the server nothing."""
    delimiter = _delimiter(request.GET.get("delimiter", ""))
    known, unfinished = reading.newest(server, delimiter)
    newest = unfinished or (known.made if known else None)
    is_due = may_here(request, "keys.survey") and passes.is_due_at_visit(delimiter, newest)
    context: dict[str, Any] = {
        "known": known, "next": unfinished, "is_due": is_due,
        "delimiter": keys.printable(delimiter), "usual": keys.printable(passes.DELIMITER),
    }  # fmt: skip
    if known is not None:
        folder = keys.from_printable(request.GET.get("prefix", "")[:8192])
        here = known.figures.folder(folder)
        if here is None:
            url = Browse(server.slug, delimiter=delimiter).url(prefix=folder)
            return render(request, "keys/survey/untold.html", {"folder": folder, "url": url})
        others = _earlier(server, known.made)
        against = _chosen(others, request.GET.get("against", ""))
        earlier = reading.document(against)[0] if against else None
        context |= {
            "analysis": Analysis(server, known, here, earlier),
            "passes": others, "against": against, "folder": folder,
        }  # fmt: skip
    response = render(request, "keys/survey/analysis.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _delimiter(told: str) -> bytes:
    """What folders are told apart by, as an address or a form says it; 16 bytes at most."""
    return keys.from_printable(told[:64])[:16] or passes.DELIMITER


def _earlier(server: Server, made: Pass) -> list[Pass]:
    """The complete passes before one, newest first."""
    others = passes.of(server, bytes(made.delimiter))
    return list(others.exclude(ended=None).filter(pk__lt=made.pk)[: passes.KEPT])


def _chosen(others: list[Pass], number: str) -> Pass | None:
    """The pass to compare with: the one that was asked for, else the one before."""
    if not number:
        return others[0] if others else None
    for other in others:
        if str(other.pk) == number:
            return other
    raise Http404("no such pass")


@require_POST
@on_server("keys.survey")
def count(request: HttpRequest, server: Server) -> HttpResponse:
    """Begin a pass now; ``thorough`` measures every key."""
    delimiter = _delimiter(request.POST.get("delimiter", ""))
    thorough = request.POST.get("thorough") == "1"
    try:
        passes.begin(request, server, delimiter=delimiter, is_thorough=thorough)
    except Busy:
        messages.info(request, "The keys are being counted already.")
    back = request.POST.get("next", "")
    if not back.startswith("/") or not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("keys:analysis", args=[server.slug])
    return redirect(back)


@require_POST
@on_server("keys.survey")
def visit(request: HttpRequest, server: Server) -> HttpResponse:
    """A page that shows the tree or the analysis asks for a pass when it is time for one."""
    passes.visit(server)
    if request.headers.get("HX-Target") == "tree":
        return _tree(request, server)
    return redirect("keys:analysis", slug=server.slug)


@require_GET
@on_server("keys.browse")
def tree(request: HttpRequest, server: Server) -> HttpResponse:
    """The tree by what is known, for a page that shows it while a pass goes on. Asks no server."""
    return _tree(request, server)


def _tree(request: HttpRequest, server: Server) -> HttpResponse:
    try:
        browse = Browse.of(server.slug, request.GET)
    except (BadAddress, InvalidArgument):
        raise Http404("no such folder") from None
    bulk_path = reverse("keys:bulk", args=[server.slug]) if may_here(request, "keys.bulk") else ""
    shown = Tree(server, browse, bulk_path=bulk_path)
    if not shown.recall():
        return HttpResponse(status=204)  # another process read this level: the page keeps it
    return render(request, "keys/_tree.html", {"tree": shown, "browse": browse})
