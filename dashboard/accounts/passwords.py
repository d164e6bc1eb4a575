"""Passwords that the console makes for somebody."""

from __future__ import annotations

import secrets

# Without 0 O 1 l I: it is read aloud and typed.
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def generated(groups: int = 4) -> str:
    """``k7mw-2qhd-…``: 20 random letters in fours have 100 bits, 16 have 80."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(groups))
