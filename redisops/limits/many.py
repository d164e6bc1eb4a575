"""Many requests decided in one round trip, each for itself: for who asks on behalf of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redisops.limits.deciding import AWAY, PASSED, Deciding, Wanted, again_after
from redisops.limits.guard import AsyncGuard, Guard
from redisops.limits.matching import Matched
from redisops.limits.model import Verdict
from redisops.limits.verdicts import Costing
from redisops.steps import Steps

__all__ = ["Request", "check_many", "check_many_async", "peek_many", "peek_many_async"]

Request = tuple[Sequence[Matched], int | None]
"""What ``book.match`` gave for one request, and its cost (None: each policy's own)."""


def check_many(guard: Guard, requests: Sequence[Request]) -> list[Verdict]:
    """``guard.check`` for each, in their order: decided, counted and recorded for itself.

    One round trip whatever their number, two when the server has lost a script; on a cluster all
    limits of a document are in one slot. What Redis cannot decide goes by its policies' failure
    mode. Concurrency policies are left out, as ``check`` does, and so are the errors it raises.
    """
    return guard.run(_checked(guard, requests))


async def check_many_async(guard: AsyncGuard, requests: Sequence[Request]) -> list[Verdict]:
    """As ``check_many``."""
    return await guard.run(_checked(guard, requests))


def peek_many(guard: Guard, requests: Sequence[Request]) -> list[Verdict]:
    """What ``guard.check`` would say now to each of them alone; changes and records nothing.

    One round trip. Raises Redis's errors: there is nothing to look at then.
    """
    return guard.run(_peeked(guard, requests))


async def peek_many_async(guard: AsyncGuard, requests: Sequence[Request]) -> list[Verdict]:
    """As ``peek_many``."""
    return await guard.run(_peeked(guard, requests))


def _checked(guard: Deciding, requests: Sequence[Request]) -> Steps[list[Verdict]]:
    verdicts, due = _sorted(guard, requests, looks=False)
    if due:
        told = yield from _decided(guard, list(due.values()))
        for (at, wanted), verdict in zip(due.items(), told, strict=True):
            verdicts[at] = verdict
            guard.record(wanted, verdict)
    return verdicts


def _decided(guard: Deciding, asked: list[list[Wanted]]) -> Steps[list[Verdict]]:
    wait = guard.resting()
    if wait:
        return [guard.away(wanted, wait) for wanted in asked]
    try:
        told = yield guard.limiter().decide_each(_costings(asked), take=True)
    except AWAY as error:
        guard.say(error)
        return [guard.away(wanted, again_after(error)) for wanted in asked]
    found, failed = [], None
    for wanted, verdict in zip(asked, told, strict=True):
        if isinstance(verdict, AWAY):
            failed = verdict
            found.append(guard.away(wanted, again_after(verdict)))
        else:
            found.append(verdict)
    if failed is not None or guard.trouble:
        guard.say(failed)
    return found


def _peeked(guard: Deciding, requests: Sequence[Request]) -> Steps[list[Verdict]]:
    verdicts, due = _sorted(guard, requests, looks=True)
    if due:
        told = yield guard.limiter().decide_each(_costings(due.values()), take=False)
        for at, verdict in zip(due, told, strict=True):
            if isinstance(verdict, Exception):
                raise verdict
            verdicts[at] = verdict
    return verdicts


def _sorted(
    guard: Deciding, requests: Sequence[Request], *, looks: bool
) -> tuple[list[Verdict], dict[int, list[Wanted]]]:
    """What is known of each without asking, and by its place what Redis has to decide."""
    verdicts: list[Verdict] = []
    due: dict[int, list[Wanted]] = {}
    for at, (matched, cost) in enumerate(requests):
        rates, _, verdict = guard.sort(matched, cost, looks=looks)
        verdicts.append(PASSED if verdict is None else verdict)
        if rates:
            due[at] = rates
    return verdicts, due


def _costings(asked: Iterable[list[Wanted]]) -> list[list[Costing]]:
    return [[(one.limit, one.subject, cost) for one, cost in wanted] for wanted in asked]
