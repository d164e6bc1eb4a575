"""When a pass begins, and which ones are kept."""

from __future__ import annotations

import datetime

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from dashboard.audit.errors import AuditUnavailable
from dashboard.jobs import Busy, start
from dashboard.jobs.models import Job
from dashboard.keys.survey.models import Pass
from dashboard.servers.models import Server

log = structlog.get_logger(__name__)

KIND = "keys.survey"
BY_ITSELF = "the console"
DELIMITER = b":"
ALL_OF = 12  # newest passes that are all kept …
KEPT = 30  # … and how many in all, a day apart beyond them
FAILED_WAITS = datetime.timedelta(minutes=10)


def of(server: Server, delimiter: bytes = DELIMITER) -> QuerySet[Pass]:
    """The passes over what this row leads to now, newest first, without their documents."""
    passes = Pass.objects.filter(server=server, address=server.digest, delimiter=delimiter)
    return passes.select_related("job").defer("state", "figures")


def begin(
    request: HttpRequest | str, server: Server, *, delimiter: bytes = DELIMITER,
    is_thorough: bool = False,
) -> Pass:  # fmt: skip
    """Start a pass in the background. Raises Busy with the one that is under way."""
    with transaction.atomic():
        left = Pass.objects.filter(server=server, ended=None)
        left.exclude(job__state__in=Job.UNFINISHED).delete()  # cancelled or failed: nothing more
        begun = Pass.objects.create(
            server=server, address=server.digest, delimiter=delimiter, is_thorough=is_thorough
        )
        begun.job = start(request, server, KIND, {"pass": begun.pk, "thorough": is_thorough})
        begun.save(update_fields=["job"])
    return begun


def is_due_at_visit(delimiter: bytes, newest: Pass | None) -> bool:
    """Whether somebody who looks at the tree or the analysis is to begin a pass.

    Only the usual delimiter is counted by without being asked, so that addresses cannot start
    passes one after the other.
    """
    age = datetime.timedelta(seconds=settings.SURVEY_SECONDS)
    return delimiter == DELIMITER and is_due(newest, age)


def visit(server: Server) -> Pass | None:
    """Begin a pass for somebody who looks at the keys, if it is time; else None.

    Never in the way of the page: what keeps it from starting is logged.
    """
    if not is_due_at_visit(DELIMITER, of(server).first()):
        return None
    try:
        return begin(BY_ITSELF, server)
    except Busy:
        return None  # by another delimiter, or a moment ago
    except (AuditUnavailable, DatabaseError) as error:
        log.warning("no pass begun", server=server.slug, error=str(error))
        return None


def begin_due() -> int:
    """Begin a pass on each server that has one and whose newest is old; returns how many."""
    begun = 0
    age = datetime.timedelta(seconds=settings.SURVEY_EVERY)
    for server in Server.objects.filter(watched=True, withdrawn=None):
        newest = of(server).first()
        if newest is None or not is_due(newest, age):
            continue
        try:
            begin(BY_ITSELF, server)
            begun += 1
        except (Busy, AuditUnavailable) as error:
            log.warning("no pass begun", server=server.slug, error=str(error))
    return begun


def is_due(newest: Pass | None, age: datetime.timedelta) -> bool:
    """Whether it is time for the next pass after ``newest``."""
    if newest is None:
        return True
    if newest.is_done:
        return timezone.now() - newest.at > age
    if newest.is_running:
        return False
    job = newest.job
    ended = (job.ended if job is not None else None) or newest.begun
    was_cancelled = job is not None and job.state == Job.State.CANCELLED
    return timezone.now() - ended > (age if was_cancelled else FAILED_WAITS)


def thin(server: Server) -> None:
    """Keep the newest passes, one a day before them, and ``KEPT`` in all."""
    done = Pass.objects.filter(server=server).exclude(ended=None)
    keep: list[int] = []
    days: set[datetime.date] = set()
    for pk, ended in done.order_by("-pk").values_list("pk", "ended"):
        assert ended is not None  # the filter
        if len(keep) >= KEPT:
            break
        if len(keep) < ALL_OF or ended.date() not in days:
            keep.append(pk)
        days.add(ended.date())
    done.exclude(pk__in=keep).delete()
