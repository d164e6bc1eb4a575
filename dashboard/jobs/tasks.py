"""What Celery does for jobs: run one, find those whose worker is gone, forget old ones."""

from __future__ import annotations

import datetime

import structlog
from celery import shared_task
from celery.signals import worker_shutting_down
from django.db.models import Q
from django.utils import timezone

from dashboard.jobs import engine, retention, telling
from dashboard.jobs.models import Job
from dashboard.jobs.outcomes import Left

log = structlog.get_logger(__name__)

ENOUGH = 100
"""Messages that wait for a worker above which no more are sent."""
TOLD_SECONDS = 30.0
"""A job that a worker was told of so long ago, and that none has, is told of again."""


@shared_task(name="jobs.run")  # type: ignore[untyped-decorator]
def run(pk: int) -> None:
    """Do what can be done of the job now. Run twice, the second one finds it taken and ends."""
    if engine.run(pk) == Left.YIELDED:
        telling.worker(pk)


@shared_task(name="jobs.revive")  # type: ignore[untyped-decorator]
def revive() -> int:
    """Tell workers of every job that is due and that none has; returns how many.

    So a job goes on after a killed worker, a lost message, trouble that is over, and when
    console work on its server was resumed.
    """
    # A queue in Redis has no bound: without a worker for jobs it would only grow.
    queued = telling.waiting()
    if queued is None or queued >= ENOUGH:
        return 0
    now = timezone.now()
    told = now - datetime.timedelta(seconds=TOLD_SECONDS)
    found = Job.objects.filter(
        Q(lease_until=None) | Q(lease_until__lte=now),
        Q(due=None) | Q(due__lte=now),
        Q(sent_at=None) | Q(sent_at__lte=told),
        # What was asked of a job on a stopped server is still done: it is cancelled or paused.
        Q(server__stopped_at=None) | ~Q(wanted=""),
        state__in=Job.ACTIVE,
    ).order_by("pk")
    return sum(telling.worker(pk) for pk in found.values_list("pk", flat=True)[:50])


@shared_task(name="jobs.forget")  # type: ignore[untyped-decorator]
def forget() -> int:
    """Delete jobs that ended long ago; how many. What is left over is the next run's."""
    gone = retention.forget_ended()
    if gone:
        log.info("jobs.forgotten", jobs=gone)
    return gone


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _leave(**details: object) -> None:
    """The worker was asked to end: every job here gives its lease back after its step."""
    engine.closing.set()
