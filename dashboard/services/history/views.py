"""The journal: every change of every service, newest first."""

from __future__ import annotations

import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.services.history import bounds, keeping, lasting, showing
from dashboard.services.history.forms import JournalForm
from dashboard.services.history.models import Change
from dashboard.ui import answers

ROWS = 50
LOOKED = 20_000
"""Changes that one page looks through for a kind or a cause."""


@require_safe
@on_server("services.read")
def journal(request: HttpRequest, server: Server) -> HttpResponse:
    """A page of changes. SQL alone: it reads also while the server does not answer."""
    form = JournalForm(request.GET)
    context: dict[str, Any] = {
        "form": form, "days": keeping.DAYS, "left_out": bounds.told(server, timezone.now()),
    }  # fmt: skip
    if form.is_valid():
        found = form.narrow(Change.objects.filter(server=server))
        place = _place(request.GET.get("before", ""))
        found, further = _bounded(form, _older(found, place))
        rows = list(found[: ROWS + 1])
        context |= {
            "lines": showing.lines(rows[:ROWS], lasting.of(rows[:ROWS])),
            "before": request.GET.get("before", "") if place else "",
            "next": _named(rows[ROWS - 1]) if len(rows) > ROWS else "",
            "further": further,
            "looked": LOOKED,
        }
    part = answers.is_htmx(request)
    template = "services/history/_lines.html" if part else "services/history/journal.html"
    response = render(request, template, context, status=200 if form.is_valid() else 422)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response


def _bounded(form: JournalForm, changes: QuerySet[Change]) -> tuple[QuerySet[Change], str]:
    """What matches among the newest of them, and where to look further; "" when at all."""
    if not form.is_searching:
        return changes, ""
    last = changes.only("at")[LOOKED : LOOKED + 1].first()
    if last is not None:
        changes = changes.filter(Q(at__gt=last.at) | Q(at=last.at, pk__gt=last.pk))
    return form.searched(changes), _named(last, 1) if last else ""


def _older(changes: QuerySet[Change], place: tuple[datetime.datetime, int] | None) -> Any:
    if place is not None:
        at, pk = place
        changes = changes.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
    return changes.order_by("-at", "-pk")


def _named(change: Change, after: int = 0) -> str:
    """A change's place in the order, for an address."""
    return f"{int(change.at.timestamp() * 1_000_000)}.{change.pk + after}"


def _place(text: str) -> tuple[datetime.datetime, int] | None:
    micros, _, pk = text.partition(".")
    if not (micros.isascii() and micros.isdecimal() and pk.isascii() and pk.isdecimal()):
        return None
    if len(micros) > 17 or len(pk) > 18:
        return None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return epoch + datetime.timedelta(microseconds=int(micros)), int(pk)
