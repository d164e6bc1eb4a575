"""The pages of the search in values: what and where, and the matches.

What is looked for travels in the body of a form and never in an address, which logs would keep.
"""

from __future__ import annotations

import contextlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.jobs import Busy, controls
from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.searching.cost import bounds_words, cost_of
from dashboard.keys.searching.forms import SCOPE, SearchForm
from dashboard.keys.searching.results import Results
from dashboard.keys.searching.starting import begin
from dashboard.servers.access import may_here, on_server
from dashboard.servers.models import Server
from dashboard.ui import answers

COST = "search-cost"


@require_http_methods(["GET", "POST"])
@on_server("keys.search")
def search(request: HttpRequest, server: Server) -> HttpResponse:
    """The form, with what the search would cost; by POST it is checked again, or started."""
    if request.method == "GET":
        told = {name: request.GET[name] for name in SCOPE if name in request.GET}
        form = SearchForm({"how": "auto", **told})
        form.is_valid()
        form.errors.pop("q", None)  # nobody has typed anything yet
        return _form(request, server, form)
    form = SearchForm(request.POST)
    is_valid, do = form.is_valid(), request.POST.get("do")
    if do != "start":
        if do != "edit" and not request.POST.get("q"):
            form.errors.pop("q", None)
        return _form(request, server, form)
    if not is_valid or form.query is None:
        return _form(request, server, form, status=422)
    if request.POST.get("told") != form.scope.digest:
        return _form(request, server, form, told_anew=True)
    try:
        job = begin(request, server, form.scope, form.query, form.cleaned_data["how"])
    except Busy as busy:
        return _form(request, server, form, status=409, busy=busy.job)
    return redirect("keys:search_result", server.slug, job.params["list"])


@require_GET
@on_server("keys.search")
def result(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """The matches of one's own search, some at a time; while it runs, how far it is."""
    key_list, job = _own(request, server, pk)
    found = Results(server, key_list, job, request.GET.get("from", ""))
    if not found.is_running and found.keys:
        found.read(server.client())
    may_act = may_here(request, "keys.export")
    bulk = reverse("keys:bulk_again", args=[server.slug, pk]) if may_act else ""
    context = {"found": found, "told": found.told, "job": job, "again_url": bulk}
    is_part = answers.is_htmx(request) and request.headers.get("HX-Target") == "search-running"
    template = "keys/searching/result.html"
    if is_part and found.is_running:
        template = "keys/searching/_running.html"
    response = render(request, template, context)
    if is_part and not found.is_running:
        response["HX-Refresh"] = "true"
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@on_server("keys.search")
def stop(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Stop one's own search; what it has found stays."""
    _, job = _own(request, server, pk)
    with contextlib.suppress(controls.TooLate):  # it has ended meanwhile, which the page says
        controls.cancel(request, job.pk)
    return redirect("keys:search_result", server.slug, pk)


def _own(request: HttpRequest, server: Server, pk: int) -> tuple[KeyList, Job]:
    """A search of this person on this server; for everybody else it does not exist."""
    mine = KeyList.objects.filter(
        server=server, person=request.user.pk, source=KeyList.Source.SEARCH
    )
    key_list = get_object_or_404(mine, pk=pk)
    jobs = Job.objects.filter(server=server, kind="keys.search").select_related("server")
    return key_list, get_object_or_404(jobs, pk=key_list.job_id)


def _form(
    request: HttpRequest, server: Server, form: SearchForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = {
        "form": form,
        "cost": cost_of(server, form.scope, form.query),
        "bounds": bounds_words(),
        **more,
    }
    is_part = answers.is_htmx(request) and request.headers.get("HX-Target") == COST
    template = "keys/searching/_cost.html" if is_part else "keys/searching/index.html"
    response = render(request, template, context, status=status)
    response["Cache-Control"] = "no-store"
    return response
