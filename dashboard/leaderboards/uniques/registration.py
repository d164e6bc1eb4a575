"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Nothing of its own: its permission and its place in the navigation are those of boards."""
