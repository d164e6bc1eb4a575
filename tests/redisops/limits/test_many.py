"""Many requests in one round trip, each decided for itself."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from redisops.errors import InvalidArgument
from redisops.limits import Asked, Ban, Exemption, Policy
from redisops.limits.many import check_many, check_many_async, peek_many, peek_many_async
from tests.redisops.counting import counted, scripted
from tests.redisops.limits.holding import Holding, one_server
from tests.redisops.limits.test_guard import Told, door
from tests.servers import Cluster, RedisProcess
from tests.servers.troubles import full

server = pytest.fixture(one_server)
FAR = 4_000_000_000.0
POLICIES = (
    Policy("ip", limit=2, period=3600.0, banned=(Ban("192.0.2.6", FAR),)),
    Policy("all", subject=("global",), limit=9, period=3600.0, cost=2, order=1,
           algorithm="sliding_counter"),
    Policy("user", subject=("user",), limit=1, period=3600.0, exempt=(Exemption("root", FAR),),
           on_failure="closed", path="/user"),
    Policy("places", algorithm="concurrency", limit=1, period=9.0, path="/places"),
)  # fmt: skip


def asked(ip: str = "", path: str = "/", user: str = "") -> Asked:
    return Asked(service="shop", method="GET", path=path, ip=ip, user=user)


def decide(
    holding: Holding, guard: Any, *requests: Asked, look: bool = False, cost: Any = None
) -> list[Any]:
    due = [(guard.book.match(one), cost) for one in requests]
    if holding.awaiting:
        found = (peek_many_async if look else check_many_async)(guard, due)
        return list(holding.settle(found))
    return (peek_many if look else check_many)(guard, due)


def test_each_is_decided_for_itself_in_order_as_one_alone_would_be(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(holding, server, *POLICIES)
    requests = [asked("192.0.2.1"), asked("192.0.2.1"), asked("192.0.2.1"), asked("192.0.2.6"),
                asked("192.0.2.2", "/user", "root"), asked(user="root", path="/user"), asked(),
                asked("192.0.2.3", "/places")]  # fmt: skip
    looked = decide(holding, guard, *requests, look=True)
    assert not told.lines, "looking is not counted"
    client.script_flush()

    first = decide(holding, guard, *requests)
    with counted(client) as spent:
        second = decide(holding, guard, *requests)

    assert [one.allowed for one in looked] == [True, True, True, False] + [True] * 4
    assert [one.allowed for one in first] == [True, True, False, False, True, True, False, False]
    assert [one.policy for one in first[2:4]] == ["ip", "ip"]
    assert [one.reason for one in first[2:4]] == ["denied", "banned"]
    assert {one.policy for one in first[6:]} == {"all"}, "four took two each of nine"
    assert scripted(spent) == sum(1 for one in requests if one.ip != "192.0.2.6")
    assert [one.allowed for one in second[:2]] == [False, False]
    assert told.of("ip").count("allowed") == 3
    assert decide(holding, guard) == []
    with pytest.raises(InvalidArgument):
        decide(holding, guard, requests[0], cost=0)


def test_who_only_looks_is_told_what_the_decision_would_be(
    holding: Holding, server: RedisProcess
) -> None:
    guard, told = door(holding, server, *(one for one in POLICIES if one.name != "all"))
    requests = [asked(user="root", path="/user"), asked("192.0.2.6"), asked(path="/nowhere")]

    looked = decide(holding, guard, *requests, look=True)
    decided = decide(holding, guard, *requests)

    shown = ("allowed", "reason", "policy", "limit", "remaining", "version")
    for one, other in zip(looked, decided, strict=True):
        assert [getattr(one, name) for name in shown] == [getattr(other, name) for name in shown]
    assert (looked[0].reason, looked[0].policy, looked[0].remaining) == ("exempt", "user", 1)
    assert told.of("ip") == ["denied"], "once, by who decided"


def test_each_policys_failure_mode_decides_what_redis_cannot(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(holding, server, *POLICIES)
    requests = [asked("192.0.2.1"), asked("192.0.2.1", "/user", "ann"), asked(path="/user")]

    full(server)
    refused = decide(holding, guard, *requests)
    assert guard.trouble
    client.config_set("maxmemory", 0)
    well = decide(holding, guard, *requests)
    assert not guard.trouble
    server.kill()
    try:
        away = decide(holding, guard, *requests)
        with pytest.raises((redis.RedisError, OSError)):
            decide(holding, guard, *requests, look=True)
    finally:
        server.start()

    modes = ["failed_open", "failed_closed", "failed_open"]
    assert [one.reason for one in refused] == modes
    assert [one.reason for one in well] == ["", "", ""]
    assert [one.reason for one in away] == modes
    assert told.of("user") == ["denied", "allowed", "denied"]


def test_a_cluster_decides_them_on_one_node(holding: Holding, cluster: Cluster) -> None:
    client = holding.client(cluster.url)
    book = holding.book(client, "shop", *POLICIES)
    assert holding.wait(book)
    guard = holding.guard(client, book, Told())

    found = decide(holding, guard, *[asked("192.0.2.1")] * 3, asked("192.0.2.2"))

    assert [one.allowed for one in found] == [True, True, False, True]
