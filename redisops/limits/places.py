"""Places for somebody else: taken by one request, renewed and given back by later ones.

``Guard.slot`` holds places for a block of this process. Who decides on behalf of others has no
such block: here a place is a value (``Held``) that goes out and comes back, to any process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from redisops.limits.concurrency import Held, Place
from redisops.limits.deciding import (
    AWAY,
    PASSED,
    Deciding,
    Wanted,
    again_after,
    all_of,
    beside,
    denied,
    passed,
)
from redisops.limits.guard import AsyncGuard, Guard
from redisops.limits.leases import Denied
from redisops.limits.matching import Matched
from redisops.limits.model import Verdict
from redisops.limits.shedding import PRIORITIES, places
from redisops.steps import Steps

__all__ = [
    "Held",
    "Taken",
    "release_places",
    "release_places_async",
    "renew_places",
    "renew_places_async",
    "take_places",
    "take_places_async",
]


class Taken(NamedTuple):
    """``verdict``, and the places that are ``held`` under it: none when it is denied, and none
    where no policy asks for any. ``seconds``: for how long they are, those in shadow left out if
    there are others, counted from before Redis was asked; 0.0 without any.
    """

    verdict: Verdict
    held: tuple[Held, ...] = ()
    seconds: float = 0.0


def take_places(guard: Guard, matched: Sequence[Matched], priority: str = "normal") -> Taken:
    """A place of every concurrency policy among ``matched`` (``book.match``), or of none.

    A lease lasts the policy's ``period``. Rates are left out (``check`` decides those); a ban in
    one holds. One round trip whatever their number, one more where only some had a place: those
    are given back. Without Redis a policy's failure mode decides, ``local`` as ``open``: nobody
    could give back what was counted here. What was let through so is not held.
    """
    return guard.run(_taken(guard, matched, priority))


async def take_places_async(
    guard: AsyncGuard, matched: Sequence[Matched], priority: str = "normal"
) -> Taken:
    """As ``take_places``."""
    return await guard.run(_taken(guard, matched, priority))


def renew_places(guard: Guard, held: Sequence[Held]) -> float:
    """Hold them on for their time from now; for how many seconds, 0.0 when one was lost.

    Then the others are given back (a second round trip): who was promised all of them has none.
    One of a policy in shadow may be lost: it is counted no more, and that is all.
    Redis's errors pass; the leases go on until their time then, and asking again is safe.
    """
    return guard.run(_renewed(guard, held))


async def renew_places_async(guard: AsyncGuard, held: Sequence[Held]) -> float:
    """As ``renew_places``."""
    return await guard.run(_renewed(guard, held))


def release_places(guard: Guard, held: Sequence[Held]) -> bool:
    """Give them back; whether all were still held, but for those in shadow. One round trip,
    harmless when repeated.

    Redis's errors pass: the places are free when their time is over.
    """
    return guard.run(_released(guard, held))


async def release_places_async(guard: AsyncGuard, held: Sequence[Held]) -> bool:
    """As ``release_places``."""
    return await guard.run(_released(guard, held))


def _taken(guard: Deciding, matched: Sequence[Matched], priority: str) -> Steps[Taken]:
    _, wanted, verdict = guard.sort(matched, None)
    if not wanted or (verdict is not None and not verdict.allowed):
        return Taken(PASSED if verdict is None else verdict)
    asked_at = time.monotonic()
    got = yield from _asked(guard, wanted, priority)
    held = tuple(
        Held(one.key, one.token, one.seconds, shadow=of.matched.limit.shadow)
        for of, one in zip(wanted, got, strict=True)
        if not isinstance(one, Denied | Verdict)
    )
    verdicts = [one if isinstance(one, Verdict) else one.verdict for one in got]
    refused = next((one for one in verdicts if not one.allowed), None)
    if refused is None:
        verdict = all_of(verdicts)
    else:
        verdict = beside(refused, [one for one in verdicts if one is not refused])
        yield from _given_back(guard, held)
        held = ()
    guard.record(wanted, verdict)
    spent = time.monotonic() - asked_at
    return Taken(verdict, held, max(_shortest(held) - spent, 0.0))


def _asked(guard: Deciding, wanted: Sequence[Wanted], priority: str) -> Steps[list[Any]]:
    """For each a lease, a Denied, or the verdict of its failure mode."""
    wait = guard.resting()
    if wait:
        return [_away(one, wait) for one, _ in wanted]
    try:
        got = yield guard.places().acquire_each([_place(one, priority) for one, _ in wanted])
    except AWAY as error:
        guard.say(error)
        return [_away(one, again_after(error)) for one, _ in wanted]
    failed = next((one for one in got if isinstance(one, AWAY)), None)
    if failed is not None or guard.trouble:
        guard.say(failed)
    return [
        _away(one, again_after(told)) if isinstance(told, Exception) else told
        for (one, _), told in zip(wanted, got, strict=True)
    ]


def _place(one: Matched, priority: str) -> Place:
    limit, shares = one.limit, one.policy.shares
    if not shares:
        return Place(limit, one.subject, one.policy.period, (("", limit.limit),))
    mine = PRIORITIES.index(priority if priority in PRIORITIES else "low")
    classes = tuple(places(limit.limit, dict(shares)).items())
    return Place(limit, one.subject, one.policy.period, classes, mine)


def _away(one: Matched, wait: float) -> Verdict:
    if one.policy.on_failure == "closed" and not one.limit.shadow:
        return denied(one.limit, one.subject, "failed_closed", wait)
    return passed(one.limit, "failed_open")


def _given_back(guard: Deciding, held: Sequence[Held]) -> Steps[None]:
    if held:
        try:
            yield guard.places().release_each(held)
        except AWAY as error:  # they end by themselves
            guard.say(error)


def _renewed(guard: Deciding, held: Sequence[Held]) -> Steps[float]:
    asked_at = time.monotonic()
    kept = yield guard.places().renew_each(held)
    if not all(on or one.shadow for one, on in zip(held, kept, strict=True)):
        yield from _given_back(guard, [one for one, on in zip(held, kept, strict=True) if on])
        return 0.0
    _raise_any(held, kept)
    return max(_shortest(held) - (time.monotonic() - asked_at), 0.0)


def _released(guard: Deciding, held: Sequence[Held]) -> Steps[bool]:
    replies = yield guard.places().release_each(held)
    _raise_any(held, replies)
    return all(on or one.shadow for one, on in zip(held, replies, strict=True))


def _raise_any(held: Sequence[Held], replies: Sequence[Any]) -> None:
    for one, reply in zip(held, replies, strict=True):
        if isinstance(reply, Exception) and not one.shadow:
            raise reply


def _shortest(held: Sequence[Held]) -> float:
    """The least of those that are enforced: shadow asks nobody to renew sooner."""
    enforced = [one for one in held if not one.shadow]
    return min((one.seconds for one in enforced or held), default=0.0)
