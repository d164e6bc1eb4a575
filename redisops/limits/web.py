"""A verdict in HTTP: `RateLimit` fields, `Retry-After`, and a refusal as problem+json.

Pure: no framework, no I/O. The fields follow draft-ietf-httpapi-ratelimit-headers-11 (23 May
2026), the refusals RFC 9457 with the problem types that the draft registers. Where the draft
leaves a choice:

- ``q`` and ``w`` are the policy's limit and period; the period is rounded up to whole seconds
  (the draft has no smaller ones). A burst that differs is told as ``redisops-burst``.
- ``t`` (the effective window: nobody may use more than ``r`` within it) is the time until the
  subject has everything back, and never so short that ``r`` within ``t`` is faster than the
  policy's own rate. In a refusal it is the time until the same request would pass.
- A refusal's ``RateLimit`` names only the policies that refused, so that ``Retry-After`` is
  never earlier than the end of a window beside it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from redisops.limits.model import Part, Verdict

TYPES = "https://iana.org/assignments/http-problem-types#"
MOST_POLICIES = 8  # in a field; the draft lets a server leave out those far from their end
LARGEST = 999_999_999_999_999  # what an Integer of RFC 9651 can hold
LONGEST_WAIT = 366 * 24 * 3600


class Quota(Protocol):
    """What the fields tell of a policy; :class:`Limit` and :class:`Policy` both are one."""

    @property
    def name(self) -> str: ...
    @property
    def limit(self) -> int: ...
    @property
    def period(self) -> float: ...
    @property
    def algorithm(self) -> str: ...
    @property
    def burst(self) -> int | None: ...


@dataclass(frozen=True)
class Refusal:
    """A whole response: what to send instead of calling the application."""

    status: int
    headers: dict[str, str]
    body: bytes


def headers(
    verdict: Verdict, quotas: Iterable[Quota] = (), *, partition: bool = False
) -> dict[str, str]:
    """The fields for a response under this verdict; {} when no policy decided about it.

    ``quotas``: the limits or policies that the verdict may name; a part without one appears in
    ``RateLimit`` alone. ``partition`` adds ``pk``: nine bytes of BLAKE2b over policy and
    subject, so that a client with several subjects can tell them apart. Shadow limits are
    never told. Denied verdicts have ``Retry-After``, unless waiting would not help.
    """
    parts = sorted(_told(verdict), key=lambda part: (part.allowed, _fullness(part)))[:MOST_POLICIES]
    known = {quota.name: quota for quota in quotas}
    found: dict[str, str] = {}
    if policies := [
        _policy(known[part.policy], part, partition=partition)
        for part in parts
        if part.policy in known
    ]:
        found["RateLimit-Policy"] = ", ".join(policies)
    counted = [part for part in parts if verdict.allowed or not part.allowed]
    if limits := [_limit(part, known.get(part.policy), partition=partition) for part in counted]:
        found["RateLimit"] = ", ".join(limits)
    wait = None if verdict.allowed else retry_after(verdict)
    if wait is not None:
        found["Retry-After"] = str(wait)
    return found


def retry_after(verdict: Verdict) -> int | None:
    """Whole seconds, rounded up, at least 1; None when no time makes the request pass."""
    if verdict.reason == "too_costly" or not math.isfinite(verdict.retry_after):
        return None
    return min(max(math.ceil(verdict.retry_after), 1), LONGEST_WAIT)


def refusal(verdict: Verdict, quotas: Iterable[Quota] = (), *, partition: bool = False) -> Refusal:
    """The response for a denied verdict: 429, or 503 where it is the service that cannot.

    Problem types: ``quota-exceeded``; ``abnormal-usage-detected`` for a banned subject;
    ``temporary-reduced-capacity`` (503, RFC 9110 15.6.4) where load is shed, and where Redis is
    away and the policy fails closed. Says which policies refused, never which subject, nor why
    somebody is banned.
    """
    fields = headers(verdict, quotas, partition=partition)
    status, kind, title = _KINDS.get(verdict.reason, _EXCEEDED)
    problem = {
        "type": TYPES + kind,
        "title": title,
        "status": status,
        "detail": _detail(verdict),
        "violated-policies": _violated(verdict),
    }
    fields |= {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    return Refusal(status, fields, json.dumps(problem).encode())


_EXCEEDED = (429, "quota-exceeded", "The quota is used up")
_KINDS = {
    "banned": (429, "abnormal-usage-detected", "Requests from here are refused"),
    "shed": (503, "temporary-reduced-capacity", "The service is at capacity"),
    "failed_closed": (503, "temporary-reduced-capacity", "The limit cannot be checked"),
}


def _told(verdict: Verdict) -> list[Part]:
    return [part for part in verdict.parts if not part.shadow]


def _fullness(part: Part) -> float:
    return part.remaining / part.limit if part.limit else 0.0


def _policy(quota: Quota, part: Part, *, partition: bool) -> str:
    text = f"{_string(quota.name)};q={_integer(quota.limit)}"
    if quota.algorithm == "concurrency":
        text += ';qu="concurrent-requests"'
    else:
        text += f";w={_integer(max(math.ceil(quota.period), 1))}"
        if quota.burst is not None and quota.burst != quota.limit:
            text += f";redisops-burst={_integer(quota.burst)}"
    return text + (_partition(part) if partition else "")


def _limit(part: Part, quota: Quota | None, *, partition: bool) -> str:
    text = f"{_string(part.policy)};r={_integer(max(part.remaining, 0))}"
    if quota is None or quota.algorithm != "concurrency":
        text += _window(part, quota)
    return text + (_partition(part) if partition else "")


def _window(part: Part, quota: Quota | None) -> str:
    seconds = part.reset_after
    if not part.allowed:
        seconds = part.retry_after
    elif quota is not None and quota.limit:
        seconds = max(seconds, part.remaining * quota.period / quota.limit)
    if not math.isfinite(seconds):
        return ""
    return f";t={_integer(min(max(math.ceil(seconds), 0), LONGEST_WAIT))}"


def _partition(part: Part) -> str:
    subject = part.subject if isinstance(part.subject, bytes) else part.subject.encode()
    digest = blake2b(part.policy.encode() + b"\0" + subject, digest_size=9).digest()
    return f";pk=:{base64.b64encode(digest).decode()}:"


def _string(text: str) -> str:
    """A String of RFC 9651: printable ASCII in quotes; anything else percent-encoded."""
    plain = "".join(
        char if " " <= char <= "~" else "".join(f"%{byte:02x}" for byte in char.encode())
        for char in text
    )
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _integer(number: int) -> int:
    return min(int(number), LARGEST)


def _violated(verdict: Verdict) -> list[str]:
    names = [part.policy for part in _told(verdict) if not part.allowed]
    return list(dict.fromkeys(names or ([verdict.policy] if verdict.policy else [])))


def _detail(verdict: Verdict) -> str:
    if verdict.reason == "too_costly":
        return "The request costs more than the quota ever allows at once; waiting does not help."
    said = {
        "banned": "Requests from here are refused for now.",
        "shed": "Requests of this priority are refused while others are in flight.",
        "failed_closed": "The limit cannot be checked at the moment.",
    }.get(verdict.reason, f"The quota of {', '.join(_violated(verdict))} is used up.")
    wait = retry_after(verdict)
    return said if wait is None else f"{said} Try again in {wait} s."


def raw(found: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Header fields as ASGI has them: lower-case names, Latin-1 bytes."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in found.items()]
