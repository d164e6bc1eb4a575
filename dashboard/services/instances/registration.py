"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Its permission and the words of its actions."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.audit import Words
    from dashboard.servers import access

    access.register("services.act", Role.OPERATOR, "drain, maintain and remove instances")
    audit.register(
        {
            "services.drain": Words("Drained {target}", "drain an instance", "drained"),
            "services.maintain": Words(
                "Put {target} in maintenance", "put an instance in maintenance", "maintained"
            ),
            "services.resume": Words("Resumed {target}", "resume an instance", "resumed"),
            "services.reweigh": Words(
                "Changed the weight of {target}", "change an instance's weight"
            ),
            "services.deregister": Words(
                "Deregistered {target}", "deregister an instance", "deregistered"
            ),
            "services.repair": Words(
                "Removed what was left over of {target}", "remove left-over instances", "removed"
            ),
        }
    )
