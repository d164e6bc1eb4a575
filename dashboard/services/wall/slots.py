"""The last eighteen beats or checks of each instance, as they were seen by this process.

One character each: 1 to 9 a good one (of a check the higher the slower, of a beat always 5), ``w``
late or warning, ``x`` missed or failed, ``-`` not known.
"""

from __future__ import annotations

import math

from redisops.services.model import Instance
from redisops.services.overview import Look, Seen
from redisops.services.results import Result

SLOTS = 18
BEATS = 3
"""Beats within one lease (``redisops.services.agent``)."""
_MARKS = {"pass": "", "warn": "w", "fail": "x", "refused": "x", "unknown": "-"}


class Slots:
    """What was seen of every instance; forgets who is not there any more."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, tuple[float, float, str]]] = {}

    def of(self, service: str, id: str) -> str:
        """The slots of an instance, oldest first; "" of one that was not seen yet."""
        return self._seen.get(service, {}).get(id, (0.0, 0.0, ""))[2]

    def note(self, look: Look) -> None:
        """Take in what a look found out."""
        for name in look.looked:
            seen = look.services.get(name)
            if seen is not None:
                before = self._seen.get(name, {})
                self._seen[name] = {
                    one.id: _noted(before.get(one.id), one, seen, look.now)
                    for one in seen.instances
                }
        for name in [name for name in self._seen if name not in look.services]:
            del self._seen[name]


def _noted(
    before: tuple[float, float, str] | None, one: Instance, seen: Seen, now: float
) -> tuple[float, float, str]:
    """When the last thing happened (a check, or a beat), until when it was told, and the slots."""
    checked = seen.results.get(one.id)
    if checked is not None:
        if before is None or checked.at > before[0]:
            return checked.at, 0.0, _add(before, of_result(checked))
        return before
    end = seen.ends.get(one.id, 0) / 1000
    if not end:
        return before or (0.0, 0.0, "")
    beaten = end - one.ttl
    if before is None:
        return beaten, now, "5"
    at, told, slots = before
    if beaten > at + 0.001:
        gap = beaten - at
        return beaten, now, _add(before, "5" if gap < one.ttl * 0.9 else "w")
    due = max(at, told) + one.ttl / BEATS
    if now > end - one.ttl / BEATS and now > due:  # a beat, and another, did not come
        return at, now, _add(before, "x" if now > end else "w")
    return at, told, slots


def of_result(found: Result) -> str:
    """One check as one character."""
    mark = _MARKS[found.state]
    return mark or str(height(found.ms))


def height(ms: float | None) -> int:
    """1 to 9 by the logarithm of milliseconds: 1 ms is 3, 10 ms 5, 100 ms 7, a second 9."""
    if not ms:
        return 2
    return min(9, max(1, round(3 + 2 * math.log10(ms))))


def _add(before: tuple[float, float, str] | None, mark: str) -> str:
    return ((before[2] if before else "") + mark)[-SLOTS:]
