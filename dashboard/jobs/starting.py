"""Begin a job: one at a time for a group of kinds and a place in a server's names."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest

from dashboard.audit import record
from dashboard.jobs import telling
from dashboard.jobs.kinds import kind_of, names_writing_elsewhere
from dashboard.jobs.models import Job, overlap
from dashboard.servers.models import Server


class Busy(Exception):
    """Another job works on the same keys and is not done; it is ``job``."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job.title} is not done yet")
        self.job = job


def start(
    request: HttpRequest | str,
    server: Server,
    kind_name: str,
    params: dict[str, Any],
    *,
    scope: bytes = b"",
    total: int | None = None,
    reason: str = "",
    limit: float | None = None,
) -> Job:
    """Keep a job, its intention in the audit, and tell a worker; returns at once.

    ``request`` says who (a name for what starts on its own). ``params`` is JSON and fixed.
    ``scope`` is the prefix of the keys it works on (b"": all of them). ``total`` is how many
    units there are, where that is known. ``limit`` is in commands per second (None: only the
    server's own ceiling). Raises ``Busy`` when an unfinished job of the kind's group works on an
    overlapping prefix, ``AuditUnavailable``, and LookupError for a kind that does not exist.
    """
    kind = kind_of(kind_name)
    user = None if isinstance(request, str) else request.user
    job = Job(
        server=server, kind=kind.name, group=kind.group, params=params, scope=scope, total=total,
        reason=reason[:500], limit=limit,
        by=user if user is not None and user.is_authenticated else None,
        by_name=(user.get_username() if user is not None else str(request))[:150],
    )  # fmt: skip
    job.title = kind.title(job)[:300]
    with transaction.atomic():
        make_room_for(job)
        entry = record(
            request, kind.name, server=server.slug, target=scope or job.title, before=None,
            after={"job": job.title, "units": total, "limit": limit},
            result="intent", reason=reason,
        )  # fmt: skip
        job.intent_entry = entry.number
        job.save()
        job.note(f"Asked for by {job.by_name}" + (f": {reason}" if reason else ""))
        transaction.on_commit(lambda: telling.worker(job.pk))
    return job


def make_room_for(job: Job) -> None:
    """Raise ``Busy`` if an unfinished job of its group overlaps it where it works; in a
    transaction."""
    places = [(job.server_id, bytes(job.scope))]
    other = job.work.elsewhere(job)
    places += [other] if other is not None else []
    servers = Server.objects.in_bulk([number for number, _ in places])
    # Always locked in one order: two jobs that cross do not wait for each other.
    for number, scope in sorted(places):
        if number in servers:
            make_room(servers[number], job.group, scope, without=job.pk)


def make_room(server: Server, group: str, scope: bytes, *, without: int | None = None) -> None:
    """Raise ``Busy`` if an unfinished job of the group overlaps ``scope``; in a transaction.

    The server's row is locked until it ends, so of two that ask at once one waits and sees the
    other's job (SQLite: the write lock was taken at BEGIN).
    """
    if not group:
        return
    Server.objects.select_for_update().get(pk=server.pk)
    others = Job.objects.filter(server=server, group=group, state__in=Job.UNFINISHED)
    for other in others.select_related("server"):
        if other.pk != without and other.overlaps(scope):
            raise Busy(other)
    far = Job.objects.filter(
        group=group, state__in=Job.UNFINISHED, kind__in=names_writing_elsewhere()
    )
    for other in far.select_related("server"):
        place = other.work.elsewhere(other) if other.pk != without else None
        if place is not None and place[0] == server.pk and overlap(place[1], scope):
            raise Busy(other)
