"""The pages: how a service is checked, a try of what is typed, one check now with all it said."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import redis
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.audit import record
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.services.checks import targets
from dashboard.services.checks.asking import ask
from dashboard.services.checks.exchange import Exchange, Line, Outcome
from dashboard.services.checks.forms import CheckForm, initial
from dashboard.services.checks.models import ServiceCheck
from dashboard.services.checks.spec import Check
from redisops.errors import InvalidArgument, RedisopsError, UnknownResult
from redisops.resilience import diagnose
from redisops.services import Instance, Registry, Terms

MOST_SECONDS = 1.8
"""A check in a page ends by then, whatever its own timeout is: the page has 2.6 s in all."""
LISTED = 200
MODE = ServiceCheck.Mode
STATES = {
    "pass": ("ok", "Passes"), "warn": ("warn", "Warning"), "fail": ("bad", "Fails"),
    "refused": ("bad", "Fails: the port is closed"), "unknown": ("unknown", "Not known"),
}  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """One check that a person asked for: ``shape`` and ``word`` of its result, and every step."""

    instance: Instance
    check: Check
    outcome: Outcome
    lines: list[Line]

    @property
    def shape(self) -> str:
        return STATES[self.outcome.state][0]

    @property
    def word(self) -> str:
        return STATES[self.outcome.state][1]

    @property
    def is_shortened(self) -> bool:
        return self.check.timeout > MOST_SECONDS


@dataclass(frozen=True)
class Known:
    """What a page needs of a service: decided in SQL, registered in Redis."""

    row: ServiceCheck | None
    instances: tuple[Instance, ...]
    terms: Terms
    trouble: str = ""


@require_safe
@on_server("services.read")
def checks(request: HttpRequest, server: Server, service: str) -> HttpResponse:
    """How it is checked, and the form for who may change that. Two round trips."""
    known = _known(server, service)
    return _page(request, service, known, _form(server, known))


@require_POST
@on_server("services.check")
def write(request: HttpRequest, server: Server, service: str) -> HttpResponse:
    """Save what is typed (``do=save``), try it on an instance, or say it as a sentence."""
    do = request.POST.get("do", "save")
    if do == "say":
        form = CheckForm(server, request.POST, needs_reason=False)
        context = {"sentence": _sentence(form), "is_wrong": not form.is_valid()}
        return render(request, "services/checks/_sentence.html", context)
    known = _known(server, service)
    form = CheckForm(server, request.POST, needs_reason=do == "save" and server.is_production)
    if not form.is_valid() or form.check is None:
        return _page(request, service, known, form, status=422)
    if do == "try":
        one = _instance(known, form.cleaned_data["instance"])
        if one is None:
            words = "Nobody of this service is registered, so there is nothing to try it on."
            return _page(request, service, known, form, wrong=words, status=409)
        try:
            check = _typed(form, one)
        except InvalidArgument as error:
            words = f"The check that {one.id[:60]} asks for is none: {error}."
            return _page(request, service, known, form, wrong=words, status=409)
        if check is None:
            words = f"{one.id[:60]} would not be checked: its heartbeat alone counts."
            return _page(request, service, known, form, wrong=words, status=409)
        tried = _try(request, server, one, check, "services.try_check")
        return _page(request, service, known, form, tried=tried)
    return _saved(request, server, service, known, form)


@require_POST
@on_server("services.check")
def check_now(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """Check one instance as it is checked, and show the exchange. It does not count."""
    known = _known(server, service)
    one = next((one for one in known.instances if one.id == instance), None)
    context: dict[str, Any] = {"service": service, "instance": instance, "wrong": known.trouble}
    status = 503 if known.trouble else 200
    if one is not None:
        try:
            check = _check_of(known.row, one)
        except InvalidArgument as error:
            context["wrong"] = f"The check that it asks for is none: {error}."
        else:
            if check is None:
                context["wrong"] = "It is not checked: its heartbeat alone counts."
            else:
                context["tried"] = _try(request, server, one, check, "services.check_now")
    elif not known.trouble:
        context["wrong"], status = "It is not registered any more.", 404
    return render(request, "services/checks/now.html", context, status=status)


def _saved(
    request: HttpRequest, server: Server, service: str, known: Known, form: CheckForm
) -> HttpResponse:
    assert form.check is not None
    reason, row = form.cleaned_data["reason"].strip(), known.row
    seen = form.cleaned_data["seen"] or 0
    try:
        with transaction.atomic():
            row = ServiceCheck.objects.filter(server=server, service=service).first()
            before = row.told() if row else None
            if (row.version if row else 0) != seen:
                return _conflict(request, service, known, form, row)
            row = row or ServiceCheck(server=server, service=service, version=0)
            row.mode, row.spec = form.cleaned_data["mode"], form.check.as_dict()
            row.terms, row.author = form.terms, request.user.get_username()
            row.version += 1
            if seen:
                fields = {name: getattr(row, name) for name in ("mode", "spec", "terms", "author")}
                same = ServiceCheck.objects.filter(pk=row.pk, version=seen)
                if not same.update(version=row.version, **fields):
                    return _conflict(request, service, known, form, row)
            else:
                row.save()
            record(request, "services.write_check", server=server.slug, target=service,
                   before=before, after=row.told(), reason=reason)  # fmt: skip
    except IntegrityError:  # somebody else wrote the first one in this moment
        row = ServiceCheck.objects.filter(server=server, service=service).first()
        return _conflict(request, service, known, form, row)
    messages.success(request, f"The check of {service} is saved. It counts within seconds.")
    try:
        Registry(server.client()).set_terms(service, row.merged(known.terms))
    except (redis.RedisError, RedisopsError, OSError):
        messages.warning(
            request, f"How {service} is judged is not in Redis yet: the watcher puts it there."
        )
    return redirect("services:checks", server.slug, service)


def _conflict(
    request: HttpRequest, service: str, known: Known, form: CheckForm, row: ServiceCheck | None
) -> HttpResponse:
    who = f"{row.author} changed" if row and row.author else "Somebody changed"
    words = f"{who} this check since you opened it. Nothing was saved: look at it, and decide anew."
    return _page(request, service, known, form, wrong=words, status=409)


def _try(request: HttpRequest, server: Server, one: Instance, check: Check, action: str) -> Tried:
    """Check it from this process, audited: whoever may do this reads what answers there."""
    targets.look()
    log = Exchange()
    short = dataclasses.replace(check, timeout=min(check.timeout, MOST_SECONDS))
    outcome = asyncio.run(ask(short, one.address, one.port, log))
    after = {"check": check.as_dict(), "state": outcome.state, "why": outcome.why}
    record(request, action, server=server.slug, target=f"{one.service} {one.id}", after=after)
    return Tried(one, check, outcome, log.lines)


def _known(server: Server, service: str) -> Known:
    row = ServiceCheck.objects.filter(server=server, service=service).first()
    try:
        registry = Registry(server.client())
        return Known(row, registry.read(service).instances, registry.terms(service))
    except UnknownResult:
        raise
    except (redis.RedisError, RedisopsError, OSError) as error:
        return Known(row, (), Terms(), diagnose(error).sentence)


def _check_of(row: ServiceCheck | None, one: Instance) -> Check | None:
    if row is None or row.mode == MODE.OWN:
        return None if one.check is None else Check.of(one.check)
    return row.as_check() if row.mode == MODE.WRITTEN else None


def _typed(form: CheckForm, one: Instance) -> Check | None:
    """The check that this instance would get by what is typed; None when it would get none."""
    mode = form.cleaned_data["mode"]
    if mode == MODE.OWN:
        return None if one.check is None else Check.of(one.check)
    return form.check if mode == MODE.WRITTEN else None


def _instance(known: Known, id: str) -> Instance | None:
    found = next((one for one in known.instances if one.id == id), None)
    return found or next(iter(known.instances), None)


def _form(server: Server, known: Known) -> CheckForm:
    check = Check()
    try:
        if known.row is not None and known.row.spec:
            check = known.row.as_check()
        else:
            own = next((one for one in known.instances if one.check is not None), None)
            check = Check.of(own.check) if own and own.check else Check()
    except InvalidArgument:
        check = Check()  # what is stored is none: begin with the defaults, and say so by the page
    told = initial(known.row, check, known.terms)
    return CheckForm(server, initial=told, needs_reason=server.is_production)


def _sentence(form: CheckForm) -> str:
    if not form.is_valid() or form.check is None:
        found = [str(error) for errors in form.errors.values() for error in errors]
        return found[0] if found else ""
    return said(form.cleaned_data["mode"], form.check, form.terms)


def said(mode: str, check: Check, terms: Any) -> str:
    """A decision as sentences."""
    if mode == MODE.NONE:
        return "Nobody is checked: who beats is passing, who stops is gone."
    rise, fall, start = (int(terms[name]) for name in ("rise", "fall", "start_period"))
    first = "Each is checked as it asks for." if mode == MODE.OWN else check.sentence
    return (
        f"{first} {fall} failure{'s' if fall > 1 else ''} in a row make an instance critical, "
        f"{rise} success{'es' if rise > 1 else ''} bring it back; failures in the first {start} s "
        "do not count."
    )


def _own(known: Known) -> list[tuple[str, int, bool]]:
    """What instances ask for themselves: sentence, how many, whether it can be done."""
    found: Counter[tuple[str, bool]] = Counter()
    for one in known.instances:
        if one.check is None:
            found["No check: its heartbeat alone counts.", True] += 1
            continue
        try:
            found[Check.of(one.check).sentence, True] += 1
        except InvalidArgument as error:
            found[f"Not a check: {error}.", False] += 1
    return [(words, count, valid) for (words, valid), count in found.most_common(8)]


def _page(
    request: HttpRequest, service: str, known: Known, form: CheckForm, *,
    tried: Tried | None = None, wrong: str = "", status: int = 200,
) -> HttpResponse:  # fmt: skip
    server = form.server
    row = known.row
    now = row.mode if row else MODE.OWN
    terms = {name: getattr(known.terms, name) for name in ("rise", "fall", "start_period")}
    stored = ""
    try:
        check = row.as_check() if row else Check()
    except InvalidArgument as error:
        check, stored = Check(), f"What is stored is no check any more: {error}."
    context = {
        "service": service, "row": row, "form": form, "known": known, "tried": tried,
        "wrong": wrong or stored, "own": _own(known), "mode": now,
        "may": may_here(request, "services.check"),
        "now_says": said(now, check, terms | (row.terms if row else {})),
        "sentence": _sentence(form) if form.is_bound and form.is_valid() else "",
        "instances": known.instances[:LISTED], "chosen": form.data.get("instance", ""),
        "write": reverse("services:check_write", args=[server.slug, service]),
    }  # fmt: skip
    return render(request, "services/checks/checks.html", context, status=status)
