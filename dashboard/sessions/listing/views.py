"""The pages: which sessions there are, and one of them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.sessions.listing import figures, finding, selecting, showing
from dashboard.sessions.listing.selecting import HOURS, Wanted
from dashboard.sessions.listing.showing import Line
from dashboard.ui import answers
from redisops.errors import InvalidArgument
from redisops.sessions.layouts import LABELS

EACH = 50


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("sessions.read")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """The sessions that are known, by whom and since when; a POST looks on."""
    if request.method == "POST":
        finding.known(server, look_on=True)
        return redirect(request.get_full_path())
    try:
        wanted = Wanted.of(request.GET)
    except InvalidArgument:
        wanted = Wanted()
    seen = finding.known(server)
    context = _rows(request, server, seen, wanted)
    context |= {
        "seen": seen, "wanted": wanted, "kinds": _kinds(seen), "hours": HOURS,
        "labels": LABELS, "opening": finding.opening(server),
        "is_sealed": any(line.row.kind == "redisops" and line.row.content.why
                         for line in context["lines"]),
    }  # fmt: skip
    context |= figures.plotted(server, request.GET.get("range", ""), time.time())
    return render(request, "sessions/index.html", context)


@require_safe
@on_server("sessions.read")
def show(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """One session; its values only to those who may see them."""
    if server.protects(key):
        return answers.error(
            request, 403, title="This session belongs to the console",
            sentence="The people of the console end their sessions on their account's page.",
        )  # fmt: skip
    library = finding.browser(server)
    [row] = library.read([key])
    if row is None:
        return render(request, "sessions/gone.html", status=404)
    fields = library.values(row)
    may_see = may_here(request, "sessions.values")
    context = {
        "line": Line(row), "row": row, "may_see": may_see, "key": key,
        "values": (showing.values_of if may_see else showing.names_of)(row, fields),
        "title": showing.title_of(row),
        "is_long": row.named.is_hash and not fields and row.size > 2,
    }  # fmt: skip
    return render(request, "sessions/show.html", context)


def _rows(
    request: HttpRequest, server: Server, seen: finding.Known, wanted: Wanted
) -> dict[str, Any]:
    """One page of rows: of all that are known, or of those that are meant."""
    page = request.GET.get("page", "")
    at = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 0
    if wanted.is_any:
        found = selecting.select(server, seen, wanted)
        rows, many, gone = found.rows, len(found.rows), found.gone
        part = rows[at * EACH : (at + 1) * EACH]
        note = "" if found.is_whole else f"The first {found.looked:,} of {found.there:,} were read."
    else:
        names = [name for name in seen.names if not server.protects(name)]
        many, note = len(names), ""
        asked = names[at * EACH : (at + 1) * EACH]
        read = finding.browser(server).read(asked)
        gone = frozenset(name for name, row in zip(asked, read, strict=True) if row is None)
        part = [row for row in read if row is not None]
    finding.strike(server, set(gone))
    more = {key: values for key, values in request.GET.lists() if key != "page"}
    return {
        "lines": [Line(row) for row in part], "many": many, "note": note,
        "before": at - 1 if at else None, "after": at + 1 if (at + 1) * EACH < many else None,
        "query": urlencode(more, doseq=True),
    }  # fmt: skip


def _kinds(seen: finding.Known) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "label": LABELS.get(kind, "The console's own"), "many": many,
         "endless": seen.endless.get(kind, 0)}
        for kind, many in sorted(seen.counts.items(), key=lambda one: -one[1]) if many
    ]  # fmt: skip
