"""A limit or a policy that does not fit the keys that are there."""

from __future__ import annotations

from dashboard.caching.advice.knowing import Known
from dashboard.caching.advice.pieces import RISK, Advice, eviction, half_more
from dashboard.caching.eviction.telling import share
from dashboard.ui import numbers
from redisops.eviction import POLICIES, Standing, forecast

FEW = 0.1  # of the keys' memory: what a policy of keys with a TTL should find at least
MANY = 0.2  # of the keys without a TTL, beside others with one
FULL = 0.9


def contradicts(known: Known) -> list[Advice]:
    """At most one piece: what matters most about limit and policy."""
    standing = known.standing
    policy = POLICIES.get(standing.policy)
    if known.server.is_home or policy is None or not standing.keys or standing.expiring is None:
        return []
    expiring = standing.expiring / standing.keys
    held = forecast(standing, POLICIES["volatile-lru"]).candidate_bytes
    evidence = [
        ("Keys with a TTL", f"{share(expiring)}, exact"),
        ("Memory in them", numbers.UNKNOWN if held is None else f"about {share(held)}"),
        ("Used of the limit", _used(standing)),
    ]
    whole = standing.key_bytes or 0

    def piece(title: str, cost: str, weight: float, sentence: str, **wanted: str) -> list[Advice]:
        basis = f"INFO, and {numbers.exact(len(standing.sample))} keys drawn at random"
        return [Advice(
            "policy", RISK, title, cost, weight, sentence, basis, None, evidence,
            eviction(known.server, "Change eviction…", **wanted),
        )]  # fmt: skip

    if policy.expiring_only and (held if held is not None else expiring) < FEW:
        stays = whole * (1 - (held if held is not None else expiring))
        return piece(
            f"{policy.name} finds next to nothing to evict",
            f"about {numbers.size(round(stays))} that cannot go", stays,
            "It takes only keys with a TTL. Once these are gone writes fail, as under noeviction. "
            "Give cached keys a TTL, or choose a policy that may take every key.",
            policy=policy.name.replace("volatile", "allkeys").replace("-ttl", "-lru"),
        )  # fmt: skip
    if policy.evicts and not policy.expiring_only and standing.limit and _is_mixed(expiring):
        lasting = whole * (1 - (held if held is not None else expiring))
        return piece(
            f"{policy.name} may take keys that were meant to stay",
            f"about {numbers.size(round(lasting))} without a TTL", lasting,
            f"{share(1 - expiring)} of the keys have no TTL while the others do: they are taken "
            "all the same. volatile-lru spares them.",
            policy=policy.name.replace("allkeys", "volatile"),
        )  # fmt: skip
    used = standing.memory / standing.limit if standing.memory and standing.limit else 0.0
    if not policy.evicts and used >= FULL and expiring >= MANY:
        return piece(
            "The limit is near, and nothing is evicted",
            f"{numbers.size((standing.limit or 0) - (standing.memory or 0))} left", 1 / used,
            f"At the limit writes fail, though {share(expiring)} of the keys would expire sooner "
            "or later anyway.",
            policy="volatile-lru",
        )  # fmt: skip
    if standing.limit == 0 and policy.evicts:
        return piece(
            f"{policy.name} never evicts anything: there is no limit",
            f"{numbers.size(standing.memory)} and growing", float(standing.memory or 0),
            "Without maxmemory the policy has no effect, and memory grows until the machine has "
            "none left.",
            policy=policy.name, limit=half_more(standing.memory or 0),
        )  # fmt: skip
    return []


def _is_mixed(expiring: float) -> bool:
    return expiring >= MANY and 1 - expiring >= MANY


def _used(standing: Standing) -> str:
    if not standing.limit:
        return "no limit"
    return share((standing.memory or 0) / standing.limit)
