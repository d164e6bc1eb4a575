"""What the room for counting keys tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permission, kind of job and page; called once by the app's ``ready()``."""
    from dashboard import audit, jobs
    from dashboard.accounts.roles import Role
    from dashboard.keys.survey import reading
    from dashboard.keys.survey.kind import CountKeys
    from dashboard.servers import access, counted
    from dashboard.ui import navigation

    access.register("keys.survey", Role.VIEWER, "count all keys")
    words = audit.Words("Counted all keys", "count all keys", is_change=False)
    audit.register({"keys.survey": words})
    jobs.register(CountKeys())
    counted.tell_by(reading.counted)
    navigation.register(
        group="Observe", label="Analysis", icon="chart-pie", url_name="keys:analysis",
        permission="keys.browse", order=25, per_server=True,
    )  # fmt: skip
