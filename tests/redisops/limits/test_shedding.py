"""Load shedding: shares hold in every mixture, and critical traffic keeps its reserve."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from redisops.connection import connect
from redisops.errors import InvalidArgument
from redisops.limits import AsyncShedding, Concurrency, Limit, NoPlace, Shedding
from redisops.limits.shedding import PRIORITIES, places

TEN = Limit("fleet", 10, 0, "concurrency")


def test_what_matters_least_is_shed_first_and_critical_keeps_its_reserve(build):
    fleet = build(Shedding, AsyncShedding)

    low = [fleet.acquire(TEN, "api", "low") for _ in range(6)]
    assert [bool(one) for one in low] == [True] * 5 + [False]
    assert (low[5].priority, low[5].blocked_by, low[5].verdict.limit) == ("low", "low", 5)

    assert [bool(fleet.acquire(TEN, "api", "normal")) for _ in range(3)] == [True, True, False]
    high = [fleet.acquire(TEN, "api", "high") for _ in range(3)]
    assert [bool(one) for one in high] == [True, True, False]
    assert (high[2].blocked_by, high[2].in_flight) == ("high", 9)

    critical = [fleet.acquire(TEN, "api", "critical") for _ in range(2)]
    assert [bool(one) for one in critical] == [True, False]
    assert critical[1].blocked_by == "critical" and critical[1].verdict.limit == 10
    assert fleet.peek(TEN, "api").remaining == 0


def test_critical_traffic_may_fill_everything_and_then_nothing_else_gets_in(build):
    fleet = build(Shedding, AsyncShedding)
    for _ in range(10):
        assert fleet.acquire(TEN, "api", "critical")

    for priority in PRIORITIES:
        assert fleet.acquire(TEN, "api", priority).blocked_by == "critical"


def test_any_mixture_keeps_to_the_model(client):
    """600 steps of random classes, coming and going, against the rule in plain Python."""
    chance, fleet, held = random.Random(4), Shedding(client), []
    limit = Limit("fleet", 20, 0, "concurrency")
    caps = places(20)
    for _ in range(600):
        if held and chance.random() < 0.45:
            held.pop(chance.randrange(len(held))).release()
            continue
        priority = chance.choices(PRIORITIES, [1, 2, 3, 4])[0]
        below = {
            name: sum(lease.priority in PRIORITIES[PRIORITIES.index(name) :] for lease in held)
            for name in PRIORITIES
        }
        above = PRIORITIES[: PRIORITIES.index(priority) + 1]
        fits = all(below[name] < caps[name] for name in above)

        got = fleet.acquire(limit, b"\xff{", priority)

        assert bool(got) == fits
        if got:
            held.append(got)
            assert got.verdict.remaining == min(caps[name] - below[name] - 1 for name in above)
        else:
            assert below[got.blocked_by] == got.verdict.limit == caps[got.blocked_by]


@given(
    limit=some.integers(1, 10**9),
    shares=some.lists(some.floats(0, 1), min_size=3, max_size=3).map(
        lambda them: sorted(them, reverse=True)
    ),
)
def test_places_never_grow_downwards_nor_above_the_share(limit, shares):
    found = places(limit, dict(zip(PRIORITIES[1:], shares, strict=True)))

    assert found["critical"] == limit
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for name, share in zip(PRIORITIES[1:], shares, strict=True):
        assert share * limit - 1 <= found[name] <= share * limit + 1e-6 * limit


def test_a_share_is_what_it_says_and_not_what_a_float_makes_of_it():
    assert places(100, {"low": 0.29})["low"] == 29
    assert places(1) == {"critical": 1, "high": 0, "normal": 0, "low": 0}


@pytest.mark.parametrize(
    "shares",
    [
        {"vip": 0.5},
        {"critical": 0.9},
        {"high": 0.5, "low": 0.6},
        {"low": -0.1},
        {"low": float("nan")},
        {"high": float("inf")},
    ],
)
def test_shares_that_make_no_sense_are_refused(client, shares):
    with pytest.raises(InvalidArgument):
        Shedding(client, shares)


def test_on_a_cluster_a_subject_has_one_slot_and_classes_may_come_later(cluster):
    client = connect(cluster.url)
    plain, fleet = Concurrency(client), Shedding(client, tag="t")
    tagged = Concurrency(client, tag="t")

    for _ in range(9):
        assert tagged.acquire(TEN, "api")
    assert fleet.acquire(TEN, "api", "low")
    with pytest.raises(NoPlace, match="10 of 10 for critical"), fleet.slot(TEN, "api", "low"):
        pytest.fail("there was no place")
    assert plain.acquire(TEN, b"\x00}{").in_flight == 1
    with pytest.raises(InvalidArgument, match="class"):
        fleet.acquire(TEN, "api", "urgent")
    client.close()
