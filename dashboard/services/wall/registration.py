"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard.accounts.roles import Role
    from dashboard.servers import access
    from dashboard.services.wall.known import in_trouble
    from dashboard.services.wall.palette import hits
    from dashboard.ui import navigation, palette

    access.register("services.read", Role.VIEWER, "look at services")
    navigation.register(
        group="Observe", label="Services", icon="heart-pulse", url_name="services:wall",
        permission="services.read", order=70, per_server=True, letter="v", mark=in_trouble,
    )  # fmt: skip
    palette.register(hits)
