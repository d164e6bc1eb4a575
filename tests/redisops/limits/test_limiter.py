"""Limits on real servers: counts, edges, several at once, names, memory, trouble."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from redisops.connection import connect
from redisops.errors import InvalidArgument
from redisops.fast import Fast
from redisops.limits import AsyncLimiter, Limit, Limiter, Verdict
from redisops.limits.model import ALGORITHMS
from tests.hostile import NAMES
from tests.redisops.counting import counted, scripted
from tests.servers import Cluster, RedisProcess
from tests.servers.troubles import full, restricted

KINDS = [name for name in ALGORITHMS if name != "concurrency"]
HOUR = 3600.0


@pytest.fixture
def limiter(build: Callable[..., Any]) -> Any:
    return build(Limiter, AsyncLimiter)


def test_every_algorithm_allows_its_limit_and_no_more(limiter: Any, client: redis.Redis) -> None:
    for kind in KINDS:
        limit = Limit(f"at-{kind}", 3, HOUR, kind, version=7)

        first, _, third, fourth = [limiter.hit(limit, "u") for _ in range(4)]

        assert (first.allowed, first.remaining, first.retry_after) == (True, 2, 0)
        assert (third.allowed, third.remaining, third.reason) == (True, 0, "")
        assert (fourth.allowed, fourth.remaining, fourth.reason) == (False, 0, "denied")
        assert (fourth.policy, fourth.version, fourth.limit) == (limit.name, 7, 3)
        assert 0 < fourth.retry_after <= fourth.reset_after <= 2 * HOUR
        assert [part.subject for part in fourth.parts] == ["u"]
        assert not fourth
        assert limiter.hit(limit, "someone else").allowed
    assert all(0 < client.pttl(key) <= 2_000 * HOUR + 1 for key in client.scan_iter())


def test_a_peek_says_what_a_hit_would_and_changes_nothing(
    limiter: Any, client: redis.Redis
) -> None:
    for kind in KINDS:
        limit = Limit(f"peek-{kind}", 2, HOUR, kind)
        untouched = limiter.peek(limit, "u", 2)
        limiter.hit(limit, "u")
        before = {key: (client.dump(key), client.pexpiretime(key)) for key in client.scan_iter()}

        with counted(client) as spent:
            verdicts = [limiter.peek(limit, "u"), limiter.peek(limit, "u", 2)]
            verdicts.append(limiter.peek_all([(limit, "u")], 2))

        assert (untouched.allowed, untouched.remaining) == (True, 2)
        assert [(one.allowed, one.remaining) for one in verdicts] == [
            (True, 1),
            (False, 1),
            (False, 1),
        ]
        assert verdicts[1].retry_after > 0
        assert not {"set", "rpush", "ltrim", "pexpire", "del"} & set(spent.calls)
        after = {key: (client.dump(key), client.pexpiretime(key)) for key in client.scan_iter()}
        assert after == before


def test_a_reset_gives_everything_back(limiter: Any) -> None:
    for kind in KINDS:
        limit = Limit(f"reset-{kind}", 2, HOUR, kind)
        limiter.hit(limit, "u", 2)

        assert limiter.reset(limit, "u")

        assert limiter.hit(limit, "u", 2).allowed
        assert not limiter.reset(limit, "nobody")


def test_each_decision_is_one_script_in_one_round_trip(limiter: Any, client: redis.Redis) -> None:
    asked = [(Limit(f"trip-{kind}", 2, HOUR, kind), "u") for kind in KINDS]
    for limit, subject in asked:
        limiter.hit(limit, subject)
    limiter.hit_all(asked)

    with counted(client) as one:
        limiter.hit(asked[0][0], "u")
    with counted(client) as several:
        limiter.hit_all(asked)

    assert scripted(one) == scripted(several) == 1
    assert set(one.calls) <= {"evalsha", "time", "get", "set"}


def test_several_limits_are_spent_all_or_not_at_all(limiter: Any) -> None:
    for tight in KINDS:
        asked = [(Limit(f"wide-{kind}-{tight}", 9, HOUR, kind), "u") for kind in KINDS]
        asked.insert(2, (Limit(f"tight-{tight}", 2, HOUR, tight), "ip"))

        verdicts = [limiter.hit_all(asked) for _ in range(3)]

        assert [one.allowed for one in verdicts] == [True, True, False]
        assert [one.remaining for one in verdicts] == [1, 0, 0]
        denied = verdicts[2]
        assert (denied.policy, denied.reason, denied.limit) == (f"tight-{tight}", "denied", 2)
        assert [part.allowed for part in denied.parts] == [True, True, False, *[True] * 4]
        assert [part.policy for part in denied.parts] == [limit.name for limit, _ in asked]
        assert all(limiter.peek(limit, name).remaining in (0, 7) for limit, name in asked)


def test_each_limit_of_a_decision_may_have_its_own_cost(limiter: Any) -> None:
    for kind in KINDS:
        requests, bytes_ = Limit(f"r-{kind}", 9, HOUR, kind), Limit(f"b-{kind}", 100, HOUR, kind)

        verdict = limiter.hit_all([(requests, "u"), (bytes_, "u", 60)], 2)
        denied = limiter.hit_all([(requests, "u"), (bytes_, "u", 41)])

        assert [part.remaining for part in verdict.parts] == [7, 40]
        assert (denied.policy, denied.reason) == (bytes_.name, "denied")
        assert limiter.peek_all([(requests, "u"), (bytes_, "u", 40)]).allowed
        with pytest.raises(InvalidArgument):
            limiter.hit_all([(requests, "u", 0)])


def test_the_verdict_is_that_of_the_longest_wait(limiter: Any) -> None:
    short, long = Limit("short", 1, 10, "fixed_window"), Limit("long", 1, HOUR, "fixed_window")
    limiter.hit_all([(short, "u"), (long, "u")])

    denied = limiter.hit_all([(long, "u"), (short, "u")])
    hopeless = limiter.hit_all([(long, "u"), (short, "u"), (Limit("few", 1, 1), "u")], 2)

    assert denied.policy == "long"
    assert 10 < denied.retry_after == denied.parts[0].retry_after <= HOUR
    assert (hopeless.allowed, hopeless.reason) == (False, "too_costly")


def test_a_limit_in_shadow_counts_and_never_denies(limiter: Any) -> None:
    real = Limit("real", 3, HOUR)
    shadow = Limit("shadow", 2, HOUR, "fixed_window", shadow=True)

    verdicts = [limiter.hit_all([(shadow, "u"), (real, "u")]) for _ in range(4)]

    assert [one.allowed for one in verdicts] == [True, True, True, False]
    assert [one.shadow for one in verdicts] == [False, False, True, True]
    assert [one.remaining for one in verdicts] == [2, 1, 0, 0], "what is enforced is told"
    assert [one.parts[0].remaining for one in verdicts] == [1, 0, 0, 0]
    assert verdicts[2].parts[0] == verdicts[2].parts[0]._replace(allowed=False, shadow=True)
    assert verdicts[3].policy == "real"


def test_nothing_is_spent_in_shadow_when_another_limit_denies(limiter: Any) -> None:
    real, shadow = Limit("real", 1, HOUR), Limit("shadow", 9, HOUR, shadow=True)

    for _ in range(5):
        limiter.hit_all([(shadow, "u"), (real, "u")])
    alone = [limiter.hit(Limit("shadow", 2, HOUR, shadow=True), "u") for _ in range(2)]

    assert limiter.peek(shadow, "u").remaining == 7
    assert [(one.allowed, one.shadow, one.reason, one.retry_after) for one in alone] == [
        (True, False, "", 0),
        (True, True, "", 0),
    ]
    assert alone[1].parts[0].retry_after > 0


def test_a_shaper_says_how_long_to_wait_for_an_even_flow(limiter: Any) -> None:
    shaper = Limit("even", 60, 60.0, "gcra", burst=4)

    verdicts = [limiter.hit(shaper, "u") for _ in range(5)]
    asked = [(Limit("other", 99, HOUR), "u"), (replace(shaper, name="even2"), "u")]
    together = [limiter.hit_all(asked).delay for _ in range(2)]

    for place, one in enumerate(verdicts[:4]):
        assert max(0, place - 0.9) <= one.delay <= place
    assert (verdicts[4].allowed, verdicts[4].delay) == (False, 0)
    assert together[0] == 0 < together[1] <= 1
    assert limiter.hit(replace(shaper, name="meter", algorithm="leaky_bucket"), "u").delay == 0


@pytest.mark.parametrize("cost", [0, -1, 1.0, math.nan, math.inf, "1", True, None, b"1"], ids=repr)
def test_a_cost_that_is_no_count_is_refused(client: redis.Redis, cost: Any) -> None:
    limiter, limit = Limiter(client), Limit("cost", 5, HOUR)

    for ask in (limiter.hit, limiter.peek):
        with pytest.raises(InvalidArgument, match="whole number"):
            ask(limit, "u", cost)
    with pytest.raises(InvalidArgument):
        limiter.hit_all([(limit, "u")], cost)

    assert client.dbsize() == 0


def test_a_cost_above_the_limit_is_denied_for_good_and_spends_nothing(limiter: Any) -> None:
    for kind in KINDS:
        limit = Limit(f"huge-{kind}", 5, HOUR, kind)
        limiter.hit(limit, "u")
        for cost in (6, 2**53 + 1, 10**40):
            for verdict in (limiter.hit(limit, "u", cost), limiter.hit_all([(limit, "u")], cost)):
                assert (verdict.allowed, verdict.reason) == (False, "too_costly")
                assert (verdict.remaining, verdict.retry_after) == (4, HOUR)
        assert limiter.hit(limit, "u", 4).allowed


def test_subjects_are_any_bytes_and_none_meets_another(limiter: Any, client: redis.Redis) -> None:
    limit = Limit("n", 1, HOUR, "fixed_window")
    long = b"x" * 201
    hashed = limiter.keys.of(limit, long).split(b":")[2].removesuffix(b"}#f")
    subjects = [*NAMES, b"\x00\xff" * 90, b"x" * 200, long, b"y" * 2**20, hashed, hashed + b"}#f"]
    subjects = list(dict.fromkeys(subjects))

    assert all(limiter.hit(limit, subject).allowed for subject in subjects)

    assert not any(limiter.hit(limit, subject).allowed for subject in subjects)
    assert client.dbsize() == len(subjects)
    assert max(len(key) for key in client.scan_iter()) < 250
    assert not limiter.hit(limit, "ü\udcff").allowed or limiter.reset(limit, "ü\udcff")
    with pytest.raises(InvalidArgument, match="neither str nor bytes"):
        limiter.hit(limit, 7)


def test_a_key_names_its_policy_and_subject(client: redis.Redis) -> None:
    limit = Limit("api", 1, 60)

    Limiter(client).hit(limit, "7")
    Limiter(client, prefix="shop:", tag="t").hit(replace(limit, algorithm="sliding_log"), "7")

    assert set(client.scan_iter()) == {b"limit:{api:7}:b", b"shop:{t}:api:7:l"}
    with pytest.raises(InvalidArgument):
        Limiter(client, tag="a}b")


def test_the_same_limit_twice_in_one_decision_is_refused(client: redis.Redis) -> None:
    limiter, limit = Limiter(client), Limit("twice", 5, HOUR)

    with pytest.raises(InvalidArgument, match="twice"):
        limiter.hit_all([(limit, "u"), (replace(limit, limit=9), b"u")])
    with pytest.raises(InvalidArgument, match="at once"):
        limiter.hit_all([(limit, str(n)) for n in range(1001)])
    with pytest.raises(InvalidArgument, match="Concurrency"):
        limiter.hit(Limit("slots", 5, 0, "concurrency"), "u")

    assert limiter.hit_all([]) == Verdict(allowed=True)
    assert client.dbsize() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0}, {"limit": -1}, {"limit": 1.5}, {"limit": True}, {"limit": math.nan},
        {"limit": 10**9 + 1}, {"limit": 100_001, "algorithm": "sliding_log"},
        {"period": 0}, {"period": -1.0}, {"period": math.nan}, {"period": math.inf},
        {"period": 0.0001}, {"period": 1e9}, {"period": "60"}, {"period": True},
        {"burst": 0}, {"burst": 10**10}, {"burst": 5, "algorithm": "fixed_window"},
        {"limit": 1, "period": 86_400.0, "burst": 10**6},
        {"algorithm": "leaky"}, {"name": ""}, {"name": "a:b"}, {"name": "a}b"}, {"name": "a\nb"},
        {"name": "x" * 101}, {"name": b"api"},
    ],
    ids=repr,
)  # fmt: skip
def test_a_limit_that_makes_no_sense_is_refused_with_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ .+ \w+"):
        Limit(**{"name": "api", "limit": 5, "period": 60, **wrong})


def test_the_largest_limits_are_counted_exactly(limiter: Any) -> None:
    extremes = [
        (10**9, 366 * 86_400.0), (10**9, 0.001), (999_999_937, 86_400.0), (1, 366 * 86_400.0),
    ]  # fmt: skip
    for most, period in extremes:
        for kind in KINDS:
            if kind == "sliding_log":
                continue
            limit = Limit(f"x-{kind}-{most}-{period}", most, period, kind)

            verdict = limiter.hit(limit, "u", most)

            assert (verdict.allowed, verdict.remaining) == (True, 0)
            assert period * 0.999 < verdict.reset_after <= period * 2
            if period > 1:
                assert not limiter.hit(limit, "u", max(1, most // 2)).allowed


def test_a_subject_costs_little_memory(client: redis.Redis) -> None:
    limiter = Limiter(client)
    subject = "user-1234567"
    most = {"sliding_counter": 104, "sliding_log": 200 + 24 * 10}

    for kind in KINDS:
        limit = Limit("api", 10**4, HOUR, kind)
        for _ in range(10):
            limiter.hit(limit, subject, 3)
        key = limiter.keys.of(limit, subject)
        assert client.memory_usage(key) - len(key) <= most.get(kind, 72), kind


def test_a_log_holds_no_more_hits_than_its_limit(client: redis.Redis) -> None:
    limiter, limit = Limiter(client), Limit("log", 50, 0.05, "sliding_log")
    key = limiter.keys.of(limit, "u")

    for _ in range(600):
        limiter.hit(limit, "u")
        assert client.llen(key) <= 50


def test_errors_of_the_server_pass_through_and_spend_nothing(server: RedisProcess) -> None:
    limit = Limit("trouble", 1, HOUR)
    with connect(server.url) as mine:
        limiter = Limiter(mine)
        mine.lpush(limiter.keys.of(limit, "u"), "not ours")
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            limiter.hit(limit, "u")
        full(server)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            limiter.hit(limit, "v")
        mine.config_set("maxmemory", 0)
        assert limiter.hit(limit, "v").allowed
    with (
        connect(restricted(server, "~*", "+@read", "+ping")) as narrow,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        Limiter(narrow).hit(limit, "v")


def test_on_a_cluster_several_limits_share_a_tag(cluster: Cluster) -> None:
    asked = [(Limit(f"l{n}", 2, HOUR, kind), f"u{n}") for n, kind in enumerate(KINDS)]
    with connect(cluster.url) as client:
        limiter = Limiter(client, tag="limits")

        verdicts = [limiter.hit_all(asked).allowed for _ in range(3)]

        assert verdicts == [True, True, False]
        assert all(limiter.peek(limit, subject).remaining == 0 for limit, subject in asked)
        untagged = Limiter(client)
        assert all(untagged.hit(limit, subject).allowed for limit, subject in asked)
        with pytest.raises(InvalidArgument, match="tag"):
            untagged.hit_all(asked)


def test_a_limiter_uses_the_fast_path_of_its_client(client: redis.Redis) -> None:
    assert Limiter(client)._fast is Limiter(client)._fast is Fast.of(client)
