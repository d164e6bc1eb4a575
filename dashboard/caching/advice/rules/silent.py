"""Rules that could not look: what each is about, and what it lacks. Silence is no good news."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.caching.advice.knowing import Known
from redisops.eviction import POLICIES

UNCOUNTED = "the keys have not been counted yet."
UNDRAWN = "no key could be drawn at random."


@dataclass(frozen=True)
class Silent:
    """``rule`` as advice names it, ``about`` what it looks for, ``why`` it could not."""

    rule: str
    about: str
    why: str


def of(known: Known) -> list[Silent]:
    """The rules whose answer is not known, in the order of the rules."""
    found: list[Silent] = []
    standing, missing = known.standing, known.missing
    is_drawn = bool(standing.sample) or standing.keys == 0
    if not known.server.is_home and (
        standing.keys is None or standing.expiring is None or standing.policy not in POLICIES
    ):
        found.append(Silent("policy", "A policy that does not fit", "INFO does not tell."))
    if known.counted is None:
        found.append(Silent("without", "Keys without expiry", UNCOUNTED))
    if not is_drawn or "+pttl" in missing:
        found.append(
            Silent(
                "together",
                "Keys that expire together",
                "this console's user lacks +pttl." if is_drawn else UNDRAWN,
            )
        )
    if known.counted is None:
        found.append(Silent("large", "Large values", UNCOUNTED))
    if not is_drawn:
        found.append(Silent("compressible", "Values that compress well", UNDRAWN))
    elif "+strlen +getrange" in missing:
        why = "this console's user lacks +strlen +getrange."
        found.append(Silent("compressible", "Values that compress well", why))
    if "reading redisops:cache:*" in missing:
        why = "this console's user may not read redisops:cache:*."
        found.append(Silent("seldom", "Caches that are asked in vain", why))
        found.append(Silent("unread", "Caches that nobody reads", why))
    if known.lookups is None:
        why = "the sampler has no figures of the last hour."
        found.append(Silent("server_wide", "A low hit ratio of the server", why))
    if known.counted is None:
        found.append(Silent("at_rest", "Keys at rest for 30 days", UNCOUNTED))
    return found
