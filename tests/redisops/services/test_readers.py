"""Who reads a service, what they saw of its instances, and how long checks took: told, bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops import scripts
from redisops.services import (
    AsyncBalancer,
    AsyncRegistry,
    Balancer,
    Ejection,
    Keys,
    Registration,
    Registry,
    readers,
    telling,
)
from redisops.services.evidence import AsyncEvidences, Evidences
from redisops.services.readers import Passive, Saw, Told
from redisops.services.results import AsyncResults, Result, Results
from redisops.services.rings import SLOTS, AsyncRings, Rings, code_of, ring
from tests.redisops.services.conftest import World
from tests.servers import RedisProcess, restricted, until

PAY = Registration("pay", "p1", "10.0.0.1", 8000)
KEYS = Keys("pay")
Build = Callable[..., Any]


@pytest.fixture
def registry(build: Build) -> Any:
    return build(Registry, AsyncRegistry)


def test_a_reader_tells_who_it_is_and_what_its_balancers_saw(
    world: World, redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_process.reset()
    monkeypatch.setattr(telling, "EVERY", 0.05)
    with redis_process.client() as client:
        evidences = Evidences(client)
        for id in ("p1", "p2"):
            Registry(client).register(Registration("pay", id, "10.0.0.1", 8000))

        def told() -> Any:
            return evidences.of("pay", [], 0.0)

        discovery = world.discovery(redis_process.url, "pay", every=0.05, name="shop <front>")
        quiet = world.discovery(redis_process.url, "pay", every=0.05, tells=False)
        kind = AsyncBalancer if world.awaiting else Balancer
        pay = kind(discovery, "pay", "round_robin", ejection=Ejection(consecutive=3))
        until(lambda: told().readers.told, "nobody told")
        (first,) = told().readers.told
        for one in discovery.instances("pay") * 4:
            pay.begin(one)
            pay.end(one, ok=one.id == "p1")
        pay.pick()
        until(lambda: told().readers.told[0].picks == 1, "nothing was told of the instances")
        (reader,) = told().readers.told
        seen = told().passive
        world.leave(discovery)

        assert (reader.name, reader.hears, reader.picks) == ("shop <front>", True, 1)
        assert reader.library.startswith("redisops 0.") and reader.version == 2
        assert reader.since == pytest.approx(first.since, abs=20)
        assert reader.since <= reader.at and first.at <= reader.at <= client.time()[0] + 1
        assert seen == {"p1": Passive(4, 0, 1, 0), "p2": Passive(4, 4, 1, 1)}
        assert quiet.untold == "it is switched off" and discovery.untold == ""
        assert told().readers.told == (), "who leaves takes its word back"


def test_who_may_not_write_reads_all_the_same(world: World, valkey_process: RedisProcess) -> None:
    valkey_process.reset()
    url = restricted(
        valkey_process, "~*", "&*", "+@read", "+subscribe", "+unsubscribe", "+ping", "+client",
        "+hello", "+time", "+eval", "+evalsha",
    )  # fmt: skip
    with valkey_process.client() as client:
        Registry(client).register(PAY)
        discovery = world.discovery(url, "pay", every=0.05)
        until(lambda: discovery.untold, "nothing was refused")
        Registry(client).register(Registration("pay", "p2", "10.0.0.1", 8000))
        until(lambda: len(discovery.instances("pay")) == 2, "it does not follow")
        assert discovery.trouble == "" and "permission" in discovery.untold
        world.leave(discovery)
        client.execute_command("ACL", "DELUSER", "narrow")


def test_words_of_readers_are_bounded_and_their_end_is_the_servers(
    build: Build, registry: Any, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidences = build(Evidences, AsyncEvidences)
    monkeypatch.setattr(readers, "MOST", 3)
    many = [(f"{n:03}" + "x" * 197, Saw(n, n % 7)) for n in range(900)]
    words = [Told(f"r{n}", "n" * 500, "lib", 5_000, 7, n != 2, 9, 60.0, many) for n in range(4)]
    tell = client.register_script(scripts.source("service_reader"))
    kept = [tell(keys=said.script(KEYS)[1], args=said.script(KEYS)[2]) for said in words]
    known = evidences.of("pay", [], 0.0)

    assert kept == [1, 1, 1, 0] and known.readers.more and known.readers.hearing == 2
    one = known.readers.told[0]
    assert len(one.name) == 100 and 4.9 < one.at - one.since < 5.1
    assert len(words[0].packed) <= readers.MOST_BYTES
    assert one.unsaid + len(one.seen) == 900 and min(saw.failed for saw in one.seen.values()) == 6
    assert 0 < client.pttl(KEYS.told) <= 2 * readers.HOLDS * 1000

    client.zadd(KEYS.readers, {"r0": 1, "r1": 9e15})  # over, and of a clock that was set back
    tell(keys=words[3].script(KEYS)[1], args=words[3].script(KEYS)[2])
    assert sorted(client.hkeys(KEYS.told)) == [b"r2", b"r3"] == client.zrange(KEYS.readers, 0, -1)
    far = time.time() * 1000 + 60_000
    for n, said in enumerate([b"", b"1 2 [", b"1 2 []", b"9e99 2 {}", b"1 2 " + b"[" * 9_000,
                              b'1 2 {"name":1,"lib":"","version":0,"hears":1,"picks":0,"over":0,'
                              b'"seen":[]}', b"x" * 20_000]):  # fmt: skip
        client.hset(KEYS.told, "r3", said)
        found = evidences.of("pay", [], 0.0).readers
        assert (len(found.told), found.malformed) == (1, 1), n
    client.delete(KEYS.told)
    client.set(KEYS.told, "no hash")
    client.zadd(KEYS.readers, {"r2": far})
    wrong = evidences.of("pay", [], 0.0)
    assert wrong.readers.told == () and "what readers say: WRONGTYPE" in wrong.missing[0]


def test_how_long_checks_took_is_kept_in_little_space(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    results, rings = build(Results, AsyncResults), build(Rings, AsyncRings)
    registry.register(PAY)

    def checked(at: float, ms: float | None, state: str = "pass", every: float = 5.0) -> None:
        told = Result(at, state, ms, detail={"every": every})
        assert results.record({"pay": {"p1": told, "gone": told}}) == []

    def kept() -> Any:
        return rings.of({"pay": ["p1", "gone"], "nobody": ["x"]})["pay"]["p1"]

    for n, ms in enumerate([1.0, 30.0, 2.0, None, 4.0]):  # at 0, 5, 10, 15 and 20 s
        checked(1000 + 5 * n, ms, "fail" if ms is None else "pass")
    checked(1021, None, "unknown")
    checked(1068, 100_000.0)
    one = kept()
    assert (one.at, one.seconds, one.failed) == (1064, 16, [True, False, False, False, False])
    assert one.ms[0] is None and one.ms[2:4] == [None, None]
    assert one.ms[1] == pytest.approx(4, rel=0.04) and one.ms[4] == pytest.approx(1e5, rel=0.04)
    assert one.times == [1000, 1016, 1032, 1048, 1064]
    assert client.hkeys(KEYS.ring) == [b"p1"]

    for n in range(300):  # rarer checks have a slot each, though none comes on time
        checked(5000 + 30 * n + n % 3, 10.0, every=30.0)
    one = kept()
    assert len(one.codes) == SLOTS and None not in one.ms and one.at == 5000 + 30 * 299 + 2
    assert client.hstrlen(KEYS.ring, "p1") <= 124
    for n, wrong in enumerate([b"", b"\x01" * 9, b"\x02" * 50, b"\x01" * 2_000, b"\xff" * 124]):
        client.hset(KEYS.ring, "p1", wrong)
        assert ring(wrong) is None and rings.of({"pay": ["p1"]})["pay"] == {}, n
    checked(20, 1.0, every=30.0)
    assert kept().at == 20 and code_of(float("nan"), is_bad=False) == 0
    client.hset(KEYS.ring, mapping={f"left{n}": "x" for n in range(15)})
    checked(50, 1.0, every=30.0)
    assert client.hkeys(KEYS.ring) == [b"p1"] and 0 < client.pttl(KEYS.ring) <= 86_400_000
