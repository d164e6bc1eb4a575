"""Edits of sorted sets, places on a map included. Script: ``edit_zset``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from redisops.edits.edit import Edit, Reply, check_times
from redisops.edits.hashes import after
from redisops.edits.outcomes import Saved, Version, version
from redisops.errors import InvalidArgument

_NORTH = 85.05112878  # degrees of latitude where the map of geo commands ends


def score(text: str | bytes | float) -> float:
    """A score as Redis keeps it: a double. ``inf``, ``-inf`` and ``-0`` are scores.

    Raises InvalidArgument for NaN, for what is no number, and for a whole number that a double
    cannot hold: 9007199254740993 would silently become 9007199254740992.
    """
    shown = str(text)[:80]
    try:
        value = float(text)
    except (ValueError, OverflowError):
        raise InvalidArgument(f"{shown!r} is no score: give a number, inf or -inf") from None
    if math.isnan(value):
        raise InvalidArgument("NaN is no score: Redis cannot order it")
    words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    digits = words.strip().lstrip("+-")
    if digits.isdecimal() and (
        len(digits) > 400 or math.isinf(value) or abs(int(value)) != int(digits)
    ):
        nearest = "" if math.isinf(value) else f"; the nearest is {int(value)}"
        raise InvalidArgument(f"a score is a double, which cannot hold {shown}{nearest}")
    if math.isinf(value) and digits[:1].isdigit():
        raise InvalidArgument(f"a score is a double, which cannot hold {shown}")
    return value


@dataclass(frozen=True)
class SetScore(Edit):
    """Give a member of a sorted set a score; ``seen`` is its old one, None to add a new member.

    Scores are compared as numbers. With ``create`` an absent key is made, to expire at
    ``expires_at`` (ms since 1970).
    """

    member: bytes
    score: float
    seen: float | None = None
    create: bool = False
    expires_at: int | None = None

    operation = "zset.score"
    type = "zset"
    script = "edit_zset"
    commands = ("EVALSHA", "ZADD")
    noun = "member"

    def check(self) -> None:
        score(self.score)
        check_times(self.expires_at)

    @property
    def was(self) -> Version:
        return Version.of(None if self.seen is None else _spelled(self.seen))

    @property
    def intended(self) -> Version:
        return Version.of(_spelled(self.score))

    def is_done(self, now: Version) -> bool:
        return float(now.data or b"nan") == self.score

    def arguments(self) -> tuple[Any, ...]:
        seen = "" if self.seen is None else _spelled(self.seen)
        return (
            "score", self.member, seen, int(self.create), self.expires_at or "",
            _spelled(self.score),
        )  # fmt: skip

    def saved(self, reply: Reply) -> Saved:
        before, now = version(reply[0]), version(reply[1])
        new = float(reply[1][0])
        inverse: Edit = RemoveScore(self.key, self.member, new)
        if reply[0] is not None:
            inverse = SetScore(self.key, self.member, float(reply[0][0]), new)
        return Saved(inverse, before, now)


@dataclass(frozen=True)
class RemoveScore(Edit):
    """Remove a member from a sorted set; ``seen`` is its score. The key goes with its last one."""

    member: bytes
    seen: float

    operation = "zset.remove"
    type = "zset"
    script = "edit_zset"
    commands = ("EVALSHA", "ZREM")
    noun = "member"

    @property
    def was(self) -> Version:
        return Version.of(_spelled(self.seen))

    def arguments(self) -> tuple[Any, ...]:
        return ("remove", self.member, _spelled(self.seen))

    def saved(self, reply: Reply) -> Saved:
        old, gone = float(reply[0][0]), reply[1]
        inverse = SetScore(self.key, self.member, old, None, gone is not None, after(gone))
        return Saved(inverse, version(reply[0]), Version())


@dataclass(frozen=True)
class SetPlace(Edit):
    """Put a member of a geo set at a place in degrees, WGS84; ``seen`` is its old score or None."""

    member: bytes
    longitude: float
    latitude: float
    seen: float | None = None

    operation = "geo.place"
    type = "zset"
    script = "edit_zset"
    commands = ("EVALSHA", "GEOADD")
    noun = "member"

    def check(self) -> None:
        if not (abs(self.longitude) <= 180 and abs(self.latitude) <= _NORTH):
            raise InvalidArgument(
                f"{self.longitude}, {self.latitude} must lie within longitude ±180 and "
                "latitude ±85.05112878"
            )

    @property
    def score(self) -> float:
        """The score that GEOADD gives this place: the bits of both halves in turns, 52 in all."""
        east = int((self.longitude + 180) / 360 * 2**26)
        north = int((self.latitude + _NORTH) / (2 * _NORTH) * 2**26)
        return float(sum(((east >> n & 1) << 1 | north >> n & 1) << 2 * n for n in range(27)))

    was = SetScore.was
    intended = SetScore.intended
    is_done = SetScore.is_done
    saved = SetScore.saved

    def arguments(self) -> tuple[Any, ...]:
        seen = "" if self.seen is None else _spelled(self.seen)
        place = (_spelled(self.longitude), _spelled(self.latitude))
        return ("place", self.member, seen, 0, "", _spelled(self.score), *place)


def _spelled(number: float) -> bytes:
    """A double as Redis reads it back exactly."""
    return repr(number).encode()
