"""Streams in pages: by id and by time, both ways, with groups, consumers and what is pending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.errors import InvalidArgument
from redisops.values import AsyncValues, Values
from tests.redisops.counting import counted
from tests.redisops.test_values import pages, rows


@pytest.fixture
def values(build_each: Callable[..., Any]) -> Any:
    return build_each(Values, AsyncValues)


@pytest.fixture
def orders(client: redis.Redis) -> redis.Redis:
    """250 entries, 1-0 to 250-0."""
    pipe = client.pipeline()
    for n in range(1, 251):
        pipe.xadd("k", {"n": n}, id=f"{n}-0")
    pipe.execute()
    return client


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_entries_come_both_ways(values: Any, orders: redis.Redis, order: str) -> None:
    found = pages(values, b"k", order=order)

    expected = [f"{n}-0" for n in range(1, 251)]
    assert [row.id for row in rows(found)] == (expected if order == "asc" else expected[::-1])
    assert [len(page.rows) for page in found] == [100, 100, 50]
    assert found[0].previous is None


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_going_back_shows_the_same_pages(values: Any, orders: redis.Redis, order: str) -> None:
    found = pages(values, b"k", order=order)

    second = values.read(b"k", at=found[2].previous, order=order)
    first = values.read(b"k", at=second.previous, order=order)

    assert second.rows == found[1].rows
    assert first.rows == found[0].rows
    assert first.previous is None
    assert values.read(b"k", at=first.next, order=order).rows == found[1].rows


def test_the_newest_entries_come_first(values: Any, orders: redis.Redis) -> None:
    page = values.read(b"k")

    assert page.rows[0].id == "250-0"
    assert (page.first_id, page.last_id, page.length) == ("1-0", "250-0", 250)
    assert (page.last_generated_id, page.entries_added, page.max_deleted_id) == (
        "250-0",
        250,
        "0-0",
    )


def test_a_range_of_times(values: Any, orders: redis.Redis) -> None:
    page = values.read(b"k", start=10, end="12", order="asc")

    assert [row.id for row in page.rows] == ["10-0", "11-0", "12-0"]
    assert [row.time for row in page.rows] == [10, 11, 12]
    assert page.next is None


def test_a_range_goes_on_in_pages(values: Any, orders: redis.Redis) -> None:
    found = pages(values, b"k", start="10", end="100", count=40)

    assert [row.id for row in rows(found)] == [f"{n}-0" for n in range(100, 9, -1)]


def test_fields_may_repeat_and_hold_any_bytes(values: Any, client: redis.Redis) -> None:
    client.execute_command("XADD", "k", "1-1", "f", "a", "f", b"\xff\x00", "", "")

    [entry] = values.read(b"k").rows

    assert [(f.data, v.data) for f, v in entry.fields] == [
        (b"f", b"a"),
        (b"f", b"\xff\x00"),
        (b"", b""),
    ]
    assert entry.size == 3


def test_an_emptied_stream_is_a_stream(values: Any, client: redis.Redis) -> None:
    client.xadd("k", {"a": 1}, id="5-5")
    client.xdel("k", "5-5")

    page = values.read(b"k")

    assert (page.rows, page.length, page.first_id, page.last_generated_id) == ((), 0, None, "5-5")


def test_an_entry_of_100_kb_values_is_cut(values: Any, client: redis.Redis) -> None:
    for _ in range(30):
        client.xadd("k", {"f": "x" * 100_000})

    found = pages(values, b"k", limit=100_000)

    assert len(rows(found)) == 30
    assert all(
        sum(len(v.data) for e in page.rows for _, v in e.fields) < 1_300_000 for page in found
    )


def test_an_entry_with_very_many_fields_is_shortened(values: Any, client: redis.Redis) -> None:
    client.execute_command("XADD", "k", "*", *(f"f{n}" for n in range(100_000)))

    [entry] = values.read(b"k").rows

    assert entry.size == 50_000
    assert 1_000 < len(entry.fields) < 50_000


def test_groups_consumers_and_pending(values: Any, orders: redis.Redis) -> None:
    orders.xgroup_create("k", "billing", id="0")
    orders.xgroup_create("k", b"\xff", id="$")
    orders.xreadgroup("billing", "ann", {"k": ">"}, count=30)
    orders.xreadgroup("billing", "bob", {"k": ">"}, count=5)
    orders.xack("k", "billing", "1-0")

    page = values.read(b"k")
    groups = {group.name: group for group in page.groups}
    assert page.group_count == 2
    assert set(groups) == {b"billing", b"\xff"}
    billing = groups[b"billing"]
    assert (billing.consumers, billing.pending, billing.last_id) == (2, 34, "35-0")
    assert (billing.entries_read, billing.lag) == (35, 215)

    people = {consumer.name: consumer for consumer in values.consumers(b"k", b"billing")}
    assert (people[b"ann"].pending, people[b"bob"].pending) == (29, 5)
    assert people[b"ann"].idle >= 0

    first = values.pending(b"k", b"billing", count=20)
    second = values.pending(b"k", b"billing", count=20, at=first.next)
    assert (first.count, first.smallest, first.greatest) == (34, "2-0", "35-0")
    assert [row.id for row in (*first.rows, *second.rows)] == [f"{n}-0" for n in range(2, 36)]
    assert second.next is None
    assert first.rows[0].consumer == b"ann" and first.rows[0].delivered == 1
    assert [row.id for row in values.pending(b"k", b"billing", consumer=b"bob").rows] == [
        f"{n}-0" for n in range(31, 36)
    ]


def test_a_group_with_nothing_pending(values: Any, orders: redis.Redis) -> None:
    orders.xgroup_create("k", "idle")

    summary = values.pending(b"k", b"idle")

    assert (summary.count, summary.smallest, summary.rows, summary.next) == (0, None, (), None)
    assert values.consumers(b"k", b"idle") == []


def test_a_group_that_is_not_there_is_an_error(values: Any, orders: redis.Redis) -> None:
    for ask in (values.consumers, values.pending):
        with pytest.raises(redis.ResponseError, match=r"(?i)nogroup"):
            ask(b"k", b"nobody")


def test_a_position_of_another_page_is_refused(values: Any, orders: redis.Redis) -> None:
    orders.xgroup_create("k", "g")
    with pytest.raises(InvalidArgument):
        values.pending(b"k", b"g", at="xb1-1")


def test_a_long_stream_costs_what_a_short_one_costs(values: Any, client: redis.Redis) -> None:
    client.xadd("short", {"a": 1})
    pipe = client.pipeline(transaction=False)
    for _ in range(20_000):
        pipe.xadd("long", {"a": 1})
    pipe.execute()
    values.read(b"short")
    with counted(client) as short:
        values.read(b"short")
    with counted(client) as long:
        page = values.read(b"long")

    assert len(page.rows) == 100
    assert long.calls == short.calls
