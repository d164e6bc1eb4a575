"""Parts of replies as numbers, texts and maps. Others may have written them: nothing raises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redisops.replies import text

FLAPPING = 3.5
"""So many turns, halved every 5 minutes, are called flapping (``service_check.lua``)."""
HALF_LIFE = 300.0
MOST_VERSION = 2**62


def ms(seconds: float) -> int:
    """Seconds as the whole milliseconds that scripts take, 0 at least."""
    return max(0, round(seconds * 1000))


def seconds(value: Any) -> float | None:
    """Milliseconds as Redis gives them; None for none, or for what is no time."""
    try:
        found = float(value) / 1000
    except (TypeError, ValueError):
        return None
    return found if 0 <= found < 1e11 else None


def whole(value: Any) -> int:
    """A version or a time in ms; 0 for what is neither."""
    try:
        found = int(value)
    except (TypeError, ValueError):
        return 0
    return found if 0 <= found < MOST_VERSION else 0


def texts(values: Iterable[Any]) -> tuple[str, ...]:
    """Replies as text; bytes that are none become marks."""
    return tuple(text(value) for value in values)


def pairs(flat: Any) -> list[tuple[Any, Any]]:
    """Pairs of a hash or of members and scores, however the server's protocol gives them."""
    if isinstance(flat, dict):
        return list(flat.items())
    if flat and isinstance(flat[0], list | tuple):
        return [(one[0], one[1]) for one in flat]
    return list(zip(flat[::2], flat[1::2], strict=False))


def judged(packed: Any, now: float) -> tuple[int, float]:
    """Checks in a row (below 0: bad ones), and turns of late at ``now``, out of what
    ``service_check.lua`` keeps: ``ok bad flips at begun``."""
    try:
        ok, bad, flips, at, _ = text(packed or b"").split(" ")
        age = max(0.0, now - int(at) / 1000)
        turns = float(flips) * 0.5 ** (age / HALF_LIFE)
        return (-int(bad) if int(bad) else int(ok)), turns
    except (ValueError, OverflowError):
        return 0, 0.0
