"""One member: where it stands, what it lacks to the next, and how far the best one per cent is."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from dashboard.leaderboards.boards import showing
from dashboard.leaderboards.boards.places import Place
from redisops import keys
from redisops.errors import InvalidArgument
from redisops.leaderboards import Overview, Standing

LONGEST = 64 * 1024


@dataclass(frozen=True)
class Found:
    """A member that was looked for. ``standing`` is None when it is not on the board."""

    member: bytes
    size: int = 0
    standing: Standing | None = None
    ahead_of: str = ""
    next: Standing | None = None
    lacks: str = ""
    to_best: str = ""

    @property
    def id(self) -> str:
        return showing.member_id(self.member)

    @property
    def name(self) -> str:
        return showing.short(self.member)

    @property
    def score(self) -> str:
        return showing.shown(self.standing.score) if self.standing else ""

    @property
    def next_name(self) -> str:
        return showing.short(self.next.member) if self.next else ""

    @property
    def is_long(self) -> bool:
        return len(self.member) > showing.LONGEST_ID


def wanted(request: HttpRequest) -> bytes | None:
    """The member that the address asks for: typed (``find``), or as rows link to it (``at``)."""
    at, typed = request.GET.get("at", ""), request.GET.get("find", "")
    if at:
        try:
            return keys.from_url(at)
        except InvalidArgument:
            return None
    return keys.from_printable(typed)[:LONGEST] if typed else None


def find(place: Place, member: bytes, seen: Overview) -> Found:
    """Where it stands, by what the page has read: the rows around it, and the shares of all."""
    size, near, percent = seen.size, seen.near, seen.percentile
    at = next((n for n, one in enumerate(near) if one.member == member), None)
    if at is None:
        return Found(member, size)
    standing, above = near[at], near[at - 1] if at else None
    best = seen.shares[-1] if size >= 100 and seen.shares else None
    ahead = ""
    if percent is not None and size > 1:
        better = (100 - percent) / 100 * size
        ahead = f"{100 * (size - 1 - better) / size:.1f}%" if better < size - 1 else "nobody"
    lacks = showing.shown(abs(above.score - standing.score)) if above else ""
    return Found(
        member, size, standing, ahead, above, lacks, _to_best(standing, best, is_high=place.is_high)
    )


def _to_best(standing: Standing, best: Standing | None, *, is_high: bool) -> str:
    """What it lacks to the best one per cent; "" when it is there, or there is none."""
    if best is None:
        return ""
    lack = best.score - standing.score if is_high else standing.score - best.score
    return showing.shown(lack) if lack > 0 else ""
