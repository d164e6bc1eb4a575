"""End sessions: what would end first, then exactly that, once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dashboard.audit import record, recording
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.sessions.listing import finding, selecting
from dashboard.sessions.listing.selecting import Selected, Wanted
from dashboard.sessions.listing.showing import Line
from dashboard.sessions.revoking import tickets
from dashboard.ui import answers
from redisops.errors import InvalidArgument, UnknownResult
from redisops.sessions.browsing import Row
from redisops.sessions.layouts import LABELS

SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("sessions.revoke")
def end(request: HttpRequest, server: Server) -> HttpResponse:
    """What the address means, as a list; a POST with its word ends what was on that list."""
    data = request.POST if request.method == "POST" else request.GET
    try:
        wanted = selecting.checked(data)
    except InvalidArgument as error:
        return answers.error(
            request, 400, title="Which sessions?", sentence=f"{error}.",
            next_step="Go back to the list and choose again.",
        )  # fmt: skip
    if any(server.protects(name) for name in wanted.names):
        record(request, "sessions.revoke", server=server.slug, target="the console's own sessions",
               result="refused", reason="the console's own")  # fmt: skip
        return answers.error(
            request, 403, title="These sessions belong to the console",
            sentence="The people of the console end their sessions on their account's page.",
        )  # fmt: skip
    if request.method == "POST":
        wrong = _wrong(request, server)
        if not wrong:
            return _end(request, server, wanted)
        return _dry(request, server, wanted, wrong)
    return _dry(request, server, wanted)


def _wrong(request: HttpRequest, server: Server) -> str:
    """What is missing before anything is done; "" when nothing is."""
    if server.is_production and request.POST.get("confirm", "").strip() != server.name:
        return f"Type {server.name}: this is production."
    return ""


def _dry(request: HttpRequest, server: Server, wanted: Wanted, wrong: str = "") -> HttpResponse:
    found = _meant(server, wanted)
    ends = [row for row in found.rows if not Line(row).comes_back]
    stay = [row for row in found.rows if Line(row).comes_back]
    names = [row.name for row in ends]
    context: dict[str, Any] = {
        "wanted": wanted, "found": found, "ends": ends, "stay": stay, "wrong": wrong,
        "lines": [Line(row) for row in ends[:SHOWN]], "kinds": _kinds(ends),
        "more": max(len(ends) - SHOWN, 0), "reason": request.POST.get("reason", "")[:500],
        "word": tickets.keep(request.user, server, wanted, names) if names else "",
        "may_keep": bool(wanted.who),
    }  # fmt: skip
    return render(request, "sessions/end.html", context, status=422 if wrong else 200)


def _meant(server: Server, wanted: Wanted) -> Selected:
    seen = finding.recall(server) or (finding.Known() if wanted.names else finding.known(server))
    return selecting.select(server, seen, wanted)


def _end(request: HttpRequest, server: Server, wanted: Wanted) -> HttpResponse:
    names = tickets.take(request.user, server, wanted, request.POST.get("word", ""))
    if names is None:
        return _dry(request, server, wanted, "Ten minutes went by, or it was done already. "
                    "This is what there is now.")  # fmt: skip
    library = finding.browser(server)
    rows = [row for row in library.read(names) if row is not None]
    # Whose a sealed session is, its index has told: it leaves that index too.
    rows = [_named(row, wanted) for row in rows if not server.protects(row.name)]
    reason = request.POST.get("reason", "").strip()[:500]
    before = {"sessions": len(rows), "of": _kinds(rows), "who": wanted.who}
    try:
        with recording(
            request, "sessions.revoke", server=server.slug, target=wanted.sentence,
            before=before, reason=reason,
        ) as entry:  # fmt: skip
            ended = library.end(rows)
            entry.after = {"ended": ended, "gone before": len(names) - ended}
    except UnknownResult:
        messages.warning(request, "Result unknown: it was sent, and the reply was lost. It is not "
                         "sent again by itself. What you see below is how it is now.")  # fmt: skip
    else:
        gone = len(names) - ended
        told = f"{ended:,} session{'s' * (ended != 1)} ended."
        messages.success(request, told + (f" {gone:,} had ended before." if gone else ""))
    finding.strike(server, set(names))
    return redirect("redis_sessions:index", server.slug)


def _named(row: Row, wanted: Wanted) -> Row:
    if row.content.who or not wanted.who:
        return row
    return replace(row, content=replace(row.content, who=wanted.who))


def _kinds(rows: list[Row]) -> dict[str, int]:
    return {LABELS[kind]: many for kind, many in Counter(row.kind for row in rows).most_common()}
