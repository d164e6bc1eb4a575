"""One look at all services: what it costs, what it finds, what it does with what others wrote."""

from __future__ import annotations

import pytest

from redisops.connection import measure
from redisops.errors import RedisopsError
from redisops.services import Registration, Registry
from redisops.services.overview import AsyncOverview, Look, Overview
from redisops.services.results import Result, Results


def _who(service: str, id: str, **said: object) -> Registration:
    return Registration(service, id, "10.0.0.1", 80, **said)  # type: ignore[arg-type]


@pytest.fixture
def overview(build):
    return build(Overview, AsyncOverview)


def test_a_look_is_one_trip_and_two_when_something_changed(overview, client):
    registry = Registry(client)
    for service in ("orders", "mail"):
        for id in ("a", "b"):
            registry.register(_who(service, id, ttl=20))
    Results(client).record({"mail": {"a": Result(5.0, "fail", None, "refused")}})
    first = overview.look()
    assert sorted(first.services) == ["mail", "orders"] and first.is_whole
    assert [one.id for one in first.services["mail"].instances] == ["a", "b"]
    assert first.services["mail"].results["a"].why == "refused"
    assert 15 < first.services["orders"].ends["b"] / 1000 - first.now <= 20
    assert first.services["orders"].swept == 0

    with measure() as quiet:
        second = overview.look(first)
    registry.deregister("orders", "b", "off to lunch")
    with measure() as changed:
        third = overview.look(second, ["orders"])

    assert (quiet.round_trips, changed.round_trips) == (1, 2)
    assert second.services["mail"].reading is first.services["mail"].reading
    assert [one.id for one in third.services["orders"].instances] == ["a"]
    assert third.services["orders"].events[0].why == "off to lunch"
    client.flushall()
    assert overview.look(third).services == {}


def test_what_others_wrote_is_told_and_hurts_nobody_else(overview, client):
    registry = Registry(client)
    registry.register(_who("good", "a"))
    registry.register(_who("odd", "a"))
    client.execute_command("SADD", "svc:services", "evil", "not a name", b"\xff", "gone")
    client.execute_command("SET", "svc:{evil}:rec", "no hash")
    client.execute_command("SET", "svc:{evil}:lease", "no set")
    client.execute_command("HSET", "svc:{odd}:rec", "b", "1 b passing", "c", b"\xff" * 70_000)
    client.execute_command("HSET", "svc:{odd}:chk", "a", "[1]", "x", "no")
    client.execute_command("HSET", "svc:{odd}:st", "a", "1 1 9.0 99999999999999 0", "b", "z")
    client.execute_command("ZADD", "svc:{odd}:lease", "inf", "b")
    client.execute_command("INCR", "svc:{odd}:ver")

    found = overview.look()

    assert sorted(found.services) == ["evil", "gone", "good", "odd"]
    assert "WRONGTYPE" in found.services["evil"].trouble
    assert "WRONGTYPE" in overview.look(found).services["evil"].trouble
    odd = found.services["odd"]
    assert (len(odd.instances), odd.reading.malformed, odd.results) == (1, 2, {})
    assert list(odd.ends) == ["a"] and odd.flapping == {"a"}
    assert found.services["good"].trouble == "" and len(found.services["good"].instances) == 1


def test_more_than_one_look_can_read_is_read_in_turns(overview, client, monkeypatch):
    monkeypatch.setattr("redisops.services.looking.AT_ONCE", 3)
    monkeypatch.setattr("redisops.services.looking.READ_AT_ONCE", 4)
    for n in range(9):
        Registry(client).register(_who(f"s{n}", "a"))

    look, looks = Look(), 0
    while not look.is_whole or not looks:
        look, looks = overview.look(look), looks + 1
    turns = [look := overview.look(look) for _ in range(3)]

    assert looks == 3 and len(look.services) == 9
    assert sorted(name for turn in turns for name in turn.looked) == sorted(look.services)
    Registry(client).register(_who("s7", "b"))
    with pytest.raises(RedisopsError):
        _who("no name", "a")
    assert len(overview.look(look, ["s7"]).services["s7"].instances) == 2


def test_names_without_end_push_nobody_off_the_wall(overview, client, monkeypatch):
    """Hostile names fill the room first; then more services live than there is room for."""
    for bound, value in {"MOST_SERVICES": 10, "NAMES_AT_ONCE": 50, "FIRST_NAMES": 50}.items():
        monkeypatch.setattr(f"redisops.services.looking.{bound}", value)

    def until_whole(look: Look) -> Look:
        for _ in range(60):
            look = overview.look(look)
            if look.is_whole:
                return look
        raise AssertionError("never whole")

    client.sadd("svc:services", *(f"nobody-{n}" for n in range(10)))
    look = until_whole(Look())
    assert len(look.services) == 10 and not look.more
    client.sadd("svc:services", *(f"nobody-{n}" for n in range(300)), "{x}", b"\xff")
    living = {f"s{n}" for n in range(8)}
    for name in living:
        Registry(client).register(_who(name, "a"))

    overview_only = until_whole(Look())
    for _ in range(20):
        look = overview.look(look)
    assert set(overview_only.services) == set(look.services) == living
    assert not look.more and len(look.found) <= 11
    assert "ghost" not in overview.look(look, ["ghost", "no name"]).services
    for n in range(8):
        Registry(client).register(_who(f"a{n}", "a"))
    for _ in range(20):
        look = overview.look(look)
        assert len(look.services) <= 10 and living <= set(look.services)
    assert len(look.services) == 10 and look.more, "two more, and it is said that others live"
    assert overview.look(look, ["s1"], in_turn=False).more
    with measure() as quiet:
        overview.look(look)
    assert quiet.round_trips <= 2
    monkeypatch.setattr("redisops.services.looking.READ_AT_ONCE", 1)
    for name in ("s1", "s2"):
        Registry(client).register(_who(name, "b"))
    look = overview.look(look, ["s1", "s2"])
    assert look.stale == ("s2",), "what is postponed is not forgotten, though there is no room"
    assert len(overview.look(look).services["s2"].instances) == 2
