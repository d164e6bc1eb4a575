"""Add, change, remove and test a notification; send one again. All of it is audited."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.audit import record
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable
from dashboard.services.notices import sending, settling
from dashboard.services.notices.considering import look_at_once
from dashboard.services.notices.forms import RuleForm, place_of
from dashboard.services.notices.models import Delivery, Kind, Rule, State

PERMISSION = "services.notify"
MOST_RULES = 200
TOLD = ("name", "pattern", "severity", "kind", "wait", "remind", "quiet_from", "quiet_to",
        "time_zone", "critical_passes", "paused")  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@on_server(PERMISSION)
def create(request: HttpRequest, server: Server) -> HttpResponse:
    """An empty form with a new signing secret, for the service that the address names."""
    rule = Rule(server=server)
    if request.method == "POST":
        return _saved(request, rule, "services.notice.create")
    pattern = request.GET.get("service", "*")[:100]
    begun = {"secret": sending.new_secret(), "pattern": pattern}
    return _form(request, RuleForm(rule, initial=begun), None)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server(PERMISSION)
def update(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    rule = _rule(server, pk)
    if request.method == "POST":
        return _saved(request, rule, "services.notice.update")
    told = {name: getattr(rule, name) for name in TOLD}
    for name in ("quiet_from", "quiet_to"):
        told[name] = f"{told[name]:%H:%M}" if told[name] else ""
    return _form(request, RuleForm(rule, initial=told), rule)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server(PERMISSION)
def delete(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Ask, then remove; what waits for it is given up, the log stays."""
    rule = _rule(server, pk)
    if request.method != "POST":
        waiting = rule.deliveries.filter(state=State.WAITING).count()
        return render(request, "services/notices/delete.html", {"rule": rule, "waiting": waiting})
    with transaction.atomic():
        why = request.POST.get("reason", "").strip()[:500]
        record(request, "services.notice.delete", server=server.slug, target=rule.name,
               before=told_of(rule), reason=why)  # fmt: skip
        rule.deliveries.filter(state=State.WAITING).update(
            state=State.GIVEN_UP, done=timezone.now(), answer="The notification was removed"
        )
        rule.delete()
    messages.success(request, f"{rule.name} is removed. Nobody is told by it any more.")
    return redirect("services:notices", server.slug)


@require_POST
@on_server(PERMISSION)
def test(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Write a test into the outbox: it goes the way of all others, and is in the log."""
    rule = _rule(server, pk)
    with transaction.atomic():
        record(request, "services.notice.test", server=server.slug, target=rule.name)
        title = f"A test of {rule.name}, asked for by {request.user}"
        settling.enqueue(rule, "test", title, {"instances": [], "more": 0})
    words = f"A test of {rule.name} is on its way; the log below says how it went."
    if not settings.CONSOLE_URL:
        words += " It has no link: CONSOLE_URL is not set."
    messages.success(request, words)
    return redirect("services:notices", server.slug)


@require_POST
@on_server(PERMISSION)
def again(request: HttpRequest, server: Server, delivery: uuid.UUID) -> HttpResponse:
    """Try one that waits now, or one that was given up once more; its id stays."""
    found = Delivery.objects.filter(server=server, pk=delivery).first()
    if found is None:
        raise Http404("no such delivery")
    with transaction.atomic():
        record(request, "services.notice.again", server=server.slug, target=found.rule_name)
        now = timezone.now()
        rows = Delivery.objects.filter(pk=delivery).exclude(state=State.SENT).exclude(rule=None)
        # From now on it has its day of tries anew.
        is_waiting = rows.update(state=State.WAITING, next_try=now, created=now, done=None)
    if is_waiting:
        messages.success(request, "It is tried again now.")
    else:
        messages.warning(request, "It was delivered already, or its notification was removed.")
    return redirect("services:notices", server.slug)


def told_of(rule: Rule) -> dict[str, Any]:
    """A notification as the audit keeps it: never the address itself, nor the secret."""
    return {name: str(getattr(rule, name)) for name in TOLD} | {"to": rule.place}


def _rule(server: Server, pk: int) -> Rule:
    rule = Rule.objects.filter(server=server, pk=pk).select_related("server").first()
    if rule is None:
        raise Http404("no such notification")
    return rule


def _saved(request: HttpRequest, rule: Rule, action: str) -> HttpResponse:
    known = rule if rule.pk else None
    before = told_of(rule) if known else None
    form = RuleForm(rule, request.POST)
    if not form.is_valid() or not _takes(form, rule):
        return _form(request, form, known, status=422)
    try:
        with transaction.atomic():
            rule.save()
            record(request, action, server=rule.server.slug, target=rule.name, before=before,
                   after=told_of(rule))  # fmt: skip
            look_at_once(rule)
    except IntegrityError:
        form.add_error("name", "There is a notification of that name already.")
        return _form(request, form, known, status=422)
    messages.success(request, f"{rule.name} is saved. Test it before you rely on it.")
    return redirect("services:notices", rule.server.slug)


def _takes(form: RuleForm, rule: Rule) -> bool:
    """Put what was typed into the rule; False when its stored secret cannot be kept."""
    data = form.cleaned_data
    is_new = rule.pk is None
    if is_new and Rule.objects.filter(server=rule.server).count() >= MOST_RULES:
        form.add_error(None, f"A server has at most {MOST_RULES} notifications.")
        return False
    kept = {"address": "", "secret": ""}
    if not is_new and not (data["address"] and (data["secret"] or data["kind"] != Kind.WEBHOOK)):
        try:
            kept = rule.secret()
        except SecretUnreadable:
            form.add_error("address", "What was stored cannot be opened any more: type it again.")
            return False
    for name in TOLD:
        setattr(rule, name, data[name])
    address = data["address"] or kept["address"]
    rule.place = place_of(rule.kind, address)
    rule.seal(address, data["secret"] or kept["secret"])
    return True


def _form(
    request: HttpRequest, form: RuleForm, rule: Rule | None, *, status: int = 200
) -> HttpResponse:
    shown = Rule.objects.get(pk=rule.pk) if rule else None
    context = {"form": form, "rule": shown, "links_missing": not settings.CONSOLE_URL}
    return render(request, "services/notices/edit.html", context, status=status)
