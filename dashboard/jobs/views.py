"""The jobs of a server, and one job: how far it is, what it does to the server, and its brakes."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard.jobs import controls, marks, showing
from dashboard.jobs.controls import TooLate
from dashboard.jobs.models import Job
from dashboard.jobs.starting import Busy
from dashboard.servers.access import may, on_server, refuse
from dashboard.servers.models import Server
from dashboard.ui.numbers import duration

PAGE = 50
UNSHOWN = ("params", "history", "intent", "checkpoint")  # long JSON that no row of the list has


@require_safe
@on_server("jobs.view")
def index(request: HttpRequest, server: Server) -> HttpResponse:
    """Those that are not done, then the others, newest first; nothing is sent to the server."""
    jobs = Job.objects.filter(server=server).select_related("server").defer(*UNSHOWN)
    open_jobs = list(jobs.filter(state__in=Job.UNFINISHED)[:200])
    page = Paginator(jobs.exclude(state__in=Job.UNFINISHED), PAGE).get_page(request.GET.get("page"))
    of = f"{page.start_index():,} to {page.end_index():,} of {page.paginator.count:,}"
    of += (
        f"; each is kept for {duration(settings.JOBS_SECONDS)} after its end, or longer to undo it"
    )
    context = {
        "open_rows": [showing.row(job) for job in open_jobs],
        "rows": [showing.row(job) for job in page],
        "pages": page,
        "pages_words": of,
        "sentence": showing.sentence_of_all(server, open_jobs, page.paginator.count),
    }
    return render(request, "jobs/index.html", context)


@require_safe
@on_server("jobs.view")
def show(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """One job as it is now; a socket keeps it moving, without one the page asks."""
    job = _job(server, pk)
    context = showing.context(job) | {"controls": _controls(request, server, job)}
    return render(request, "jobs/show.html", context)


@require_safe
@on_server("jobs.view")
def parts(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """The same parts that the socket brings, for a page whose socket does not open."""
    response = JsonResponse({"parts": showing.parts(_job(server, pk))})
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@on_server("jobs.control")
def pause(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Let it end its step and wait for somebody to resume it."""
    return _act(request, server, pk, controls.pause)


@require_POST
@on_server("jobs.control")
def resume(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Go on where it was paused or has failed."""
    return _act(request, server, pk, controls.resume)


@require_http_methods(["GET", "HEAD", "POST"])
@on_server("jobs.control")
def cancel(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """Asks first; what is done stays done."""
    if request.method == "POST":
        return _act(request, server, pk, controls.cancel)
    job = _job(server, pk)
    return render(request, "jobs/cancel.html", {"job": job, **showing.asked_to_cancel(job)})


def _act(
    request: HttpRequest, server: Server, pk: int, act: Callable[[HttpRequest, int], Job]
) -> HttpResponse:
    job = _job(server, pk)
    permission = showing.permission_of(job)
    if not may(request.user, permission, server):
        refuse(request, permission)
    if act is controls.resume and not _may_elsewhere(request, job, permission):
        refuse(request, permission)
    try:
        act(request, pk)
    except TooLate as late:
        messages.warning(request, f"Nothing was changed: {late}.")
    except Busy as busy:
        messages.warning(request, f"It cannot go on yet: {busy}, and works on the same keys.")
    marks.forget()
    return redirect(job)


def _may_elsewhere(request: HttpRequest, job: Job, permission: str) -> bool:
    """Whether the person may do it on the other server that the job writes to, if there is one.

    To pause or cancel it, the right on its own server is enough.
    """
    kind = showing.kind_or_none(job)
    place = kind.elsewhere(job) if kind is not None else None
    if place is None:
        return True
    other = Server.objects.filter(pk=place[0]).first()
    return other is not None and may(request.user, permission, other)


def _controls(request: HttpRequest, server: Server, job: Job) -> dict[str, bool]:
    """Which brakes this person has here; the others are absent."""
    user = request.user
    allowed = may(user, "jobs.control", server) and may(user, showing.permission_of(job), server)
    asked = job.wanted == "cancel"
    return {
        "pause": allowed and job.state in Job.ACTIVE and not job.wanted,
        "resume": allowed and _may_elsewhere(request, job, showing.permission_of(job))
                  and (job.state in (Job.State.PAUSED, Job.State.FAILED)
                               or (job.is_unfinished and job.wanted == "pause")),
        "cancel": allowed and job.is_unfinished and not asked,
    }  # fmt: skip


def _job(server: Server, pk: int) -> Job:
    job = Job.objects.filter(server=server, pk=pk).select_related("server", "by").first()
    if job is None:
        raise Http404(f"no job {pk} on {server.slug}")
    return job
