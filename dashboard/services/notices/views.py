"""The page: who is told of what, and what became of each notification."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.services.notices.forms import MuteForm
from dashboard.services.notices.models import Delivery, Kind, Rule, State
from dashboard.services.notices.muted import active
from dashboard.ui import answers

SHOWN = 50


@dataclass(frozen=True)
class Row:
    """A rule beside what is so with it now: ``state`` is a shape's name, ``words`` its word."""

    rule: Rule
    state: str
    words: str


@require_safe
@on_server("services.read")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Rules, mutes, then a page of the log, newest first; the log alone for the page that shows it.

    Asks no Redis.
    """
    asked = {name: request.GET.get(name, "")[:200] for name in ("service", "instance")}
    return page(request, server, MuteForm(initial=asked))


def page(
    request: HttpRequest, server: Server, form: MuteForm, *, status: int = 200
) -> HttpResponse:
    """``form`` is what somebody is about to mute."""
    now = timezone.now()
    unreached = Q(deliveries__state=State.WAITING, deliveries__tries__gt=0)
    rules: list[Rule] = list(
        Rule.objects.filter(server=server).annotate(
            waiting=Count("deliveries", unreached, distinct=True),
            open=Count("standings", ~Q(standings__told=""), distinct=True),
        )
    )  # fmt: skip
    log = Delivery.objects.filter(server=server)
    only, state = request.GET.get("rule", ""), request.GET.get("state", "")
    if only:
        log = log.filter(rule_name=only[:80])
    if state in State.values:
        log = log.filter(state=state)
    before = _moment(request.GET.get("before", ""))
    rows = list((log.filter(created__lt=before) if before else log)[: SHOWN + 1])
    context = {
        "rules": [_row(rule, server, now) for rule in rules], "verdict": _verdict(server, rules),
        "mutes": active(server, now), "mute_form": form,
        "log": rows[:SHOWN], "more": rows[SHOWN - 1].created if len(rows) > SHOWN else None,
        "only": only, "state_only": state if state in State.values else "",
        "states": State.choices, "is_older": before is not None,
        "mail_missing": not settings.EMAIL_IS_SET and any(r.kind == Kind.MAIL for r in rules),
    }  # fmt: skip
    part = "_log" if answers.is_htmx(request) else "index"
    response = render(request, f"services/notices/{part}.html", context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _row(rule: Rule, server: Server, now: datetime.datetime) -> Row:
    quiet = rule.quiet_until(now)
    if rule.paused:
        return Row(rule, "off", "paused")
    if server.is_stopped:
        return Row(rule, "off", "held: work is stopped")
    if rule.waiting:  # type: ignore[attr-defined]
        return Row(rule, "bad", "not reached")
    if quiet is not None:
        return Row(rule, "off", f"quiet until {quiet:%H:%M} UTC")
    return Row(rule, "ok", "tells")


def _verdict(server: Server, rules: list[Rule]) -> tuple[str, str]:
    """The shape and the sentence under the title."""
    if not rules:
        return "off", "Nobody is told when a service of this server is in trouble."
    if server.is_stopped:
        return "warn", (
            f"Console work on {server.name} is stopped: nothing new is noticed, reminders wait. "
            "What was noticed before still goes out."
        )
    stuck = [rule for rule in rules if rule.waiting]  # type: ignore[attr-defined]
    if stuck:
        name = f"{stuck[0].name} is not reached"
        others = f", and {len(stuck) - 1} more" if len(stuck) > 1 else ""
        return "bad", f"{name}{others}: what waits is tried again for a day."
    since = timezone.now() - datetime.timedelta(days=1)
    gone = Delivery.objects.filter(server=server, state=State.GIVEN_UP, created__gt=since).count()
    if gone:
        words = "notification was" if gone == 1 else "notifications were"
        return "warn", f"{gone} {words} given up in the last 24 h."
    active = sum(not rule.paused for rule in rules)
    if not active:
        return "warn", "Every notification is paused: nobody is told."
    told = Delivery.objects.filter(server=server, state=State.SENT, created__gt=since).exists()
    words = "all of the last 24 h was delivered" if told else "nothing was to be told in 24 h"
    return "ok", f"{active} of {len(rules)} tell of trouble; {words}."


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (ValueError, ValidationError):
        return None
    return moment if moment.tzinfo else None
