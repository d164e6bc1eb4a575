"""What a subscriber hands out: messages, and the places where something may be missing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``at`` is when it arrived here, seconds since 1970."""

    channel: bytes
    data: bytes
    pattern: bytes | None = None  # the pattern that it matched; None of a channel by name
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages may be missing here: from ``since`` to ``until``, seconds since 1970.

    ``reason`` is in words. ``missed`` is how many when that is known (the queue was full, and
    they were dropped here), None when nobody can know (the connection was broken).
    """

    since: float
    reason: str
    until: float = 0.0
    missed: int | None = None
