"""Options of a connection: timeouts, and the parts of its first words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Permit = Callable[[str], None]
"""Given the IP address that is about to be connected to; raises to forbid it."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds. ``connect``: until the connection stands. ``read``: each wait for the server.

    ``deadline``: one command or pipeline in all, with connecting, its one retry and every
    trickled byte; a ``deadline()`` block takes its place.
    """

    connect: float = 1.0
    read: float = 1.0
    deadline: float = 3.0
