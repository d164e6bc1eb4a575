"""Where services are and what happened to them; what is known of single instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.services import AsyncRegistry, Keys, Registration, Registry, Sweeper
from redisops.services.evidence import AsyncEvidences, Evidences
from redisops.services.results import Result
from redisops.services.timeline import FIRST, AsyncTimeline, Timeline

KEYS = Keys("pay")
PAY = Registration("pay", "p1", "10.0.0.1", 8000, check={"kind": "tcp"})
Build = Callable[..., Any]


@pytest.fixture
def registry(build: Build) -> Any:
    return build(Registry, AsyncRegistry)


def test_events_are_read_on_from_a_place(build: Build, registry: Any, client: redis.Redis) -> None:
    timeline = build(Timeline, AsyncTimeline)
    registry.register(PAY)
    registry.drain("pay", "p1", "deploy")
    client.xadd(KEYS.events, {"v": "x", "rubbish": b"\xff\x00"})
    client.set(Keys("odd").events, "no stream")
    client.mset({Keys("odd").epoch: "e", Keys("odd").ver: b"\xff"})

    heads = timeline.heads(["pay", "odd", "nobody"])
    first, odd = timeline.events({"pay": FIRST, "odd": FIRST}, 2)
    (rest,) = timeline.events({"pay": first.place}, 2)

    assert [(one.service, one.version, bool(one.epoch)) for one in heads] == [
        ("pay", 2, True), ("odd", 0, True), ("nobody", 0, False),
    ]  # fmt: skip
    assert [one.state for one in first.events] == ["starting", "draining"] and not first.is_whole
    assert odd.events == () and "WRONGTYPE" in odd.trouble
    assert rest.events == () and rest.is_whole and rest.place > first.place
    assert timeline.heads([]) == [] and timeline.events({}) == []


def test_evidence_is_read_and_what_has_another_type_is_named(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    evidences = build(Evidences, AsyncEvidences)
    registry.register(PAY)
    for _ in range(2):
        registry.judge("pay", "p1", "fail", "closed")
    client.hset(KEYS.chk, mapping={"p1": Result(5.0, "fail", 1.5, "closed").packed, "p2": b"{"})
    registry.maintain("pay", "p1", "disk", seconds=60)
    registry.resume("pay", "p1")

    known = evidences.of("pay", ["p1", "p2"], 0.0)

    one = known.of("p1")
    assert one.ends is not None and one.until is None and one.checked is not None
    assert (one.checked.ms, one.checked.is_bad, known.missing) == (1.5, True, ())
    assert known.of("p2").checked is None and known.swept is None
    client.hset(KEYS.st, "p1", f"0 2 8 {10_000} 1")
    flapping = evidences.of("pay", ["p1"], 310.0).of("p1")
    assert (flapping.in_a_row, flapping.turns, flapping.flaps) == (-2, 4.0, True)
    client.delete(KEYS.lease)
    client.set(KEYS.lease, "x")
    wrong = evidences.of("pay", ["p1"], 0.0)
    assert wrong.of("p1").ends is None and "leases: WRONGTYPE" in wrong.missing[0]


def test_zombies_are_those_that_repair_removes(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    evidences = build(Evidences, AsyncEvidences)
    for id in ("p1", "p2", "p3"):
        registry.register(Registration("pay", id, "10.0.0.1", 8000))
    client.zrem(KEYS.lease, "p1")
    client.zadd(KEYS.lease, {"ghost": 1e15})
    client.hset(
        KEYS.rec, mapping={"bad": "1 bad passing x 0 - 1\n{}", "p2": "1 p9 passing 1 0 - 1\n"}
    )

    records, leases = evidences.zombies("pay", 0), evidences.zombies("pay", 1)

    assert (records.without_lease, sorted(records.malformed)) == (("p1",), ["bad", "p2"])
    assert leases.without_record == ("ghost",) and (records.cursor, leases.cursor) == (1, 0)
    assert client.hlen(KEYS.rec) == 4
    gone = Sweeper(client, ["pay"])
    done = gone.repair("pay", 0), gone.repair("pay", 1)
    assert done[0].without_lease == ("p1",) and sorted(done[0].malformed) == ["bad", "p2"]
    assert done[1].without_record == ("ghost",)
