"""Caches that are asked in vain, caches that nobody asks, and keys that nobody reads."""

from __future__ import annotations

from dashboard.caching.advice.knowing import Known, served
from dashboard.caching.advice.pieces import (
    BYTES,
    LOADS,
    Advice,
    analysis,
    bulk,
    cache_policy,
    eviction,
    half_more,
)
from dashboard.caching.advice.rules.expiry import LEAST, MOST, _counted
from dashboard.caching.eviction.coverage import top_folders
from dashboard.caching.eviction.telling import share
from dashboard.ui import numbers
from redisops import keys

LOW = 0.5
ASKED = 100  # reads of a cache in an hour, below which a share says nothing
LOOKUPS = 10_000  # of a server
REST = 30 * 86_400
REST_AT = 4  # the first bucket of ``IDLE_ENDS`` at and above 30 days
WORTH = 1024 * 1024


def seldom(known: Known) -> list[Advice]:
    """Caches of the library that served fewer than half of their reads in the last hour."""
    found = []
    for name, figures in known.hour.items():
        hits, misses = served(figures), figures.get("misses", 0)
        loads = figures.get("loads", 0)
        if hits + misses < ASKED or hits / (hits + misses) >= LOW:
            continue
        if name in known.day and not served(known.day[name]):
            continue  # of no use all day: ``unread`` says so
        seconds = figures.get("load_us", 0) / 1e6
        policy = known.published.of(name) if known.published else None
        found.append(Advice(
            "seldom", LOADS, f"The cache {name} seldom has what is asked for",
            f"{numbers.count(loads)} loads an hour", float(loads),
            f"It served {share(hits / (hits + misses))} of {numbers.exact(hits + misses)} reads in "
            f"the last hour; its source worked {numbers.duration(round(seconds, 1))} for the rest. "
            "A longer TTL, or remembering that there is nothing, keeps more of them away.",
            "What its services counted in the last 60 min", f"cache:{{{name}}}:".encode(),
            [("Served", numbers.exact(hits)), ("Missed", numbers.exact(misses)),
             ("A load takes", numbers.duration(seconds / loads) if loads else numbers.UNKNOWN),
             ("TTL", numbers.duration(policy.ttl) if policy else "as the code says")],
            cache_policy(known.server, "Change its TTL…", name, "longer"),
        ))  # fmt: skip
    found.sort(key=lambda one: -one.weight)
    return found[:MOST]


def server_wide(known: Known) -> list[Advice]:
    """A server that finds fewer than half of the keys that it is asked for."""
    if known.lookups is None:
        return []
    hits, misses = known.lookups
    if hits + misses < LOOKUPS or hits / (hits + misses) >= LOW:
        return []
    limit = known.standing.limit
    evicts = bool(known.standing.evicted and limit)
    fix = (
        eviction(
            known.server, "Change the limit…", policy=known.standing.policy,
            limit=half_more(limit or 0),
        )
        if evicts else analysis(known.server, "Look at TTLs by folder")
    )  # fmt: skip
    why = (
        f"{numbers.count(known.standing.evicted)} keys were evicted since the start: with a higher "
        "limit some of them were still there."
        if evicts
        else "Nothing was evicted, so what is missing has expired or was never there: look at "
        "TTLs, and at readers that ask for names which nobody writes."
    )
    return [Advice(
        "server_wide", LOADS, "Most keys that are asked for are not there",
        f"about {numbers.count(round(misses))} lookups in vain an hour", misses,
        f"{share(hits / (hits + misses))} of {numbers.count(round(hits + misses))} lookups in "
        f"the last hour found their key. {why}",
        "The sampler's series of the last hour, all databases", None,
        [("Found", numbers.count(round(hits))), ("Not there", numbers.count(round(misses)))],
        fix,
    )]  # fmt: skip


def unread(known: Known) -> list[Advice]:
    """Caches of the library that are written and were not once of use in a day."""
    found = []
    for name, figures in known.day.items():
        loads, stored = figures.get("loads", 0), figures.get("bytes", 0)
        if served(figures) or not (loads or stored):
            continue
        prefix = f"cache:{{{name}}}:".encode()
        found.append(Advice(
            "unread", BYTES, f"Nobody reads what the cache {name} keeps",
            f"{numbers.size(stored)} stored in a day", float(stored),
            f"{numbers.count(loads)} values were loaded and stored in the last 24 h, and none of "
            "them was ever read again. Either each key is asked for once, or the TTL is shorter "
            "than the time between two reads.",
            "What its services counted in the last 24 h", prefix,
            [("Loads", numbers.exact(loads)), ("Served from it", "0")],
            cache_policy(known.server, "Change its policy…", name, "longer"),
        ))  # fmt: skip
    return found[:MOST]


def at_rest(known: Known) -> list[Advice]:
    """Folders with memory that nobody has touched for 30 days, from the last count."""
    if known.counted is None:
        return []
    found = []
    for folder in top_folders(known.counted.figures):
        idle, sizes = folder.idle, folder.idle_bytes
        if (
            idle is None or sizes is None or folder.keys < LEAST or not sum(idle)
            or known.is_own(folder.name)
        ):  # fmt: skip
            continue
        size, many = sum(sizes[REST_AT:]), sum(idle[REST_AT:])
        if size < WORTH:
            continue
        name = keys.printable(folder.name)
        found.append(Advice(
            "at_rest", BYTES, f"Keys of {name} that nobody has read for 30 days",
            f"about {numbers.size(size)}", float(size),
            f"About {numbers.count(many)} of {numbers.exact(folder.keys)} keys were neither read "
            "nor written for 30 days or more.",
            _counted(known), folder.name,
            [("At rest for 30 d or more", share(many / sum(idle)))],
            bulk(known.server, "Delete them…", "delete", folder.name, idle=f">={REST}"),
        ))  # fmt: skip
    found.sort(key=lambda one: -one.weight)
    return found[:MOST]
