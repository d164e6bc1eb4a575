"""The guard: one decision for all policies of a request, with Redis and without."""

from __future__ import annotations

import dataclasses
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import redis

from redisops.limits import (
    Asked,
    AsyncRecorder,
    Ban,
    Document,
    Exemption,
    Guard,
    Limit,
    Limiter,
    Policy,
    Recorder,
    Verdict,
    publish,
)
from redisops.limits.local import Due, Local
from redisops.limits.web import refusal
from tests.redisops.counting import counted, scripted
from tests.redisops.limits.holding import QUICK, Holding, one_server
from tests.servers import Cluster, RedisProcess, until
from tests.servers.troubles import full, restricted

server = pytest.fixture(one_server)
ASKED = Asked(service="shop", method="POST", path="/orders", ip="192.0.2.1", user="ann")


def policy(name: str = "p", **fields: Any) -> Policy:
    return Policy(name, **{"limit": 5, "period": 3600.0, **fields})


class Told:
    """Keeps what a recorder is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes, str, int]] = []

    def add(self, policy: str, subject: bytes, outcome: str, cost: int = 1) -> None:
        self.lines.append((policy, subject, outcome, cost))

    def of(self, name: str) -> list[str]:
        return [outcome for policy, _, outcome, _ in self.lines if policy == name]


def door(
    holding: Holding, server: RedisProcess, *policies: Policy, **options: Any
) -> tuple[Any, Told]:
    """A guard of these policies, and what its recorder was told."""
    client, told = holding.client(server.url, **options), Told()
    book = holding.book(client, "shop", *policies)
    assert holding.wait(book)
    return holding.guard(client, book, told), told


def test_one_round_trip_decides_all_policies_and_a_denial_spends_nothing(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    policies = (
        policy("user", subject=("user",), limit=10, cost=4),
        policy("ip", limit=100, order=1),
        policy(
            "all", subject=("global",), limit=1000, algorithm="sliding_counter", cost=2, order=2
        ),
        policy("elsewhere", path="/nowhere"),
    )
    guard, told = door(holding, server, *policies)
    first = holding.check(guard, ASKED)

    with counted(client) as spent:
        second, third = holding.check(guard, ASKED), holding.check(guard, ASKED)
    assert scripted(spent) == 2

    assert (first.allowed, second.allowed, third.allowed) == (True, True, False)
    assert (third.policy, third.reason, third.remaining) == ("user", "denied", 2)
    assert 0 < third.retry_after <= 3600
    assert [part.policy for part in third.parts] == ["user", "ip", "all"]
    limiter = Limiter(client)
    subjects = zip(policies, ("ann", "192.0.2.1", "global"), strict=False)
    left = [limiter.peek(one.as_limit(), subject).remaining for one, subject in subjects]
    assert left == [2, 98, 996]
    assert told.of("user") == ["allowed", "allowed", "denied"]
    assert told.of("ip") == ["allowed", "allowed"]
    assert told.lines[0] == ("user", b"ann", "allowed", 4)
    assert holding.check(guard, ASKED, cost=1).parts[0].remaining == 1
    assert (
        holding.check(guard, dataclasses.replace(ASKED, user="eve"), cost=11).reason == "too_costly"
    )


def test_nothing_is_sent_where_no_policy_applies(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(holding, server, policy(path="/nowhere"), policy("off", mode="off"))
    with counted(client) as spent:
        verdict = holding.check(guard, ASKED)

    assert scripted(spent) == 0
    assert verdict == Verdict(allowed=True)
    assert told.lines == []


def test_shadow_counts_and_never_denies(holding: Holding, server: RedisProcess) -> None:
    guard, told = door(
        holding, server, policy("try", limit=1, mode="shadow"), policy("real", limit=3, order=1)
    )

    verdicts = [holding.check(guard, ASKED) for _ in range(4)]

    assert [one.allowed for one in verdicts] == [True, True, True, False]
    assert [one.shadow for one in verdicts] == [False, True, True, True]
    assert told.of("try") == ["allowed", "shadow", "shadow", "shadow"]
    assert verdicts[-1].policy == "real"


def test_bans_and_exemptions_hold_until_their_end(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    now = client.time()[0]
    guard, told = door(
        holding,
        server,
        policy(
            "ip",
            limit=1,
            banned=(Ban("192.0.2.66", now + 500.0, "abuse"), Ban("192.0.2.67", now - 1.0)),
            exempt=(Exemption("192.0.2.7", now + 500.0), Exemption("192.0.2.8", now - 1.0)),
        ),
        policy("user", subject=("user",), banned=(Ban("bob", now + 900.0),), order=1),
        policy(
            "soon", subject=("user",), mode="shadow", banned=(Ban("cat", now + 900.0),), order=2
        ),
        policy("slow", algorithm="concurrency", banned=(Ban("192.0.2.70", now + 900.0),), order=3),
    )

    def asked(ip: str, user: str = "") -> Verdict:
        return holding.check(guard, Asked(ip=ip, user=user))

    banned = asked("192.0.2.66", "bob")
    assert (banned.allowed, banned.reason, banned.policy) == (False, "banned", "user")
    assert 850 < banned.retry_after <= 901
    assert banned.parts[0].subject == b"bob"
    assert asked("192.0.2.66").policy == "ip"
    assert [asked("192.0.2.67").allowed for _ in range(2)] == [True, False]
    assert [asked("192.0.2.8").allowed for _ in range(2)] == [True, False]
    exempt = [asked("192.0.2.7") for _ in range(3)][-1]
    assert (exempt.allowed, exempt.reason, exempt.policy, exempt.parts) == (
        True,
        "exempt",
        "ip",
        (),
    )
    counted_elsewhere = asked("192.0.2.7", "dan")
    assert (counted_elsewhere.reason, counted_elsewhere.policy) == ("", "user")
    assert asked("192.0.2.71", "cat").allowed
    assert told.of("soon")[-1] == "shadow"
    assert asked("192.0.2.70").reason == "banned"


def failing(holding: Holding, url: str, *policies: Policy) -> tuple[Any, Any]:
    client = holding.client(url)
    return holding.guard(client, holding.book(None, "shop", *policies)), client


def test_each_policy_says_what_happens_while_redis_is_away(
    holding: Holding, caplog: pytest.LogCaptureFixture
) -> None:
    opened = policy("open", limit=1)
    closed = policy("closed", on_failure="closed", order=1)
    local = policy("local", on_failure="local", limit=3, order=2)
    shadow = policy("shadow", on_failure="closed", mode="shadow", order=-1)
    caplog.set_level(logging.INFO, logger="redisops.limits")
    with RedisProcess() as server:
        client = holding.client(server.url)

        def says(*policies: Policy) -> list[tuple[bool, str, str]]:
            guard = holding.guard(client, holding.book(None, "shop", *policies))
            some = [holding.check(guard, ASKED) for _ in range(3)]
            return [(one.allowed, one.reason, one.policy) for one in some]

        guard = holding.guard(client, holding.book(None, "shop", opened))
        assert holding.check(guard, ASKED).reason == ""
        server.kill()

        assert says(shadow, opened) == [(True, "failed_open", "open")] * 3
        assert says(shadow) == [(True, "failed_open", "shadow")] * 3
        assert says(opened, closed, local) == [(False, "failed_closed", "closed")] * 3
        assert says(opened, dataclasses.replace(local, limit=2)) == [
            (True, "local", "local"),
            (True, "local", "local"),
            (False, "local", "local"),
        ]
        verdict = holding.check(guard, ASKED)
        assert (verdict.reason, verdict.limit, verdict.parts) == ("failed_open", 1, ())
        assert guard.trouble
        server.start()
        until(lambda: holding.check(guard, ASKED).reason != "failed_open", "back", seconds=20)
    assert guard.trouble == ""
    mine = [line.getMessage() for line in caplog.records if "limits: " in line.getMessage()]
    assert len([line for line in mine if "decides again" in line]) == 1
    assert len(mine) == 6, mine  # five guards lost it, one had it back


def test_local_limits_are_this_instance_s_share(holding: Holding, server: RedisProcess) -> None:
    guard, _ = door(holding, server, policy(limit=10, burst=4, on_failure="local"))
    guard.book.instances = 2
    server_gone = holding.client("redis://127.0.0.1:1/0")
    alone = holding.guard(server_gone, guard.book)

    verdicts = [holding.check(alone, ASKED) for _ in range(3)]

    assert [one.allowed for one in verdicts] == [True, True, False]
    assert verdicts[0].limit == 2
    assert verdicts[2].retry_after == pytest.approx(3600 / 5, rel=0.01)


def test_a_share_is_never_less_than_one_request_and_all_or_nothing() -> None:
    local = Local(most=100)
    small = Due(Limit("small", 10, 60.0, "fixed_window"), b"a", 3)
    large = Due(Limit("large", 10_000, 60.0, "sliding_log"), b"a", 1)

    assert local.hit_all([large, small], instances=50).allowed
    denied = local.hit_all([large, small], instances=50)
    assert (denied.allowed, denied.policy) == (False, "small")
    again = local.hit_all([large], instances=50)
    assert (again.limit, again.remaining) == (200, 198)
    for n in range(500):
        assert local.hit_all([small._replace(subject=b"%d" % n)], instances=1).allowed
    assert len(local._known) == 100
    shadow = Due(Limit("s", 1, 60.0, shadow=True), b"a", 1)
    assert [local.hit_all([shadow], instances=1).shadow for _ in range(2)] == [False, True]


def test_a_server_that_answers_and_cannot_is_a_failure_too(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    closed = policy(on_failure="closed")
    no_scripts, _ = failing(holding, restricted(server, "~*", "+@read"), closed)
    guard, _ = failing(holding, server.url, closed)
    assert holding.check(no_scripts, ASKED).reason == "failed_closed"
    assert holding.check(guard, ASKED).allowed

    client.script_flush()
    assert holding.check(guard, ASKED).remaining == 3
    client.replicaof("127.0.0.1", "1")
    try:
        assert holding.check(guard, ASKED).reason == "failed_closed"
    finally:
        client.replicaof("NO", "ONE")
    full(server)
    try:
        assert holding.check(guard, dataclasses.replace(ASKED, ip="192.0.2.99")).reason == (
            "failed_closed"
        )
    finally:
        client.config_set("maxmemory", 0)
    assert holding.check(guard, ASKED).remaining == 2


def test_the_rights_that_the_documentation_names_are_enough(
    holding: Holding, server: RedisProcess
) -> None:
    page = (Path(__file__).parents[3] / "docs/redisops/policies.md").read_text()
    rights = page.split("ACL SETUSER shop on >secret ")[1].split("```")[0].split()
    client = holding.client(restricted(server, *rights))
    names = ("fixed_window", "sliding_log", "sliding_counter", "token_bucket", "gcra")
    each = [policy(name, algorithm=name, limit=2) for name in names]
    flight = policy("flight", algorithm="concurrency", limit=2, period=30)
    shed = policy("shed", algorithm="concurrency", limit=9, period=30, shares=(("low", 0.5),))

    for policies in [[one] for one in (*each, flight, shed)] + [[*each, flight, shed]]:
        book = holding.book(client, "shop", *policies)
        assert holding.wait(book)
        recorder = (AsyncRecorder if holding.awaiting else Recorder)(client)
        guard = holding.guard(client, book, recorder)
        for _ in range(3):
            with holding.slot(guard, ASKED) as verdict:
                assert verdict.reason in ("", "denied"), (policies, guard.trouble)
        assert holding.settle(recorder.flush()) >= 3, recorder.trouble
        assert (guard.trouble, book.trouble, book._refused, recorder.trouble) == ("", "", "", "")
        holding.settle(recorder.close())


def test_hostile_subjects_are_counted_like_any_other(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(
        holding,
        server,
        policy("user", subject=("user",), limit=1),
        policy("head", subject=("header:X-A", "user"), limit=9, order=1),
    )
    for user in ("x" * 1_000_000, "\udcff\x00", "a}{b:c\r\n", "\ud800", "*?[a]"):
        asked = Asked(user=user, headers={"x-a": user[::-1]})

        verdicts = [holding.check(guard, asked) for _ in range(2)]

        assert [one.allowed for one in verdicts] == [True, False]
    assert max(len(key) for key in client.keys("limit:*")) < 300
    assert min(client.pttl(key) for key in client.keys("limit:*")) > 0
    assert max(len(subject) for _, subject, _, _ in told.lines) <= 200


def test_a_slot_is_held_inside_the_block_alone(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, told = door(
        holding,
        server,
        policy("places", algorithm="concurrency", limit=1, period=30),
        policy("rate", limit=2, order=1),
        policy("share", algorithm="concurrency", limit=4, period=30, subject=("global",),
               shares=(("high", 0.5), ("normal", 0.5), ("low", 0.25)), order=2),
    )  # fmt: skip

    def other(ip: str, priority: str) -> Asked:
        return dataclasses.replace(ASKED, ip=ip, priority=priority)

    with holding.slot(guard, ASKED) as first:
        assert first.allowed
        assert [part.policy for part in first.parts] == ["rate", "places", "share"]
        with holding.slot(guard, ASKED) as second:
            assert (second.allowed, second.policy, second.reason) == (False, "places", "denied")
        with holding.slot(guard, other("192.0.2.2", "low")) as low:
            assert low.allowed
            for priority in ("low", "made up"):
                with holding.slot(guard, other("192.0.2.3", priority)) as shed:
                    assert (shed.allowed, shed.policy) == (False, "share")
            with holding.slot(guard, other("192.0.2.3", "critical")) as vital:
                assert vital.allowed
    with pytest.raises(ZeroDivisionError), holding.slot(guard, ASKED) as third:
        assert third.allowed
        raise ZeroDivisionError
    with holding.slot(guard, ASKED) as fourth:
        assert (fourth.allowed, fourth.policy) == (False, "rate")
        assert client.keys("limit:{places:*") == []
    assert told.of("places").count("denied") == 1
    for name in ("places", "share", "rate"):
        assert told.of(name).count("allowed") == 4, "as many as were let through"
    assert client.keys("limit:{share:*") == []


def test_load_that_is_shed_is_503_with_a_time_to_come_back(
    holding: Holding, server: RedisProcess
) -> None:
    fleet = policy(
        algorithm="concurrency", limit=2, period=30, subject=("global",), shares=(("low", 0.5),)
    )
    guard, _ = door(holding, server, fleet)
    low = dataclasses.replace(ASKED, priority="low")

    with holding.slot(guard, low) as first, holding.slot(guard, low) as shed:
        assert (first.allowed, shed.allowed, shed.reason) == (True, False, "shed")
    answer = refusal(shed, [fleet])

    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert b"temporary-reduced-capacity" in answer.body


def test_one_request_waits_once_for_a_redis_that_is_away(
    holding: Holding, server: RedisProcess
) -> None:
    places = [
        policy(f"p{n}", algorithm="concurrency", period=30, on_failure="local", order=n)
        for n in range(3)
    ]
    rate = policy("rate", on_failure="local", order=9)
    guard, _ = door(holding, server, *places, rate, timeouts=QUICK)
    asked: list[float] = []
    say = guard.say
    guard.say = lambda error: (asked.append(1) if error else None, say(error))
    server.pause()
    try:
        with holding.slot(guard, ASKED) as verdict:
            assert (verdict.allowed, verdict.reason, len(verdict.parts)) == (True, "local", 4)
    finally:
        server.resume()

    assert len(asked) == 1, "only the first of four was sent to it"


def test_places_go_on_in_this_process_while_redis_is_away(holding: Holding) -> None:
    def places(on_failure: str) -> list[bool]:
        one = policy(algorithm="concurrency", limit=1, period=30, on_failure=on_failure)
        guard, _ = failing(holding, "redis://127.0.0.1:1/0", one)
        with holding.slot(guard, ASKED) as first, holding.slot(guard, ASKED) as second:
            said = [first.allowed, second.allowed]
        with holding.slot(guard, ASKED) as third:
            return [*said, third.allowed]

    assert places("open") == [True, True, True]
    assert places("closed") == [False, False, False]
    assert places("local") == [True, False, True]


def test_without_any_redis_failure_modes_decide(holding: Holding) -> None:
    guard = holding.guard(None, holding.book(None, "shop", policy(on_failure="local", limit=1)))

    assert [holding.check(guard, ASKED).allowed for _ in range(2)] == [True, False]


def test_a_change_in_the_document_changes_the_next_decision_and_keeps_what_is_spent(
    holding: Holding, server: RedisProcess, client: redis.Redis
) -> None:
    guard, _ = door(holding, server)
    publish(client, Document(1, (policy("live", limit=10, version=4),)))
    until(lambda: guard.book.version == 1, "held", seconds=20)
    assert [holding.check(guard, ASKED).remaining for _ in range(3)] == [9, 8, 7]

    publish(client, Document(2, (policy("live", limit=4, version=5),)))
    until(lambda: guard.book.version == 2, "held", seconds=20)

    verdict = holding.check(guard, ASKED)
    assert (verdict.allowed, verdict.remaining, verdict.version) == (True, 0, 5)
    assert not holding.check(guard, ASKED).allowed


def test_on_a_cluster_all_keys_of_a_decision_share_one_slot(
    holding: Holding, cluster: Cluster
) -> None:
    client = holding.client(cluster.url)
    policies = (policy("a", limit=2), policy("b", subject=("user",), order=1),
                policy("c", algorithm="concurrency", limit=2, period=30, order=2))  # fmt: skip
    guard = holding.guard(client, holding.book(None, "shop", *policies))

    with holding.slot(guard, ASKED) as verdict:
        assert (verdict.allowed, len(verdict.parts)) == (True, 3)
    assert holding.check(guard, ASKED).allowed
    assert holding.check(guard, ASKED).policy == "a"

    found = [key for node in cluster.nodes for key in node.client().keys("limit:*")]
    assert {key.partition(b"}")[0] for key in found} == {b"limit:{limits"}


def test_many_threads_let_through_exactly_the_limit(
    server: RedisProcess, client: redis.Redis
) -> None:
    holding = Holding(awaiting=False)
    shared = holding.client(server.url, max_connections=20)
    book = holding.book(None, "shop", policy("a", limit=100), policy("b", limit=60, order=1))
    guard = Guard(shared, book)
    passed: list[bool] = []

    def many() -> None:
        passed.extend(guard.check(ASKED).allowed for _ in range(20))

    threads = [threading.Thread(target=many) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert passed.count(True) == 60
    holding.close()
