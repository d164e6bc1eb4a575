"""Two looks make a rate. The page carries the earlier one in the address that it asks next.

So nothing is kept on any server, it is right with any number of web processes, and what somebody
writes into the address changes their own page alone.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from redisops.streams.groups import Group, Look, Rates, Reading, rates, reading
from redisops.streams.info import GroupInfo

SPAN = 10.0
"""Seconds after which the earlier of the two readings is given up for the later one."""
LONGEST = 8_000


class Memory:
    """The last two looks before this one."""

    def __init__(self, text: str = "") -> None:
        self._looks: list[list[Any]] = _parsed(text)

    def rates(self, look: Look, group: Group) -> Rates | None:
        """How fast the group moves by the oldest look that is known."""
        for at, length, added, groups in self._looks:
            known = groups.get(_name(group))
            if known is not None:
                return rates(Reading(at, length, added, *known[:3]), reading(look, group))
        return None

    def still(self, look: Look, group: Group) -> float | None:
        """Seconds in which it read and acknowledged nothing as far as was seen; None: it moved."""
        since = self._since(look, group)
        return None if since is None or since >= look.at else look.at - since

    def _since(self, look: Look, group: Group) -> float | None:
        """When it was seen first as it is now, by the last look."""
        known = self._looks[-1][3].get(_name(group)) if self._looks else None
        return None if known is None or known[3] != place(group) else known[4]

    def then(self, look: Look) -> str:
        """What the next look is told."""
        now: list[Any] = [
            round(look.at, 2), look.length, look.added,
            {_name(group): [group.entries_read, group.pending, group.lag, place(group),
                            self._since(look, group) or round(look.at, 2)]
             for group in look.groups[:100]},
        ]  # fmt: skip
        kept = [one for one in self._looks if 0 < look.at - one[0] < 120]
        if len(kept) > 1 and look.at - kept[1][0] >= SPAN:
            kept = kept[1:]  # the later of the two is old enough to be compared with
        looks = [*kept, now][:2]
        raw = zlib.compress(json.dumps(looks, separators=(",", ":")).encode(), 9)
        text = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        return text if len(text) < LONGEST else ""


def place(group: Group | GroupInfo) -> int:
    """A number that is another one as soon as the group reads or acknowledges something."""
    return zlib.crc32(f"{group.last_delivered} {group.pending}".encode())


def _name(group: Group) -> str:
    return f"{zlib.crc32(group.name):x}"


def _parsed(text: str) -> list[list[Any]]:
    """What ``then`` wrote; [] for anything else, because anybody can write an address."""
    if not text or len(text) > LONGEST:
        return []
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        plain = zlib.decompressobj().decompress(raw, 200_000)
        looks = json.loads(plain)
        return looks[:2] if isinstance(looks, list) and all(map(_fits, looks)) else []
    except (ValueError, TypeError, AttributeError, zlib.error, RecursionError):
        return []


def _fits(look: Any) -> bool:
    at, length, added, groups = look
    return (
        _is_number(at)
        and _is_count(length)
        and (added is None or _is_count(added))
        and all(len(one) == 5 and all(n is None or _is_count(n) for n in one[:3])
                and _is_count(one[1]) and _is_count(one[3]) and _is_number(one[4])
                for one in groups.values())
    )  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
