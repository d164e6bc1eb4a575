"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Declare permissions, audit words and pages; called once by the app's ``ready()``."""
    from dashboard import audit

    audit.register(
        {
            "limits.publish": audit.Words(
                "Published rate limits, {target}", "publish rate limits", mark="limits"
            ),
            "limits.settings": audit.Words(
                "Set who lets changes of rate limits through",
                "set who lets changes of rate limits through",
            ),
        }
    )
