"""The pages: which boards there are, one of them, how its scores are distributed."""

from __future__ import annotations

import json
from typing import Any

import redis
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from dashboard import undo
from dashboard.leaderboards.boards import finding, listing, places, reading, scores
from dashboard.leaderboards.boards.pasts import Past, pasts_of
from dashboard.leaderboards.boards.places import Place
from dashboard.leaderboards.boards.reading import ROWS, Page, View
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops import keys

READING = "leaderboards.read"


@require_http_methods(["GET", "HEAD", "POST"])
@on_server(READING)
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Boards that were declared, then every other sorted set that is known. A POST looks on, or
    opens the key that was typed."""
    if request.method == "POST":
        key = keys.from_printable(request.POST.get("key", ""))
        if key:
            return redirect("leaderboards:show", server.slug, key)
        listing.look_on(server)
        return redirect("leaderboards:index", server.slug)
    context = {"list": listing.of(server, request.GET.get("page", ""))}
    return render(request, "leaderboards/index.html", context)


@require_safe
@on_server(READING)
def show(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """The board at a key, whether anybody declared it or not."""
    return _page(request, places.of_key(server, key, request.GET.get("order", "")))


@require_safe
@on_server(READING)
def declared(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """A declared board, in the window of now or in the one that the address names."""
    label, order = request.GET.get("window", ""), request.GET.get("order", "")
    return _page(request, places.of_name(server, name, label, order))


@require_safe
@on_server(READING)
def distribution(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """How the scores are distributed: bars, the share below each score, and the score of shares."""
    place = places.of_key(server, key, request.GET.get("order", ""))
    context: dict[str, Any] = {"place": place, "board": place.board, "words": ""}
    try:
        found, percents = scores.read(place)
        context |= {"scores": found, "percents": percents}
    except redis.ResponseError as error:
        context["words"] = reading.troubled(error).words
    else:
        if found.histogram.buckets:
            context["points"] = json.dumps(scores.as_points(found.histogram))
        context["words"] = "" if found.histogram.size else reading.GONE
    return render(request, "leaderboards/scores.html", context)


def _page(request: HttpRequest, place: Place) -> HttpResponse:
    member = finding.wanted(request)
    around = "at" in request.GET and member is not None
    start, rank = _start(request)
    view = View(around=member) if around else View(start)
    page = reading.read(place, view, member)
    found = finding.find(place, member, page.seen) if member is not None and page.seen else None
    pasts = pasts_of(place)
    context: dict[str, Any] = {
        "place": place,
        "board": place.board,
        "view": view,
        "page": page,
        "found": found,
        "rank": rank,
        "chosen": found.id if found else "",
        "windows": places.windows_of(place),
        "points": _points(page, pasts),
        "pasts": pasts,
        "pages": _pages(page, view),
        "socket": _socket(place, view),
        "removal": undo.told(request, place.server),
        "is_titled": bool(place.details),
        "scores": scores.beside(place, page.seen),
    }
    return render(request, "leaderboards/board.html", context)


def _start(request: HttpRequest) -> tuple[int, int | None]:
    """The first place of the page, from its address; and the rank that was asked for."""
    rank = request.GET.get("rank", "").replace(",", "").strip()
    if rank.isascii() and rank.isdecimal() and 0 < int(rank) <= reading.FURTHEST:
        return (int(rank) - 1) // ROWS * ROWS, int(rank)
    start = request.GET.get("start", "")
    is_one = start.isascii() and start.isdecimal() and int(start) <= reading.FURTHEST
    return (int(start), None) if is_one else (0, None)


def _points(page: Page, pasts: list[Past]) -> str:
    """What the page's script begins with."""
    return json.dumps(
        {
            "rows": [row.as_list() for row in page.rows],
            "base": [[row.id, row.rank, row.raw] for row in page.base],
            "above": page.above.as_list() if page.above else None,
            "about": page.about,
            "pasts": {one.name: one.as_json() for one in pasts},
        },
        separators=(",", ":"),
    )


def _pages(page: Page, view: View) -> dict[str, int | None]:
    """Where the pages before, after and at the end begin; None where there is none."""
    start = page.rows[0].place or 0 if page.rows else view.start
    end = start + len(page.rows)
    is_more = end < page.size
    return {
        "first": start + 1,
        "last": end,
        "before": max(start - ROWS, 0) if start else None,
        "after": end if is_more else None,
        "bottom": max(page.size - ROWS, 0) if page.size > ROWS else None,
    }


def _socket(place: Place, view: View) -> str:
    root = reverse("servers:fleet")
    key = keys.to_url(place.key)
    tail = f"{key}/{place.order}/{view.text}/"
    return f"{root}ws/servers/{place.server.slug}/leaderboards/{tail}"
