"""The pages: which counters there are, and one of them over time."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from redis.exceptions import NoPermissionError

from dashboard.leaderboards.uniques import reading
from dashboard.leaderboards.uniques.known import LONGEST, Known, known, remembered
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys
from redisops.uniques import ERROR, series_named, series_of

READING = "leaderboards.read"


@require_http_methods(["GET", "HEAD", "POST"])
@on_server(READING)
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """The counters as far as the server was looked through. A POST looks on, or opens a key."""
    if request.method == "POST":
        key = keys.from_printable(request.POST.get("key", ""))
        if key and len(key) <= LONGEST:
            return redirect("leaderboards:unique", server.slug, series_of(key)[0].pattern)
        if not key:
            known(server, look_on=True)
        return redirect("leaderboards:uniques", server.slug)
    try:
        found, refused = known(server), ""
    except NoPermissionError as error:
        found, refused = Known(), str(error)[:300]
    return render(request, "leaderboards/uniques/index.html", {"known": found, "refused": refused})


@require_safe
@on_server(READING)
def show(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """One counter over the range that the address names (``first``, ``last``), and merged.

    ``key`` is the name of the series, ``visitors:<day>``.
    """
    series = series_named(key)
    if server.protects(key):
        raise Http404("the console's own key")
    first, last = request.GET.get("first", "").strip(), request.GET.get("last", "").strip()
    windows, wrong = reading.range_of(series, first, last)
    found = reading.read(server, series, windows)
    is_nothing = not found.there and not found.words and series.kind != "all"
    context = {
        "known": remembered(server, series.pattern) if is_nothing else None,
        "series": series, "reading": found, "wrong": wrong, "error": round(ERROR * 100, 2),
        "drawing": found.drawing if len(found.there) > 1 else None,
        "newest": found.windows[::-1][:62], "more": max(len(found.windows) - 62, 0),
    }  # fmt: skip
    return render(request, "leaderboards/uniques/show.html", context)
