"""How sure figures are put into words."""

from __future__ import annotations

from typing import Any

from dashboard.ui import numbers
from redisops.survey import Estimate


def percent(share: float | None) -> str:
    """0.124 as 12%, small ones with a digit, none as 0%."""
    if share is None:
        return numbers.UNKNOWN
    of_hundred = share * 100
    if 0 < of_hundred < 0.1:
        return "under 0.1%"
    return f"{of_hundred:.0f}%" if of_hundred >= 9.95 or not of_hundred else f"{of_hundred:.1f}%"


def margin(told: Estimate) -> str:
    """ "" for an exact figure, else its range: "± 3%"."""
    if told.is_exact:
        return ""
    if told.within is None or told.high == float("inf"):
        return "not measured"
    return f"± {percent(max(told.within, 0.0005))}"


def size(told: Estimate) -> str:
    """Bytes; "about" when they are an estimate, a dash when nobody measured."""
    if not told.measured:
        return numbers.UNKNOWN if told.keys else numbers.size(0)
    return ("" if told.is_exact else "about ") + numbers.size(told.value)


def between(told: Estimate) -> str:
    """A share and where it lies by 95 %: "24 to 31%"."""
    if told.is_exact:
        return percent(told.value)
    low, high = percent(told.low), percent(told.high)
    return high if low == high else f"{low.removesuffix('%')} to {high}"


def how(measured: int, keys: int, *, ranged: bool = True) -> str:
    """How the figures of some keys were made; ``ranged``: they stand with a range."""
    if not measured:
        return "Nothing was measured here."
    if measured >= keys:
        return f"All {numbers.exact(keys)} keys were measured."
    rate = max(round(keys / measured), 2)
    sample = f"{numbers.exact(measured)} of {numbers.exact(keys)} keys (1 in {rate})"
    return f"From {sample}; ± holds 19 times in 20." if ranged else f"Estimates, from {sample}."


def where(facts: dict[str, Any]) -> str:
    """Where a pass reads: "on replica 10.0.0.5:6379"; "" when it is older than that is known."""
    read = (facts.get("places") or {}).get("read", [])
    replicas = sorted({replica for _, replica in read if replica})
    primaries = sum(not replica for _, replica in read)
    if not read:
        return ""
    said = []
    if len(replicas) > 3:
        said.append(f"on {len(replicas)} replicas")
    elif replicas:
        said.append(f"on replica{'s' if len(replicas) > 1 else ''} {', '.join(replicas)}")
    if primaries:
        whose = "the primary" if primaries == 1 else f"{primaries} primaries"
        said.append(whose if said else f"on {whose}")
    return " and ".join(said)


def why_there(facts: dict[str, Any]) -> str:
    """What went against a replica, in whole sentences; "" when nothing did."""
    places = facts.get("places") or {}
    said = [f"The primary was read because {why}." for why in places.get("why", {}).values()]
    said += [
        f"Replica {name} was left on the way: {why}. Its part was counted again from the start."
        for name, why in places.get("lost", [])
    ]
    return " ".join(said[:3])
