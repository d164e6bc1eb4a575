"""Which keys of a walk are wanted, by what SCAN itself cannot filter: expiry, memory, rest.

One definition for lists, bulk work and whatever links to them. A range is text that fits an
address: "<60" is below 60, ">=60" is 60 and above, "60-3600" from 60 to below 3600.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from redis.exceptions import ResponseError

from redisops.errors import InvalidArgument
from redisops.survey.asking import SAMPLES
from redisops.values.calls import checked, is_out_of_reach

RANGE = r"(?:<|>=)\d{1,15}|\d{1,15}-\d{1,15}"
EXPIRY = rf"none|any|{RANGE}"

Span = tuple[int, int | None]


def span(text: str, name: str = "range") -> Span:
    """(from, below) of a range; below is None where it has no end. Raises InvalidArgument."""
    text = text.replace(" ", "")
    if not re.fullmatch(RANGE, text):
        raise InvalidArgument(
            f"{name} {text[:80]!r} must be a range such as '<60', '>=60' or '60-3600'"
        )
    if text.startswith("<"):
        return 0, int(text[1:])
    if text.startswith(">="):
        return int(text[2:]), None
    low, _, high = text.partition("-")
    if int(low) >= int(high):
        raise InvalidArgument(f"{name} {text!r} holds nothing: its end must be above its start")
    return int(low), int(high)


def is_within(value: float | None, bounds: Span) -> bool:
    """Whether a known value lies in a range."""
    low, high = bounds
    return value is not None and low <= value and (high is None or value < high)


@dataclass(frozen=True)
class Filter:
    """``ttl`` is "none", "any" or a range in seconds, ``size`` a range in bytes of memory,
    ``idle`` one in seconds since the last use; "" for each: all keys.

    A key whose fact the server refuses to tell does not pass. Raises InvalidArgument.
    """

    ttl: str = ""
    size: str = ""
    idle: str = ""

    def __post_init__(self) -> None:
        _ = self._spans

    @cached_property
    def _spans(self) -> tuple[Span | None, Span | None, Span | None]:
        ttl = self.ttl.replace(" ", "")
        if ttl not in ("", "none", "any") and not re.fullmatch(RANGE, ttl):
            raise InvalidArgument(
                f"ttl {self.ttl[:80]!r} must be 'none', 'any' or a range such as '<60', '>=60' "
                "or '60-3600' in seconds"
            )
        return (
            span(ttl, "ttl") if ttl not in ("", "none", "any") else None,
            span(self.size, "size") if self.size else None,
            span(self.idle, "idle") if self.idle else None,
        )

    def __bool__(self) -> bool:
        return bool(self.ttl or self.size or self.idle)

    def passes(self, ttl: int | None, size: int | None, idle: int | None) -> bool:
        """Whether a key passes: ``ttl`` in ms (negative: none), bytes, seconds; None: unknown."""
        lives, sizes, rests = self._spans
        if self.ttl == "none" and (ttl is None or ttl >= 0):
            return False
        if self.ttl == "any" and (ttl is None or ttl < 0):
            return False
        if lives is not None and not is_within(_seconds(ttl), lives):
            return False
        if sizes is not None and not is_within(size, sizes):
            return False
        return rests is None or is_within(idle, rests)

    def commands(self, key: bytes) -> list[tuple[Any, ...]]:
        """What has to be asked of a key: one command for each filter that is set."""
        asked: list[tuple[Any, ...]] = []
        if self.ttl:
            asked.append(("PTTL", key))
        if self.size:
            asked.append(("MEMORY", "USAGE", key, "SAMPLES", SAMPLES))
        if self.idle:
            asked.append(("OBJECT", "IDLETIME", key))
        return asked

    def judge(self, replies: Sequence[Any]) -> bool:
        """Whether a key passes by the replies to ``commands``; False when it is gone.

        Raises InvalidArgument where the server keeps no time of the last use, and refusals.
        """
        told = iter(replies)
        ttl = _told(next(told)) if self.ttl else None
        size = _told(next(told)) if self.size else None
        idle = _told(next(told)) if self.idle else None
        return ttl != -2 and self.passes(ttl, size, idle)


def _seconds(ttl: int | None) -> float | None:
    return None if ttl is None or ttl < 0 else ttl / 1000


def _told(reply: Any) -> int | None:
    if is_out_of_reach(reply):
        return None
    if isinstance(reply, ResponseError):
        if "LFU" in str(reply):
            raise InvalidArgument(
                "idle cannot be asked here: this server counts uses instead (maxmemory-policy)"
            )
        if "no such key" in str(reply):
            return None
    value: int | None = checked(reply)
    return value
