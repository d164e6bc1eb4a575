"""What this room tells the rest of the console when it starts."""

from __future__ import annotations


def register() -> None:
    """Nothing of its own: who may look at caches may read advice. Called once by ``ready()``."""
