"""Instances registered, beating, judged, set, swept and repaired, by the server's clock."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from redisops.connection import connect, measure
from redisops.errors import InvalidArgument
from redisops.services import (
    AsyncRegistry,
    AsyncSweeper,
    Keys,
    Registration,
    Registry,
    Replaced,
    Sweeper,
    Terms,
    names,
)
from redisops.services import registry as registry_module
from redisops.services.names import AsyncNames, Names
from tests.servers import RedisProcess, restricted, until

PAY = Registration("pay", "p1", "10.0.0.1", 8000, version="1.2", zone="a", tags=("x", "y"))
KEYS = Keys("pay")
Build = Callable[..., Any]


@pytest.fixture
def registry(build: Build) -> Any:
    return build(Registry, AsyncRegistry)


@pytest.fixture
def sweeper(build: Build) -> Any:
    return build(Sweeper, AsyncSweeper, ["pay"], hold=0)


def events(client: redis.Redis) -> list[tuple[str, str, str]]:
    """Event, state before and after, in order; and the versions have no gap."""
    entries = [entry for _, entry in client.xrange(KEYS.events)]
    assert [int(entry[b"v"]) for entry in entries] == list(range(1, len(entries) + 1))
    return [
        (entry[b"event"].decode()[8:], entry[b"from"].decode(), entry[b"to"].decode())
        for entry in entries
    ]


def expire(client: redis.Redis, *ids: str) -> None:
    """Their leases have been over for two seconds."""
    client.zadd(KEYS.lease, dict.fromkeys(ids, time.time() * 1000 - 2_000))


def test_an_instance_registers_beats_and_leaves(registry: Any, client: redis.Redis) -> None:
    held = registry.register(PAY)
    again = registry.register(PAY, fence=held.fence)
    assert (again.fence, again.state) == (held.fence, "passing")

    answer = registry.beat([held, held._replace(id="unknown")])
    assert answer["pay"].missing == ("unknown",)
    found = registry.read("pay")
    assert [(one.id, one.authority, one.tags) for one in found.instances] == [
        ("p1", "10.0.0.1:8000", ("x", "y"))
    ]
    assert registry.read("pay", found) is found
    document = client.hgetall(KEYS.document("p1"))
    assert document[b"address"] == b"10.0.0.1"
    assert document[b"status"] == b"passing"
    assert 0 < client.pttl(KEYS.document("p1")) <= 15_000

    assert registry.deregister("pay", "p1", fence=held.fence)
    assert not registry.deregister("pay", "p1")
    assert events(client) == [("registered", "none", "passing"), ("down", "passing", "gone")]
    assert registry.services() == ["pay"]
    assert registry.forget("pay")
    assert client.dbsize() == 0


def test_the_later_process_holds_the_id(registry: Any, client: redis.Redis) -> None:
    first = registry.register(PAY)
    second = registry.register(dataclasses.replace(PAY, address="10.0.0.2"))

    assert second.fence > first.fence
    assert registry.beat([first])["pay"].replaced == ("p1",)
    assert registry.beat([second])["pay"] == ((), ())
    for late in (
        lambda: registry.register(PAY, fence=first.fence),
        lambda: registry.drain("pay", "p1", fence=first.fence),
    ):
        with pytest.raises(Replaced):
            late()
    assert not registry.deregister("pay", "p1", fence=first.fence)
    assert registry.judge("pay", "p1", "fail", fence=first.fence).state == "none"
    (one,) = registry.read("pay").instances
    assert (one.address, one.fence) == ("10.0.0.2", second.fence)
    assert events(client)[-1] == ("changed", "passing", "passing")


def test_checks_turn_it_after_so_many_in_a_row(registry: Any, client: redis.Redis) -> None:
    registry.register(dataclasses.replace(PAY, check={"type": "tcp"}))

    def state(*results: str) -> str:
        for result in results:
            told = registry.judge("pay", "p1", result)
        return str(told.state)

    assert state("fail", "fail", "fail", "pass") == "starting"  # its failures do not count yet
    assert state("pass") == "passing"
    assert state("fail", "fail", "pass", "fail", "fail") == "passing"
    assert state("refused") == "critical"
    assert state("pass") == "critical"
    assert state("warn") == "warning"
    written = client.xlen(KEYS.events)
    assert state("warn", "warn") == "warning"
    assert client.xlen(KEYS.events) == written
    for _ in range(3):
        assert state("fail", "fail", "fail", *["pass"] * 12) == "passing"
    assert (
        state("fail", "fail", "fail", "pass", "pass") == "critical"
    )  # it flaps: two are not enough
    assert registry.judge("pay", "p1", "pass").flapping
    assert b"flapping: " in client.xrevrange(KEYS.events, count=1)[0][1][b"why"]
    registry.set_terms("pay", Terms(rise=1, fall=1))
    assert registry.terms("pay") == Terms(rise=1, fall=1)
    client.hset(KEYS.cfg, mapping={"rise": "nan", "fall": b"\xff", "share": "9"})
    assert registry.terms("pay") == Terms()
    with pytest.raises(InvalidArgument):
        registry.judge("pay", "p1", "good")


def test_what_was_decided_survives_a_restart(
    registry: Any, sweeper: Any, client: redis.Redis
) -> None:
    registry.register(PAY)
    assert registry.maintain("pay", "p1", "new disk", seconds=0.05)
    assert registry.reweigh("pay", "p1", 7)
    assert registry.judge("pay", "p1", "fail").state == "maintenance"

    assert registry.register(PAY).state == "maintenance"
    (one,) = registry.read("pay").instances
    assert (one.state, one.weight, one.is_routed) == ("maintenance", 7, False)
    until(lambda: any(swept.resumed for swept in sweeper.look()), "the maintenance to be over")

    assert sweeper.look()[0].resumed == ()
    (one,) = registry.read("pay").instances
    assert (one.state, one.weight) == ("passing", 7)
    assert registry.reweigh("pay", "p1", None)
    assert registry.drain("pay", "p1")
    assert client.hget(KEYS.document("p1"), "status") == b"draining"
    assert registry.resume("pay", "p1")
    assert not registry.drain("pay", "p2")
    assert registry.read("pay").instances[0].weight == 100


def test_a_lease_that_is_over_ends_the_instance(
    registry: Any, sweeper: Any, client: redis.Redis
) -> None:
    held = [registry.register(dataclasses.replace(PAY, id=f"p{n}")) for n in range(10)]
    expire(client, "p9")

    (swept,) = sweeper.look()
    assert (swept.gone, swept.suspects, swept.total) == (("p9",), (), 10)
    expire(client, *(f"p{n}" for n in range(5)))
    (swept,) = sweeper.look()
    assert (swept.gone, sorted(swept.suspects)) == ((), [f"p{n}" for n in range(5)])
    assert swept.preserving
    assert sweeper.look()[0].suspects == ()
    found = registry.read("pay").instances
    assert [one.id for one in found if one.suspect] == [f"p{n}" for n in range(5)]

    registry.judge("pay", "p0", "refused")
    registry.judge("pay", "p0", "refused")
    assert sweeper.look()[0].gone == ("p0",), "a probe is evidence"
    registry.beat(held)
    assert sorted(sweeper.look()[0].recovered) == ["p1", "p2", "p3", "p4"]
    assert not any(one.suspect for one in registry.read("pay").instances)
    expire(client, *(f"p{n}" for n in range(1, 5)))
    registry.set_terms("pay", Terms(max_suspect=1))
    assert len(sweeper.look()[0].gone) == 4, "silent for too long"
    events(client)


def test_too_many_over_all_services_are_kept_in_each(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    names = [f"s{n}" for n in range(10)]
    held = registry.register_all([
        (dataclasses.replace(PAY, service=name, id=f"p{n}"), 0) for name in names for n in range(4)
    ])  # fmt: skip

    def silent(id: str, *services: str) -> None:
        for name in services:
            client.zadd(Keys(name).lease, {id: time.time() * 1000 - 2_000})

    def gone(by: Any) -> list[str]:
        return [one.service for one in by.look() if one.gone]

    one, other = (build(Sweeper, AsyncSweeper, names, hold=0) for _ in range(2))
    silent("p0", *names[:5])
    assert gone(one) == names[:5] and not one.preserving, "so many may die within a minute"
    silent("p1", *names[5:8])
    assert gone(other) == [] and other.preserving, "8 of 40, whoever removed the first five"
    assert registry.read("s5").instances[1].suspect
    assert int(client.hget(Keys("s5").swept, "keep") or 0) > time.time() * 1000
    registry.judge("s6", "p1", "refused")
    registry.judge("s6", "p1", "refused")
    assert gone(other) == ["s6"], "a probe is evidence"

    later = build(Sweeper, AsyncSweeper, names, hold=0, recent=1.0)
    registry.beat([one for one in held if one.service == "s5"])
    silent("p2", *names)
    assert gone(one) == [] and one.preserving
    assert gone(later) == names and not later.preserving, "it ends by itself"


@pytest.mark.parametrize("services", [["pay"], [f"s{n}" for n in range(20)]], ids=["one", "many"])
def test_half_that_stop_together_are_kept_though_their_leases_end_one_by_one(
    build: Build, registry: Any, client: redis.Redis, services: list[str]
) -> None:
    """A partition: each beat last within a third of its lease, so that they end within a third."""
    each = 40 // len(services)
    names = [(service, f"p{n}") for service in services for n in range(each)]
    registry.register_all([
        (dataclasses.replace(PAY, service=service, id=id, ttl=0.9), 0) for service, id in names
    ])  # fmt: skip
    silent = [one for one in names if int(one[1][1:]) < each // 2]
    now = clock(client)
    for place, (service, id) in enumerate(names):
        left = 100 + 15 * place // 2 if (service, id) in silent else 290_000
        client.zadd(Keys(service).lease, {id: now + left})
    sweeper = build(Sweeper, AsyncSweeper, services, hold=0)
    gone: list[str] = []
    suspects: list[str] = []

    def all_are_suspects() -> bool:
        for one in sweeper.look():
            gone.extend(one.gone)
            suspects.extend(one.suspects)
        return len(suspects) + len(gone) >= len(silent)

    until(all_are_suspects, "all that are silent to be judged")
    assert (len(suspects), gone) == (len(silent), [])


def test_who_ended_is_waited_with_while_others_are_late(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    sweeper = build(Sweeper, AsyncSweeper, ["pay"], hold=0)
    held = registry.register_all([
        (dataclasses.replace(PAY, id=f"p{n}", ttl=200), 0) for n in range(10)
    ])  # fmt: skip

    def ends(seconds: float, *ids: str) -> None:
        client.zadd(KEYS.lease, dict.fromkeys(ids, clock(client) + seconds * 1000))

    def looked() -> tuple[tuple[str, ...], tuple[str, ...]]:
        (one,) = sweeper.look()
        return one.gone, one.suspects

    ends(-1, "p0")
    ends(100, "p1", "p2", "p3")
    assert looked() == ((), ()), "four of ten may be gone"
    registry.beat(held[1:])
    assert looked() == (("p0",), ()), "the others beat: it alone stopped"
    ends(100, *(f"p{n}" for n in range(4, 10)))
    ends(-201, "p1")
    assert looked() == (("p1",), ()), "nobody is waited with for more than a lease of its own"
    registry.beat(held[2:])
    ends(-1, "p2")
    assert looked() == (("p2",), ())
    ends(-1, "p3")
    assert looked() == ((), ("p3",)), "the fourth of ten within one lease"
    registry.maintain("pay", "p4", "new disk")
    registry.beat(held[3:])
    sweeper.look()
    client.delete(KEYS.swept)
    sweeper.look()
    registry.maintain("pay", "p5", "new disk")
    ends(-1, "p4", "p5", "p6")
    assert looked() == (("p6",), ()), "who is in maintenance was stopped by somebody"


def clock(client: redis.Redis) -> int:
    """Ms since 1970 by the server's clock."""
    seconds, micros = client.time()
    return int(seconds * 1000 + micros // 1000)


def test_nobody_is_judged_after_a_time_in_which_nobody_looked(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    sweeper = build(Sweeper, AsyncSweeper, ["pay"], gap=5, hold=60)
    registry.register(PAY)
    expire(client, "p1")

    first = sweeper.look()[0]
    assert (first.holding, first.gone) == (True, ())
    client.hset(KEYS.swept, mapping={"hold": 0})
    client.zadd(KEYS.lease, {"p1": (time.time() + 9_999) * 1000})
    assert sweeper.look()[0].next_end <= 300, "the clock was set back after the lease was given"
    client.hset(KEYS.swept, mapping={"at": int(time.time() * 1000) + 60_000})
    expire(client, "p1")
    assert sweeper.look()[0].holding, "the clock was set back"
    client.hset(KEYS.swept, mapping={"hold": 0})
    assert sweeper.look()[0].gone == ("p1",)


def test_two_sweepers_tell_each_end_once(server: RedisProcess, client: redis.Redis) -> None:
    link = connect(server.url)
    registry = Registry(link)
    registry.set_terms("pay", Terms(share=1.0))
    for n in range(300):
        registry.register(dataclasses.replace(PAY, id=f"p{n}"))
    sweepers = [Sweeper(link, ["pay"], hold=0) for _ in range(4)]
    sweepers[0].look()
    expire(client, *(f"p{n}" for n in range(299)))

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda sweeper: sweeper.look()[0].gone, sweepers * 3))

    gone = [id for report in reports for id in report]
    assert sorted(gone) == sorted(f"p{n}" for n in range(299))
    assert len(events(client)) == 300 + 299
    assert [one.id for one in registry.read("pay").instances] == ["p299"]
    link.close()


def test_versions_have_no_gap_whoever_writes(server: RedisProcess, client: redis.Redis) -> None:
    link = connect(server.url)

    def write(n: int) -> None:
        held = Registry(link).register(dataclasses.replace(PAY, id=f"p{n}"))
        Registry(link).drain("pay", held.id)
        Registry(link).deregister("pay", held.id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(100)))

    assert len(events(client)) == 300
    assert Registry(link).read("pay").instances == ()
    link.close()


HOSTILE = {
    b"text": b"<script>", b"empty": b"", b"huge": b"1 huge passing 1 0 - 5\n" + b"[" * 500_000,
    b"deep": b"1 deep passing 1 0 - 5\n" + b"[" * 60_000,
    b"state": b'1 state pwned 1 0 - 5\n{"address":"a","port":1}',
    b"port": b'1 port passing 1 0 - 5\n{"address":"a","port":"80","tags":[],"metadata":{}}',
    b"bool": b'1 bool passing 1 0 - 5\n{"address":"a","port":true,"tags":[],"metadata":{}}',
    b"space": b'1 space passing 1 0 - 5\n{"address":"a b\\r\\n","port":1,"tags":[],"metadata":{}}',
    b"nan": b'1 nan passing 1 0 - 5\n{"address":"a","port":1,"tags":[],"metadata":{},"ttl":NaN}',
    b"other": b'1 \xff passing 1 0 - 5\n{}', b"list": b"1 list passing 1 0 - 5\n[]",
}  # fmt: skip


def test_hostile_records_are_left_out_and_removed(
    registry: Any, sweeper: Any, client: redis.Redis
) -> None:
    registry.register(PAY)
    client.hset(KEYS.rec, mapping=HOSTILE)  # type: ignore[arg-type]
    client.zadd(KEYS.lease, {"nobody": 9e15})
    client.hset(KEYS.rec, "p7", client.hget(KEYS.rec, "p1").replace(b"1 p1 ", b"1 p7 "))

    found = registry.read("pay")
    assert ([one.id for one in found.instances], found.malformed) == (["p1", "p7"], len(HOSTILE))
    for id in HOSTILE:
        name = id.decode()
        assert registry.judge("pay", name, "fail").state in ("none", "passing", "pwned")
    removed: set[str] = set()
    cursor = 0
    while True:
        one = sweeper.repair("pay", cursor)
        removed |= {*one.without_lease, *one.without_record, *one.malformed}
        if not (cursor := one.cursor):
            break

    assert removed == {id.decode() for id in HOSTILE} | {"nobody", "p7"}
    assert [one.id for one in registry.read("pay").instances] == ["p1"]
    assert client.hkeys(KEYS.rec) == client.zrange(KEYS.lease, 0, -1) == [b"p1"]


def test_a_fence_that_is_none_makes_room_for_a_true_one(registry: Any, client: redis.Redis) -> None:
    held = registry.register(PAY)
    for nonsense in ("", "nan", "inf", "-5", "9e99", b"\xff", "1"):
        client.hset(KEYS.own, "p1", nonsense)
        assert registry.beat([held])["pay"] == (("p1",), ())
        assert registry.register(PAY, fence=held.fence).fence == held.fence
    assert registry.beat([held])["pay"] == ((), ())


def test_keys_of_another_type_stop_that_service_alone(
    build: Build, registry: Any, client: redis.Redis
) -> None:
    client.set(KEYS.lease, "no sorted set")
    client.sadd("svc:services", b"\xff\x00", "a b", "{x}", "pay")
    client.lpush(Keys("mail").events, "no stream")
    registry.register(dataclasses.replace(PAY, service="mail"))
    with pytest.raises(redis.ResponseError):
        registry.register(PAY)

    sweeper = build(Sweeper, AsyncSweeper, hold=0)
    assert [one.service for one in sweeper.look()] == ["mail"]
    assert "pay" in sweeper.troubles
    assert registry.services() == ["mail", "pay"]
    assert len(registry.read("mail").instances) == 1
    client.delete(KEYS.lease)
    registry.register(PAY)
    assert len(sweeper.look()) == 2
    assert not sweeper.troubles


def test_names_without_end_push_nobody_out(
    build: Build, registry: Any, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST", 1_000)
    monkeypatch.setattr(names, "PAGE", 250)
    client.sadd("svc:services", *(f"nobody-{n}" for n in range(3_000)), "{x}", b"\xff")
    registry.register_all([
        (dataclasses.replace(PAY, service=f"s{n}"), 0) for n in range(20)
    ])  # fmt: skip
    living = sorted(f"s{n}" for n in range(20))
    listing = build(Names, AsyncNames)

    looks = [listing.look() for _ in range(8)]
    assert looks[-1] == living and not listing.more
    assert all(set(one) <= set(living) for one in looks)
    sweeper = build(Sweeper, AsyncSweeper, hold=0, names=lambda: ["s1", "s2"])
    assert [one.service for one in sweeper.look()] == ["s1", "s2"]
    few = build(Names, AsyncNames, 15)
    client.delete("svc:services")
    client.sadd("svc:services", *living[5:], *(f"nobody-{n}" for n in range(100)))
    assert few.look() == living[5:] and not few.more and few.is_whole
    client.sadd("svc:services", *living[:5])
    assert few.look() == living[5:] and few.more, "who was first stays; five too many, it is said"


def test_bounds_that_are_told_hold(
    build: Build, server: RedisProcess, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beats in one script, reasons, the stream of events, and instances that are read."""
    registry = build(Registry, AsyncRegistry)
    held = registry.register(PAY)
    with client.pipeline(transaction=False) as pipeline:
        for _ in range(10_300):
            pipeline.execute_command("XADD", KEYS.events, "*", "v", "0")
        pipeline.execute()
    registry.drain("pay", "p1", "w" * 10_000)
    assert client.xlen(KEYS.events) < 10_200
    (_, last), *_ = client.xrevrange(KEYS.events, count=1)
    assert last[b"why"] == b"w" * 500

    registry.beat([held])  # the script is there from now on
    with measure() as beaten:
        answer = registry.beat([held, *(held._replace(id=f"no{n}") for n in range(1_100))])
    assert beaten.round_trips == 1 and len(answer["pay"].missing) == 1_100

    monkeypatch.setattr(registry_module, "MOST_INSTANCES", 2)
    for n in (2, 3):
        registry.register(dataclasses.replace(PAY, id=f"p{n}"))
    with pytest.raises(redis.ResponseError, match="3 instances are more than 2"):
        registry.read("pay")
    url = restricted(server, "~svc:*", "+get", "+mget", "+hvals", "+ping")
    with connect(url) as link, pytest.raises(redis.ResponseError, match="3 instances are more"):
        Registry(link).read("pay")
    registry.deregister("pay", "p3")
    assert len(registry.read("pay").instances) == 2


def test_a_reader_without_scripts_reads_plainly(server: RedisProcess) -> None:
    link = connect(server.url)
    Registry(link).register(PAY)
    url = restricted(server, "+@read", "-@dangerous", "+ping", "~*")
    with connect(url) as narrow:
        found = Registry(narrow).read("pay")
        assert [one.id for one in found.instances] == ["p1"]
        assert Registry(narrow).read("pay", found) is found
        with pytest.raises(redis.exceptions.NoPermissionError):
            Registry(narrow).register(PAY)
    link.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"service": "a b"}, {"service": "{x}"}, {"id": "a b"}, {"id": "x{"}, {"address": ""},
        {"address": "a\r\nb"}, {"port": 70_000}, {"port": "80"}, {"ttl": 0.01}, {"ttl": 999},
        {"weight": -1}, {"metadata": {"x": "y" * 20_000}}, {"state": "gone"},
    ],
    ids=str,
)  # fmt: skip
def test_a_registration_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        dataclasses.replace(PAY, **wrong)


def test_a_record_is_plain_json() -> None:
    assert json.loads(PAY.packed)["tags"] == ["x", "y"]
