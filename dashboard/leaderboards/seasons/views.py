"""What a board was: its top over time, the seasons that ended, and ending one."""

from __future__ import annotations

import json
from typing import Any

import redis
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from dashboard import undo
from dashboard.leaderboards.boards import places, reading
from dashboard.leaderboards.seasons import ending, plotting
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops.errors import InvalidArgument, UnknownResult
from redisops.resilience import diagnose

SEASONS = 50


@require_safe
@on_server("leaderboards.read")
def history(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Who was at the top when. SQL alone: the server is not asked."""
    board = places.find(server, name)
    ending.note_undone(board)
    moments = list(board.moments.order_by("-at")[: plotting.MOMENTS])[::-1]
    lines = plotting.lines(moments)
    context: dict[str, Any] = {
        "board": board, "moments": moments, "lines": lines,
        "seasons": [plotting.shown(one) for one in board.seasons.all()[:SEASONS]],
        "firsts": plotting.firsts(moments),
        "points": json.dumps(plotting.points(moments, lines)) if lines else "",
    }  # fmt: skip
    return render(request, "leaderboards/seasons/history.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("leaderboards.change")
def end(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Ask first; a POST moves the board away and begins with an empty one."""
    place = places.of_name(server, name, request.GET.get("window", ""))
    board = place.board
    assert board is not None
    context: dict[str, Any] = {
        "place": place, "board": board, "words": "",
        "archive": ending.archive_of(place, "<time>"), "typed": request.POST,
        "undo_for": ending.kept_for(),
    }  # fmt: skip

    def again(words: str, status: int) -> HttpResponse:
        return render(request, "leaderboards/seasons/end.html", context | {"words": words},
                      status=status)  # fmt: skip

    if request.method != "POST":
        try:
            context["size"] = place.library().count()
        except redis.ResponseError as error:
            page = reading.troubled(error)
            return again(page.words, page.status)
        return again("", 200)
    reason = request.POST.get("reason", "").strip()[:500]
    is_named = request.POST.get("confirm", "").strip() == server.name
    if server.is_production and not (is_named and reason):
        return again(f"Type {server.name}, and say why: this is production.", 422)
    try:
        done = ending.end(request, place, board, reason)
    except UnknownResult:
        return again("Result unknown: it was sent, and the reply was lost. It is not sent again "
                     "by itself. Look at the board.", 503)  # fmt: skip
    except undo.CannotKeep as error:
        return again(str(error), 409)
    except InvalidArgument as error:
        return again(f"{error}.", 409)
    except redis.RedisError as error:
        return again(f"Nothing was changed: {diagnose(error).sentence}", 503)
    if done.season is None:
        return again("Nobody is on the board: there is nothing to end.", 409)
    messages.success(request, f"Season {done.season.number} of {board.name} has ended.")
    undone = f"?undo={done.removal.pk}" if done.removal else ""
    return redirect(f"{place.at('show')}{undone}")
