"""Drain, maintain, resume, weigh and deregister an instance: said first, sent once, audited."""

from __future__ import annotations

from collections.abc import Callable
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
from dashboard.services.instances.forms import ActForm, MaintainForm, WeightForm
from redisops.errors import UnknownResult
from redisops.resilience import diagnose
from redisops.services import Instance, Registry, Replaced

UNKNOWN = (
    "Result unknown: it was sent, and the reply was lost. It is not sent again by itself. What you "
    "see below is how it is now."
)


@dataclass(frozen=True)
class Act:
    """One action. ``do(registry, instance, form data)`` says whether the instance was there."""

    name: str
    title: str
    button: str
    icon: str
    sentence: str
    done: str
    do: Callable[[Registry, Instance, dict[str, Any]], bool]
    form: type[ActForm] = ActForm
    is_dangerous: bool = False
    after: Callable[[dict[str, Any]], Any] = lambda data: None


def _why(data: dict[str, Any], otherwise: str) -> str:
    return str(data["reason"] or otherwise)


DRAIN = Act(
    "drain", "Drain", "Drain", "log-out",
    "It stays listed and gets no new calls; what it has begun, it ends. Resume takes it back. A "
    "process that starts anew under this id comes back by itself.",
    "is draining",
    lambda registry, one, data: registry.drain(
        one.service, one.id, _why(data, "drained by hand"), fence=one.fence
    ),
    after=lambda data: {"state": "draining"},
)  # fmt: skip
MAINTAIN = Act(
    "maintain", "Put in maintenance", "Put in maintenance", "wrench",
    "It gets no calls, its checks count for nothing and nobody is told; also after a restart. It "
    "comes back at the end, or when somebody resumes it.",
    "is in maintenance",
    lambda registry, one, data: registry.maintain(
        one.service, one.id, data["reason"], seconds=data["minutes"] * 60
    ),
    MaintainForm,
    after=lambda data: {"state": "maintenance", "minutes": data["minutes"] or "without an end"},
)  # fmt: skip
RESUME = Act(
    "resume", "Resume", "Resume", "play",
    "It gets calls again at once; one with a check gets them after its first good checks.",
    "was resumed",
    lambda registry, one, data: registry.resume(
        one.service, one.id, _why(data, "resumed by hand"), fence=one.fence
    ),
    after=lambda data: {"state": "passing or starting"},
)  # fmt: skip
REWEIGH = Act(
    "reweigh", "Change the weight", "Change the weight", "scale",
    "How large its share of the calls is beside the others; 0 is none. Empty is the weight that it "
    "gives itself.",
    "has another weight",
    lambda registry, one, data: registry.reweigh(
        one.service, one.id, data["weight"], _why(data, "another weight")
    ),
    WeightForm,
    after=lambda data: {"weight": "its own" if data["weight"] is None else data["weight"]},
)  # fmt: skip
DEREGISTER = Act(
    "deregister", "Deregister", "Deregister", "trash-2",
    "It is removed at once. A process that still beats registers again within its lease: stop that "
    "first, or put it in maintenance instead.",
    "is deregistered",
    lambda registry, one, data: registry.deregister(
        one.service, one.id, _why(data, "deregistered by hand"), fence=one.fence
    ),
    is_dangerous=True, after=lambda data: {"state": "gone"},
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("services.act")
def drain(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """Let it end what it does."""
    return _act(request, server, service, instance, DRAIN)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("services.act")
def maintain(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """Take it out for a while, with a reason."""
    return _act(request, server, service, instance, MAINTAIN)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("services.act")
def resume(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """Take it back."""
    return _act(request, server, service, instance, RESUME)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("services.act")
def reweigh(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """Another share of the calls."""
    return _act(request, server, service, instance, REWEIGH)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("services.act")
def deregister(request: HttpRequest, server: Server, service: str, instance: str) -> HttpResponse:
    """Remove it."""
    return _act(request, server, service, instance, DEREGISTER)


def _act(
    request: HttpRequest, server: Server, service: str, instance: str, act: Act
) -> HttpResponse:
    registry = Registry(server.client())
    found = registry.read(service).instances
    one = next((one for one in found if one.id == instance), None)
    others = sum(each.is_routed for each in found if each.id != instance)
    told: dict[str, Any] = {
        "service": service, "instance": instance, "one": one, "act": act, "others": others,
    }  # fmt: skip
    if one is None:
        words = "It is not registered any more: nothing was changed."
        return _form(request, told | {"form": None, "wrong": words}, 404)
    if request.method != "POST":
        first = {"seen": str(one.fence), "weight": one.weight, "minutes": 60}
        return _form(request, told | {"form": act.form(server, initial=first)})
    form = act.form(server, request.POST)
    if not form.is_valid():
        return _form(request, told | {"form": form}, 422)
    if form.cleaned_data["seen"] not in ("", str(one.fence)):
        return _changed(request, server, told, form)
    return _do(request, server, registry, told, form)


def _do(
    request: HttpRequest, server: Server, registry: Registry, told: dict[str, Any], form: ActForm
) -> HttpResponse:
    one, act, data = told["one"], told["act"], form.cleaned_data
    before = {"state": one.state, "weight": one.weight, "address": one.authority}
    try:
        with recording(
            request, f"services.{act.name}", server=server.slug,
            target=f"{one.service} {one.id}", before=before, reason=data["reason"],
        ) as entry:  # fmt: skip
            was_there = act.do(registry, one, data)
            entry.after = act.after(data)
            if not was_there:
                entry.result, entry.reason = "refused", "it was not registered any more"
    except Replaced:
        return _changed(request, server, told, form)
    except UnknownResult:
        messages.warning(request, UNKNOWN)
    except redis.RedisError as error:
        trouble = diagnose(error)
        words = f"{trouble.sentence} {trouble.detail}".strip()
        return _form(request, told | {"form": form, "wrong": f"Nothing was changed. {words}"}, 503)
    else:
        if was_there:
            messages.success(request, f"{one.id[:80]} {act.done}.")
        else:
            messages.warning(request, f"{one.id[:80]} was gone already: nothing was changed.")
    return redirect("services:instance", server.slug, one.service, one.id)


def _changed(
    request: HttpRequest, server: Server, told: dict[str, Any], form: ActForm
) -> HttpResponse:
    """Another process registered under the id meanwhile: the person decides about that one."""
    now = Registry(server.client()).read(told["service"])
    one = next((each for each in now.instances if each.id == told["instance"]), None)
    data = {name: form.data.get(name, "") for name in form.fields}
    data["seen"] = "" if one is None else str(one.fence)
    words = "Another process registered under this id since you looked. Nothing was changed: "
    again = told["act"].form(server, data) if one is not None else None
    words += "this is how it is now; decide again." if one else "it is gone now."
    return _form(request, told | {"one": one, "form": again, "wrong": words}, 409)


def _form(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = render(request, "services/instances/act.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
