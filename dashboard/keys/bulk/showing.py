"""How the pages of bulk work answer: a page, or for the dialog what is inside it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from dashboard.jobs.models import Job
from dashboard.keys.bulk.actions import ACTIONS, Action
from dashboard.keys.bulk.confirming import ActForm
from dashboard.keys.bulk.dry_run import DryRun
from dashboard.keys.bulk.forms import ScopeForm
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.access import may_here, refuse
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops.keys import from_printable, printable

SHEET, COUNTING = "bulk-sheet", "bulk-counting"


def action_of(told: Any) -> Action:
    """The action that an address or a form names; deleting when it names none."""
    name = told.get("do") or "delete"
    if name not in ACTIONS:
        raise Http404(f"no action {name}")
    return ACTIONS[name]


def allowed_action(request: HttpRequest) -> Action:
    """The action asked for; refused (``Forbidden``) unless this person may do it here.

    Who may only export keys means that when nothing is named.
    """
    told = request.POST if request.method == "POST" else request.GET
    may_change = may_here(request, "keys.bulk")
    action = action_of(told if told.get("do") or may_change else {"do": "export"})
    if action.do != "export" and not may_change:
        refuse(request, "keys.bulk")
    return action


def allowed_run(request: HttpRequest, server: Server, pk: int) -> DryRun:
    """``run_of``, refused unless this person may do the action here."""
    return run_of(request, server, pk, do=allowed_action(request).do)


def run_of(request: HttpRequest, server: Server, pk: int, *, do: str = "") -> DryRun:
    """A list of this server that this person counted, for the action asked for; else 404."""
    mine = KeyList.objects.filter(server=server, person=request.user.pk)
    key_list = get_object_or_404(mine, pk=pk)
    job = Job.objects.filter(pk=key_list.job_id).first() if key_list.job_id else None
    told = request.POST if request.method == "POST" else request.GET
    return DryRun(server, request.user, key_list, action_of({"do": do} if do else told), job)  # type: ignore[arg-type]


def renaming_of(request: HttpRequest) -> tuple[bytes, bytes] | None:
    """The old and the new prefix that a form of options was sent with; None without both."""
    old, new = (request.POST.get(name, "")[:8192] for name in ("old", "new"))
    return (from_printable(old), from_printable(new)) if new and old != new else None


def initial_of(run: DryRun, given: dict[str, str]) -> dict[str, Any]:
    """What a form of options begins with; ``given`` as ``given_of`` tells it."""
    renaming = run.facts.get("rename") or {}
    prefix = printable(bytes(run.list.prefix)) if run.list.prefix else ""
    times: dict[str, Any] = {}
    for name, unit in (("after", "unit"), ("jitter", "jitter_unit")):
        if name in given:
            seconds = int(given[name])
            per = next(one for one in (86_400, 3600, 60, 1) if seconds % one == 0)
            times |= {name: seconds // per, unit: f"{per}"}
    return {
        **times,
        "limit": run.default_limit,
        "old": renaming.get("old") or prefix,
        "new": renaming.get("new") or "",
    }


def choose(
    request: HttpRequest, form: ScopeForm, action: Action, *, status: int = 200
) -> HttpResponse:
    """The page that asks which keys."""
    if not may_here(request, "keys.bulk"):
        form.fields["do"].widget.choices = [(action.do, action.title)]
    context = {"form": form, "action": action, "given": urlencode(given_of(request))}
    return _answer(request, "choose", context, status=status)


def dry_run(
    request: HttpRequest,
    run: DryRun,
    form: ActForm | None,
    *,
    status: int = 200,
    busy: Job | None = None,
) -> HttpResponse:
    """The page of a list; for the part that asks while it is counted only that part."""
    given = urlencode(given_of(request))
    context = {"run": run, "action": run.action, "form": form, "busy": busy, "given": given}
    asks_again = answers.is_htmx(request) and request.headers.get("HX-Target") == COUNTING
    if asks_again and run.is_counting:
        context["dialog"] = "dialog" in request.GET
        response = render(request, "keys/bulk/_counting.html", context)
    else:
        response = _answer(request, "dry_run", context, status=status, whole=asks_again)
    response["Cache-Control"] = "no-store"
    return response


def shown(run: DryRun) -> HttpResponse:
    """Back to a list's dry run after something small was done to it."""
    return redirect(run.url)


def on_to(
    server: Server, job: Job, action: Action, given: dict[str, str] | None = None
) -> HttpResponse:
    """To the dry run of the list that ``job`` fills; ``given`` is what its options begin with."""
    url = reverse("keys:bulk_list", args=[server.slug, job.params["list"]])
    return redirect(f"{url}?{urlencode({'do': action.do, **(given or {})})}")


def given_of(request: HttpRequest) -> dict[str, str]:
    """What a link wants the options to begin with: seconds until keys expire, and their spread."""
    told = {name: request.GET.get(name, "") for name in ("after", "jitter")}
    return {
        name: value for name, value in told.items()
        if value.isascii() and value.isdecimal() and len(value) < 10
    }  # fmt: skip


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page, out of the dialog too."""
    if answers.is_htmx(request):
        return HttpResponse(status=200, headers={"HX-Redirect": url})
    return redirect(url)


def _answer(
    request: HttpRequest, name: str, context: dict[str, Any], *, status: int, whole: bool = False
) -> HttpResponse:
    """``whole``: the asking part is over, so what is around it is replaced, too."""
    context["dialog"] = request.headers.get("HX-Target") == SHEET or "dialog" in request.GET
    context["whole"] = whole
    is_part = answers.is_htmx(request) and (context["dialog"] or whole)
    template = f"keys/bulk/_{name}.html" if is_part else f"keys/bulk/{name}.html"
    response = render(request, template, context, status=status)
    if whole:
        response["HX-Retarget"], response["HX-Reswap"] = ".bulk", "innerHTML"
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response
