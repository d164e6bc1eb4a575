"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.servers import access

    access.register("services.check", Role.OPERATOR, "edit checks of services, and check now")
    audit.register(
        {
            "services.write_check": audit.Words(
                "Changed the check of {target}", "change the check of a service"
            ),
            "services.check_now": audit.Words(
                "Checked {target} now", "check an instance now", is_change=False
            ),
            "services.try_check": audit.Words(
                "Tried a check on {target}", "try a check", is_change=False
            ),
        }
    )
