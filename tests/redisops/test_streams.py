"""Streams: entries added, read, trimmed; producers that say what was not sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.connection import connect, connect_async
from redisops.errors import InvalidArgument
from redisops.streams import (
    AsyncProducer,
    AsyncStream,
    BufferFull,
    Entry,
    Producer,
    Stream,
    dead_fields,
    letter,
    order,
)
from tests.faults.proxy import Proxy
from tests.servers import Cluster, RedisProcess, until

Build = Callable[..., Any]
HOSTILE = [(b"<b>\xff\x00", b"\r\n$-1\r\n"), (b"<b>\xff\x00", b""), (b"", b"{}")]


def test_an_entry_comes_back_as_it_was_added_repeats_included(build_each: Build) -> None:
    stream = build_each(Stream, AsyncStream, b"s\xff{")

    first = stream.add(HOSTILE)
    more = stream.add_many([{"n": n} for n in range(4)])

    assert stream.entry(first) == Entry(first, tuple(HOSTILE))
    assert stream.entry("1-1") is None
    assert [entry.id for entry in stream.range(first, count=2)] == [first, more[0]]
    newest = stream.range(newest_first=True, count=2)
    assert [entry.get("n") for entry in newest] == [b"3", b"2"]
    assert stream.range(f"({more[2]}") == [Entry(more[3], ((b"n", b"3"),))]
    assert (stream.length(), stream.delete([first, "1-1"]), stream.length()) == (5, 1, 4)
    assert (stream.trim(min_id=more[2], approximate=False), stream.length()) == (2, 2)
    stream.add({"n": 9}, max_length=1, approximate=False)
    assert stream.length() == 1


def test_an_idempotency_key_adds_once_within_its_window(build: Build, client: redis.Redis) -> None:
    stream = build(Stream, AsyncStream, "jobs")

    first = stream.add({"n": 1}, idempotency=b"order \xff", window=60)
    again = stream.add({"n": 2}, idempotency=b"order \xff", window=60)
    other = stream.add({"n": 3}, idempotency="another")

    assert first == again != other
    assert stream.length() == 2
    keys = [key for key in client.keys("*") if key != b"jobs"]
    assert len(keys) == 2
    assert all(client.pttl(key) > 0 for key in keys)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda stream: stream.add({}),
        lambda stream: stream.add({"n": 1}, max_length=1, min_id="1"),
        lambda stream: stream.add({"n": 1}, max_length=-1),
        lambda stream: stream.add({"n": 1}, idempotency=b""),
        lambda stream: stream.add([(n, n) for n in range(3_901)], idempotency=b"wide"),
        lambda stream: stream.trim(),
        lambda stream: order("yesterday"),
    ],
)
def test_what_makes_no_sense_is_refused(client: redis.Redis, wrong: Any) -> None:
    with pytest.raises(InvalidArgument):
        wrong(Stream(client, "jobs"))


def test_dead_letters_of_others_are_none_of_ours() -> None:
    good = dead_fields(b"s", Entry("1-2", ((b"a", b"b"),), 3), b"g", "x" * 5_000 + "\ud800")
    pairs = tuple(zip(good[::2], good[1::2], strict=True))

    found = letter(Entry("9-0", pairs))
    assert found is not None
    assert (found.origin, found.deliveries, found.fields) == ("1-2", 3, ((b"a", b"b"),))
    assert len(found.cause) == 2_000
    for at in range(7):
        odd = list(pairs)
        odd[at] = (odd[at][0], b"\xff1") if at in (1, 4, 5) else (b"other", odd[at][1])
        assert letter(Entry("9-0", tuple(odd))) is None
    assert letter(Entry("9-0", pairs[:6])) is None


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_a_producer_adds_all_in_order_and_in_batches(
    server: RedisProcess, client: redis.Redis, kind: str
) -> None:
    if kind == "blocking":
        link = connect(server.url)
        with Producer(link, "jobs", size=50, linger=0.01) as producer:
            producer.add({"n": "first"})
            until(lambda: producer.report.sent == 1, "lingering ends", 20)
            for n in range(499):
                producer.add({"n": n}, idempotency=None if n % 2 else f"k{n % 100}")
        report = producer.report
        link.close()
    else:

        async def run() -> Any:
            link = connect_async(server.url)
            async with AsyncProducer(link, "jobs", size=50, linger=0.01) as producer:
                for n in range(-1, 499):
                    producer.add({"n": n}, idempotency=None if n % 2 else f"k{n % 100}")
                await producer.flush()
            await link.aclose()
            return producer.report

        report = asyncio.run(run())

    assert (report.sent, report.waiting, report.failed) == (500, 0, 0)
    values = [entry.get("n") for entry in Stream(client, "jobs").range(count=1_000)]
    assert values[1:] == [b"%d" % n for n in range(499) if n % 2 or n < 100]


def test_a_producer_says_what_was_not_sent(server: RedisProcess, client: redis.Redis) -> None:
    away = connect("redis://127.0.0.1:1/0")
    producer = Producer(away, "jobs", size=2, most=3, patience=0.1, linger=0.0)
    for n in range(3):
        producer.add({"n": n})
    with pytest.raises(BufferFull):
        producer.add({"n": 3})
    report = producer.close()

    assert (report.sent, report.waiting, report.failed) == (0, 0, 3)
    assert [unsent.fields for unsent in report.unsent] == [("n", 0), ("n", 1), ("n", 2)]
    assert all(unsent.is_known for unsent in report.unsent)
    away.close()

    client.set("text", "no stream")
    link = connect(server.url)
    with Producer(link, "text") as refused:
        refused.add({"n": 1})
    (unsent,) = refused.report.unsent
    assert unsent.is_known
    assert "WRONGTYPE" in unsent.why or "wrong kind" in unsent.why
    link.close()


def test_a_lost_reply_is_repeated_with_an_idempotency_key_and_unknown_without(
    redis_process: RedisProcess,
) -> None:
    redis_process.reset()
    with redis_process.client() as client, Proxy(redis_process.port) as proxy:
        link = connect(proxy.url)
        producer = Producer(link, "jobs", linger=60, size=10)
        producer.add({"n": "keyed"}, idempotency="k")
        producer.add({"n": "plain"})
        proxy.mode("lose_reply", match=b"plain", times=1)
        report = producer.close()

        assert (report.sent, report.failed) == (1, 1)
        assert [(one.fields, one.is_known) for one in report.unsent] == [(("n", "plain"), False)]
        values = [entry.get("n") for entry in Stream(client, "jobs").range()]
        assert values.count(b"keyed") == 1
        link.close()


def test_streams_work_on_a_cluster(cluster: Cluster) -> None:
    client = connect(cluster.url)
    for key in ("jobs", "{a}:jobs"):
        stream = Stream(client, key)
        assert stream.add({"n": 1}, idempotency="k") == stream.add({"n": 1}, idempotency="k")
        with Producer(client, key) as producer:
            for n in range(20):
                producer.add({"n": n}, idempotency=f"p{n}" if n % 2 else None)
        assert (producer.report.sent, stream.length()) == (20, 21)
    client.close()
