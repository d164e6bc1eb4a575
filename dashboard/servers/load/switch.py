"""Stop all console work on a server, and let it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from dashboard.audit import record
from dashboard.servers.live import announcing

if TYPE_CHECKING:
    from django.http import HttpRequest

    from dashboard.servers.models import Server


class NotThisOne(Exception):
    """Home cannot be stopped: the console itself lives on it."""


def stop(request: HttpRequest, server: Server, reason: str) -> bool:
    """Hand out no more clients of ``server``, in any process; False when it was stopped already.

    What is under way ends by itself within seconds: pages at their deadline, jobs after a step.
    Raises ``NotThisOne`` for home, ``AuditUnavailable`` with nothing changed.
    """
    if server.is_home:
        raise NotThisOne("The console itself lives on this server, so its work cannot be stopped.")
    by = request.user.get_username()
    now = timezone.now()
    with transaction.atomic():
        changed = _rows(server).filter(stopped_at=None).update(
            stopped_at=now, stopped_by=by[:150], stopped_why=reason[:500]
        )  # fmt: skip
        if changed:
            record(request, "servers.stop", server=server.slug, target=server.name, reason=reason)
            transaction.on_commit(announcing.announce)
    server.refresh_from_db(fields=["stopped_at", "stopped_by", "stopped_why"])
    return bool(changed)


def resume(request: HttpRequest, server: Server, reason: str = "") -> bool:
    """Let the console work on ``server`` again; False when it was not stopped.

    Jobs go on by themselves within seconds. Raises ``AuditUnavailable`` with nothing changed.
    """
    before = {"stopped": f"{server.stopped_at}", "by": server.stopped_by, "why": server.stopped_why}
    with transaction.atomic():
        changed = _rows(server).exclude(stopped_at=None).update(
            stopped_at=None, stopped_by="", stopped_why=""
        )  # fmt: skip
        if changed:
            record(
                request, "servers.resume", server=server.slug, target=server.name,
                before=before, reason=reason,
            )  # fmt: skip
            transaction.on_commit(announcing.announce)
    server.refresh_from_db(fields=["stopped_at", "stopped_by", "stopped_why"])
    return bool(changed)


def _rows(server: Server):  # type: ignore[no-untyped-def]
    from dashboard.servers.models import Server as Row

    return Row.objects.filter(pk=server.pk)
