"""The policies that the console itself runs under: tuned between bounds, never off or deleted.

They belong to home; a policy of the same name on another server is an ordinary one. ``safe`` gives
the document that the console obeys: where a published policy of theirs is missing, or is beyond
its bounds, the one that it was seeded with holds. No SQL and no Redis here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboard.accounts import throttle
from dashboard.servers.models import Server
from redisops.limits.policies import Document, Policy, Problem

SERVICE = "redisops-console"
ACCOUNT = "console-sign-in-account"
ADDRESS = "console-sign-in-address"
API = "console-api"
SIGN_IN_PATH = "/account/login/"
API_PATH = "/api/limits/check"


@dataclass(frozen=True)
class Bounds:
    """What may be tuned of one policy, and how far. Periods in seconds."""

    default: Policy
    why: str
    least: int
    most: int
    shortest: float
    longest: float
    is_sign_in: bool = True
    may_exempt: bool = True


_BOUNDS = {
    ACCOUNT: Bounds(
        Policy(
            ACCOUNT,
            service=SERVICE,
            methods=("POST",),
            path=SIGN_IN_PATH,
            subject=("user",),
            algorithm="sliding_log",
            limit=throttle.PER_ACCOUNT,
            period=float(throttle.SECONDS),
            on_failure="local",
            note="Wrong passwords for one account of this console.",
        ),
        "It stands between this console's passwords and whoever guesses them.",
        least=3, most=20, shortest=300.0, longest=float(throttle.LONGEST_SECONDS),
        may_exempt=False,
    ),
    ADDRESS: Bounds(
        Policy(
            ADDRESS,
            service=SERVICE,
            methods=("POST",),
            path=SIGN_IN_PATH,
            subject=("ip",),
            algorithm="sliding_log",
            limit=throttle.PER_ADDRESS,
            period=float(throttle.SECONDS),
            on_failure="local",
            note="Wrong passwords from one address, whatever the account.",
        ),
        "It stands between this console's passwords and whoever tries many accounts.",
        least=5, most=200, shortest=300.0, longest=float(throttle.LONGEST_SECONDS),
    ),
    API: Bounds(
        Policy(
            API,
            service=SERVICE,
            methods=("POST",),
            path=API_PATH,
            subject=("api_key",),
            algorithm="token_bucket",
            limit=6_000,
            period=60.0,
            burst=1_000,
            on_failure="local",
            note="Requests to this console's API with one token.",
        ),
        "It keeps one program from taking the whole console.",
        least=60, most=1_000_000, shortest=1.0, longest=3_600.0,
        is_sign_in=False,
    ),
}  # fmt: skip
NAMES = frozenset(_BOUNDS)


def is_protected(server: Server, name: str) -> bool:
    """Whether it is one of the console's own: it can be neither deleted nor renamed."""
    return server.is_home and name in _BOUNDS


def defaults() -> tuple[Policy, ...]:
    """The policies as they are seeded at the first start."""
    return tuple(bounds.default for bounds in _BOUNDS.values())


def why(name: str) -> str:
    """For a page: why the policy cannot be turned off, and between what it may be tuned."""
    bounds = _BOUNDS[name]
    return (
        f"{bounds.why} It can be tuned from {bounds.least:,} to {bounds.most:,} in "
        f"{bounds.shortest:,.0f} s to {bounds.longest:,.0f} s. It cannot be turned off, put in "
        "shadow or deleted."
    )


def problems(server: Server, policy: Policy) -> list[Problem]:
    """What of this policy would leave the console unprotected; empty for every other policy.

    Comes on top of the library's own ``problems``.
    """
    return list(_problems(policy)) if is_protected(server, policy.name) else []


def safe(document: Document) -> Document:
    """The document as the console obeys it: its own policies alone, all there and all sound."""
    published = {policy.name: policy for policy in document.policies}
    obeyed = []
    for name, bounds in _BOUNDS.items():
        policy = published.get(name, bounds.default)
        obeyed.append(bounds.default if any(_problems(policy)) else policy)
    return replace(document, policies=tuple(obeyed))


def _problems(policy: Policy) -> Iterable[Problem]:
    bounds = _BOUNDS[policy.name]
    yield from _fixed(bounds, policy)
    yield from _numbers(bounds, policy)
    if policy.exempt and not bounds.may_exempt:
        yield Problem("exempt", f"Nobody is exempt from {policy.name}. {bounds.why}")


def _fixed(bounds: Bounds, policy: Policy) -> Iterable[Problem]:
    if policy.mode != "enforce":
        yield Problem("mode", f"{policy.name} is always enforced. {bounds.why}")
    fields = ["service", "methods", "path", "subject", "on_failure"]
    if bounds.is_sign_in:
        fields += ["algorithm", "cost"]  # SQL keeps the same book, and knows no other algorithm
    elif policy.algorithm == "concurrency":
        yield Problem("algorithm", f"{policy.name} limits how often, not how many at a time.")
    for field in fields:
        wanted = getattr(bounds.default, field)
        if getattr(policy, field) != wanted:
            shown = ", ".join(wanted) if isinstance(wanted, tuple) else wanted
            yield Problem(field, f"{policy.name} belongs to the console: this stays {shown}.")


def _numbers(bounds: Bounds, policy: Policy) -> Iterable[Problem]:
    between = f"is not between {bounds.least:,} and {bounds.most:,}."
    if not bounds.least <= policy.limit <= bounds.most:
        yield Problem("limit", f"{policy.limit:,} {between}")
    if policy.burst is not None and not bounds.least <= policy.burst <= bounds.most:
        yield Problem("burst", f"{policy.burst:,} {between}")
    if not bounds.shortest <= policy.period <= bounds.longest:
        within = f"{bounds.shortest:,.0f} and {bounds.longest:,.0f} s"
        yield Problem("period", f"{policy.period:,g} s is not between {within}.")
    if not bounds.is_sign_in and policy.cost > 10:
        yield Problem("cost", f"{policy.cost:,} is more than 10.")
