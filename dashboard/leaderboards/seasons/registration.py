"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare audit words; called once by the app's ``ready()``."""
    from dashboard import audit

    audit.register(
        {
            "leaderboards.end": audit.Words(
                "Ended the season of {target}", "end the season of a leaderboard"
            )
        }
    )
