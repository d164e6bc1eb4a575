"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.servers import access

    access.register("sessions.revoke", Role.OPERATOR, "end sessions")
    audit.register({"sessions.revoke": audit.Words("Ended {target}", "end sessions")})
