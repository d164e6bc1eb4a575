"""Take scores in from a file: upload, look at what would change, then write."""

from __future__ import annotations

from typing import Any

import redis
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dashboard import undo
from dashboard.jobs import Busy
from dashboard.leaderboards.boards import importing, places, reading, sheets, showing
from dashboard.leaderboards.boards.models import Import
from dashboard.leaderboards.boards.places import Place
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from redisops.errors import InvalidArgument, UnknownResult
from redisops.resilience import diagnose


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("leaderboards.change")
def take_in(request: HttpRequest, server: Server, key: bytes) -> HttpResponse:
    """The form; a POST with a file is a dry run, one with ``import`` writes what was looked at."""
    place = places.of_key(server, key)
    if request.method != "POST":
        return _form(request, place)
    if request.POST.get("import"):
        return _written(request, place)
    how = request.POST.get("how", "set")
    how = how if how in importing.HOWS else "set"
    upload = request.FILES.get("file")
    pasted = request.POST.get("text", "")
    if upload is None and not pasted.strip():
        return _form(request, place, "Choose a file, or paste its lines.", status=422)
    data = upload.read(sheets.MOST_BYTES + 1) if upload is not None else pasted.encode()
    try:
        sheet = sheets.read(data)
    except sheets.Unreadable as error:
        return _form(request, place, str(error), status=422)
    if not sheet.pairs:
        return _form(request, place, "No line of it has a member and a score.", sheet, status=422)
    waiting = Import.objects.create(
        server=server, key=key, by=request.user.get_username(), how=how, rows=len(sheet.pairs),
        name=(upload.name or "" if upload is not None else "what was pasted")[:200],
        body=sheets.packed(sheet.pairs),
    )  # fmt: skip
    return _dry_run(request, place, waiting, sheet)


def _dry_run(
    request: HttpRequest, place: Place, waiting: Import, sheet: sheets.Sheet | None = None,
    words: str = "", status: int = 200, *, without_undo: str = "",
) -> HttpResponse:  # fmt: skip
    pairs = sheet.pairs if sheet else sheets.unpacked(waiting.body)
    context: dict[str, Any] = {
        "place": place, "board": place.board, "waiting": waiting, "sheet": sheet, "words": words,
        "how": importing.HOWS[waiting.how], "is_job": waiting.rows > importing.AT_ONCE,
        "without_undo": without_undo,
        "most": importing.AT_ONCE,
    }  # fmt: skip
    try:
        found = importing.compare(place, pairs, waiting.how)
    except redis.ResponseError as error:
        page = reading.troubled(error)
        return _form(request, place, page.words, sheet, status=page.status)
    context["compared"] = found
    if found is not None:
        context["rows"] = [
            (showing.short(member), "" if was is None else showing.shown(was), showing.shown(then))
            for member, was, then in found.rows
        ]
    return render(request, "leaderboards/import_dry.html", context, status=status)


def _written(request: HttpRequest, place: Place) -> HttpResponse:
    number = request.POST["import"]
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        raise Http404("no such import")
    mine = Import.objects.filter(server=place.server, by=request.user.get_username())
    waiting = mine.filter(pk=int(number), key=place.key, is_begun=False).first()
    if waiting is None:
        return _form(request, place, "This upload was imported already, or is gone.", status=409)
    why = request.POST.get("reason", "").strip()[:500]
    is_sure = request.POST.get("confirm", "").strip() == place.server.name and why
    if place.server.is_production and not is_sure:
        words = f"Type {place.server.name}, and say why: this is production."
        return _dry_run(request, place, waiting, words=words, status=422)
    undoable = request.POST.get("without_undo") != "on"
    # Only one of two that press the button at once goes on.
    if not mine.filter(pk=waiting.pk, is_begun=False).update(is_begun=True):
        return _form(request, place, "This upload was imported already.", status=409)
    try:
        if waiting.rows > importing.AT_ONCE:
            return redirect(importing.start(request, place, waiting, why, undoable=undoable))
        removal = importing.write(request, place, waiting, why, undoable=undoable)
    except undo.CannotKeep as error:
        mine.filter(pk=waiting.pk).update(is_begun=False)
        return _dry_run(request, place, waiting, status=409, without_undo=str(error))
    except Busy as busy:
        mine.filter(pk=waiting.pk).update(is_begun=False)
        return _dry_run(request, place, waiting, words=f"{busy}.", status=409)
    except UnknownResult:
        words = ("Result unknown: it was sent, and the reply was lost. It is not sent again by "
                 "itself. Look at the board.")  # fmt: skip
        return _form(request, place, words, status=503)
    except (redis.RedisError, InvalidArgument) as error:
        mine.filter(pk=waiting.pk).update(is_begun=False)
        words = f"Nothing was written: {diagnose(error).sentence}"
        return _dry_run(request, place, waiting, words=words, status=503)
    messages.success(request, f"{waiting.rows:,} scores are written.")
    return redirect(f"{place.at('show')}?undo={removal.pk}" if removal else place.url)


def _form(
    request: HttpRequest, place: Place, words: str = "", sheet: sheets.Sheet | None = None, *,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    context = {
        "place": place, "board": place.board, "words": words, "sheet": sheet,
        "hows": importing.HOWS.items(), "most": sheets.MOST_ROWS,
    }  # fmt: skip
    return render(request, "leaderboards/import.html", context, status=status)
