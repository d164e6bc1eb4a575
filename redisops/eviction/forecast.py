"""What a policy would take here, played on a sample of keys as the server itself would choose.

Redis does not look at all keys: it draws ``maxmemory-samples`` of them, keeps the 16 best ones it
has met, and takes the best of these. The same is played here on the sample, with the same chances
each time, so that a page shown twice says the same.

Source: evict.c of Redis 7.0 (evictionPoolPopulate, performEvictions).
"""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from redisops.eviction.looking import Standing
from redisops.eviction.policies import POLICIES, Order, Policy
from redisops.survey.samples import Facts

POOL = 16
RECENT = 60  # seconds: a key used within the last minute is in use
SHARE = 0.1  # of the keys' memory, where nothing says how much has to go
LEVELS = 2  # parts of a name that make a group


@dataclass(frozen=True)
class Group:
    """Keys of one prefix (b"" for names without a ``:``) among those that would go.

    ``share`` is of all that goes, 0 to 1, by bytes; ``keys`` and ``bytes`` are estimates.
    """

    prefix: bytes
    keys: int
    bytes: int | None
    share: float


@dataclass(frozen=True)
class Forecast:
    """What one policy would do to free ``goal`` bytes.

    ``candidates`` is the share of keys that it may take at all, 0 to 1, and ``candidate_bytes``
    about their share of the keys' memory. ``freed`` bytes is what it finds of the goal. ``keys``
    is about how many go, ``groups`` where they are, most bytes first, ``drawn`` how many of the
    sample that is. ``unknown``: the server does not keep what this policy goes by, so that the
    choice cannot be foreseen. ``in_use`` is the share of those keys that were used within the last
    minute, ``lasting`` the share without TTL, ``rest`` and ``ttl`` the median seconds at rest and
    left; None where not known.
    """

    policy: Policy
    goal: int | None
    candidates: float | None
    candidate_bytes: float | None
    is_enough: bool | None
    freed: int | None
    keys: int | None
    drawn: int
    groups: tuple[Group, ...] = ()
    unknown: bool = False
    in_use: float | None = None
    lasting: float | None = None
    rest: float | None = None
    ttl: float | None = None


def forecasts(standing: Standing, *, goal: int | None = None) -> dict[str, Forecast]:
    """One forecast for each of the eight policies, by name.

    ``goal`` is how many bytes have to go; without it a tenth of the keys' memory.
    """
    return {name: forecast(standing, policy, goal=goal) for name, policy in POLICIES.items()}


def forecast(standing: Standing, policy: Policy, *, goal: int | None = None) -> Forecast:
    """What ``policy`` would take. Asks nobody; costs milliseconds."""
    whole = standing.key_bytes
    if goal is None and whole is not None:
        goal = round(whole * SHARE)
    sample = standing.sample
    able = [one for one in sample if not policy.expiring_only or (one.ttl or -1) >= 0]
    weigh = _weigh(sample)
    total = sum(map(weigh, sample))
    if not policy.evicts:
        return Forecast(policy, goal, 0.0, 0.0, not goal, 0, 0, 0)
    candidates = _candidates(standing, policy, able)
    held = sum(map(weigh, able)) / total if total else None
    if held is None or whole is None:
        part = SHARE if goal is None or not standing.memory else goal / standing.memory
    else:
        part = goal / whole if goal and whole else 0.0
    enough = None if held is None else held >= part
    if not _is_known(standing, policy.order, able):
        return Forecast(
            policy, goal, candidates, held, enough, None, None, 0, unknown=True,
        )  # fmt: skip
    gone = _played(able, policy.order, standing.samples, part * total, weigh)
    parts = _parts(gone, part * total, weigh)
    freed = sum(weigh(one) * of_it for one, of_it in zip(gone, parts, strict=True))
    scale = standing.keys / len(sample) if standing.keys and sample else 1.0
    # In bytes the scale is that of the estimate of all keys.
    bulk = whole / total if whole is not None and total else None
    idle = [one.idle for one in gone if one.idle is not None]
    left = [one.ttl / 1000 for one in gone if one.ttl is not None and one.ttl >= 0]
    known = [one for one in gone if one.ttl is not None]
    return Forecast(
        policy, goal, candidates, held, enough,
        None if bulk is None else round(freed * bulk), round(sum(parts) * scale), len(gone),
        _groups(gone, parts, scale, bulk, weigh),
        in_use=sum(one < RECENT for one in idle) / len(idle) if idle else None,
        lasting=sum((one.ttl or 0) < 0 for one in known) / len(known) if known else None,
        rest=_median(idle), ttl=_median(left),
    )  # fmt: skip


Weigh = Callable[[Facts], float]


def _weigh(sample: Sequence[Facts]) -> Weigh:
    """A key's bytes; where nobody tells them all keys weigh the same."""
    if any(one.size is not None for one in sample):
        return lambda facts: facts.size or 0
    return lambda facts: 1


def _candidates(standing: Standing, policy: Policy, able: Sequence[Facts]) -> float | None:
    if not policy.expiring_only:
        return 1.0
    if standing.keys is not None and standing.expiring is not None:
        return standing.expiring / standing.keys if standing.keys else 0.0
    told = [one for one in standing.sample if one.ttl is not None]
    return len(able) / len(told) if told else None


def _is_known(standing: Standing, order: Order, able: Sequence[Facts]) -> bool:
    if order == "rest":
        return not standing.counts_uses and (not able or any(k.idle is not None for k in able))
    if order == "frequency":
        return standing.counts_uses and (not able or any(k.frequency is not None for k in able))
    if order == "expiry":
        return all(key.ttl is not None for key in standing.sample)
    return True


def _score(order: Order) -> Callable[[Facts], float]:
    """The higher, the sooner a key goes."""
    if order == "rest":
        return lambda facts: facts.idle or 0
    if order == "frequency":
        return lambda facts: 255 - (facts.frequency or 0)
    if order == "expiry":
        return lambda facts: -float(facts.ttl or 0)
    return lambda facts: 0.0


def _played(
    able: Sequence[Facts], order: Order, samples: int, target: float, weigh: Weigh
) -> list[Facts]:
    """The keys that go, in their order, until ``target`` is reached or nothing is left."""
    chance = random.Random(7)  # noqa: S311 - no secret: the same answer each time is wanted
    left = list(able)
    score = _score(order)
    pool: list[tuple[float, int, Facts]] = []
    pooled: set[bytes] = set()
    gone: list[Facts] = []
    freed = 0.0
    while left and freed < target:
        if order == "chance":
            best = left[chance.randrange(len(left))]
        else:
            for facts in chance.sample(left, min(samples, len(left))):
                if facts.key not in pooled:
                    insort(pool, (score(facts), len(gone), facts), key=lambda row: row[0])
                    pooled.add(facts.key)
            while len(pool) > POOL:
                pooled.discard(pool.pop(0)[2].key)
            best = pool.pop()[2]
            pooled.discard(best.key)
        left.remove(best)
        gone.append(best)
        freed += weigh(best)
    return gone


def _parts(gone: Sequence[Facts], target: float, weigh: Weigh) -> list[float]:
    """How much of each key of the sample goes, 0 to 1: all of it, but for the last one.

    A key stands for many alike, and not all of these go when some are enough.
    """
    parts = [1.0] * len(gone)
    above = sum(map(weigh, gone)) - target
    if gone and above > 0 and weigh(gone[-1]):
        parts[-1] = max(1 - above / weigh(gone[-1]), 0.0)
    return parts


def _groups(
    gone: Sequence[Facts], parts: Sequence[float], scale: float, bulk: float | None, weigh: Weigh
) -> tuple[Group, ...]:
    found: dict[bytes, list[float]] = {}
    freed = 0.0
    for facts, of_it in zip(gone, parts, strict=True):
        row = found.setdefault(prefix_of(facts.key), [0, 0.0])
        row[0] += of_it
        row[1] += weigh(facts) * of_it
        freed += weigh(facts) * of_it
    ordered = sorted(found.items(), key=lambda item: (-item[1][1], item[0]))
    return tuple(
        Group(
            prefix, round(keys * scale), None if bulk is None else round(weight * bulk),
            weight / freed if freed else 0.0,
        )
        for prefix, (keys, weight) in ordered
    )  # fmt: skip


def prefix_of(key: bytes, levels: int = LEVELS) -> bytes:
    """A key's first folders with their last ``:``, at most ``levels``; b"" without any.

    A folder whose name is a number or has more than 40 bytes ends it: it is one key's own.
    """
    end = 0
    for _ in range(levels):
        at = key.find(b":", end)
        part = key[end:at]
        if at < 0 or part.isdigit() or len(part) > 40:
            break
        end = at + 1
    return key[:end]


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
