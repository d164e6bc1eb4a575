"""How a value may be looked at: the options of ``Values.read``, each for one type or two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypedDict

from redisops import keys as names
from redisops.errors import InvalidArgument

BUDGET = 1024 * 1024  # bytes of elements in one page
_SCORE = re.compile(
    r"\(?[+-]?(inf|infinity|\d+\.?\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?)", re.IGNORECASE
)
_ID = re.compile(r"\d{1,20}(-\d{1,20})?")


class Options(TypedDict, total=False):
    """Keyword options of ``Values.read``. One that does not fit the key's type is ignored.

    ``limit``   bytes of an element or field kept in the page (4,096); the rest is only counted
    ``window``  string: bytes in a page (16,384; at most 1 MiB)
    ``bits``    string: also read the window as a bitmap
    ``order``   list "head" | "tail"; sorted set and stream "asc" | "desc" (default: head, asc
                for a sorted set, desc for a stream)
    ``match``   hash fields, set members: a glob pattern
    ``min``, ``max``  sorted set: scores as Redis spells them ("-inf", "10", "(10")
    ``member``  sorted set: show the page that holds this member, and its rank
    ``geo``     sorted set: longitude and latitude of each member
    ``near``    sorted set: (longitude, latitude, metres), members inside that circle, nearest first
    ``start``, ``end``  stream: ids ("1526919030474-55") or times (milliseconds since 1970), both
                included; start is the older one in either order
    """

    limit: int
    window: int
    bits: bool
    order: str | None
    match: bytes | str | None
    min: str | None
    max: str | None
    member: bytes | None
    geo: bool
    near: tuple[float, float, float] | None
    start: str | int | None
    end: str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The options of one read, checked."""

    count: int = 100
    limit: int = 4096
    window: int = 16 * 1024
    bits: bool = False
    order: str | None = None
    match: bytes | str | None = None
    min: str | None = None
    max: str | None = None
    member: bytes | None = None
    geo: bool = False
    near: tuple[float, float, float] | None = None
    start: str | int | None = None
    end: str | int | None = None

    def __post_init__(self) -> None:
        for option, value, low, high in (
            ("count", self.count, 1, 1000),
            ("limit", self.limit, 16, BUDGET),
            ("window", self.window, 16, BUDGET),
        ):
            if not low <= value <= high:
                raise InvalidArgument(f"{option} {value} must be from {low} to {high}")
        if self.order not in (None, "head", "tail", "asc", "desc"):
            raise InvalidArgument(f"order {self.order!r} must be head, tail, asc or desc")
        for score in filter(None, (self.min, self.max)):
            if not _SCORE.fullmatch(score):
                raise InvalidArgument(f"score {score[:80]!r} must be a number, '-inf', or '(10'")
        for id in (self.start, self.end):
            if id not in (None, "") and not _ID.fullmatch(str(id)):
                raise InvalidArgument(
                    f"{str(id)[:80]!r} must be a stream id or a time in milliseconds since 1970"
                )
        if self.near is not None:
            longitude, latitude, metres = self.near
            if not (abs(longitude) <= 180 and abs(latitude) <= 85.05112878):
                raise InvalidArgument(
                    f"{longitude}, {latitude} must lie within longitude ±180 and latitude ±85.05"
                )
            if not 0 < metres <= 30_000_000:
                raise InvalidArgument(f"radius {metres} must be above 0 and at most 30,000,000 m")
        names.pattern(self.match)
