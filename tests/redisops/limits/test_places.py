"""Places that go out to somebody and come back in another request."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from redisops.limits import Asked, Ban, Policy
from redisops.limits import places as module
from redisops.limits.places import Held, Taken
from tests.redisops.counting import counted, scripted
from tests.redisops.limits.holding import Holding, one_server
from tests.redisops.limits.test_guard import door
from tests.servers import RedisProcess

server = pytest.fixture(one_server)
FAR = 4_000_000_000.0
PLACES: dict[str, Any] = {"algorithm": "concurrency", "period": 3600.0}
POLICIES = (
    Policy("all", subject=("global",), limit=9, **PLACES),
    Policy("ip", limit=1, order=1, **PLACES),
    Policy("rate", limit=1, period=3600.0, path="/rate"),
    Policy("ban", limit=9, period=3600.0, banned=(Ban("192.0.2.6", FAR),)),
    Policy("late", limit=1, path="/late", on_failure="closed", **PLACES),
    Policy("shed", subject=("global",), path="/shed", limit=2, shares=(("low", 0.5),), **PLACES),
)  # fmt: skip


def take(holding: Holding, guard: Any, ip: str = "", path: str = "/", priority: str = "") -> Taken:
    found = guard.book.match(Asked(service="shop", method="GET", path=path, ip=ip))
    work = module.take_places_async if holding.awaiting else module.take_places
    taken: Taken = holding.settle(work(guard, found, priority))  # type: ignore[operator]
    return taken


def act(holding: Holding, guard: Any, what: str, held: Any) -> Any:
    return holding.settle(getattr(module, what + "_async" * holding.awaiting)(guard, held))


def test_places_of_all_policies_are_taken_renewed_and_given_back_in_one_round_trip_each(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(holding, server, *POLICIES)
    other, _ = door(holding, server, *POLICIES)
    act(holding, guard, "release_places", take(holding, guard, "192.0.2.1").held)
    client.script_flush()
    taken = take(holding, guard, "192.0.2.1")
    act(holding, guard, "renew_places", taken.held)
    sent = [Held(*one) for one in taken.held]

    with counted(client) as spent:
        seconds = act(holding, other, "renew_places", sent)
    assert scripted(spent) == 2, "one of each place, in one write"

    assert (taken.verdict.allowed, [one.policy for one in taken.verdict.parts]) == (
        True, ["all", "ip"],
    )  # fmt: skip
    assert 0 < seconds <= 3600 and 0 < taken.seconds <= 3600
    assert all(client.ttl(one.key) > 0 for one in taken.held)
    assert act(holding, other, "release_places", sent) is True
    assert act(holding, guard, "release_places", taken.held) is False
    assert told.of("ip") == ["allowed", "allowed"]


def test_who_gets_only_some_holds_none(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(holding, server, *POLICIES)
    first = take(holding, guard, "192.0.2.1")
    again = take(holding, guard, "192.0.2.1")

    assert (again.verdict.allowed, again.verdict.policy, again.held) == (False, "ip", ())
    assert again.seconds == 0.0 and 0 < again.verdict.retry_after <= 1.0
    assert client.zcard(first.held[0].key) == 1, "what it got of the other was given back"
    assert told.of("ip") == ["allowed", "denied"]

    client.delete(first.held[1].key)
    assert act(holding, guard, "renew_places", first.held) == 0.0
    assert not client.exists(first.held[0].key), "half of what was promised is nothing"


def test_what_is_lost_in_shadow_is_nobodys_loss(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    seen = Policy("seen", limit=1, mode="shadow", order=2, algorithm="concurrency", period=60.0)
    guard, _ = door(holding, server, *POLICIES[:2], seen)
    taken = take(holding, guard, "192.0.2.1")
    client.delete(taken.held[2].key)

    assert [one.shadow for one in taken.held] == [False, False, True]
    assert taken.seconds > 60, "shadow asks nobody to come back sooner"
    assert act(holding, guard, "renew_places", taken.held) > 60
    assert client.zcard(taken.held[0].key) == 1
    assert act(holding, guard, "release_places", taken.held) is True

    guard, _ = door(holding, server, seen)
    alone = take(holding, guard, "192.0.2.1")
    client.delete(alone.held[0].key)
    client.set(alone.held[0].key, "a string of somebody else's")
    assert 0 < act(holding, guard, "renew_places", alone.held) <= 60


def test_bans_classes_and_requests_without_places(holding: Holding, server: RedisProcess) -> None:
    guard, _ = door(holding, server, *POLICIES[2:])

    banned = take(holding, guard, "192.0.2.6")
    rated = take(holding, guard, "192.0.2.1", "/rate")
    low = [take(holding, guard, "192.0.2.1", "/shed", "low").verdict for _ in range(2)]
    critical = take(holding, guard, "192.0.2.1", "/shed", "critical")

    assert (banned.verdict.reason, banned.held) == ("banned", ())
    assert (rated.verdict.allowed, rated.held, rated.seconds) == (True, (), 0.0)
    assert [(one.allowed, one.reason) for one in low] == [(True, ""), (False, "shed")]
    assert critical.verdict.allowed


def test_without_redis_nothing_is_held_and_the_failure_mode_decides(
    holding: Holding, server: RedisProcess
) -> None:
    guard, _ = door(holding, server, *POLICIES)
    held = take(holding, guard, "192.0.2.1").held
    server.kill()
    try:
        opened = take(holding, guard, "192.0.2.1")
        closed = take(holding, guard, "192.0.2.1", "/late")
        with pytest.raises((redis.RedisError, OSError)):
            act(holding, guard, "renew_places", held)
        with pytest.raises((redis.RedisError, OSError)):
            act(holding, guard, "release_places", held)
    finally:
        server.start()

    assert (opened.verdict.allowed, opened.verdict.reason) == (True, "failed_open")
    assert (closed.verdict.allowed, closed.verdict.reason) == (False, "failed_closed")
    assert opened.held == closed.held == ()
