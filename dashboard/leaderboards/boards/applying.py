"""Changing one member: guarded by the score that was seen, kept for undo, audited, sent once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from dashboard import undo
from dashboard.audit import recording
from dashboard.audit.models import Result
from dashboard.leaderboards.boards import showing
from dashboard.leaderboards.boards.models import Order, Ties
from dashboard.leaderboards.boards.places import Place
from redisops.edits import (
    BoardScore,
    Conflict,
    Edit,
    Edits,
    Exists,
    Missing,
    Refused,
    RemoveScore,
    Saved,
)
from redisops.edits import SetScore as Set
from redisops.elements import Elements
from redisops.errors import InvalidArgument, UnknownResult

TRIES = 4
"""How often an increment is computed anew when somebody writes between the look and the edit."""
ACTIONS = {
    "add": "leaderboards.add", "set": "leaderboards.set",
    "increment": "leaderboards.increment", "remove": "leaderboards.remove",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What is to be done to one member. ``seen`` is its score as it was shown, None for none;
    ``value`` is the score, or what is added to it."""

    do: str
    member: bytes
    value: float = 0.0
    seen: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Done:
    """What came of it. ``why_not`` is a sentence when nothing was changed; ``now`` is the score
    that is there then. ``removal`` takes it back."""

    score: float | None = None
    removal: Any = None
    why_not: str = ""
    now: float | None = None


def score_of(place: Place, member: bytes) -> float | None:
    """The member's score now, None when it is not on the board. One command."""
    found = place.library().rank(member)
    return found.score if found else None


def apply(request: HttpRequest, place: Place, change: Change) -> Done:
    """Do it. Raises undo.CannotKeep (nothing was sent), UnknownResult, and a server's trouble."""
    if change.do != "increment":
        return _edited(request, place, change, _edit(place, change))
    done = Done()
    for _ in range(TRIES):
        before = _look(place, change.member)
        total = (before or 0.0) + change.value
        if math.isnan(total):
            return Done(why_not="∞ and −∞ have no sum.", now=before)
        step = Change("increment", change.member, total, before, change.reason)
        done = _edited(request, place, step, _edit(place, step))
        if not done.why_not or done.now is None:
            return done
    return Done(why_not="Others write this member faster than it can be read.", now=done.now)


def check(place: Place, change: Change) -> str:
    """After a lost reply: "done", "not done" or "unclear". One command, writes nothing."""
    now = score_of(place, change.member)
    if change.do == "remove":
        return "done" if now is None else "not done" if now == change.seen else "unclear"
    if change.do == "increment":
        return "unclear"
    if now == change.value:
        return "done"
    return "not done" if now == change.seen else "unclear"


def _look(place: Place, member: bytes) -> float | None:
    if place.is_kept:
        return score_of(place, member)
    found = Elements(place.server.client()).look(place.key, "zset", member)
    return float(found.data) if found.data is not None else None


def _edit(place: Place, change: Change) -> Edit:
    if change.do == "remove":
        if change.seen is None:
            raise InvalidArgument("who is not on the board cannot be removed")
        if place.is_kept:
            return _kept(place, change, None)
        return RemoveScore(place.key, change.member, change.seen)
    if place.is_kept:
        return _kept(place, change, change.value)
    is_new = change.seen is None
    return Set(place.key, change.member, change.value, change.seen, create=is_new)


def _kept(place: Place, change: Change, score: float | None) -> Edit:
    """Of a board with books: they are changed with the score, and taken back with it."""
    board = place.board
    assert board is not None
    return BoardScore(
        place.key, change.member, score, change.seen, board.first_wins, board.ties == Ties.DENSE,
        "low" if board.order == Order.LOW else "high", expires_at=place.expires_at,
    )  # fmt: skip


def _edited(request: HttpRequest, place: Place, change: Change, edit: Edit) -> Done:
    server, action = place.server, ACTIONS[change.do]
    edits = Edits(server.client())
    would = edits.apply(edit, dry=True)
    if not isinstance(would, Saved):
        return _refused(place, would, change)
    removal = kept = None
    if would.inverse is not None:
        removal = undo.begin(
            request, server, action=action, why=change.reason,
            what=f"{showing.short(change.member)} of {place.name}",
        )  # fmt: skip
        kept = removal.keep_edit(edit.key, would.inverse.to_dict())
    try:
        with recording(
            request, action, server=server.slug, target=place.key, reason=change.reason,
            before=_told(change, change.seen),
        ) as entry:  # fmt: skip
            outcome = edits.apply(edit)
            if isinstance(outcome, Saved):
                after = None if change.do == "remove" else change.value
                entry.after = _told(change, after)
            else:
                entry.result, entry.reason = Result.REFUSED, _words(outcome)
    except UnknownResult:
        raise  # what is kept stays on offer: the edit may have happened
    except BaseException:
        if removal is not None and kept is not None:
            removal.settle(kept, ["refused"])
        raise
    if not isinstance(outcome, Saved):
        if removal is not None and kept is not None:
            removal.settle(kept, ["refused"])
        return _refused(place, outcome, change)
    return Done(None if change.do == "remove" else change.value, removal)


def _told(change: Change, score: float | None) -> dict[str, Any]:
    told = None if score is None else showing.raw(score)
    return {"member": showing.short(change.member), "score": told}


def _refused(place: Place, outcome: Any, change: Change) -> Done:
    if isinstance(outcome, Conflict) and outcome.now.type:
        return Done(why_not=f"The key is of type {outcome.now.type} by now.")
    return Done(why_not=_words(outcome), now=_look(place, change.member))


def _words(outcome: Any) -> str:
    match outcome:
        case Missing(what):
            return f"The {what} is gone by now."
        case Exists():
            return "It is on the board already."
        case Refused(reason):
            return str(reason)
    return "Somebody changed its score meanwhile."
