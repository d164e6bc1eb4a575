"""Downloads: the whole value, a window at a time, exact for any bytes, honest about changes."""

from __future__ import annotations

import asyncio
import base64
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from redisops.connection import connect, connect_async
from redisops.errors import InvalidArgument
from redisops.values import AsyncValues, ValueChanged, Values
from tests.hostile import VALUES
from tests.redisops.counting import counted
from tests.servers import RedisProcess

Read = Callable[..., Iterator[bytes]]


@pytest.fixture(params=["blocking", "awaiting", "shipped blocking", "shipped awaiting"])
def chunks(request: pytest.FixtureRequest, server: RedisProcess) -> Iterator[Read]:
    """``chunks(key, size=...)`` whichever way it runs, one chunk at a time."""
    if request.param == "blocking":
        with server.client() as plain:
            yield Values(plain).chunks
        return
    if request.param == "shipped blocking":  # RESP2: some replies have another shape there
        client = connect(f"redis://127.0.0.1:{server.port}/0")
        yield Values(client).chunks
        client.close()
        return
    loop = asyncio.new_event_loop()
    link: Any = redis.asyncio.Redis(port=server.port, socket_timeout=60)
    if request.param == "shipped awaiting":
        link = connect_async(f"redis://127.0.0.1:{server.port}/0")

    def each(*args: Any, **options: Any) -> Iterator[bytes]:
        stream = AsyncValues(link).chunks(*args, **options)
        while True:
            try:
                yield loop.run_until_complete(anext(stream))
            except StopAsyncIteration:
                return

    yield each
    loop.run_until_complete(link.aclose())
    loop.close()


def lines(chunks: Iterator[bytes]) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Header, rows and last line of a collection."""
    first, *middle, last = map(json.loads, b"".join(chunks).splitlines())
    return first, middle, last


def bytes_of(shown: Any) -> bytes:
    return base64.b64decode(shown["base64"]) if isinstance(shown, dict) else shown.encode()


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
def test_a_string_comes_as_it_is(client: redis.Redis, chunks: Read, size: int) -> None:
    value = bytes(n % 256 for n in range(size))
    client.set("k", value)

    assert b"".join(chunks(b"k", size=1024)) == value


def test_nothing_comes_of_an_absent_key(chunks: Read) -> None:
    assert list(chunks(b"absent")) == []


def test_a_long_string_needs_the_memory_of_a_window(client: redis.Redis, chunks: Read) -> None:
    client.setrange("k", 64 * 1024 * 1024 - 1, "x")
    total = 0
    tracemalloc.start()
    try:
        for chunk in chunks(b"k", size=1024 * 1024):
            total += len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        client.delete("k")

    assert total == 64 * 1024 * 1024
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize("change", ["append", "replace", "delete", "type"])
def test_a_string_that_changes_meanwhile_breaks_off(
    client: redis.Redis, chunks: Read, change: str
) -> None:
    client.set("k", "x" * 10_000)
    stream = chunks(b"k", size=1024)
    next(stream)
    match change:
        case "append":
            client.append("k", "y")
        case "replace":
            client.set("k", "y" * 10_000)
        case "delete":
            client.delete("k")
        case _:
            client.delete("k")
            client.rpush("k", 1)

    with pytest.raises(ValueChanged if change != "type" else redis.ResponseError):
        list(stream)


def test_a_list_comes_as_lines(client: redis.Redis, chunks: Read) -> None:
    client.rpush("k", *range(5_000), b"\xff\x00")

    header, rows, last = lines(chunks(b"k"))

    assert (header["key"], header["type"], header["length"]) == ("k", "list", 5_001)
    assert [bytes_of(row["value"]) for row in rows] == [
        *(b"%d" % n for n in range(5_000)), b"\xff\x00",
    ]  # fmt: skip
    assert last == {"end": True, "rows": 5_001, "changed": False}


def test_a_hash_comes_as_lines(client: redis.Redis, chunks: Read) -> None:
    client.hset("k", mapping={f"f{n}": n for n in range(3_000)})

    _, rows, last = lines(chunks(b"k"))

    assert {row["field"]: row["value"] for row in rows} == {f"f{n}": str(n) for n in range(3_000)}
    assert last["rows"] == 3_000


def test_a_set_comes_as_lines(client: redis.Redis, chunks: Read) -> None:
    client.sadd("k", *range(3_000))

    _, rows, _ = lines(chunks(b"k"))

    assert {row["member"] for row in rows} == {str(n) for n in range(3_000)}


def test_a_sorted_set_comes_as_lines(client: redis.Redis, chunks: Read) -> None:
    client.zadd("k", {"low": float("-inf"), "tenth": 0.1, **{f"m{n}": n for n in range(1, 2_500)}})

    _, rows, last = lines(chunks(b"k"))

    assert rows[0] == {"member": "low", "score": "-inf"}
    assert rows[1] == {"member": "tenth", "score": 0.1}
    assert last == {"end": True, "rows": 2_501, "changed": False}


def test_a_stream_comes_as_lines_with_repeated_fields(client: redis.Redis, chunks: Read) -> None:
    client.execute_command("XADD", "k", "1-1", "f", "a", "f", "b")
    pipe = client.pipeline(transaction=False)
    for n in range(2, 1_500):
        pipe.xadd("k", {"n": n}, id=f"{n}-0")
    pipe.execute()

    _, rows, last = lines(chunks(b"k"))

    assert rows[0] == {"id": "1-1", "fields": [["f", "a"], ["f", "b"]]}
    assert [row["id"] for row in rows[1:]] == [f"{n}-0" for n in range(2, 1_500)]
    assert last["rows"] == 1_499


def test_a_collection_that_changes_says_so_at_its_end(client: redis.Redis, chunks: Read) -> None:
    client.rpush("k", *range(1_000))
    stream = chunks(b"k", size=1024)
    begun = next(stream)
    client.rpush("k", "more")

    _, rows, last = lines(iter([begun, *stream]))

    assert last["changed"] is True
    assert last["rows"] == len(rows)


@pytest.mark.parametrize("change", ["delete", "type"])
def test_a_collection_that_goes_away_ends_well(
    client: redis.Redis, chunks: Read, change: str
) -> None:
    client.xadd("k", {"a": 1})
    stream = chunks(b"k")
    begun = next(stream)
    client.delete("k")
    if change == "type":
        client.set("k", 1)

    _, rows, last = lines(iter([begun, *stream]))

    assert (rows, last["changed"]) == ([], True)


def test_hostile_values_survive(client: redis.Redis) -> None:
    values = Values(client)
    for value in VALUES:
        client.delete("s", "e")
        client.set("s", value)
        client.sadd("e", value)

        assert b"".join(values.chunks(b"s")) == value
        _, [row], _ = lines(values.chunks(b"e"))
        assert bytes_of(row["member"]) == value


def test_a_large_collection_comes_in_small_commands(client: redis.Redis) -> None:
    for _ in range(50):
        client.rpush("k", "x" * 100_000)
    with counted(client) as spent:
        biggest = max(map(len, Values(client).chunks(b"k", size=64 * 1024)))

    assert spent.calls["lrange"] >= 50
    assert biggest < 250_000


@pytest.mark.parametrize("size", [0, 1023, 2**25])
def test_a_window_has_bounds(client: redis.Redis, size: int) -> None:
    with pytest.raises(InvalidArgument):
        list(Values(client).chunks(b"k", size=size))
