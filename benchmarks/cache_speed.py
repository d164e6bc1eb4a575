"""What a hit costs beside redis-py's bare GET and MessagePack, and other caches; O(1) of a tag.

Client and server share one core as in limits_speed; the value is 1 KB of a dict.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgpack  # type: ignore[import-untyped]
import redis
import redis.asyncio

from benchmarks import _cache_peers as peers
from benchmarks._rig import Claims
from benchmarks.limits_speed import ROUNDS, Core, Hit, _spent, pin, ratios
from benchmarks.session_cost import Relay
from redisops.cache import AsyncCache, Cache
from redisops.connection import connect, connect_async
from tests.servers import REDIS, VALKEY, RedisProcess

VALUE = {
    "id": 7, "name": "shoe" * 8, "tags": ["a", "b", "c"], "text": "x" * 700,
    "prices": [n * 1.5 for n in range(15)], "stock": {f"s{n}": n for n in range(12)},
}  # fmt: skip
KEYS, ENDS = 100_000, 21


def blocking(server: RedisProcess, core: Core, claims: Claims, lacking: list[str]) -> None:
    plain = redis.Redis(port=server.port)
    plain.set("bare", msgpack.packb(VALUE))
    with connect(server.url) as client, connect(server.url) as other:
        cache = Cache(client, "bench", follow=False)
        near = Cache(other, "near", local=100)
        for one in (cache, near):
            one.put("product:7", VALUE, tags=["shoes"])
        while "product:7" not in near.local.rows:
            near.get("product:7")
        reference = "redis-py GET and MessagePack (1.00)"
        contenders: dict[str, Hit] = {
            reference: lambda _: msgpack.unpackb(plain.get("bare")),
            "get_or_load": lambda _: cache.get_or_load("product:7", lambda: VALUE),
            "get": lambda _: cache.get("product:7"),
            "get, in the process": lambda _: near.get("product:7"),
        }
        theirs = peers.blocking(server.port, VALUE, lacking)
        backends = peers.django(server.port)
        for name, backend in backends.items():
            backend.set("bench", VALUE, 600)
            contenders[f"django: {name}"] = lambda _, backend=backend: backend.get("bench")  # type: ignore[misc]
        found = ratios(contenders | theirs, reference, core)
        claims.at_least("get_or_load / bare", found["get_or_load"], 1.3)
        claims.at_least("get / bare", found["get"], 1.3)
        claims.at_least("hit in the process / bare", found["get, in the process"], 15)
        for name in theirs:
            claims.at_least(f"get / {name}", found["get"] / found[name], 1.0)
        for name in backends.keys() - {"ours"}:
            ours = found["django: ours"]
            claims.at_least(f"our Django backend / {name}", ours / found[f"django: {name}"], 1.0)
        ends(cache, near, claims)
        near.close()


def ends(cache: Cache, near: Cache, claims: Claims) -> None:
    """A tag of 100,000 keys is ended, and a copy in a process with it."""
    for at in range(0, KEYS, 1000):
        values = {f"many:{n}": n for n in range(at, at + 1000)}
        cache.put_many(values, tags=["all"])
    took = []
    for _ in range(ENDS):
        began = time.perf_counter()
        cache.invalidate_tag("all")
        took.append((time.perf_counter() - began) * 1e3)
    assert cache.get_many(list(values)) == {}
    claims.at_most("ms to end a tag of 100,000", statistics.median(took), 5)
    far, took = Cache(cache.client, "near", follow=False), []
    for _ in range(5):
        near.put("product:7", VALUE, tags=["shoes"])
        while "product:7" not in near.local.rows:
            near.get("product:7")
        began = time.perf_counter()
        far.invalidate_tag("shoes")
        while near.local.rows:
            time.sleep(0.0005)
        took.append((time.perf_counter() - began) * 1e3)
    claims.at_most("ms until a copy is gone, the slowest of 5", max(took), 100)


async def awaiting(server: RedisProcess, core: Core, claims: Claims, lacking: list[str]) -> None:
    plain = redis.asyncio.Redis(port=server.port)
    client = connect_async(server.url)
    cache = AsyncCache(client, "async", follow=False)
    await plain.set("bare", msgpack.packb(VALUE))
    await cache.put("product:7", VALUE, tags=["shoes"])

    async def bare() -> object:
        return msgpack.unpackb(await plain.get("bare"))

    async def load() -> object:
        return VALUE

    contenders: dict[str, peers.AsyncHit] = {
        "redis.asyncio GET and MessagePack (1.00)": bare,
        "get": lambda: cache.get("product:7"),
        "get_or_load": lambda: cache.get_or_load("product:7", load),
    }
    theirs = await peers.awaiting(server.port, VALUE, lacking)
    contenders |= theirs
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        order = list(contenders)
        for name in order if turn % 2 else order[::-1]:
            took[name].append(await _spent(core, contenders[name], 1))
    print("\nasyncio, one task")
    first = next(iter(contenders))
    found = {}
    for name, times in took.items():
        found[name] = statistics.median(a / b for a, b in zip(took[first], times, strict=True))
        print(f"  {name:<44}{statistics.median(times) * 1e6:8.1f} us {found[name]:8.2f}")
    claims.at_least("asyncio: get_or_load / bare", found["get_or_load"], 1.3)
    for name in theirs:
        claims.at_least(f"asyncio: get / {name}", found["get"] / found[name], 1.0)
    await plain.aclose()
    await client.aclose()


def main() -> int:
    claims = Claims("cache_speed")
    lacking = peers.missing()
    with RedisProcess(binary=REDIS or VALKEY) as server:
        relay = Relay(server.port)
        with connect(f"redis://127.0.0.1:{relay.port}/0") as through:
            counted = Cache(through, "counted", follow=False, early=0)
            counted.get_or_load("k", lambda: VALUE)
            counted.get("k")
            trips = relay.count(lambda: counted.get_or_load("k", lambda: VALUE))
            claims.exactly("round trips of a hit", trips, 1)
        core = pin(server)
        blocking(server, core, claims, lacking)
        asyncio.run(awaiting(server, core, claims, lacking))
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
