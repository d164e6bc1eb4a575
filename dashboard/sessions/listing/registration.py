"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard.accounts.roles import Role
    from dashboard.servers import access
    from dashboard.ui import navigation

    access.register("sessions.read", Role.VIEWER, "look at sessions")
    access.register("sessions.values", Role.OPERATOR, "see the values of sessions")
    navigation.register(
        group="Govern", label="Sessions", icon="users", url_name="redis_sessions:index",
        permission="sessions.read", order=40, per_server=True, letter="e",
    )  # fmt: skip
