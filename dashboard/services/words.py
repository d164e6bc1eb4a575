"""One word and one mark for each state, on the wall, pages and timelines alike.

They are listed in docs/using/services.md. An instance is *up* while it gets calls: passing or
warning, not silent, of some weight. That is a count and no state. *Gone* is who went without a
word, *left* who was let go.
"""

from __future__ import annotations

MARKS = {
    "passing": "ok", "warning": "warn", "critical": "bad", "starting": "run", "draining": "run",
    "maintenance": "off", "gone": "bad", "left": "off", "silent": "unreachable",
    "flapping": "flapping", "late": "warn",
}  # fmt: skip
"""The marks of ``{% state %}``."""
COUNTED = {"warning": "with a warning", "maintenance": "in maintenance"}
IS = {
    "passing": "is passing", "warning": "has a warning", "critical": "is critical",
    "starting": "is starting", "draining": "is draining", "maintenance": "is in maintenance",
    "gone": "is gone", "left": "left",
}  # fmt: skip
"""What one is now, to follow its name."""


def counted(state: str) -> str:
    """The word behind a number of instances."""
    return COUNTED.get(state, state)


def told(state: str) -> str:
    """The word beside a mark."""
    return {"maintenance": "In maintenance"}.get(state, state.capitalize())
