"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard.accounts.roles import Role
    from dashboard.servers import access
    from dashboard.streams.reading.palette import hits
    from dashboard.ui import navigation, palette

    access.register("streams.read", Role.VIEWER, "look at streams")
    navigation.register(
        group="Observe", label="Streams", icon="list-end", url_name="streams:index",
        permission="streams.read", order=40, per_server=True, letter="s",
    )  # fmt: skip
    palette.register(hits)
