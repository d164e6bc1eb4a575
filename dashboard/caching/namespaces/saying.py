"""A policy as sentences whose marked words are fields of the form, and two of them compared."""

from __future__ import annotations

from typing import Any

from dashboard.caching.namespaces.units import percent, written_seconds, written_size
from dashboard.publishing.wording import Said, Wording
from redisops.cache import Policy

LABELS = {
    "ttl": "Fresh for",
    "jitter": "Jitter",
    "stale": "Then stale for",
    "negative_ttl": "“The source has none” for",
    "max_bytes": "Largest value",
    "compress": "Compressed above",
    "early": "Eagerness to refresh early",
    "lease": "A loader has",
    "wait": "Readers wait",
    "when_down": "While Redis does not answer",
    "local_ttl": "Copies in a process",
}
WHEN_DOWN = {
    "load": "Ask the source",
    "stale": "Serve the process's copy, then ask the source",
    "raise": "Refuse: CacheUnavailable",
}
_DOWN_SAID = {
    "load": "the source is asked",
    "stale": "a process serves its own copy, however old, and else asks the source",
    "raise": "callers get CacheUnavailable",
}


def said(policy: Policy | None) -> Said:
    """What the policy does; nothing for no policy."""
    if policy is None:
        return Said([])
    pieces: list[tuple[str, bool]] = [
        ("An entry is fresh for ", False),
        (written_seconds(policy.ttl), True),
    ]
    if policy.jitter:
        pieces += [(", up to ", False), (percent(policy.jitter), True), (" less at random", False)]
    if policy.stale:
        pieces += [
            (", then served stale for ", False), (written_seconds(policy.stale), True),
            (" while one loader refreshes it", False),
        ]  # fmt: skip
    if policy.negative_ttl:
        pieces += [
            (". When the source has nothing, that is remembered for ", False),
            (written_seconds(policy.negative_ttl), True),
        ]
    else:
        pieces.append((". When the source has nothing, that is ", False))
        pieces.append(("not remembered", True))
    pieces.append((".", False))
    packed = (
        "No value is compressed"
        if policy.compress is None
        else f"Values above {written_size(policy.compress)} are compressed"
    )
    early = (
        "No entry is refreshed early."
        if not policy.early
        else "One reader refreshes an entry shortly before it ends."
    )
    rest = (
        f"{packed}; those above {written_size(policy.max_bytes)} are not stored. {early} A loader "
        f"has {written_seconds(policy.lease)}, others wait {written_seconds(policy.wait)} for it. "
        f"While Redis does not answer, {_DOWN_SAID[policy.when_down]}. A copy in a process is "
        f"served for {written_seconds(policy.local_ttl)} at most."
    )
    return Said(pieces, rest)


def _words(name: str, value: Any) -> str:
    if name == "jitter":
        return percent(value) if value else "none"
    if name == "max_bytes":
        return written_size(value)
    if name == "compress":
        return "never" if value is None else written_size(value)
    if name == "when_down":
        return WHEN_DOWN.get(value, str(value))
    if name == "early":
        return f"{value:g}" if value else "never"
    if name in ("stale", "negative_ttl") and not value:
        return "not at all"
    return written_seconds(value)


CACHES = Wording(LABELS, _words)
