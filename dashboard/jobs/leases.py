"""One worker at a time has a job: a lease in SQL with a fence, a number that only grows.

Whoever claims the job makes the number greater. Everything a worker writes asks for its own
number in the same statement, so one that was away too long writes nothing any more.
"""

from __future__ import annotations

import datetime
from typing import Any

from django.db.models import F, Q
from django.utils import timezone

from dashboard.jobs.models import Job

SECONDS = 30.0
"""How long a job stays with a worker that says nothing: a killed one's job goes on after that."""


class LeaseLost(Exception):
    """Another worker has the job, or it has ended; nothing was written."""


def claim(pk: int) -> Job | None:
    """Take the job if it is to run and nobody has it; the row as it is then, with its server."""
    now = timezone.now()
    before = Job.objects.filter(pk=pk).values_list("lease_until", flat=True).first()
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    due = Q(due=None) | Q(due__lte=now)
    taken = Job.objects.filter(free & due, pk=pk, state__in=Job.ACTIVE).update(
        fence=F("fence") + 1, lease_until=_until(now)
    )
    if not taken:
        return None
    job = Job.objects.select_related("server").get(pk=pk)
    job.was_cut_off = before is not None
    return job


def write(job: Job, **values: Any) -> None:
    """Write columns of a job that we have, and keep the lease; raises ``LeaseLost``."""
    if "lease_until" not in values:
        values["lease_until"] = _until(timezone.now())
    if not Job.objects.filter(pk=job.pk, fence=job.fence).update(**values):
        raise LeaseLost(f"job {job.pk} is not ours any more")


def release(job: Job, **values: Any) -> None:
    """Give the job back, with these columns written; raises ``LeaseLost``."""
    write(job, lease_until=None, sent_at=None, **values)


def _until(now: datetime.datetime) -> datetime.datetime:
    return now + datetime.timedelta(seconds=SECONDS)
