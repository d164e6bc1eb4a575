"""Verdicts on requests that another program asks about, by the policies published on a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.limits.api.doors import Door
from dashboard.limits.api.schemas import Made, Request
from redisops.limits import web
from redisops.limits.many import check_many, peek_many
from redisops.limits.matching import Asked, Matched
from redisops.limits.model import Verdict


def decide(door: Door, requests: Sequence[Request], *, peek: bool) -> list[dict[str, Any]]:
    """A verdict on each in the form of ``schemas.Verdict``. One round trip for all of them.

    Raises Redis's errors for ``peek`` alone.
    """
    found = [door.book.match(asked(request)) for request in requests]
    due = [(matched, one.cost) for matched, one in zip(found, requests, strict=True)]
    verdicts = (peek_many if peek else check_many)(door.guard, due)
    return [
        said(verdict, matched, _are_places(matched))
        for verdict, matched in zip(verdicts, found, strict=True)
    ]


def asked(request: Made, priority: str = "normal") -> Asked:
    """A request as policies see it."""
    return Asked(
        service=request.service,
        method=request.method,
        path=request.path,
        ip=request.ip,
        user=request.user,
        api_key=request.api_key,
        headers=request.headers,
        priority=priority,
    )


def _are_places(found: Sequence[Matched]) -> list[str]:
    return [one.policy.name for one in found if one.policy.algorithm == "concurrency"]


def said(verdict: Verdict, found: Sequence[Matched], undecided: list[str]) -> dict[str, Any]:
    """A verdict in the form of ``schemas.Verdict``."""
    return {
        "allowed": verdict.allowed,
        "reason": verdict.reason,
        "policy": verdict.policy,
        "version": verdict.version,
        "limit": verdict.limit,
        "remaining": verdict.remaining,
        "retry_after": verdict.retry_after,
        "reset_after": verdict.reset_after,
        "delay": verdict.delay,
        "shadow": verdict.shadow,
        "limits": [part._asdict() for part in verdict.parts],
        "undecided": undecided,
        "headers": web.headers(verdict, [matched.policy for matched in found]),
    }
