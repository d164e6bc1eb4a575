"""The pages for many keys at once: choose them, dry run, confirm.

Whoever may export keys may count them and look at the list; every other action is refused without
``keys.bulk``. Each address answers with a page, or with what is inside the dialog for htmx.
Only who counted a list sees it; for everybody else it does not exist.
"""

from __future__ import annotations

import contextlib

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboard.jobs import Busy, controls
from dashboard.keys.bulk import starting
from dashboard.keys.bulk.confirming import FORMS
from dashboard.keys.bulk.forms import MOST_SELECTED, ScopeForm
from dashboard.keys.bulk.names import Names
from dashboard.keys.bulk.showing import (
    allowed_action,
    allowed_run,
    choose,
    dry_run,
    given_of,
    go,
    initial_of,
    on_to,
    renaming_of,
    shown,
)
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.ui import answers
from redisops.keys import from_url


@require_http_methods(["GET", "POST"])
@on_server("keys.export")
def bulk(request: HttpRequest, server: Server) -> HttpResponse:
    """Which keys: asked by GET, counted by POST."""
    if request.method == "GET":
        action = allowed_action(request)
        told = {name: request.GET[name] for name in ScopeForm.base_fields if name in request.GET}
        # Every key is never what an address asks for: it is ticked by hand.
        told.pop("everything", None)
        return choose(request, ScopeForm(server.name, initial=told), action)
    form = ScopeForm(server.name, request.POST)
    action = allowed_action(request)
    if not form.is_valid():
        return choose(request, form, action, status=422)
    try:
        job = starting.list_keys(request, server, **form.cleaned_data["scope"])
    except starting.Refused as refusal:
        form.add_error(None, f"{refusal}")
        return choose(request, form, action, status=422)
    return on_to(server, job, action, given_of(request))


@require_http_methods(["GET", "POST"])
@on_server("keys.export")
def bulk_list(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """A list's dry run, and by POST the action itself: once for each form that was shown."""
    run = allowed_run(request, server, pk)
    kind = FORMS.get(run.action.do)
    if request.method == "GET" or kind is None:
        begin = initial_of(run, given_of(request))
        form = kind(run, initial=begin) if kind and run.is_counted else None
        return dry_run(request, run, form)
    newest = run.newest
    if newest is not None and request.POST.get("newest") != f"{newest.pk}":
        return go(request, newest.get_absolute_url())
    form = kind(run, request.POST)
    if not form.is_valid():
        return dry_run(request, run, form, status=422)
    try:
        job = getattr(starting, run.action.do)(request, run.list, **form.arguments)
    except starting.Refused as refusal:
        form.add_error(None, f"{refusal}")
        return dry_run(request, run, form, status=422)
    except Busy as busy:
        form.add_error(None, f"{busy}. Two jobs never work on the same keys at once.")
        return dry_run(request, run, form, status=409, busy=busy.job)
    return go(request, job.get_absolute_url())


@require_POST
@on_server("keys.export")
def bulk_again(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Count the same keys anew, into a list of its own; with two prefixes, their new names too."""
    run = allowed_run(request, server, pk)
    renaming = renaming_of(request) if run.action.do == "rename" else None
    try:
        job = starting.count_again(request, run.list, rename=renaming)
    except starting.Refused as refusal:
        form = ScopeForm(server.name, request.POST)
        form.full_clean()
        form.add_error(None, f"{refusal}")
        return choose(request, form, run.action, status=422)
    return on_to(server, job, run.action)


@require_POST
@on_server("keys.export")
def bulk_stop(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Stop counting."""
    run = allowed_run(request, server, pk)
    if run.job is not None and run.job.is_unfinished:
        with contextlib.suppress(controls.TooLate):  # it has ended meanwhile, which the page says
            controls.cancel(request, run.job.pk)
    return shown(run)


@require_POST
@on_server("keys.export")
def bulk_leave_out(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Take keys out of a list by hand, before it is acted on."""
    run = allowed_run(request, server, pk)
    try:
        names = [from_url(name) for name in request.POST.getlist("key")[:MOST_SELECTED]]
        run.list.leave_out(names)
    except ValueError as error:
        return answers.error(
            request, 400, title="These keys cannot be left out", sentence=f"{error}.",
            next_step="Choose a narrower pattern instead.",
        )  # fmt: skip
    return shown(run)


@require_GET
@on_server("keys.export")
def bulk_names(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """All names of a list, a page of them at a time, with what they are now."""
    run = allowed_run(request, server, pk)
    if not run.is_counted:
        return redirect(run.url)
    page = Names(run, request.GET.get("from", ""))
    page.read(server.client())
    return render(request, "keys/bulk/names.html", {"run": run, "names": page})
