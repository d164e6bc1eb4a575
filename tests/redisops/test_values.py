"""Values of each type in pages: the same cost whatever the size, and every byte as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from redisops.errors import InvalidArgument
from redisops.values import AsyncValues, Values
from redisops.values.pages import (
    ChangedPage,
    HyperLogLogPage,
    ListPage,
    Piece,
    StringPage,
)
from tests.hostile import NAMES, VALUES
from tests.redisops.counting import counted


@pytest.fixture
def values(build_each: Callable[..., Any]) -> Any:
    return build_each(Values, AsyncValues)


def whole(text: bytes | str) -> Piece:
    data = text.encode() if isinstance(text, str) else text
    return Piece(data, len(data))


def pages(values: Any, key: bytes, **options: Any) -> list[Any]:
    """All pages from the beginning, at most 200."""
    found = [values.read(key, **options)]
    while found[-1].next and len(found) < 200:
        found.append(values.read(key, at=found[-1].next, **options))
    return found


def rows(found: list[Any]) -> list[Any]:
    return [row for page in found for row in page.rows]


# Strings


def test_a_string_is_shown_with_its_facts(values: Any, client: redis.Redis) -> None:
    client.set("k", b"\x00\xffhello", ex=100)

    page = values.read(b"k")

    assert isinstance(page, StringPage)
    assert (page.data, page.offset, page.length, page.type) == (b"\x00\xffhello", 0, 7, "string")
    assert 90 < page.ttl <= 100
    assert page.memory and page.encoding == "embstr"
    assert page.next is page.previous is page.bits is None


def test_a_string_goes_on_in_windows_both_ways(values: Any, client: redis.Redis) -> None:
    client.set("k", bytes(range(250)))

    found = pages(values, b"k", window=100)

    assert b"".join(page.data for page in found) == bytes(range(250))
    assert [page.offset for page in found] == [0, 100, 200]
    back = values.read(b"k", at=found[2].previous, window=100)
    assert replace(back, idle=found[1].idle) == found[1]
    assert found[0].previous is None


def test_a_string_at_512_mb_costs_what_a_short_one_costs(values: Any, client: redis.Redis) -> None:
    client.set("short", "x" * 100)
    client.setrange("long", 512 * 1024 * 1024 - 1, "x")
    spent = []
    for key in (b"short", b"long"):
        with counted(client) as one:
            page = values.read(key)
        spent.append(one.calls)
    client.delete("long")

    assert page.length == 512 * 1024 * 1024
    assert len(page.data) == 16 * 1024
    spent[0].pop("eval_ro", None)  # the first call carried the script
    assert spent[1]["getrange"] == 2
    assert sum(spent[0].values()) <= sum(spent[1].values()) + 1


def test_an_empty_string_and_an_absent_key(values: Any, client: redis.Redis) -> None:
    client.set("k", "")

    assert values.read(b"k").data == b""
    assert values.read(b"absent") is None


def test_bits_are_shown_as_ranges(values: Any, client: redis.Redis) -> None:
    for bit in (0, 1, 2, 9, 100):
        client.setbit("k", bit, 1)

    bits = values.read(b"k", bits=True).bits

    assert bits.ranges == ((0, 2), (9, 9), (100, 100))
    assert (bits.first, bits.size, bits.count_here, bits.count, bits.more) == (0, 104, 5, 5, False)


def test_bits_of_a_later_window_keep_their_numbers(values: Any, client: redis.Redis) -> None:
    client.setbit("k", 1000, 1)

    second = values.read(b"k", at=values.read(b"k", window=100).next, window=100, bits=True)

    assert second.bits.ranges == ((1000, 1000),)


def test_bits_are_bounded(values: Any, client: redis.Redis) -> None:
    client.set("k", b"\xaa" * 2_000_000)
    with counted(client) as spent:
        bits = values.read(b"k", bits=True).bits

    assert len(bits.ranges) == 1000
    assert bits.more
    assert bits.count is None
    assert spent.calls["bitcount"] == 0


@pytest.mark.parametrize(("count", "registers"), [(50, "sparse"), (20_000, "dense")])
def test_a_hyperloglog_is_estimated_and_not_written(
    values: Any, client: redis.Redis, count: int, registers: str
) -> None:
    for n in range(0, count, 10_000):
        client.pfadd("k", *range(n, min(count, n + 10_000)))
    before = client.dump("k")

    page = values.read(b"k")

    assert isinstance(page, HyperLogLogPage)
    assert page.registers == registers
    assert abs(page.estimate - count) <= count * 0.03
    assert page.data[:4] == b"HYLL"
    assert client.dump("k") == before


def test_a_string_that_only_begins_like_a_hyperloglog_is_a_string(
    values: Any, client: redis.Redis
) -> None:
    client.set("k", b"HYLL\x00 but no more than that")

    assert isinstance(values.read(b"k"), StringPage)


# Lists


@pytest.mark.parametrize("order", ["head", "tail"])
def test_a_list_is_read_from_either_end(values: Any, client: redis.Redis, order: str) -> None:
    client.rpush("k", *range(250))

    found = pages(values, b"k", order=order)

    expected = [(n, b"%d" % n) for n in range(250)]
    shown = [(row.index, row.value.data) for row in rows(found)]
    assert shown == (expected if order == "head" else expected[::-1])
    assert [len(page.rows) for page in found] == [100, 100, 50]
    back = values.read(b"k", at=found[1].previous, order=order)
    assert replace(back, idle=found[0].idle) == found[0]  # a second may have gone by


def test_a_long_element_is_cut_and_its_length_stated(values: Any, client: redis.Redis) -> None:
    client.rpush("k", "x" * 10_000, "short")

    first, second = values.read(b"k", limit=100).rows

    assert (first.value.data, first.value.length, first.value.is_cut) == (b"x" * 100, 10_000, True)
    assert (second.value.data, second.value.is_cut) == (b"short", False)


def test_a_page_of_huge_elements_ends_early(values: Any, client: redis.Redis) -> None:
    for _ in range(8):
        client.rpush("k", "x" * 600_000)

    found = pages(values, b"k", limit=1024 * 1024)

    assert all(sum(len(row.value.data) for row in page.rows) <= 1_700_000 for page in found)
    assert [row.index for row in rows(found)] == list(range(8))


# Hashes and sets


@pytest.mark.parametrize("fields", [3, 100, 128, 5_000])
def test_a_hash_is_shown_field_by_field(values: Any, client: redis.Redis, fields: int) -> None:
    client.hset("k", mapping={f"f{n}": f"v{n}" for n in range(fields)})

    found = pages(values, b"k")

    assert {row.field.data: row.value.data for row in rows(found)} == {
        b"f%d" % n: b"v%d" % n for n in range(fields)
    }
    assert len(rows(found)) == fields
    assert all(len(page.rows) <= 100 for page in found)
    assert not any(page.field_ttls for page in found)  # 7.4 and later


@pytest.mark.parametrize("members", [["a", "b"], range(500), [f"m{n}" for n in range(3_000)]])
def test_a_set_is_shown_member_by_member(values: Any, client: redis.Redis, members: Any) -> None:
    client.sadd("k", *members)

    found = pages(values, b"k")

    assert {piece.data for piece in rows(found)} == {str(m).encode() for m in members}
    assert all(len(page.rows) <= 100 for page in found)


@pytest.mark.parametrize("fill", ["hset", "sadd"])
def test_a_pattern_finds_a_member_over_pages(values: Any, client: redis.Redis, fill: str) -> None:
    names = [f"m{n}" for n in range(5_000)]
    if fill == "hset":
        client.hset("k", mapping=dict.fromkeys(names, 1))
    else:
        client.sadd("k", *names)
    with counted(client) as spent:
        found = [values.read(b"k", match="m77?")]
    assert spent.calls["hscan"] + spent.calls["sscan"] <= 4
    assert 1_900 <= found[0].scanned <= 2_100

    while found[-1].next:
        found.append(values.read(b"k", at=found[-1].next, match="m77?"))

    shown = {(row.field if fill == "hset" else row).data for row in rows(found)}
    assert shown == {b"m77%d" % n for n in range(10)}


def test_long_fields_and_values_are_cut(values: Any, client: redis.Redis) -> None:
    client.hset("k", "f" * 9_000, "v" * 20_000)

    [row] = values.read(b"k").rows

    assert (len(row.field.data), row.field.length) == (4096, 9_000)
    assert (len(row.value.data), row.value.length) == (4096, 20_000)


def test_field_expiry_is_asked_for_once_where_it_is_unknown(
    client: redis.Redis,
) -> None:
    client.hset("k", "f", "v")
    values = Values(client)
    values.read(b"k")
    errors = client.info("errorstats")

    values.read(b"k")

    assert client.info("errorstats") == errors


# Modules and others are in test_values_modules.py


# Whatever happens meanwhile


class Meddling(redis.Redis):
    """Does something to the key after the first pipeline, as another client might."""

    meddle: Callable[[], Any]

    def pipeline(self, *args: Any, **options: Any) -> Any:
        pipe = super().pipeline(*args, **options)
        execute = pipe.execute

        def first(*a: Any, **k: Any) -> Any:
            replies = execute(*a, **k)
            meddle, self.meddle = self.meddle, lambda: None
            meddle()
            return replies

        pipe.execute = first  # type: ignore[method-assign]
        return pipe


FILLED: dict[str, Callable[[redis.Redis], Any]] = {
    "string": lambda client: client.set("k", "text"),
    "list": lambda client: client.rpush("k", 1),
    "hash": lambda client: client.hset("k", "f", 1),
    "set": lambda client: client.sadd("k", 1),
    "zset": lambda client: client.zadd("k", {"a": 1}),
    "stream": lambda client: client.xadd("k", {"a": 1}),
}


@pytest.mark.parametrize("was", FILLED)
def test_a_key_that_became_another_type_says_so(client: redis.Redis, was: str) -> None:
    FILLED[was](client)
    now = "set" if was != "set" else "hash"

    def replace() -> None:
        client.delete("k")
        FILLED[now](client)

    with Meddling(connection_pool=client.connection_pool) as meddling:
        meddling.meddle = replace
        page = Values(meddling).read(b"k")

    assert isinstance(page, ChangedPage)
    assert (page.was, page.type) == (was, now)


@pytest.mark.parametrize("was", FILLED)
def test_a_key_that_went_away_says_so(client: redis.Redis, was: str) -> None:
    FILLED[was](client)

    with Meddling(connection_pool=client.connection_pool) as meddling:
        meddling.meddle = lambda: client.delete("k")
        page = Values(meddling).read(b"k")

    assert isinstance(page, ChangedPage)
    assert (page.was, page.type) == (was, "none")


def test_a_position_in_a_value_of_another_type_says_so(values: Any, client: redis.Redis) -> None:
    client.rpush("k", *range(200))
    at = values.read(b"k").next
    client.delete("k")
    client.sadd("k", 1)

    page = values.read(b"k", at=at)

    assert isinstance(page, ChangedPage)
    assert (page.was, page.type, page.length) == ("list", "set", 1)


@pytest.mark.parametrize(
    "at",
    ["", "l", "l-1", "l1.2.3", "xc1-1", "l" + "9" * 21, "h99999999999999999999", "L1", "l1\n"],
)
def test_a_position_that_no_page_gave_is_refused(values: Any, client: redis.Redis, at: str) -> None:
    client.rpush("k", 1)
    client.hset("h", "f", 1)

    with pytest.raises(InvalidArgument):
        values.read(b"h" if at.startswith("h") else b"k", at=at)


@pytest.mark.parametrize(
    "options",
    [
        {"count": 0}, {"count": 1001}, {"limit": 1}, {"window": 2**21}, {"order": "up"},
        {"min": "low"}, {"max": "(("}, {"start": "yesterday"}, {"end": "1-2-3"},
        {"near": (0, 90, 10)}, {"near": (0, 0, -1)}, {"match": "*a" * 9},
    ],
)  # fmt: skip
def test_an_option_that_breaks_a_rule_is_refused(values: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        values.read(b"k", **options)


def test_options_for_another_type_are_ignored(values: Any, client: redis.Redis) -> None:
    client.rpush("k", 1)

    page = values.read(b"k", bits=True, min="1", member=b"a", geo=True, start="1-1", match="x")

    assert isinstance(page, ListPage)
    assert len(page.rows) == 1


def test_hostile_names_are_read_exactly(client: redis.Redis) -> None:
    values: Any = Values(client)
    for key in NAMES:
        client.delete(b"hash")
        client.set(key, b"value")
        client.hset(b"hash", key, key)

        assert key == b"hash" or values.read(key).data == b"value", key
        [row] = values.read(b"hash").rows
        assert (row.field, row.value) == (whole(key), whole(key))
        client.delete(key)


def test_hostile_values_are_read_exactly(client: redis.Redis) -> None:
    values: Any = Values(client)
    for value in VALUES:
        client.delete("s", "l", "e", "z", "x")
        client.set("s", value)
        client.rpush("l", value)
        client.sadd("e", value)
        client.zadd("z", {value: 1})
        client.xadd("x", {value or b"f": value})

        short = Piece(value[:4096], len(value))
        assert values.read(b"s", window=2**20).data == value[: 2**20], value[:80]
        assert values.read(b"l").rows[0].value == short
        assert values.read(b"e").rows[0] == short
        assert values.read(b"z").rows[0].member == short
        assert values.read(b"x").rows[0].fields[0][1] == short
