"""What a check found, and what was said on the wire for who wants to see it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MOST_SHOWN = 4_096
"""Bytes of one step of an exchange that are shown."""


@dataclass(slots=True)
class Outcome:
    """One check: ``state`` is a word of ``redisops.services.results.RESULTS``, ``why`` says it.

    ``ms`` from the first packet to the verdict, None when nothing answered. ``connected``: the
    network between here and there works (a closed port says so, too). ``own``: what went wrong is
    ours (no sockets left, not allowed), and says nothing of the instance.
    """

    state: str
    why: str
    ms: float | None = None
    connected: bool = False
    own: bool = False
    detail: dict[str, Any] = field(default_factory=dict)


class Failed(Exception):
    """The check ends here: a word of ``RESULTS`` and why, in words."""

    def __init__(self, state: str, why: str) -> None:
        super().__init__(why)
        self.state, self.why = state, why


class Line(NamedTuple):
    """One step: ms since the begin, what it is in words, what was sent or came back."""

    ms: float
    what: str
    text: str


class Exchange:
    """The steps of one check. Text is foreign: shown escaped, its control characters named."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._begun = time.perf_counter()

    def note(self, what: str, data: bytes | str = "") -> None:
        """Keep a step; at most 4 KB of it, and it says where it was cut."""
        raw = data.encode() if isinstance(data, str) else data
        text = (
            raw[:MOST_SHOWN].decode("utf-8", "backslashreplace").replace("\r\n", "\n").rstrip("\n")
        )
        text = "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        if len(raw) > MOST_SHOWN:
            text += f"\n… {len(raw) - MOST_SHOWN:,} more bytes"
        ms = (time.perf_counter() - self._begun) * 1000
        self.lines.append(Line(round(ms, 1), what, text))
