"""Mute a service or one of its instances for a while: nobody is told, and everybody sees it."""

from __future__ import annotations

import datetime

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.audit import record
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.services.notices.deciding import PERMISSION
from dashboard.services.notices.forms import MuteForm
from dashboard.services.notices.models import Mute, Standing
from dashboard.services.notices.muted import active
from dashboard.services.notices.views import page

MOST_MUTES = 200


@require_POST
@on_server(PERMISSION)
def mute(request: HttpRequest, server: Server) -> HttpResponse:
    """Mute until an end, with a reason; who is muted already gets the new end and reason."""
    form = MuteForm(request.POST)
    if form.is_valid() and active(server).count() >= MOST_MUTES:
        form.add_error(None, f"A server has at most {MOST_MUTES} mutes at a time.")
    if not form.is_valid():
        return page(request, server, form, status=422)
    data = form.cleaned_data
    name = {"service": data["service"], "instance": data["instance"]}
    told = {"until": timezone.now() + datetime.timedelta(minutes=data["minutes"]),
            "why": data["why"], "author": request.user.get_username()[:150]}  # fmt: skip
    with transaction.atomic():
        known = Mute.objects.select_for_update().filter(server=server, **name).first()
        before = said(known) if known and known.until > timezone.now() else None
        made, _ = Mute.objects.update_or_create(server=server, **name, defaults=told)
        record(request, "services.notice.mute", server=server.slug, target=str(made),
               before=before, after=said(made), reason=made.why)  # fmt: skip
        _look(server, made.service)
    messages.success(request, f"{str(made)[:100]} is muted until {made.until:%d %b %H:%M} UTC.")
    return redirect("services:notices", server.slug)


@require_POST
@on_server(PERMISSION)
def unmute(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """End it now: what is still so is told."""
    with transaction.atomic():
        known = Mute.objects.select_for_update().filter(server=server, pk=pk).first()
        if known is None:
            raise Http404("no such mute")
        record(request, "services.notice.unmute", server=server.slug, target=str(known),
               before=said(known))  # fmt: skip
        known.delete()
        _look(server, known.service)
    messages.success(request, f"{str(known)[:100]} is told of again.")
    return redirect("services:notices", server.slug)


def said(one: Mute) -> dict[str, str]:
    """A mute as the audit keeps it."""
    return {"until": f"{one.until:%Y-%m-%d %H:%M} UTC", "why": one.why, "by": one.author}


def _look(server: Server, service: str) -> None:
    rows = Standing.objects.filter(rule__server=server, service=service)
    rows.update(due=timezone.now())
