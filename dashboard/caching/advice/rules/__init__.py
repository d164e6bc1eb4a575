"""The rules: each takes what is known and gives pieces of advice, or none."""

from collections.abc import Callable

from dashboard.caching.advice.knowing import Known
from dashboard.caching.advice.pieces import Advice
from dashboard.caching.advice.rules import expiry, policy, use, values

Rule = Callable[[Known], list[Advice]]

RULES: tuple[Rule, ...] = (
    policy.contradicts, expiry.without, expiry.together, values.large, values.compressible,
    use.seldom, use.server_wide, use.unread, use.at_rest,
)  # fmt: skip


def apply(known: Known) -> list[Advice]:
    """All advice, risks first, then by what it costs."""
    found = [one for rule in RULES for one in rule(known)]
    return sorted(found, key=lambda one: (one.kind, -one.weight, one.title))
