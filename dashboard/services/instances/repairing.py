"""What is left over of instances that are not there: looked at first, then removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from dashboard.audit import recording
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.services.history.foreign import plain
from dashboard.services.instances.acting import UNKNOWN
from dashboard.services.instances.forms import ActForm
from redisops.errors import UnknownResult
from redisops.resilience import diagnose
from redisops.services import Repaired, Sweeper
from redisops.services.evidence import Evidences

AT_ONCE = 500
PAGES = 20
"""Looks of 500 records or leases that one request takes, at most."""
SHOWN = 100


@dataclass(frozen=True)
class Found:
    """Ids by what is wrong with them. ``is_whole``: everything was looked at."""

    without_lease: tuple[str, ...] = ()
    without_record: tuple[str, ...] = ()
    malformed: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def count(self) -> int:
        return len(self.without_lease) + len(self.without_record) + len(self.malformed)

    @property
    def kinds(self) -> list[tuple[str, tuple[str, ...], int]]:
        """What is wrong, some of the ids, and how many there are."""
        named = (
            ("A record that no lease keeps", self.without_lease),
            ("A lease without a record", self.without_record),
            ("A record that no reader can use", self.malformed),
        )
        return [
            (words, tuple(plain(id, 200) for id in ids[:SHOWN]), len(ids))
            for words, ids in named
            if ids
        ]


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("services.act")
def repair(request: HttpRequest, server: Server, service: str) -> HttpResponse:
    """The dry look; a POST removes what it finds then, which may be less or more."""
    found, status = _look(server, service), 200
    context: dict[str, Any] = {"service": service, "form": ActForm(server)}
    if request.method == "POST":
        form = ActForm(server, request.POST)
        if not _was_seen(request, found):
            context["wrong"] = "More is left over than you saw. Nothing was removed: look again."
            status = 409
        elif form.is_valid():
            wrong = _remove(request, server, service, form.cleaned_data["reason"])
            if not wrong:
                return redirect("services:repair", server.slug, service)
            context["wrong"], status, found = wrong, 503, _look(server, service)
        else:
            status = 422
        context["form"] = form
    context["found"] = found
    response = render(request, "services/instances/repair.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _was_seen(request: HttpRequest, found: Found) -> bool:
    """Whether the person saw at least as much as there is now."""
    seen = request.POST.get("seen", "")
    return seen.isascii() and seen.isdecimal() and found.count <= int(seen[:9])


def _look(server: Server, service: str) -> Found:
    evidences, cursor, found = Evidences(server.client()), 0, Found()
    for _ in range(PAGES):
        page = evidences.zombies(service, cursor, AT_ONCE)
        found, cursor = _with(found, page), page.cursor
        if not cursor:
            return found
    return Found(found.without_lease, found.without_record, found.malformed, is_whole=False)


def _remove(request: HttpRequest, server: Server, service: str, reason: str) -> str:
    """What went wrong in words, or ""."""
    sweeper, cursor, found = Sweeper(server.client(), [service]), 0, Found()
    try:
        with recording(
            request, "services.repair", server=server.slug, target=service, reason=reason
        ) as entry:
            for _ in range(PAGES):
                page = sweeper.repair(service, cursor, AT_ONCE)
                found, cursor = _with(found, page), page.cursor
                entry.after = {words: list(ids) for words, ids, _ in found.kinds}
                if not cursor:
                    break
    except UnknownResult:
        messages.warning(request, UNKNOWN)
        return ""
    except redis.RedisError as error:
        trouble = diagnose(error)
        return f"{found.count} removed before this. {trouble.sentence} {trouble.detail}".strip()
    messages.success(request, f"Removed {found.count} of {service}.")
    return ""


def _with(found: Found, page: Repaired) -> Found:
    """Both; an id may come twice while the hash is rebuilt."""

    def both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*one, *other]))

    return Found(
        both(found.without_lease, page.without_lease),
        both(found.without_record, page.without_record),
        both(found.malformed, page.malformed),
    )
