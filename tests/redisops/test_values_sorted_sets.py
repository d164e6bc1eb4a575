"""Sorted sets in pages: by rank, by score, around a member, and on a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from redisops.values import AsyncValues, Values
from tests.redisops.counting import counted
from tests.redisops.test_values import pages, rows

PLACES = {
    "palermo": (13.361389, 38.115556),
    "catania": (15.087269, 37.502669),
    "rome": (12.5, 41.9),
}


@pytest.fixture
def values(build_each: Callable[..., Any]) -> Any:
    return build_each(Values, AsyncValues)


@pytest.fixture
def board(client: redis.Redis) -> redis.Redis:
    """250 members m0 to m249, the score of each its number."""
    client.zadd("k", {f"m{n}": n for n in range(250)})
    return client


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_members_come_by_rank_both_ways(values: Any, board: redis.Redis, order: str) -> None:
    found = pages(values, b"k", order=order)

    expected = [(n, b"m%d" % n, float(n)) for n in range(250)]
    shown = [(row.rank, row.member.data, row.score) for row in rows(found)]
    assert shown == (expected if order == "asc" else expected[::-1])
    back = values.read(b"k", at=found[1].previous, order=order)
    assert replace(back, idle=found[0].idle) == found[0]
    assert all(page.in_range == page.length == 250 for page in found)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ("10", "12", [10, 11, 12]), ("(10", "(12", [11]), ("248.5", None, [249]),
        (None, "1", [0, 1]), ("-inf", "(1", [0]), ("300", "400", []), ("5", "4", []),
    ],
)  # fmt: skip
def test_a_score_range_keeps_the_true_ranks(
    values: Any, board: redis.Redis, order: str, low: str, high: str, expected: list[int]
) -> None:
    page = values.read(b"k", min=low, max=high, order=order)

    ranks = [row.rank for row in page.rows]
    assert ranks == (expected if order == "asc" else expected[::-1])
    assert page.in_range == len(expected)
    assert page.length == 250
    assert page.next is None


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_score_range_goes_on_in_pages(values: Any, board: redis.Redis, order: str) -> None:
    found = pages(values, b"k", min="100", max="(200", count=30, order=order)

    ranks = [row.rank for row in rows(found)]
    assert ranks == (list(range(100, 200)) if order == "asc" else list(range(199, 99, -1)))
    assert len(found) == 4


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_member_is_found_on_its_page(values: Any, board: redis.Redis, order: str) -> None:
    page = values.read(b"k", member=b"m157", order=order, count=50)

    assert page.found == 157
    assert page.sought == b"m157"
    assert b"m157" in [row.member.data for row in page.rows]
    assert page.previous and page.next
    following = values.read(b"k", at=page.next, member=b"m157", order=order, count=50)
    assert b"m157" not in [row.member.data for row in following.rows]


def test_an_absent_member_is_said_to_be_absent(values: Any, board: redis.Redis) -> None:
    page = values.read(b"k", member=b"nobody")

    assert page.found is None
    assert page.rows[0].rank == 0


def test_infinite_and_fractional_scores(values: Any, client: redis.Redis) -> None:
    client.zadd("k", {"low": float("-inf"), "tenth": 0.1, "high": float("inf")})

    scores = [row.score for row in values.read(b"k").rows]

    assert scores == [float("-inf"), 0.1, float("inf")]


def test_a_window_far_inside_costs_one_script(values: Any, client: redis.Redis) -> None:
    pipe = client.pipeline()
    for start in range(0, 100_000, 10_000):
        pipe.zadd("k", {f"m{n}": n for n in range(start, start + 10_000)})
    pipe.execute()
    client.zadd("small", {"a": 1})
    values.read(b"small", min="1")
    with counted(client) as small:
        values.read(b"small", min="0")
    with counted(client) as big:
        page = values.read(b"k", min="50000")

    assert page.rows[0].rank == 50_000
    assert big.calls == small.calls


def test_the_geo_view_has_places(values: Any, client: redis.Redis) -> None:
    for name, (east, north) in PLACES.items():
        client.geoadd("k", (east, north, name))

    page = values.read(b"k", geo=True)

    assert page.may_be_geo
    for row in page.rows:
        east, north = PLACES[row.member.data.decode()]
        assert row.longitude == pytest.approx(east, abs=1e-4)
        assert row.latitude == pytest.approx(north, abs=1e-4)
    assert values.read(b"k").rows[0].longitude is None


def test_a_radius_search_is_nearest_first(values: Any, client: redis.Redis) -> None:
    for name, (east, north) in PLACES.items():
        client.geoadd("k", (east, north, name))

    page = values.read(b"k", near=(15.0, 37.0, 200_000))

    assert [row.member.data for row in page.rows] == [b"catania", b"palermo"]
    assert page.rows[0].distance == pytest.approx(56_441, rel=0.01)
    assert page.rows[0].score == client.zscore("k", "catania")
    assert page.complete


def test_a_wide_circle_stops_at_the_count(values: Any, client: redis.Redis) -> None:
    client.execute_command(
        "GEOADD", "k", *(part for n in range(300) for part in (n / 100, n / 100, f"m{n}"))
    )

    page = values.read(b"k", near=(1.5, 1.5, 5_000_000), count=50)

    assert len(page.rows) == 50
    assert not page.complete
    assert page.notes


@pytest.mark.parametrize("unit", [1, 1_000])
def test_moments_are_no_places(values: Any, client: redis.Redis, unit: int) -> None:
    client.zadd("k", {f"session {n}": (1_795_398_431 + n * 60) * unit for n in range(20)})

    assert not values.read(b"k").may_be_geo


def test_places_near_the_edges_of_the_map_give_the_hint(values: Any, client: redis.Redis) -> None:
    edges = {"mcmurdo": (166.67, -77.85), "apia": (-171.77, -13.83), "new york": (-74.0, 40.7)}
    for name, (east, north) in edges.items():
        client.geoadd("k", (east, north, name))

    assert values.read(b"k").may_be_geo


def test_scores_that_are_no_geohashes_give_no_hint(values: Any, board: redis.Redis) -> None:
    assert not values.read(b"k").may_be_geo
