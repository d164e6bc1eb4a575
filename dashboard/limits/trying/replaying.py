"""The last hour as it was recorded: requests in each second, and who sent most of them."""

from __future__ import annotations

from collections import Counter

from dashboard.limits.patience import patient
from dashboard.limits.trying.traffic import Traffic, recorded_callers
from dashboard.servers.models import Server
from redisops import keys
from redisops.limits.tally import OUTCOMES
from redisops.limits.use import Use

SECONDS = 3600
NAMED = 20
MINUTES = 30


def recorded(server: Server, name: str, cost: int = 1) -> Traffic:
    """What came under the policy in the last hour, from its first request on.

    Who sent what is known for the busiest alone, and only for the time that top lists cover: their
    shares are taken for the whole hour. Three round trips.
    """
    use = Use(server.client())
    with patient():
        rows = use.series(name, SECONDS)
        tops = use.top_many([(name, outcome) for outcome in OUTCOMES], NAMED, minutes=MINUTES)
    named: Counter[bytes] = Counter()
    for top in tops:
        for entry in top.entries:
            named[entry.subject] += entry.count
    counts = [(row.allowed + row.denied + row.shadow) // max(cost, 1) for row in rows]
    first = next((at for at, count in enumerate(counts) if count), len(counts))
    told = [(who, keys.printable(who)[:80], count) for who, count in named.most_common(NAMED)]
    callers = recorded_callers(told, sum(top.total for top in tops))
    return Traffic(tuple(counts[first:]), callers, rows[0].at + first)
