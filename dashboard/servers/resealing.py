"""Who else keeps sealed data: each is asked to seal it anew when the encryption key changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

# Yields "" for each thing that was sealed anew, and a sentence for each that cannot be opened.
Resealer = Callable[[], Iterator[str]]

_resealers: dict[str, Resealer] = {}


def register(what: str, resealer: Resealer) -> None:
    """Let ``manage.py reseal`` renew ``what`` ("values in the recycle bin"), too.

    ``resealer`` works in small transactions of its own, since writers go on meanwhile.
    """
    _resealers[what] = resealer


def registered() -> dict[str, Resealer]:
    """All of them, by what they keep."""
    return dict(_resealers)
