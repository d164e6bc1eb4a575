"""Agents and local copies through floods, flushes, outages, failovers and takeovers."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from redisops.connection import Timeouts, connect
from redisops.services import (
    Discovery,
    Event,
    Held,
    Keys,
    Registration,
    Registry,
    Sweeper,
    Terms,
)
from redisops.services.overview import Overview
from redisops.services.timeline import FIRST, Timeline
from tests.redisops.services.conftest import World
from tests.servers import Cluster, RedisProcess, Watched, restricted, until

PAY = Registration("pay", "p1", "10.0.0.1", 8000, version="1.2", zone="a", tags=("x",), ttl=0.6)
KEYS = Keys("pay")
PATIENT = Timeouts(connect=20, read=20, deadline=60)


@pytest.fixture
def server(world: World, request: pytest.FixtureRequest) -> RedisProcess:
    """An empty server: blocking on Valkey, awaiting on Redis."""
    name = "redis_process" if world.awaiting else "valkey_process"
    process: RedisProcess = request.getfixturevalue(name)
    process.reset()
    return process


def several(count: int, **options: object) -> list[Registration]:
    return [dataclasses.replace(PAY, id=f"p{n}", **options) for n in range(count)]  # type: ignore[arg-type]


def ids(discovery: object) -> list[str]:
    return [one.id for one in discovery.instances("pay")]  # type: ignore[attr-defined]


def test_a_copy_follows_every_change(world: World, server: RedisProcess) -> None:
    heard: list[Event | str] = []
    discovery = world.discovery(server.url, "pay", "mail", every=60, changed=heard.append)
    agent = world.agent(server.url, *several(3))
    until(lambda: len(ids(discovery)) == 3, "three instances did not arrive")
    with connect(server.url) as link:
        registry = Registry(link)
        registry.drain("pay", "p0")
        until(lambda: ids(discovery) == ["p1", "p2"], "the drain was not told")
        registry.reweigh("pay", "p1", 0)
        until(lambda: ids(discovery) == ["p2"], "the weight was not told")
        registry.judge("pay", "p2", "warn")
        until(lambda: discovery.copy("pay").instances[2].state == "warning", "no warning")
        assert ids(discovery) == ["p2"]
        assert discovery.instances("pay", states=["draining"])[0].id == "p0"
        assert discovery.instances("pay", zone="a", tags=["x"], version="1.*")
        assert not discovery.instances("pay", version="2")

    world.leave(agent)
    until(lambda: not discovery.copy("pay").instances, "they did not leave")
    told = [one.event[8:] for one in heard if isinstance(one, Event)]
    assert told[-3:] == ["down"] * 3
    assert discovery.age("pay") < 60
    assert discovery.trouble == ""


def test_a_flush_is_mended_and_nobody_is_missed(world: World, server: RedisProcess) -> None:
    """All are registered again within a beat, and no reader sees one of them go."""
    downs: list[Event | str] = []
    discovery = world.discovery(server.url, "pay", every=0.3, changed=downs.append)
    agent = world.agent(server.url, *several(40, ttl=1.5))
    world.sweeper(server.url, "pay", every=0.1)
    until(lambda: len(ids(discovery)) == 40, "forty instances did not arrive")
    epoch = discovery.copy("pay").epoch
    with server.client() as client:
        client.flushall()
        fewest: list[int] = []

        def is_mended() -> bool:
            fewest.append(len(ids(discovery)))
            return client.hlen(KEYS.rec) == 40 and discovery.copy("pay").epoch not in ("", epoch)

        until(is_mended, "they did not register again")
    assert min(fewest) == 40
    assert len(ids(discovery)) == 40
    assert not [one for one in downs if isinstance(one, Event) and one.event == "service_down"]
    assert agent.is_registered


def test_what_was_known_is_served_while_redis_is_away(world: World) -> None:
    with RedisProcess() as own:
        discovery = world.discovery(own.url, "pay", every=0.2)
        agent = world.agent(own.url, *several(2))
        sweeper = world.sweeper(own.url, "pay", every=0.1)
        until(lambda: len(ids(discovery)) == 2, "two instances did not arrive")
        assert own.process is not None
        own.process.kill()
        own.process.wait()
        until(lambda: discovery.trouble and agent.trouble, "nobody noticed")
        assert len(ids(discovery)) == 2
        assert discovery.age("pay") > 0

        own.start()  # empty: a failover that lost everything looks the same
        until(lambda: not discovery.trouble and not agent.trouble, "nobody came back")
        with own.client() as client:
            until(lambda: client.hlen(KEYS.rec) == 2, "they did not register again")
            until(
                lambda: discovery.copy("pay").epoch == client.get(KEYS.epoch).decode(), "no epoch"
            )
            assert len(ids(discovery)) == 2
            downs = [e for _, e in client.xrange(KEYS.events) if e[b"event"] == b"service_down"]
            assert not downs
        assert not sweeper.troubles


def test_a_redis_that_stands_still_ends_nobody(world: World) -> None:
    """Stopped for longer than every lease: the sweeper waits until all could beat again."""
    with RedisProcess() as own:
        agent = world.agent(own.url, *several(2, ttl=0.4))
        world.sweeper(own.url, "pay", every=0.1, gap=1.0, hold=3.0)
        assert world.do(agent.wait, 20)
        with own.client() as client:
            client.hset(KEYS.cfg, mapping={"share": 1.0})
            until(lambda: int(client.hget(KEYS.swept, "at") or 0), "nobody swept")
            client.hset(KEYS.swept, mapping={"hold": 0})
        assert own.process is not None
        own.process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + 1.6
        while time.monotonic() < end:
            time.sleep(0.1)
        own.process.send_signal(signal.SIGCONT)
        with own.client() as client:
            beats = agent.beats
            until(lambda: agent.beats > beats + 2, "it beats no more")
            assert sorted(client.hkeys(KEYS.rec)) == [b"p0", b"p1"]
            assert client.xlen(KEYS.events) >= 2
            downs = [e for _, e in client.xrange(KEYS.events) if e[b"event"] == b"service_down"]
            assert not downs


def test_who_is_killed_is_told_when_its_lease_ends(world: World, server: RedisProcess) -> None:
    discovery = world.discovery(server.url, "pay", every=60)
    world.agent(server.url, *several(5, ttl=3.0))
    world.sweeper(server.url, every=0.2, hold=0)
    with connect(server.url) as link:
        doomed = dataclasses.replace(PAY, id="doomed", ttl=30.0)
        Registry(link).register(doomed)
        until(lambda: "doomed" in ids(discovery), "it did not arrive")
        link.zadd(KEYS.lease, {"doomed": 1}, xx=True)  # as if it were silent for that long
        until(lambda: "doomed" not in ids(discovery), "it did not go")
        assert len(ids(discovery)) == 5


def test_another_process_takes_the_id_over(world: World, server: RedisProcess) -> None:
    lost: list[Registration] = []
    first = world.agent(server.url, PAY, replaced=lost.append)
    assert world.do(first.wait, 20)
    second = world.agent(server.url, dataclasses.replace(PAY, address="10.0.0.2"))
    until(lambda: lost, "the first was not told")
    with server.client() as client:
        client.flushall()
        until(lambda: client.hlen(KEYS.rec), "nobody registered again")
    assert first.instances == []
    with connect(server.url) as link:
        assert [one.address for one in Registry(link).read("pay").instances] == ["10.0.0.2"]
        world.leave(first)
        assert len(Registry(link).read("pay").instances) == 1
        world.leave(second)
        assert not Registry(link).read("pay").instances


def test_announcements_that_lie_change_nothing(world: World, server: RedisProcess) -> None:
    discovery = world.discovery(server.url, "pay", every=0.2)
    agent = world.agent(server.url, PAY)
    until(lambda: ids(discovery) == ["p1"], "it did not arrive")
    with server.client() as client:
        for lie in (
            b"", b"\xff", b"[", b"{}", b"[" * 100_000, b'{"v":1e999}', b"9" * 300_000,
            b'{"v":2,"event":"x","id":"a b","from":"","to":"gone","why":"","at":1}',
            b'{"v":99,"event":"service_down","id":"p1","from":"passing","to":"gone","why":"","at":1}',
        ):  # fmt: skip
            client.publish(KEYS.channel, lie)
        client.rename(KEYS.rec, "aside")
        client.set(KEYS.rec, "no hash")
        client.incr(KEYS.ver)
        until(lambda: "WRONGTYPE" in discovery.trouble, "the trouble was not told")
        assert ids(discovery) == ["p1"]
        client.delete(KEYS.rec)
        client.rename("aside", KEYS.rec)
        until(lambda: not discovery.trouble, "the trouble did not end")
    assert ids(discovery) == ["p1"]
    assert agent.is_registered


def test_many_leave_at_once(world: World, server: RedisProcess) -> None:
    discovery = world.discovery(server.url, "pay", every=60)
    agent = world.agent(server.url, *several(300, ttl=30.0), drain=0.05)
    until(lambda: len(ids(discovery)) == 300, "they did not arrive")

    world.leave(agent)

    until(lambda: not discovery.copy("pay").instances, "they did not leave")
    with server.client() as client:
        assert client.zcard(KEYS.lease) == client.hlen(KEYS.rec) == client.hlen(KEYS.own) == 0


def test_without_the_right_to_the_channel_it_looks(world: World, server: RedisProcess) -> None:
    url = restricted(server, "resetchannels", "+@read", "+@connection", "+subscribe", "~svc:*")
    discovery = world.discovery(url, "pay")
    world.agent(server.url, PAY)
    until(lambda: ids(discovery) == ["p1"], "it did not arrive")


def test_on_a_cluster(world: World, cluster: Cluster) -> None:
    names = [f"s{n}" for n in range(6)]
    url = f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}"
    discovery = world.discovery(url, *names)
    world.sweeper(url, every=0.1, hold=0)
    agent = world.agent(url, *(dataclasses.replace(PAY, service=name) for name in names))
    until(lambda: all(discovery.instances(name) for name in names), "they did not arrive")
    beats = agent.beats
    until(lambda: agent.beats > beats + 2, "they do not beat")
    assert all(discovery.instances(name) for name in names)
    world.leave(agent)
    until(lambda: not any(discovery.instances(name) for name in names), "they did not leave")


@pytest.mark.parametrize("world", ["awaiting"], indirect=True)
def test_a_failover_is_followed(world: World) -> None:
    """Killed without a word: the replica takes over, and neither agent nor reader is told."""
    with Watched() as watched:
        agent = world.agent(watched.url, *several(2, ttl=30.0))
        discovery = world.discovery(watched.url, "pay", every=0.2)
        until(lambda: len(ids(discovery)) == 2, "two instances did not arrive")
        with watched.replica.client() as replica:
            until(lambda: replica.hlen(KEYS.rec) == 2, "the replica is behind")
            assert watched.primary.process is not None
            watched.primary.process.kill()
            until(lambda: replica.info("replication")["role"] == "master", "no failover")
            late = dataclasses.replace(PAY, id="late", ttl=30.0)

            def registered() -> bool:
                try:
                    world.do(agent.register, late)
                except (redis.RedisError, OSError):
                    return False
                return True

            until(registered, "nobody can register")
            until(lambda: len(ids(discovery)) == 3, "the reader did not follow")
            assert replica.hlen(KEYS.rec) == 3


PROGRAM = """
import asyncio, sys, time
from redisops.connection import connect, connect_async
from redisops.services import Agent, AsyncAgent, Registration
url, who = sys.argv[2], Registration("pay", "p1", "10.0.0.1", 80, ttl=30.0)
async def work():
    async with AsyncAgent(connect_async(url), who, drain=0.1, on_sigterm=True) as agent:
        print(await agent.wait(30), flush=True)
        await asyncio.sleep(60)
if sys.argv[1] == "awaiting":
    asyncio.run(work())
else:
    with Agent(connect(url), who, drain=0.1, on_sigterm=True) as agent:
        print(agent.wait(30), flush=True)
        time.sleep(60)
"""


SWEEPS = """
import sys, time
from redisops.connection import Timeouts, connect
from redisops.services import Sweeper, sweeper
sweeper.AT_ONCE = 10  # so that the end of all takes many looks
def told(reports):
    print([id for one in reports for id in one.gone], flush=True)
    time.sleep(60)  # killed in here
redis = connect(sys.argv[1], timeouts=Timeouts(connect=20, read=20, deadline=60))
Sweeper(redis, every=0.01, hold=0, share=1.0, told=told).sweep()
"""


def test_a_sweeper_that_is_killed_in_mid_sweep_leaves_the_rest_to_another(
    redis_process: RedisProcess,
) -> None:
    """Whoever sweeps next ends what is left: each is told once, and nobody who lives."""
    redis_process.reset()
    services = ["pay", "mail"]
    doomed = [f"d{n}" for n in range(400)]
    with redis_process.client() as client, connect(redis_process.url, timeouts=PATIENT) as link:
        registry = Registry(link)
        for service in services:
            registry.set_terms(service, Terms(share=1.0))
            registry.register_all([
                (dataclasses.replace(PAY, service=service, id=id, ttl=300.0), 0)
                for id in [*doomed, "alive"]
            ])  # fmt: skip
        sweeps = subprocess.Popen(
            [sys.executable, "-c", SWEEPS, redis_process.url],
            cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "."},
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert sweeps.stdout is not None
        with sweeps.stdout as said:
            try:
                until(lambda: client.hget(KEYS.swept, "at"), "nobody sweeps")
                over = client.time()[0] * 1000 - 500
                for service in services:
                    client.zadd(Keys(service).lease, dict.fromkeys(doomed, over))
                assert said.readline()
            finally:
                sweeps.kill()
                sweeps.wait()
        left = [client.hlen(Keys(service).rec) for service in services]
        assert 2 < sum(left) < 802

        with Sweeper(link, services, every=0.02, hold=0, share=1.0):
            until(lambda: all(client.hlen(Keys(one).rec) == 1 for one in services), "some stayed")

        for service in services:
            keys = Keys(service)
            assert [one.id for one in registry.read(service).instances] == ["alive"]
            assert client.zcard(keys.lease) == client.hlen(keys.own) == 1
            entries = [entry for _, entry in client.xrange(keys.events)]
            assert [int(one[b"v"]) for one in entries] == list(range(1, len(entries) + 1))
            downs = [one[b"id"].decode() for one in entries if one[b"event"] == b"service_down"]
            assert sorted(downs) == sorted(doomed)
            assert {one[b"why"] for one in entries[401:]} == {b"lease over"}


def test_five_thousand_that_stop_at_once_are_one_storm_and_then_leave(
    redis_process: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """Two looks of everyone who looks are enough, and each change is in the timeline."""
    redis_process.reset()
    services = [f"s{n}" for n in range(10)]
    with redis_process.client() as client, connect(redis_process.url, timeouts=PATIENT) as link:
        registry, overview, timeline = Registry(link), Overview(link), Timeline(link)
        everyone = [
            dataclasses.replace(PAY, service=service, id=f"p{n}", ttl=300.0)
            for service in services for n in range(500)
        ]  # fmt: skip
        held = registry.register_all([(one, 0) for one in everyone])
        assert all(isinstance(one, Held) for one in held)
        look, sweeper = overview.look(), Sweeper(link, hold=0)
        sweeper.look()
        over = client.time()[0] * 1000 - 500
        for service in services:
            client.zadd(Keys(service).lease, dict.fromkeys((f"p{n}" for n in range(500)), over))

        swept = [one for _ in range(2) for one in sweeper.look()]
        for _ in range(2):
            look = overview.look(look, services)
        assert sum(len(one.suspects) for one in swept) == 5_000
        assert not any(one.gone for one in swept)
        told = [one for one in caplog.messages if "of all services stopped" in one]
        assert sweeper.preserving and len(told) == 1, "one storm, told once"
        seen = [one for service in look.services.values() for one in service.instances]
        assert len(seen) == 5_000 and all(one.suspect and not one.is_routed for one in seen)
        assert all(client.hexists(Keys(service).swept, "keep") for service in services)

        with Discovery(link, *services, every=60, tells=False) as discovery:
            assert discovery.wait(20)
            registry.leave(held)  # type: ignore[arg-type]
            for _ in range(2):
                look = overview.look(look, services)
            assert look.is_whole and not any(one.instances for one in look.services.values())
            until(lambda: not any(discovery.copy(one).instances for one in services), "not heard")
        sweeper.look()
        assert not sweeper.preserving, "nobody is left of whom that could be said"
        for page in timeline.events(dict.fromkeys(services[:3], FIRST), 2_000):
            assert page.is_whole and [one.version for one in page.events] == [*range(1, 1_501)]
            assert {one.event for one in page.events[1_000:]} == {"service_down"}
            assert {one.why for one in page.events[1_000:]} == {"deregistered"}
            assert len({one.id for one in page.events[1_000:]}) == 500
            assert [one.at for one in page.events] == sorted(one.at for one in page.events)


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_sigterm_drains_and_deregisters(kind: str, redis_process: RedisProcess) -> None:
    redis_process.reset()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, kind, redis_process.url],
        cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "."},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with redis_process.client() as client:
        assert process.stdout is not None
        with process.stdout as said:
            assert said.readline() == b"True\n"
            process.terminate()
            assert process.wait(20) == -signal.SIGTERM
        assert client.hlen(KEYS.rec) == 0
        states = [entry[b"to"] for _, entry in client.xrange(KEYS.events)]
        assert states == [b"passing", b"draining", b"gone"]


def test_half_silent_at_once_are_kept(
    world: World, client: redis.Redis, server: RedisProcess
) -> None:
    """A partition from half of them: nobody goes without a probe's evidence, all come back."""
    near = world.agent(server.url, *several(6, ttl=0.4))
    far = world.agent(
        server.url, *(dataclasses.replace(PAY, id=f"far{n}", ttl=0.4) for n in range(6))
    )
    assert world.do(near.wait, 20)
    assert world.do(far.wait, 20)
    with connect(server.url) as link:
        Registry(link).set_terms("pay", Terms(floor=0, share=0.05))
    discovery = world.discovery(server.url, "pay", every=0.2)
    world.sweeper(server.url, "pay", every=0.05, hold=0)
    own = far._registry
    far._registry = None  # what it says does not arrive
    broken = type("Broken", (), {"__getattr__": lambda *_: _unreachable})()
    far._registry = broken
    until(lambda: client.scard(KEYS.sus) == 6, "they are not suspected")
    assert client.hlen(KEYS.rec) == 12
    assert len(ids(discovery)) <= 12
    far._registry = own
    until(lambda: client.scard(KEYS.sus) == 0, "they are suspected still")
    until(lambda: len(ids(discovery)) == 12, "they are not back")
    downs = [e for _, e in client.xrange(KEYS.events) if e[b"event"] == b"service_down"]
    assert not downs


def _unreachable(*_: object, **__: object) -> object:
    raise redis.ConnectionError("partitioned")
