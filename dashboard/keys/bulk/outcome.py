"""What the page of a bulk job shows beside its counts: the list, the way back, what failed."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.access import on_server
from dashboard.servers.models import Server
from dashboard.undo.models import Removal
from redisops.bulk import Bulk
from redisops.keys import printable

LOOKED_AT = 1_000


def panel(job: Job) -> dict[str, Any]:
    """For ``templates/keys/bulk/_job.html``: three small queries, and nothing is sent."""
    key_list = list_of(job)
    removal = removal_of(job)
    back = reverse("keys:index", args=[job.server.slug])
    failed = min(job.failed, LOOKED_AT) if job.failures.exists() else 0
    return {
        "list": key_list,
        "left_out": sorted(key_list.kept_out)[:5] if key_list else [],
        "removal": removal,
        "keys_url": f"{back}?undo={removal.pk}" if removal is not None else back,
        "wants_undo": bool(job.params.get("undo")),
        "failed": failed,
        "failed_url": _url("bulk_failed", job) if failed else "",
        "taken_url": _url("bulk_taken", job) if "list" in job.params else "",
    }


def list_of(job: Job) -> KeyList | None:
    """The list that a job walks; None when it has been forgotten since."""
    return KeyList.objects.filter(pk=job.params.get("list") or 0, server=job.server_id).first()


def removal_of(job: Job) -> Removal | None:
    """What of it can still come back."""
    found = Removal.objects.filter(job=job.pk, server=job.server_id, offered__gt=0)
    removal = found.select_related("server").order_by("-pk").first()
    return None if removal is None or removal.is_over else removal


def _url(name: str, job: Job) -> str:
    return reverse(f"keys:{name}", args=[job.server.slug, job.pk])


@require_safe
@on_server("keys.bulk")
def bulk_failed(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """The names that failed, and why, as a file: the first 1,000 are kept."""
    job = _bulk_job(server, pk)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["key", "why"])
    for failure in job.failures.all()[:LOOKED_AT].iterator():
        rows.writerow([_cell(printable(failure.name)), _cell(failure.why)])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="failed-{server.slug}-{job.pk}.csv"'
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@on_server("keys.bulk")
def bulk_taken(request: HttpRequest, server: Server, pk: int) -> HttpResponse:
    """How many of the names are taken since: of the first 1,000, in one round trip."""
    job = _bulk_job(server, pk)
    key_list = list_of(job)
    names = key_list.keys(0, LOOKED_AT) if key_list else []
    out = key_list.kept_out if key_list else frozenset()
    names = [name for name in names if name not in out]
    there = Bulk(server.client()).exist(names) if names else []
    taken = [name for name, is_there in zip(names, there, strict=True) if is_there]
    context = {"job": job, "looked_at": len(names), "taken": taken[:3], "count": len(taken)}
    return render(request, "keys/bulk/_taken.html", context)


def _bulk_job(server: Server, pk: int) -> Job:
    job = get_object_or_404(Job.objects.select_related("server"), pk=pk, server=server)
    if "list" not in job.params:
        raise Http404(f"job {pk} has no list of keys")
    return job


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
