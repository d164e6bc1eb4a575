"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.servers import access

    access.register("streams.add", Role.OPERATOR, "add entries to streams")
    access.register("streams.trim", Role.OPERATOR, "trim streams")
    audit.register(
        {
            "streams.add": audit.Words("Added an entry to {target}", "add an entry"),
            "streams.trim": audit.Words("Trimmed {target}", "trim a stream", mark="trim"),
        }
    )
