"""Replies of the scripts turned into verdicts; times in replies are microseconds.

Tuples are built by ``tuple.__new__``, without the checks of arguments that a class of names
adds: this runs for each decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redisops.limits.model import Limit, Part, Verdict

Costing = tuple[Limit, str | bytes, int]
"""A limit, whose, and what it is to be spent."""
Asked = tuple[Limit, str | bytes] | Costing
"""A limit, whose, and what it is to be spent where that is not the cost of the whole decision."""

_new: Any = tuple.__new__


def of_one(limit: Limit, subject: str | bytes, reply: Sequence[Any], taken: int) -> Verdict:
    """The verdict of one limit. ``taken``: the cost that an allowed one has taken, 0 to look."""
    allowed, left, retry, reset = reply
    if allowed:
        name, most, version, shadow, period, shapes = limit.facts
        delay = 0.0
        if shapes is not None:
            us = reset - taken * shapes[0] // shapes[1]  # as `_delay`, without the call
            if us > 0:
                delay = us / 1e6
        reset /= 1e6
        whole: Part = _new(
            Part,
            (name, subject, True, most, left, 0.0, reset, shadow, period, version, delay),
        )
        return _new(  # type: ignore[no-any-return]
            Verdict, (True, most, left, 0.0, reset, delay, name, version, False, "", (whole,))
        )
    part = _part(limit, subject, allowed, left, retry, reset, taken)
    name, _, _, most, _, wait, reset_after, shadow, _, version, _ = part
    reason = "" if shadow else "too_costly" if retry < 0 else "denied"
    wait = 0.0 if shadow else wait
    return _new(  # type: ignore[no-any-return]
        Verdict,
        (shadow, most, left, wait, reset_after, 0.0, name, version, shadow, reason, (part,)),
    )


def of_several(asked: Sequence[Asked], replies: Sequence[Any], cost: int, *, take: bool) -> Verdict:
    """The verdict of all limits together; ``replies`` has four numbers for each."""
    if 0 not in replies[::4]:
        return _all_allowed(asked, replies, cost if take else 0)
    if take:
        take = all(
            allowed or one[0].shadow for one, allowed in zip(asked, replies[::4], strict=True)
        )
    parts, reply = [], iter(replies)
    for one, allowed, left, retry, reset in zip(asked, reply, reply, reply, reply, strict=False):
        taken = (one[2] if len(one) > 2 else cost) if take else 0
        parts.append(_part(one[0], one[1], allowed, left, retry, reset, taken))
    return _decision(tuple(parts), replies[2::4])


def _all_allowed(asked: Sequence[Asked], replies: Sequence[Any], cost: int) -> Verdict:
    """The usual case of ``of_several`` in fewer steps; ``cost`` 0 to look."""
    parts: list[Part] = []
    told, longest, hidden, at = None, 0.0, False, 1
    for one in asked:
        name, most, version, shadow, period, shapes = one[0].facts
        left, reset, delay = replies[at], replies[at + 2], 0.0
        at += 4
        if shapes is not None:
            taken = cost and (one[2] if len(one) > 2 else cost)
            us = reset - taken * shapes[0] // shapes[1]  # as `_delay`, without the call
            if us > 0:
                delay = us / 1e6
                if delay > longest:
                    longest = delay
        part: Part = _new(
            Part,
            (name, one[1], True, most, left, 0.0, reset / 1e6, shadow, period, version, delay),
        )
        parts.append(part)
        if shadow:
            hidden = True
        if told is None or left < told[4]:
            told = part
    if told is None or hidden:
        return _decision(tuple(parts), replies[2::4])
    return _new(  # type: ignore[no-any-return]
        Verdict,
        (
            True, told[3], told[4], 0.0, told[6], longest, told[0], told[9],
            False, "", tuple(parts),
        ),
    )  # fmt: skip


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of those of single limits, which were decided all or nothing."""
    if not verdicts:
        return Verdict(allowed=True)
    parts = tuple([one.parts[0] for one in verdicts])
    return _decision(parts, [-1 if one.reason == "too_costly" else 0 for one in verdicts])


def _part(
    limit: Limit, subject: str | bytes, allowed: int, left: int, retry: int, reset: int, taken: int
) -> Part:
    name, most, version, shadow, period, shapes = limit.facts
    wait = delay = 0.0
    if not allowed:
        wait = period if retry < 0 else retry / 1e6
    elif shapes is not None:
        delay = _delay(shapes, reset, taken)
    return _new(  # type: ignore[no-any-return]
        Part,
        (
            name, subject, allowed != 0, most, left, wait, reset / 1e6,
            shadow, period, version, delay,
        ),
    )  # fmt: skip


def _delay(rate: tuple[int, int], reset: int, taken: int) -> float:
    """Seconds until the bucket has leaked what was in it before ``taken`` was put in."""
    left = reset - taken * rate[0] // rate[1]
    return left / 1e6 if left > 0 else 0.0


def _decision(parts: tuple[Part, ...], retries: Sequence[int]) -> Verdict:
    """The verdict of the parts; a retry below 0 says that waiting would not help."""
    told, denied, shadow, delay = parts[0], False, False, 0.0
    for part in parts:
        _, _, allowed, _, left, _, _, in_shadow, _, _, wait = part
        if in_shadow:
            shadow = shadow or not allowed
        elif not allowed:
            denied = True
        else:
            if told[7] or left < told[4]:
                told = part
            if wait > delay:
                delay = wait
    retry, reason = 0.0, ""
    if denied:
        never, retry, at = max(
            (never < 0, part[5], at)
            for at, (part, never) in enumerate(zip(parts, retries, strict=True))
            if not part[2] and not part[7]
        )
        told, delay, reason = parts[at], 0.0, "too_costly" if never else "denied"
    elif told[7]:  # all are in shadow
        told = min(parts, key=_left)
        delay = told[10]
    return _new(  # type: ignore[no-any-return]
        Verdict,
        (
            not denied, told[3], told[4], retry, told[6], delay, told[0], told[9],
            shadow, reason, parts,
        ),
    )  # fmt: skip


def _left(part: Part) -> int:
    return part[4]
