"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """The words of the audit; its permissions and its page are those of policies."""
    from dashboard.audit import Words
    from dashboard.audit import register as register_words

    register_words(
        {
            "limits.reset": Words(
                "Gave back all that was spent: {target}", "give back what a subject has spent"
            )
        }
    )
