"""What this room tells the frame."""

from dashboard.keys.saved.search import kept
from dashboard.ui import palette


def register() -> None:
    palette.register(kept)
