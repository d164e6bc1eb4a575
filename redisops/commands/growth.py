"""Writes that make a string as long as the place where they write: half a gigabyte for one bit."""

from __future__ import annotations

from collections.abc import Sequence

from redisops.commands.refusals import Refusal
from redisops.commands.words import word

LARGE = 16 * 1024 * 1024
"""Bytes that one command may copy, free, combine or make."""


def integer(arg: bytes | None) -> int | None:
    """The number that an argument is, or None."""
    try:
        return int(arg) if arg is not None else None
    except ValueError:
        return None  # the server will say what is wrong with it


def _grown(at: int | None, per_byte: int) -> Refusal | None:
    if at is None or at // per_byte <= LARGE:
        return None
    return Refusal(
        f"The string would become {at // per_byte:,} bytes long.",
        f"An offset up to {LARGE * per_byte:,} may be written.",
    )


def setbit(args: Sequence[bytes], keys: Sequence[bytes]) -> Refusal | None:
    """SETBIT key offset value."""
    return _grown(integer(args[2]), 8)


def setrange(args: Sequence[bytes], keys: Sequence[bytes]) -> Refusal | None:
    """SETRANGE key offset value."""
    return _grown(integer(args[2]), 1)


def bitfield(args: Sequence[bytes], keys: Sequence[bytes]) -> Refusal | None:
    """SET u8 #100 grows the string to the place where it writes."""
    for at in range(2, len(args) - 2):
        width, place = integer(args[at + 1][1:]), integer(args[at + 2].removeprefix(b"#"))
        if word(args[at]) not in (b"SET", b"INCRBY") or width is None or place is None:
            continue
        too_far = _grown(place * width if args[at + 2].startswith(b"#") else place, 8)
        if too_far is not None:
            return too_far
    return None
