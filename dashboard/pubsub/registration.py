"""What this area tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.servers import access
    from dashboard.ui import navigation

    access.register("pubsub.listen", Role.VIEWER, "listen to channels")
    access.register("pubsub.publish", Role.OPERATOR, "publish to channels")
    audit.register({"pubsub.publish": audit.Words("Published to {target}", "publish to a channel")})
    navigation.register(
        group="Observe", label="Pub/sub", icon="radio-tower", url_name="pubsub:index",
        permission="pubsub.listen", order=50, per_server=True, letter="p",
    )  # fmt: skip
