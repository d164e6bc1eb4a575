"""A change that waits for a second person: both sides, and who decides."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from dashboard.limits.policies import approving
from dashboard.limits.policies.differences import LIMITS
from dashboard.limits.policies.models import PendingChange
from dashboard.limits.policies.speaking import spoken
from dashboard.publishing.models import What
from dashboard.publishing.versions import Conflict, Refused, readable
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from redisops.errors import InvalidArgument


@require_GET
@on_server("limits.read")
def show(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """How it is now beside how it would be."""
    pending = _find(server, pk)
    now = pending.policy
    policy, _ = readable(now) if now is not None else (None, "")
    try:
        wanted = pending.as_policy()
    except InvalidArgument:
        wanted = None
    is_open = pending.state == PendingChange.State.OPEN
    is_own = pending.author == request.user.get_username()
    gone_on = is_open and (now.version if now else 0) != pending.seen
    context = {
        "pending": pending, "policy": now, "is_open": is_open, "is_own": is_own,
        "gone_on": gone_on, "removes": pending.what == What.ARCHIVE,
        "lines": LIMITS.changed_first(policy, wanted), "spoken": spoken(wanted),
        "now": spoken(policy),
        "may_decide": is_open and not is_own and may_here(request, "limits.approve"),
    }  # fmt: skip
    return render(request, "limits/pending.html", context)


@require_POST
@on_server("limits.approve")
def approve(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Let it through; never by the person who asked for it."""
    pending = _find(server, pk)

    def act() -> HttpResponse:
        done = approving.approve(request, pending, request.POST.get("why", ""))
        (messages.success if done.is_well else messages.warning)(request, done.words)
        return redirect(done.policy)  # type: ignore[arg-type]

    return _try(request, pending, act)


@require_POST
@on_server("limits.approve")
def reject(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Turn it down, with a reason."""
    pending = _find(server, pk)

    def act() -> HttpResponse:
        approving.reject(request, pending, request.POST.get("why", ""))
        messages.success(request, f"The change of {pending.name} is turned down.")
        return redirect("limits:index", slug=server.slug)

    return _try(request, pending, act)


@require_POST
@on_server("limits.edit")
def withdraw(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Its author takes it back."""
    pending = _find(server, pk)

    def act() -> HttpResponse:
        approving.withdraw(request, pending)
        messages.success(request, f"The change of {pending.name} is taken back.")
        return redirect("limits:index", slug=server.slug)

    return _try(request, pending, act)


def _try(
    request: HttpRequest, pending: PendingChange, act: Callable[[], HttpResponse]
) -> HttpResponse:
    try:
        return act()
    except (Refused, Conflict) as error:
        messages.error(request, f"Nothing was changed. {error}")
    return redirect(pending)


def _find(server: Server, pk: int) -> PendingChange:
    rows = PendingChange.objects.select_related("policy", "policy__team", "team")
    pending = get_object_or_404(rows, server=server, pk=pk)
    pending.server = server
    if pending.policy is not None:
        pending.policy.server = server
    return pending
