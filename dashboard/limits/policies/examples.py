"""Policies to begin with: they fit a small shop and most other services. Nothing is saved."""

from __future__ import annotations

from dataclasses import dataclass

from redisops.limits.policies import Policy


@dataclass(frozen=True)
class Example:
    """A policy, and whom it helps."""

    slug: str
    title: str
    why: str
    policy: Policy


EXAMPLES = (
    Example(
        "orders", "Orders per customer",
        "Nobody orders 30 times a minute, but a script that holds a stolen card does.",
        Policy(
            "orders-per-user", service="orders", methods=("POST",), path="/orders",
            subject=("user",), algorithm="token_bucket", limit=30, period=60, burst=10,
            mode="shadow", on_failure="local",
        ),
    ),
    Example(
        "payments", "Payments per address",
        "Trying card numbers one after the other takes many payments from one address.",
        Policy(
            "payments-per-ip", service="payments", methods=("POST",), path="/payments/**",
            subject=("ip",), algorithm="sliding_counter", limit=20, period=60, mode="shadow",
            on_failure="local",
        ),
    ),
    Example(
        "partners", "An API key's hour",
        "Each partner has a share for an hour; one that loops takes nothing from the others.",
        Policy(
            "api-per-key", path="/api/**", subject=("api_key",), algorithm="gcra", limit=3600,
            period=3600, burst=60, mode="shadow", on_failure="open",
        ),
    ),
    Example(
        "reports", "Reports at the same time",
        "Some requests are few and heavy: four at once, whoever asks.",
        Policy(
            "reports-in-flight", path="/reports/**", subject=("global",),
            algorithm="concurrency", limit=4, period=30, mode="shadow", on_failure="open",
        ),
    ),
)  # fmt: skip


def named(slug: str) -> Policy | None:
    """The example's policy."""
    return next((one.policy for one in EXAMPLES if one.slug == slug), None)


BLANK = Policy("", limit=60, period=60, mode="shadow", on_failure="local")
"""What an empty form begins with: a policy starts in shadow and refuses nobody."""
