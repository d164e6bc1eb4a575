"""Keys that never expire where the others do, and keys that all expire at once."""

from __future__ import annotations

import datetime
import re
from bisect import bisect_right
from collections.abc import Sequence

from dashboard.caching.advice.knowing import Known
from dashboard.caching.advice.pieces import (
    BYTES,
    LOADS,
    Advice,
    bulk,
    cache_policy,
    namespace_of,
)
from dashboard.caching.eviction.telling import share
from dashboard.ui import numbers
from redisops import keys
from redisops.eviction import POLICIES, prefix_of
from redisops.sessions.layouts import named
from redisops.survey import FolderFigures
from redisops.survey.samples import Facts

LEAST = 20  # keys of a folder, below which there is nothing to say
MOST = 8  # pieces of advice of one rule
DEPTH = 3
MIXED = (0.02, 0.5)  # of a folder's keys without a TTL: the others show that one was meant
ROUND = 3.0  # seconds: OBJECT IDLETIME counts whole ones, and a look takes its time
_SESSION = re.compile(rb"(?:\A|[^A-Za-z0-9])sess(?:ion)?s?:", re.IGNORECASE)
TOGETHER = 0.4  # of a prefix's keys
FEWEST = 15  # of the sample
WINDOW = 60.0  # seconds
KEPT = {"zset", "stream"}  # boards and logs: that others beside them expire says nothing of them
OVER = 0.25  # of what is left to live: over how much of it a fix spreads them
SPREAD = 10  # times the window: what is left to live, below which keys are together by nature


def without(known: Known) -> list[Advice]:
    """Folders of caches with keys that have no TTL, from the last count of all keys."""
    if known.counted is None:
        return []
    found: list[Advice] = []
    counted = known.counted.figures
    is_cache = _evicts_all(known)

    def walk(folders: Sequence[FolderFigures], depth: int) -> None:
        for folder in folders:
            if _is_left(known, folder):
                continue
            lasting = folder.without_expiry
            if lasting is None or folder.keys < LEAST or not lasting.value:
                continue
            below = counted.children(folder.name)
            why = _why(folder, lasting.value, is_cache=is_cache)
            if why and not any(_is_left(known, one) for one in below):
                found.append(_without(known, folder, lasting.value, why))
            elif depth < DEPTH:
                walk(below, depth + 1)

    walk(counted.children(), 1)
    found.sort(key=lambda one: -one.weight)
    return found[:MOST]


def _is_left(known: Known, folder: FolderFigures) -> bool:
    """Live configuration, and entries whose cache says how long they live: never to be expired."""
    return known.is_own(folder.name) or namespace_of(folder.name) is not None


def _evicts_all(known: Known) -> bool:
    policy = POLICIES.get(known.standing.policy)
    return bool(policy and policy.evicts and not policy.expiring_only and known.standing.limit)


def _why(folder: FolderFigures, lasting: float, *, is_cache: bool) -> str:
    """Why these keys are taken for cached values; "" when they are not."""
    if MIXED[0] <= lasting <= MIXED[1] and not KEPT & folder.types.keys():
        return f"{share(1 - lasting)} of the keys beside them expire, so they were meant to."
    parts = folder.name.lower().replace(b"{", b":").replace(b"}", b":").split(b":")
    if any(part in (b"cache", b"caches", b"cached", b"tmp", b"temp") for part in parts):
        return "The folder's name says that it is a cache."
    if is_cache and lasting > MIXED[1] and folder.types.keys() <= {"string", "hash"}:
        return "The policy may evict every key here, so the server is taken for a cache."
    return ""


def _without(known: Known, folder: FolderFigures, lasting: float, why: str) -> Advice:
    assert known.counted is not None
    name = keys.printable(folder.name)
    size = folder.bytes.value * lasting if folder.bytes.measured else 0.0
    many = round(folder.keys * lasting)
    old = _at_rest(folder)
    return Advice(
        "without", BYTES, f"Keys of {name} that never expire",
        numbers.size(round(size)) if size else f"{numbers.count(many)} keys", size,
        f"About {numbers.count(many)} of {numbers.exact(folder.keys)} keys have no TTL and stay "
        f"until somebody deletes them. {why}",
        _counted(known), folder.name,
        [("Without a TTL", f"{share(lasting)} of {numbers.exact(folder.keys)} keys"),
         ("Measured", f"{numbers.exact(folder.measured)} keys"), *old],
        bulk(known.server, "Set their expiry…", "expire", folder.name, ttl="none"),
    )  # fmt: skip


def _at_rest(folder: FolderFigures) -> list[tuple[str, str]]:
    idle = folder.idle
    if idle is None or not sum(idle):
        return []
    return [("At rest for 7 d or more", share(sum(idle[3:]) / sum(idle)))]


def _counted(known: Known) -> str:
    assert known.counted is not None
    part = "" if known.counted.is_complete else ", not to its end"
    at = numbers.clock(known.counted.at.astimezone(datetime.UTC), _now())
    return f"Count of all keys, {at} UTC{part}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def together(known: Known) -> list[Advice]:
    """Prefixes whose keys expire within a minute of each other, from the sample."""
    by_prefix: dict[bytes, list[Facts]] = {}
    for one in known.sample:
        if one.ttl is not None and one.ttl > 0 and not is_session(one.key):
            by_prefix.setdefault(prefix_of(one.key), []).append(one)
    found = []
    for prefix, rows in by_prefix.items():
        if prefix and len(rows) >= FEWEST and not _is_refreshed(rows):
            left = sorted((one.ttl or 0) / 1000 for one in rows)
            begin, many = _densest(left, WINDOW)
            typical = left[len(left) // 2]
            if many / len(left) >= TOGETHER and typical >= SPREAD * WINDOW:
                found.append(_together(known, prefix, left, begin, many))
    found.sort(key=lambda one: -one.weight)
    return found[:MOST]


def is_session(name: bytes) -> bool:
    """Whether a key is a session: each of its uses begins its time anew, nothing loads it."""
    return named(name) is not None or _SESSION.search(name) is not None


def _is_refreshed(rows: Sequence[Facts]) -> bool:
    """Whether each use begins a key's time anew: rest and what is left add up to the same.

    Only where they were used at different times: else what was stored at once is like that, too.
    """
    known = [(one.idle, one.idle + (one.ttl or 0) / 1000) for one in rows if one.idle is not None]
    if len(known) < FEWEST:
        return False
    rests, whole = sorted(rest for rest, _ in known), sorted(both for _, both in known)
    at = len(known) // 10  # without the tenth at either end
    return (
        rests[-1 - at] - rests[at] > ROUND and whole[-1 - at] - whole[at] <= ROUND
    )  # fmt: skip


def _minutes(seconds: float) -> str:
    """Seconds of whole minutes, at least one."""
    return f"{max(round(seconds / 60), 1) * 60}"


def _densest(ordered: Sequence[float], width: float) -> tuple[float, int]:
    """Where the window with most values begins, and how many these are."""
    best = (ordered[0], 0)
    for at, value in enumerate(ordered):
        many = bisect_right(ordered, value + width) - at
        if many > best[1]:
            best = (value, many)
    return best


def _together(
    known: Known, prefix: bytes, left: Sequence[float], begin: float, many: int
) -> Advice:
    name = keys.printable(prefix)
    about = round(many * known.scale)
    at = _now() + datetime.timedelta(seconds=begin)
    namespace = namespace_of(prefix)
    times = {"after": _minutes(begin), "jitter": _minutes(max(begin * OVER, 600.0))}
    fix = (
        cache_policy(known.server, "Give it jitter…", namespace, "spread")
        if namespace
        else bulk(known.server, "Spread their expiry…", "expire", prefix, ttl="any", **times)
    )
    return Advice(
        "together", LOADS, f"Keys of {name} that expire together",
        f"about {numbers.count(about)} loads in a minute", float(about),
        f"{share(many / len(left))} of those with a TTL end within {WINDOW:.0f} s, from "
        f"{numbers.clock(at, _now())} UTC on. Whoever reads them then asks the source for all "
        "of them at once.",
        f"{numbers.exact(len(left))} of {numbers.exact(len(known.sample))} keys drawn at random",
        prefix,
        [("In one minute", f"{many} of {len(left)} keys"),
         ("First to last", f"{numbers.duration(round(left[0]))} to "
                           f"{numbers.duration(round(left[-1]))} left")],
        fix,
    )  # fmt: skip
