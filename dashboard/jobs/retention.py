"""How long jobs are kept: ``JOBS_SECONDS`` after their end, and longer while they still count.

With a job go its log and the names that failed. Its entries in the audit stay.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from dashboard.jobs.models import Failure, Job, Line

LOOKED_AT = 200  # jobs of one query, and of one question to those who may still need them

Needed = Callable[[Sequence[Job]], set[int]]
"""Which of these ended jobs still count, by number; it has their ``pk``, ``kind``, ``params``."""

_needed: list[Needed] = []


def keep_while(needed: Needed) -> None:
    """Ask ``needed`` before a job is deleted; called by an area's ``AppConfig.ready()``."""
    _needed.append(needed)


def forget_ended(most: int = 500) -> int:
    """Delete up to ``most`` jobs that ended long ago and count no more; returns how many.

    Each in a transaction of its own, of at most ``FAILURES_KEPT`` + ``LINES_KEPT`` + 1 rows, so
    that no other writer waits long.
    """
    gone = 0
    for jobs in _old():
        needed = set[int]().union(*(ask(jobs) for ask in _needed))
        for job in jobs:
            if gone >= most:
                return gone
            if job.pk not in needed:
                gone += _forget(job.pk)
    return gone


def _old() -> Iterator[list[Job]]:
    """Those whose time is over, oldest number first."""
    last = 0
    while jobs := list(_over().filter(pk__gt=last).only("pk", "kind", "params")[:LOOKED_AT]):
        last = jobs[-1].pk
        yield jobs


def _over() -> QuerySet[Job]:
    cut = timezone.now() - datetime.timedelta(seconds=settings.JOBS_SECONDS)
    return Job.objects.exclude(state__in=Job.UNFINISHED).filter(ended__lte=cut).order_by("pk")


def _forget(pk: int) -> bool:
    """Delete it unless somebody resumed it in this moment."""
    with transaction.atomic():
        if _over().select_for_update().filter(pk=pk).first() is None:
            return False
        Failure.objects.filter(job=pk).delete()
        Line.objects.filter(job=pk).delete()
        Job.objects.filter(pk=pk).delete()
    return True
