"""Words that whoever may write to Redis chose, made fit to be read."""

from __future__ import annotations

from redisops import keys


def plain(text: str, most: int = 500) -> str:
    r"""At most ``most`` characters; control, invisible and direction-changing ones as ``\xNN``."""
    return keys.printable(text[:most].encode("utf-8", "replace"))
