"""The list, one policy with its editor, and what is done with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.limits import publishing
from dashboard.limits.patience import patient
from dashboard.limits.policies import (
    approving,
    changing,
    examples,
    listing,
    protected,
    reading,
    rights,
    sparks,
)
from dashboard.limits.policies.differences import LIMITS
from dashboard.limits.policies.forms import METHODS, WAYS_HELP, PolicyForm
from dashboard.limits.policies.models import LimitPolicy
from dashboard.limits.policies.speaking import spoken
from dashboard.publishing import pages
from dashboard.publishing.versions import Conflict, Refused, readable
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.ui.answers import is_htmx
from redisops.limits.policies import MODES, Policy, sentence


@require_GET
@on_server("limits.read")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Every policy with its state, what it did in 15 minutes, and what of it is published.

    Two round trips: the published document, and the counts of all rows.
    """
    found = reading.current(server)
    state, counts = _asked(server, found)
    rows = listing.rows(request, found, state, counts)
    words, mode = request.GET.get("q", "")[:200], request.GET.get("mode", "")
    mode = mode if mode in MODES else ""
    context = {
        "rows": listing.kept(rows, words, mode), "total": len(rows), "q": words, "mode": mode,
        "verdict": listing.verdict(rows), "state": state, "examples": examples.EXAMPLES,
        "waiting": approving.waiting(server), "archived": reading.archived(server),
        "may_create": bool(rights.teams(request, server)) or may_here(request, "limits.edit_all"),
        "asks_second": state.row.second_person, "modes": listing.MODES,
    }  # fmt: skip
    template = "limits/_rows.html" if is_htmx(request) else "limits/index.html"
    return render(request, template, context)


def _asked(server: Server, found: list[LimitPolicy]) -> tuple[Any, dict[str, sparks.Spark]]:
    """What Redis has and what was counted; one that does not answer is asked once."""
    with patient():
        state = publishing.state(server)
        if state.kind in ("unknown", "none"):
            return state, {}
        return state, sparks.sparks(server.client(), {row.name: row.mode for row in found})


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.edit")
def create(request: HttpRequest, server: Server) -> HttpResponse:
    """A new policy, from an example, from another one of this server, or from nothing."""
    teams = rights.teams(request, server)
    is_admin = may_here(request, "limits.edit_all")
    begun = _begun(request, server)
    initial = {**PolicyForm.filled(begun), "team": teams[0].pk if teams and not is_admin else None}
    form = PolicyForm(
        request.POST if request.method == "POST" else None, teams=teams, may_be_nobodys=is_admin,
        initial=initial,
    )  # fmt: skip
    if request.method == "POST" and form.is_valid() and form.policy is not None:
        data = form.cleaned_data
        new = form.policy

        def change() -> changing.Done:
            return changing.create(request, server, new, data["reason"], team=data["team"])

        done = _try(request, form, change)
        if done is not None:
            return pages.after(request, done)
    context = {
        "form": form, "may_own": is_admin or bool(teams), "examples": examples.EXAMPLES,
        "ways": WAYS_HELP.items(), "asks_second": publishing.asks_second(server),
        **said(form, begun),
    }  # fmt: skip
    return render(request, "limits/new.html", context, status=422 if form.errors else 200)


def _begun(request: HttpRequest, server: Server) -> Policy:
    """What the empty form begins with."""
    copied = request.GET.get("copy", "")
    if copied:
        policy, _ = readable(reading.find(server, copied))
        if policy is not None:
            name = f"{policy.name}-copy"[:64]
            return dataclasses.replace(policy, name=name, mode="shadow", exempt=(), banned=())
    return examples.named(request.GET.get("example", "")) or examples.BLANK


@require_GET
@on_server("limits.read")
def show(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """One policy: what it does, its form, what of it is published, what it did."""
    row = reading.find(server, name)
    return _show(request, row, _form(request, row))


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.edit")
def update(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Save what was typed as a new version, unless somebody was quicker."""
    row = reading.find(server, name)
    if request.method != "POST":
        return redirect(row)
    rights.require(request, server, name, row.team_id)
    form = _form(request, row, request.POST)
    if not form.is_valid() or form.policy is None:
        return _show(request, row, form, status=422)
    data, new = form.cleaned_data, form.policy
    seen = data["seen"] if data["seen"] is not None else row.version

    def change() -> changing.Done:
        return changing.change(request, row, new, data["reason"], seen=seen, team=data["team"])

    try:
        done = _try(request, form, change)
    except Conflict as error:
        return _show(request, error.policy, form, status=409, typed=new, seen=error.seen)
    return pages.after(request, done) if done is not None else _show(request, row, form, status=422)


@require_POST
@on_server("limits.edit")
def mode(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Off, shadow or enforced, as a new version."""
    row = reading.find(server, name)
    wanted, policy = request.POST.get("mode", ""), readable(row)[0]
    if wanted not in MODES or policy is None or row.archived:
        raise Http404(f"no mode {wanted[:20]}")
    if policy.mode == wanted:
        return redirect(row)
    new = dataclasses.replace(policy, mode=wanted)
    why = request.POST.get("reason", "") or f"{policy.mode} to {wanted}"
    return pages.act(request, row, lambda seen: changing.change(request, row, new, why, seen=seen))


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("limits.edit")
def delete(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Asks first; its versions stay, so that it can be restored."""
    row = reading.find(server, name)
    rights.require(request, server, name, row.team_id)
    if request.method == "POST":
        why = request.POST.get("reason", "")
        return pages.act(request, row, lambda seen: changing.archive(request, row, why, seen=seen))
    policy = readable(row)[0]
    kept = protected.is_protected(server, name)
    context = {"policy": row, "said": sentence(policy) if policy else "", "kept": kept}
    return render(request, "limits/delete.html", context)


@require_POST
@on_server("limits.edit")
def restore(request: HttpRequest, server: Server, name: str) -> HttpResponse:
    """Bring a deleted one back as it was."""
    row = reading.find(server, name)
    why = request.POST.get("reason", "")
    return pages.act(request, row, lambda seen: changing.restore(request, row, why, seen=seen))


# --- What they share ----------------------------------------------------------------------


def _try(
    request: HttpRequest, form: PolicyForm, act: Callable[[], changing.Done]
) -> changing.Done | None:
    """Do it; what is wrong goes to the form's fields."""
    try:
        return act()
    except Refused as error:
        for field, sentence in error.problems:
            form.add_error(field if field in form.fields else None, sentence)
    return None


def _form(request: HttpRequest, row: LimitPolicy, data: Any = None) -> PolicyForm:
    policy, _ = readable(row)
    initial = {"team": row.team_id, "seen": row.version}
    if policy is not None:
        initial |= PolicyForm.filled(policy)
    teams = rights.teams(request, row.server)
    is_admin = may_here(request, "limits.edit_all")
    return PolicyForm(
        data, base=policy, teams=teams, fixed=row.name, may_be_nobodys=is_admin, initial=initial
    )


def said(form: PolicyForm, policy: Policy | None) -> dict[str, Any]:
    """What is typed in words, as far as it can be read; else what holds, said to be that."""
    typed = form.policy if form.is_bound else None
    is_known = policy is not None and policy.name
    shown = typed or (policy if is_known or not form.is_bound else None)
    now = spoken(policy) if typed is not None and is_known and typed != policy else None
    holds = form.is_bound and typed is None and shown is not None
    return {"spoken": spoken(shown), "now": now, "holds": holds}


def _show(
    request: HttpRequest, row: LimitPolicy, form: PolicyForm, *, status: int = 200,
    typed: Policy | None = None, seen: int = 0,
) -> HttpResponse:  # fmt: skip
    server = row.server
    policy, broken = readable(row)
    state, counts = _asked(server, [row])
    may_edit = rights.may_edit(request, row) and not row.archived
    context = {
        "policy": row, "body": policy, "broken": broken, "form": form, "state": state,
        "there": listing.THERE[listing.there(state, row) if policy else "differs"],
        "spark": counts.get(row.name, sparks.Spark()), "modes": listing.MODES,
        "may_edit": may_edit,
        "may_restore": bool(row.archived) and rights.may_edit(request, row),
        "methods": METHODS,
        "ways": WAYS_HELP.items(), "lines": LIMITS.lines(None, policy) if policy else [],
        "last": row.versions.first(), "waiting": row.changes.filter(state="open"),
        "is_protected": protected.is_protected(server, row.name),
        "json": json.dumps(policy.as_dict(), indent=2) if policy else "",
        **said(form, policy),
    }  # fmt: skip
    if typed is not None:
        base = row.versions.filter(number=seen).first()
        was = readable(base)[0] if base else None
        context |= {"conflict": LIMITS.conflict(was, policy, typed), "seen": seen}
    return render(request, "limits/show.html", context, status=status)
