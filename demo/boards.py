"""How the game's boards are declared in a console, so that it can tell their ranks."""

from __future__ import annotations

from typing import Any

from demo import names


def _key(name: str) -> bytes:
    return f"{names.BOARDS}{{{name}}}:<window>".encode()


BOARDS: tuple[dict[str, Any], ...] = (
    {"name": "Race", "key": _key(names.GAME), "window": "week", "top": 20,
     "details": f"{names.BOARDS}{{{names.GAME}}}:details".encode()},
    {"name": "Sprint", "key": _key(names.SPRINT), "window": "day", "top": 20, "ties": "dense"},
    {"name": "Tower", "key": _key(names.TOWER), "window": "week", "top": 20, "ties": "unique",
     "first_wins": True},
)  # fmt: skip
"""Fields of a declaration. The race shares ranks; the sprint shares them and leaves none out; of
those on one floor of the tower who was there first is ahead."""
