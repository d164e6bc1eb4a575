"""Take every trace of the demo away, in bounded steps, and count what went."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from demo.names import CACHE, MARKER, POLICIES, PREFIX, SERVICES
from demo.policies import DEFAULTS
from redisops.cache.counts import NAMESPACES
from redisops.connection import Client
from redisops.keys import printable
from redisops.services import Registry

AT_ONCE = 500
# limit:{<policy>:<subject>}…, with a tag limit:{<tag>}:<policy>:<subject>…, and their use
COUNTS = re.compile(rb"limit:\{([^:}]+):|limit:\{[^}]*\}:([^:]+):|limits:use:\{([^}]+)\}:")


class NotOurs(Exception):
    """There is no demo on this server; what lies below the prefix is somebody else's."""


def still_running(redis: Client) -> list[str]:
    """The names of the shop's clients that are connected now: they would write again."""
    names = {str(row.get("name", "")) for row in redis.client_list()}
    return sorted(name for name in names if name.startswith("shop-"))


def remove(redis: Client) -> Counter[str]:
    """UNLINK every key below the prefix; how many there were of each kind (``order``, ...).

    So go the counts of the policies that limited the shop's services by name, as ``limits``, its
    registered instances, as ``instances``, and its cache, as ``cache``.

    SCAN with a COUNT and pipelines of at most ``AT_ONCE`` keys, so no call takes the server
    long. The marker goes last: an interrupted removal can be run again. Raises NotOurs.
    """
    if not redis.exists(MARKER):
        raise NotOurs(f"There is no demo here: {MARKER.decode()} does not exist. Nothing removed.")
    removed: Counter[str] = Counter()
    kept = (MARKER, POLICIES.encode())
    found: Iterator[bytes] = chain(
        (key for key in redis.scan_iter(match=PREFIX + "*", count=AT_ONCE) if key not in kept),
        _counts(redis),
        _cached(redis),
    )
    while keys := list(islice(found, AT_ONCE)):
        pipe: Any = redis.pipeline(transaction=False)
        for key in keys:
            pipe.unlink(key)
        for key, gone in zip(keys, pipe.execute(), strict=True):
            removed[_kind(key)] += gone
    removed["instances"] += _instances(redis)
    redis.zrem(NAMESPACES, CACHE)
    redis.unlink(POLICIES)
    redis.unlink(MARKER)
    return removed


def _kind(key: bytes) -> str:
    if key.startswith(PREFIX.encode()):
        return printable(key.split(b":")[1])
    return "limits" if key.startswith(b"limit") else "cache"


def _cached(redis: Client) -> Iterator[bytes]:
    """The entries of the catalog's cache and what is beside them, in all shards."""
    for before in ("cache:", "redisops:cache:"):
        yield from redis.scan_iter(match=f"{before}{{{CACHE}[#}}]*", count=AT_ONCE)


def _instances(redis: Client) -> int:
    """Deregister what a killed shop left, and forget its services; how many instances."""
    registry, gone = Registry(redis), 0
    for service in SERVICES:
        for one in registry.read(service).instances:
            gone += registry.deregister(service, one.id, "the demo is removed")
        registry.forget(service)
    return gone


def _counts(redis: Client) -> Iterator[bytes]:
    """The keys in which the limiter counted for the shop."""
    policies = {policy.name.encode() for policy in DEFAULTS.policies}
    policies.update(redis.sscan_iter(POLICIES, count=AT_ONCE))
    for key in redis.scan_iter(match="limit*", count=AT_ONCE):
        found = COUNTS.match(key)
        if found is not None and found[found.lastindex or 1] in policies:
            yield key
