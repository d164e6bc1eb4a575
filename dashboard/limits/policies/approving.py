"""The second person: who lets a change through, turns it down, or takes it back."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from dashboard.audit import record
from dashboard.limits import publishing
from dashboard.limits.policies import changing
from dashboard.limits.policies.models import PendingChange
from dashboard.publishing.models import What
from dashboard.publishing.versions import Refused
from dashboard.servers.models import Server
from redisops.limits.policies import Problem


def waiting(server: Server) -> list[PendingChange]:
    """Changes that wait for a second person, the oldest first."""
    rows = PendingChange.objects.filter(server=server, state=PendingChange.State.OPEN)
    return list(rows.select_related("policy", "policy__team", "team").order_by("at", "pk"))


def approve(request: HttpRequest, pending: PendingChange, why: str = "") -> changing.Done:
    """Let the change through and publish it, by somebody who did not ask for it.

    Raises ``Refused`` (own change, decided already, no longer valid) and ``Conflict``.
    """
    who = request.user.get_username()
    with transaction.atomic():
        row = _open(pending)
        if row.author == who:
            raise Refused(
                [Problem("", "You asked for this change: somebody else lets it through.")]
            )
        wish = changing.Wish(
            row.server, row.name, What(row.what), changing.readable(row), row.team, row.reason,
            row.seen, row.author,
        )  # fmt: skip
        changing.check(wish)
        policy = changing.commit(request, wish, approved_by=who)
        row.policy = policy
        _decide(request, row, PendingChange.State.APPROVED, why)
    return changing.Done(policy, published=publishing.publish(request, row.server))


def reject(request: HttpRequest, pending: PendingChange, why: str) -> None:
    """Turn it down, with a reason that its author reads; raises ``Refused``."""
    with transaction.atomic():
        row = _open(pending)
        if not why.strip():
            raise Refused([Problem("why", "Say why: whoever asked for it reads this.")])
        _decide(request, row, PendingChange.State.REJECTED, why)


def withdraw(request: HttpRequest, pending: PendingChange) -> None:
    """Its author takes it back; raises ``Refused``."""
    with transaction.atomic():
        row = _open(pending)
        if row.author != request.user.get_username():
            raise Refused([Problem("", f"{row.author} asked for it, and takes it back.")])
        _decide(request, row, PendingChange.State.WITHDRAWN, "")


def _open(pending: PendingChange) -> PendingChange:
    """The row, held until the end of the transaction, while nobody has decided on it."""
    rows = PendingChange.objects.select_for_update(of=("self",)).select_related("team", "server")
    row = rows.get(pk=pending.pk)
    if row.state != PendingChange.State.OPEN:
        said = f"{row.get_state_display().lower()} by {row.decided_by}"
        raise Refused([Problem("", f"The change was {said} already.")])
    return row


def _decide(request: HttpRequest, row: PendingChange, state: PendingChange.State, why: str) -> None:
    row.state, row.decided_at = state, timezone.now()
    row.decided_by = request.user.get_username()
    row.decided_why = " ".join(why.split())[:500]
    row.save()
    record(
        request, f"limits.{state.value}", server=row.server.slug, target=row.name,
        before={"asked by": row.author, "reason": row.reason}, after=row.body,
        reason=row.decided_why,
    )  # fmt: skip
