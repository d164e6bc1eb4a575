"""Arguments as a server compares them with its own words."""

from __future__ import annotations


def word(arg: bytes) -> bytes:
    """``arg`` in upper case up to the first NUL, which is where a server's strcasecmp() ends.

    To Redis ``"STORE\\x00"`` is STORE: whoever looks for an option compares this.
    """
    return arg.split(b"\0", 1)[0].upper()
