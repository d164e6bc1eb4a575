"""What the room for searching values tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permission, words, kind of job and palette entry; called by the app's ``ready()``."""
    from dashboard import audit, jobs
    from dashboard.accounts.roles import Role
    from dashboard.keys.searching.kind import SearchValues
    from dashboard.keys.searching.palette import hits
    from dashboard.servers import access
    from dashboard.ui import palette

    access.register("keys.search", Role.VIEWER, "search in values")
    told = audit.Words("Searched values: {target}", "search in values", is_change=False)
    audit.register({"keys.search": told})
    jobs.register(SearchValues())
    palette.register(hits)
