"""Who may change which policy: admins of the server all, operators what their teams own."""

from __future__ import annotations

from django.http import HttpRequest

from dashboard.accounts.models import Team, User
from dashboard.accounts.roles import Role
from dashboard.audit import record
from dashboard.limits.policies.models import LimitPolicy
from dashboard.servers.access import READING, may
from dashboard.servers.models import Server
from dashboard.ui.errors import Forbidden


def may_edit(request: HttpRequest, policy: LimitPolicy) -> bool:
    """Whether this person may change it; no query for an admin, one for an operator."""
    return may_own(request, policy.server, policy.team_id)


def may_own(request: HttpRequest, server: Server, team: int | None) -> bool:
    """Whether this person may change policies of that team, None being nobody's."""
    if may(request.user, "limits.edit_all", server):
        return True
    return may(request.user, "limits.edit", server) and team in {one.pk for one in own(request)}


def teams(request: HttpRequest, server: Server) -> list[Team]:
    """The teams that this person may give a policy to."""
    if may(request.user, "limits.edit_all", server):
        return list(Team.objects.all())
    return own(request) if may(request.user, "limits.edit", server) else []


def own(request: HttpRequest) -> list[Team]:
    """The teams of this person, asked once for each request."""
    known = getattr(request, "_teams", None)
    if known is None:
        person = request.user
        known = list(person.teams.all()) if isinstance(person, User) else []
        request._teams = known  # type: ignore[attr-defined]
    return list(known)


def require(request: HttpRequest, server: Server, name: str, *owners: int | None) -> None:
    """Raise Forbidden unless they may change policies of all of these teams.

    Those are the team that has it, and the one that it is given to. A refused change is kept in
    the audit.
    """
    if all(may_own(request, server, owner) for owner in owners):
        return
    if request.method not in READING:
        record(
            request, "limits.edit", server=server.slug, target=name, result="refused",
            reason="a policy of another team needs the role Admin",
        )  # fmt: skip
    raise Forbidden("change policies that your teams do not own", Role.ADMIN)
