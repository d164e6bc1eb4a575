"""Services: what discovering, beating, and noticing a death cost, among 10,000 instances.

The article's way (KEYS and an HGETALL for each) reads the same instances in turns with ours. A
rate is calls per second of the core that client and server share by the kernel's books, as in
limits_speed, so that it is the same on a busy machine; so is the p99 of a discovery, whose
time on the wall is printed beside it. Shares of a core and delays are those of the best of some
rounds: what else runs on the machine can only add to them. etcd and ZooKeeper are no packages of
ours. Where all ran beside each other, idle, etcd made 428 lookups a second and the article's way
87, etcd 1,358 keep-alives and HSET with EXPIRE 4,911: so a multiple of etcd is told by what the
article's way does in the same run.
"""

from __future__ import annotations

import random
import socket
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis

from benchmarks._rig import Claims
from benchmarks.limits_speed import Core, pin
from redisops.connection import connect, measure
from redisops.fast.packing import pack
from redisops.fast.sources import digest
from redisops.pubsub import Message, Subscriber
from redisops.services import (
    Agent,
    Balancer,
    Discovery,
    Event,
    Held,
    Keys,
    Registration,
    Registry,
    Sweeper,
)
from redisops.services.model import _known
from tests.servers import REDIS, VALKEY, RedisProcess, until

SERVICES, EACH = 100, 100
ETCD = 428 / 87
"""Lookups of etcd for one of the article's way."""
ETCD_BEATS = 1_358 / 4_911
"""Keep-alives of etcd for one HSET and EXPIRE."""
BEATS = 2_000  # a second: 10,000 instances, each every 5 s


def service(n: int) -> str:
    return f"service-{n:03}"


def registration(n: int, of: int, **options: Any) -> Registration:
    return Registration(
        service(of), f"instance-{n:03}", f"10.0.{of}.{n}", 8000, name="orders", version="1.4.2",
        zone="abc"[n % 3], tags=("eu", "blue"), metadata={"commit": "4f2a91c", "host": f"node-{n}"},
        **{"ttl": 300.0, **options},
    )  # fmt: skip


def seeded(registry: Registry) -> list[Held]:
    held: list[Held] = []
    for of in range(SERVICES):
        told = registry.register_all([(registration(n, of), 0) for n in range(EACH)])
        held += [one for one in told if isinstance(one, Held)]
    return held


def rate(core: Core, call: Callable[[], object], calls: int, rounds: int = 5) -> float:
    """Calls per second of the core, the median over rounds."""
    call()
    found = []
    for _ in range(rounds):
        begun = core.spent()
        for _ in range(calls):
            call()
        found.append(calls / (core.spent() - begun))
    return statistics.median(found)


def article(plain: redis.Redis) -> Callable[[], object]:
    """What the field's articles do."""

    def discover() -> object:
        pattern = f"services:{{{service(random.randrange(SERVICES))}}}:*"
        return [plain.hgetall(key) for key in plain.keys(pattern)]

    return discover


def lookups(client: Any, plain: redis.Redis, core: Core, claims: Claims, name: str) -> None:
    registry = Registry(client)

    def discover() -> int:
        return len(registry.read(service(random.randrange(SERVICES))).instances)

    def afresh() -> int:
        _known.cache_clear()
        return discover()

    for n in range(SERVICES):
        registry.read(service(n))
    with measure() as cost:
        assert discover() == EACH
    claims.exactly(f"discover 100 of 10,000, round trips, {name}", cost.round_trips, 1)
    ours, cold = rate(core, discover, 300), rate(core, afresh, 100)
    theirs = rate(core, article(plain), 10)
    known = registry.read(service(1))
    poll = rate(core, lambda: registry.read(service(1), known), 2_000)
    best, wall = [], []
    for _ in range(5):
        took = []
        for _ in range(400):
            begun, clock = core.spent(), time.perf_counter()
            discover()
            took.append(core.spent() - begun)
            wall.append(time.perf_counter() - clock)
        best.append(_p99(took))
    quantiles = statistics.quantiles(wall, n=100)
    print(
        f"  {name}: discover {ours:,.0f}/s (all records new to the reader {cold:,.0f}/s), KEYS + "
        f"HGETALL {theirs:,.0f}/s; unchanged {poll:,.0f}/s; on the wall p50 "
        f"{quantiles[49] * 1e3:.2f}, p99 {quantiles[98] * 1e3:.2f} ms"
    )
    claims.at_least(f"discover / KEYS + HGETALL, {name}", ours / theirs, round(4.5 * ETCD, 1))
    claims.at_least(f"discover / etcd, {name}", ours / theirs / ETCD, 4.5)
    claims.at_least(f"unchanged / etcd, {name}", poll / theirs / ETCD, 40)
    claims.at_most(f"discover p99 ms, {name}", min(best) * 1e3, 1.0)


def picks(client: Any, claims: Claims) -> None:
    with Discovery(client, service(0)) as discovery:
        assert discovery.wait(10)
        for by in ("two_choices", "round_robin", "weighted"):
            balancer = Balancer(discovery, service(0), by)
            best = 0.0
            for _ in range(5):
                begun = time.process_time()
                for _ in range(50_000):
                    balancer.pick()
                best = max(best, 50_000 / (time.process_time() - begun))
            claims.at_least(f"picks/s from the local copy, {by}", best, 500_000)


def beats(server: RedisProcess, client: Any, held: list[Held], core: Core, claims: Claims) -> None:
    registry = Registry(client)
    own = [held[n] for n in random.sample(range(len(held)), len(held))]
    turn = iter(range(10**9))

    def single() -> object:
        return registry.beat([own[next(turn) % len(own)]])

    def batched() -> int:
        at = next(turn) % 50
        registry.beat(held[at * 200 : at * 200 + 200])
        return 200

    def of_server(call: Callable[[], int], calls: int) -> float:
        """Per cent of a core that the server needs for 10,000 instances every 5 s."""
        call()
        found = []
        for _ in range(5):
            begun, done = time.clock_gettime(core._of_server), 0
            for _ in range(calls):
                done += call()
            found.append((time.clock_gettime(core._of_server) - begun) / done)
        return min(found) * BEATS * 100

    name = "valkey" if server.binary == VALKEY else "redis"
    single()  # the script is known from here on
    links = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]

    def apart() -> int:
        """One beat on each of 50 connections."""
        for link in links:
            one = own[next(turn) % len(own)]
            keys = Keys(one.service)
            link.sendall(pack((
                "EVALSHA", digest("service_beat"), 3, keys.lease, keys.own, keys.document(one.id),
                1, one.id, one.fence, 300_000,
            )))  # fmt: skip
        for link in links:
            assert link.recv(1_000).count(b"*0") == 2, "a beat was refused"
        return len(links)

    claims.at_most(f"beats over 50 connections, % of a core, {name}", of_server(apart, 40), 10)
    claims.at_most(f"beats of 200, % of a core, {name}", of_server(batched, 50), 2)
    plain = server.client()

    def naive() -> None:
        """What the field's articles do, in two commands."""
        one = own[next(turn) % len(own)]
        key = f"naive:{one.service}:{one.id}"
        plain.hset(key, "last", 1)
        plain.expire(key, 15)

    ratio = rate(core, single, 1_000) / rate(core, naive, 500)
    claims.at_least(f"beats one by one / etcd, {name}", ratio / ETCD_BEATS, 5)
    plain.close()
    for link in links:
        link.close()


def deaths(client: Any, claims: Claims) -> None:
    """From the end of a lease until a watcher hears of it, and from a leave; among 10,000 others,
    all of which the sweeper looks at."""
    registry, keys = Registry(client), Keys("mortal")
    late, left = [], []
    registry.register_all([
        (Registration("mortal", f"stays-{n}", "10.0.0.1", 80, ttl=300), 0) for n in range(1_000)
    ])  # fmt: skip
    with Subscriber(client, channels=[keys.channel]) as watcher, Sweeper(client, hold=0):
        watcher.wait()

        def heard() -> tuple[str, float]:
            while True:
                one = watcher.get(10)
                assert one is not None
                if isinstance(one, Message) and b'"service_down"' in one.data:
                    return one.data.split(b'"id":"')[1].split(b'"')[0].decode(), one.at

        for turn in range(3):
            registry.register_all([
                (Registration("mortal", f"dies-{n}", "10.0.0.1", 80,
                              ttl=random.uniform(1.5, 4.5)), 0)
                for n in range(200)
            ])  # fmt: skip
            far = (time.time() + 60) * 1000
            found = client.zrangebyscore(keys.lease, 0, far, withscores=True)
            ends = {id.decode(): end / 1000 for id, end in found}
            late.append(_p99([at - ends[id] for id, at in (heard() for _ in range(200))]))
            took = []
            for n in range(50 * turn, 50 * turn + 50):
                begun = time.time()
                registry.deregister("mortal", f"stays-{n}")
                took.append(heard()[1] - begun)
            left.append(_p99(took))
    print(f"  p99 of each round: deaths {_ms(late)}, leaves {_ms(left)} ms")
    claims.at_most("death told after the lease ends, p99 ms", min(late) * 1e3, 50)
    claims.at_most("leave told, p99 ms", min(left) * 1e3, 100)


def _ms(seconds: list[float]) -> str:
    return ", ".join(f"{one * 1e3:.1f}" for one in seconds)


def flush(server: RedisProcess, client: Any, claims: Claims) -> None:
    """2,000 instances of 20 agents after FLUSHALL: how late the last is back after one beat."""
    downs: list[object] = []

    def heard(one: Event | str) -> None:
        if isinstance(one, Event) and one.event == "service_down":
            downs.append(one)

    links = [connect(server.url) for _ in range(20)]
    agents = [
        Agent(link, *(registration(n, of, ttl=6.0) for n in range(EACH))).__enter__()
        for of, link in enumerate(links)
    ]
    names = [service(of) for of in range(20)]
    with Discovery(client, *names, changed=heard) as discovery, Sweeper(client) as _:
        until(lambda: all(agent.is_registered for agent in agents), "they did not register")
        until(lambda: sum(len(discovery.instances(n)) for n in names) == 2_000, "not discovered")
        with server.client() as plain:
            plain.flushall()
            begun = time.monotonic()
            fewest = 2_000
            while sum(plain.hlen(Keys(name).rec) for name in names) < 2_000:
                fewest = min(fewest, sum(len(discovery.instances(name)) for name in names))
                time.sleep(0.02)
            took = time.monotonic() - begun
    claims.at_most("back after FLUSHALL, seconds beyond a beat", max(0.0, took - 2.0), 1.0)
    claims.exactly("seen to be gone by a reader after FLUSHALL", 2_000 - fewest, 0)
    claims.exactly("told to be down after FLUSHALL", len(downs), 0)
    for agent in agents:
        agent.is_over = True
        agent._wake()
    for link in links:
        link.close()


def silence(client: Any, claims: Claims) -> None:
    """Half of 1,000 stop at once."""
    registry, keys = Registry(client), Keys("half")
    registry.register_all(
        [(Registration("half", f"i{n}", "10.0.0.1", 80), 0) for n in range(1_000)]
    )
    sweeper = Sweeper(client, ["half"], hold=0)
    sweeper.look()
    client.zadd(keys.lease, {f"i{n}": time.time() * 1000 - 1 for n in range(500)})
    gone = sum(len(sweeper.look()[0].gone) for _ in range(5))
    claims.exactly("removed when half fall silent at once", gone, 0)
    claims.exactly("suspects when half fall silent at once", client.scard(keys.sus), 500)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def main() -> int:
    claims = Claims("discovery_speed")
    for binary in filter(None, (VALKEY, REDIS)):
        with RedisProcess(binary=binary) as server, server.client() as plain:
            name = "valkey" if binary == VALKEY else "redis"
            with connect(server.url) as client:
                held = seeded(Registry(client))
                core = pin(server)
                lookups(client, plain, core, claims, name)
                beats(server, client, held, core, claims)
                if binary == VALKEY:
                    picks(client, claims)
                    deaths(client, claims)
                    plain.flushall()
                    silence(client, claims)
                    flush(server, client, claims)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
