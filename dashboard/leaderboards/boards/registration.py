"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit
    from dashboard.accounts.roles import Role
    from dashboard.jobs import kinds
    from dashboard.leaderboards.boards.importing import ImportScores
    from dashboard.leaderboards.boards.palette import hits
    from dashboard.servers import access
    from dashboard.ui import navigation, palette

    access.register("leaderboards.read", Role.VIEWER, "look at leaderboards")
    access.register("leaderboards.change", Role.OPERATOR, "change the scores of leaderboards")
    access.register("leaderboards.declare", Role.OPERATOR, "declare leaderboards")
    access.register("leaderboards.delete", Role.ADMIN, "take back the declaration of a leaderboard")
    audit.register(
        {
            "leaderboards.create": audit.Words(
                "Declared the leaderboard {target}", "declare a leaderboard"
            ),
            "leaderboards.update": audit.Words(
                "Changed the declaration of {target}", "change the declaration of a leaderboard"
            ),
            "leaderboards.forget": audit.Words(
                "Took back the declaration of {target}", "take back the declaration of a board"
            ),
            "leaderboards.add": audit.Words("Added a member to {target}", "add a member"),
            "leaderboards.set": audit.Words("Set a score in {target}", "set a score"),
            "leaderboards.increment": audit.Words(
                "Added to a score in {target}", "add to a score"
            ),
            "leaderboards.remove": audit.Words(
                "Removed a member from {target}", "remove a member from a leaderboard"
            ),
            "leaderboards.import": audit.Words(
                "Imported scores into {target}", "import scores"
            ),
            "leaderboards.export": audit.Words(
                "Exported the scores of {target}", "export scores", is_change=False
            ),
        }
    )  # fmt: skip
    kinds.register(ImportScores())
    navigation.register(
        group="Observe", label="Leaderboards", icon="trophy", url_name="leaderboards:index",
        permission="leaderboards.read", order=60, per_server=True, letter="l",
    )  # fmt: skip
    palette.register(hits)
