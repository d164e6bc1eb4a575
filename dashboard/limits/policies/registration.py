"""What this room tells the rest of the console when it starts."""

from __future__ import annotations

from typing import Any


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.servers import access
    from dashboard.ui import navigation

    access.register("limits.read", Role.VIEWER, "look at rate limits")
    access.register("limits.edit", Role.OPERATOR, "change rate limits")
    access.register("limits.edit_all", Role.ADMIN, "change rate limits of every team")
    access.register("limits.approve", Role.ADMIN, "let changes of rate limits through")
    access.register("limits.settings", Role.ADMIN, "say who lets changes of rate limits through")
    audit.register(
        {
            "limits.create": audit.Words("Created {target}", "create a rate limit", mark="limit"),
            "limits.change": audit.Words("Changed {target}", "change a rate limit", mark="limit"),
            "limits.roll_back": audit.Words(
                "Rolled back {target}", "roll back a rate limit", mark="limit"
            ),
            "limits.archive": audit.Words("Deleted {target}", "delete a rate limit", mark="limit"),
            "limits.restore": audit.Words(
                "Restored {target}", "restore a rate limit", mark="limit"
            ),
            "limits.ask": audit.Words(
                "Asked for a change of {target}", "ask for a change of a rate limit",
                is_change=False,
            ),
            "limits.approved": audit.Words(
                "Let a change of {target} through", "let a change of a rate limit through"
            ),
            "limits.rejected": audit.Words(
                "Turned down a change of {target}", "turn down a change of a rate limit",
                is_change=False,
            ),
            "limits.withdrawn": audit.Words(
                "Took back a change of {target}", "take back a change of a rate limit",
                is_change=False,
            ),
        }
    )  # fmt: skip
    navigation.register(
        group="Govern", label="Rate limits", icon="gauge", url_name="limits:index",
        permission="limits.read", order=10, per_server=True, letter="r", mark=_mark,
    )  # fmt: skip


def _mark(server: Any) -> str:
    """How many changes wait for a second person; nothing is asked where none can."""
    if not server.is_production:
        return ""
    from dashboard.limits.policies.models import PendingChange

    count = PendingChange.objects.filter(server=server, state=PendingChange.State.OPEN).count()
    return f"{count} waiting" if count else ""
