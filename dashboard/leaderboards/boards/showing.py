"""How members and scores are written: the same in the page, in the socket's rows, and in CSV."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redisops import keys
from redisops.leaderboards import Standing

LONGEST = 120
"""Bytes of a member that a row shows."""
LONGEST_ID = 600
"""Bytes of a member that an address takes; longer ones are told by a digest and have no page."""
LONGEST_DETAIL = 200


@dataclass(frozen=True)
class Row:
    """One member as a page shows it. ``raw`` is the score as Redis spells it, ``score`` for people;
    ``title`` is what the details say it is called, "" for nothing."""

    member: bytes
    rank: int | None
    raw: str
    title: str = ""
    place: int | None = None

    @property
    def id(self) -> str:
        return member_id(self.member)

    @property
    def name(self) -> str:
        return short(self.member)

    @property
    def is_long(self) -> bool:
        return len(self.member) > LONGEST_ID

    @property
    def score(self) -> str:
        return shown(float(self.raw))

    def as_list(self) -> list[Any]:
        """``[id, name, rank, score, raw score, title, whether it can be opened]`` for a script."""
        return [
            self.id, self.name, self.rank, self.score, self.raw, self.title, not self.is_long,
        ]  # fmt: skip


def rows(standings: Sequence[Standing], titles: Mapping[bytes, bytes]) -> list[Row]:
    """The standings with what the details say of each."""
    return [
        Row(one.member, one.rank, raw(one.score), title(titles.get(one.member)), one.place)
        for one in standings
    ]


def member_id(member: bytes) -> str:
    """A name for a member that fits an address and tells it from all others."""
    if len(member) <= LONGEST_ID:
        return keys.to_url(member)
    return f"sha1.{hashlib.sha1(member, usedforsecurity=False).hexdigest()}"


def short(member: bytes) -> str:
    text = keys.printable(member[:LONGEST])
    return f"{text}… ({len(member):,} bytes)" if len(member) > LONGEST else text or "(empty)"


def raw(score: float) -> str:
    """Exact, as ZADD takes it: ``98412``, ``0.1``, ``inf``."""
    if math.isinf(score):
        return "inf" if score > 0 else "-inf"
    return str(int(score)) if score == int(score) and abs(score) < 2**53 else repr(score)


def shown(score: float) -> str:
    """98,412; a fraction with what it has; ∞ for inf."""
    if math.isinf(score):
        return "∞" if score > 0 else "−∞"
    if score == int(score) and abs(score) < 2**53:
        return f"{int(score):,}".replace("-", "−")
    text = f"{score:,.6g}" if abs(score) >= 1e15 or abs(score) < 1e-4 else f"{score:,.6f}"
    return (text.rstrip("0").rstrip(".") if "e" not in text else text).replace("-", "−")


def title(detail: bytes | None) -> str:
    """What a member is called: the detail itself, or of JSON its ``name``, ``title`` or first."""
    if not detail:
        return ""
    if detail[:1] == b"{" and len(detail) <= 64 * 1024:
        try:
            found = json.loads(detail)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            named = next((found[n] for n in ("name", "title", "label") if n in found), None)
            detail = str(named).encode("utf-8", "surrogatepass") if named is not None else detail
    text = keys.printable(detail[:LONGEST_DETAIL])
    return f"{text}…" if len(detail) > LONGEST_DETAIL else text
