"""Workers of a consumer group: killed, stopped, cut off, fed with poison; nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from redisops.connection import connect, connect_async
from redisops.errors import InvalidArgument
from redisops.pubsub import Gap, Message, Subscriber
from redisops.resilience import Backoff, CircuitBreaker
from redisops.streams import (
    AsyncConsumerGroup,
    ConsumerGroup,
    Entry,
    Reject,
    Stream,
    dead_key,
    letters,
)
from redisops.streams.work import Work
from tests.servers import REDIS, VALKEY, Cluster, RedisProcess, Watched, free_port, until

ROOT = Path(__file__).parents[2]
SOON = Backoff(base=0.001, cap=0.002)
HOSTILE = (b"<script>\xff\x00", b"\r\n$-1\r\n{}")


@contextlib.contextmanager
def working(
    url: str, key: Any, handler: Any, kind: str = "blocking", **options: Any
) -> Iterator[Any]:
    """A group at work beside the test, blocking or awaiting, stopped at the end."""
    options = {"backoff": SOON, "grace": 10.0, **options}
    failure: list[BaseException] = []
    if kind == "blocking":
        client = connect(url, breaker=CircuitBreaker(url, probe_every=0.05))
        group: Any = ConsumerGroup(client, key, "g", handler, **options)

        def work() -> None:
            try:
                group.run()
            except redis.RedisError as error:
                failure.append(error)
            finally:
                client.close()
    else:

        async def handle(entry: Entry) -> None:
            handler(entry)

        made = threading.Event()
        box: list[Any] = []

        async def live() -> None:
            link = connect_async(url, breaker=CircuitBreaker(url, probe_every=0.05))
            box.append(AsyncConsumerGroup(link, key, "g", handle, **options))
            made.set()
            try:
                await box[0].run()
            except redis.RedisError as error:
                failure.append(error)
            finally:
                await link.aclose()

        def work() -> None:
            asyncio.run(live())

    thread = threading.Thread(target=work)
    thread.start()
    if kind != "blocking":
        assert made.wait(20)
        group = box[0]
    group.failures = failure
    try:
        yield group
    finally:
        group.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> RedisProcess:
    """An empty server: Valkey for the awaiting workers, Redis for the blocking ones."""
    name = "valkey_process" if "awaiting" in request.node.name else "redis_process"
    process: RedisProcess = request.getfixturevalue(name)
    process.reset()
    return process


each_kind = pytest.mark.parametrize("kind", ["blocking", "awaiting"])


@pytest.mark.parametrize(
    ("kind", "point"),
    [("blocking", "before"), ("awaiting", "during"), ("blocking", "after")],
)
def test_a_worker_killed_at_any_point_loses_nothing_and_repeats_only_the_unacknowledged(
    redis_process: RedisProcess, kind: str, point: str
) -> None:
    redis_process.reset()
    with redis_process.client() as client:
        added = Stream(client, "jobs").add_many([{"n": n} for n in range(40)])
        doomed = subprocess.run(
            [sys.executable, "-m", "tests.redisops.streaming", kind, point, "jobs", "25"],
            env={**os.environ, "REDIS_URL": redis_process.url}, cwd=ROOT, timeout=60, check=False,
        )  # fmt: skip
        assert doomed.returncode == -9
        unacknowledged = {
            row["message_id"].decode() for row in client.xpending_range("jobs", "g", "-", "+", 100)
        }
        ended = [one.decode() for one in client.lrange("jobs:ended", 0, -1)]
        group = client.xinfo_groups("jobs")[0]

        seen: list[str] = []
        with working(
            redis_process.url, "jobs", lambda entry: seen.append(entry.id), claim_after=0.3
        ) as second:
            until(lambda: set(seen) | set(ended) == set(added), "all is handled", 20)
            until(lambda: client.xpending("jobs", "g")["pending"] == 0, "all is acknowledged", 20)

        assert group["entries-read"] == 30  # the batches that the dead one had been handed
        assert Counter(seen).most_common(1)[0][1] == 1
        assert set(seen) & set(ended) <= unacknowledged
        assert set(seen) == unacknowledged | set(added[30:])
        assert second.figures.claimed == len(unacknowledged)


@each_kind
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_graceful_stop_loses_nothing_and_repeats_nothing(
    redis_process: RedisProcess, kind: str, concurrency: int
) -> None:
    redis_process.reset()
    seen: list[str] = []
    with redis_process.client() as client:
        added = Stream(client, "jobs").add_many([{"n": n} for n in range(600)])
        while len(seen) < len(added):
            before = len(seen)
            with working(
                redis_process.url, "jobs", lambda entry: seen.append(entry.id), kind,
                concurrency=concurrency, batch=50, claim_after=0.5,
            ) as group:  # fmt: skip
                until(lambda before=before: len(seen) > before, "it works", 20)
            assert not group.failures

        assert Counter(seen) == Counter(added)
        assert client.xpending("jobs", "g")["pending"] == 0


@each_kind
def test_what_fails_is_tried_again_and_then_a_dead_letter_with_its_cause(
    server: RedisProcess, client: redis.Redis, kind: str
) -> None:
    tries: Counter[str] = Counter()

    def handle(entry: Entry) -> None:
        tries[entry.id] += 1
        assert entry.deliveries == tries[entry.id]
        if entry.get("n") == b"poison":
            raise ValueError("cannot read \u2713")
        if entry.get("n") == b"wrong":
            raise Reject("not an order")
        if entry.get("n") == b"moody" and entry.deliveries < 3:
            raise RuntimeError("not now")

    stream = Stream(client, b"a\xff<b>")
    good = stream.add({"n": "good"})
    poison = stream.add([("n", "poison"), HOSTILE, HOSTILE, ("dead:cause", "mine")])
    wrong, moody = stream.add({"n": "wrong"}), stream.add({"n": "moody"})
    with working(server.url, stream.key, handle, kind, max_deliveries=4) as group:
        until(lambda: group.figures.handled == 2 and group.figures.dead == 2, "all is settled", 20)
        figures = group.figures

    assert (tries[good], tries[poison], tries[wrong], tries[moody]) == (1, 4, 1, 3)
    assert (figures.failed, figures.in_flight, figures.trouble) == (7, 0, "")
    found = {one.origin: one for one in letters(Stream(client, dead_key(stream.key)).range())}
    assert set(found) == {poison, wrong}
    assert found[wrong].cause == "not an order"
    letter = found[poison]
    assert (letter.stream, letter.group, letter.deliveries) == (stream.key, b"g", 4)
    assert letter.cause == "ValueError: cannot read \u2713"
    assert letter.fields == ((b"n", b"poison"), HOSTILE, HOSTILE, (b"dead:cause", b"mine"))
    assert client.xpending(stream.key, "g")["pending"] == 0


def test_an_entry_whose_workers_died_is_a_dead_letter_in_the_end(
    server: RedisProcess, client: redis.Redis
) -> None:
    entry = Stream(client, "jobs").add({"n": 1})
    client.xgroup_create("jobs", "g", "0")
    client.xreadgroup("g", "dead", {"jobs": ">"})
    client.xclaim("jobs", "g", "dead", 0, [entry], retrycount=3)
    handled: list[Entry] = []
    with working(server.url, "jobs", handled.append, claim_after=0.2, max_deliveries=3) as group:
        until(lambda: group.figures.dead == 1, "it is given up", 20)

    assert not handled
    (letter,) = letters(Stream(client, "jobs:dead").range())
    assert (letter.origin, "died or hung" in letter.cause) == (entry, True)


def test_what_is_being_handled_is_not_taken_away_however_long_it_takes(
    redis_process: RedisProcess,
) -> None:
    """A worker shows what it holds, or the other would claim it.

    Where the machine itself stood still for as long as that takes, it is tried again.
    """
    for _ in range(5):
        redis_process.reset()
        seen, longest = _held_by_one_of_two(redis_process, claim_after=1.0)
        if len(seen) == 1:
            break
        assert longest > 0.8, f"taken away after {longest:.2f} s"
    assert len(seen) == 1


def _held_by_one_of_two(server: RedisProcess, claim_after: float) -> tuple[list[str], float]:
    """Who handled one entry that takes long, and the longest time that it was not shown."""
    begun, go = threading.Event(), threading.Event()
    seen: list[str] = []

    def slowly(entry: Entry) -> None:
        seen.append(entry.id)
        begun.set()
        go.wait(20)

    with (
        server.client() as client,
        working(server.url, "jobs", slowly, claim_after=claim_after) as first,
        working(server.url, "jobs", slowly, claim_after=claim_after) as second,
    ):
        Stream(client, "jobs").add({"n": 1})
        assert begun.wait(20)
        books = first._loop.books if first.figures.in_flight else second._loop.books
        shown: set[float] = set()
        until(
            lambda: shown.update(books.held.values()) or len(shown) > 4 or len(seen) > 1,
            "it is shown",
        )
        shown.add(time.monotonic())
        go.set()
        until(lambda: client.xpending("jobs", "g")["pending"] == 0, "it is done", 20)
    return seen, max(after - before for before, after in itertools.pairwise(sorted(shown)))


@each_kind
def test_an_idempotency_key_is_handled_once(
    server: RedisProcess, client: redis.Redis, kind: str
) -> None:
    seen: list[bytes | None] = []
    stream = Stream(client, "jobs")
    stream.add_many([{"key": key} for key in ("a", "b", "a", "a", "c", "b")])
    with working(
        server.url, "jobs", lambda entry: seen.append(entry.get("key")), kind,
        once=lambda entry: entry.get("key"), concurrency=3,
    ) as group:  # fmt: skip
        until(lambda: group.figures.handled + group.figures.repeated == 6, "all are settled", 20)
        stream.add({"key": "a"})
        until(lambda: group.figures.repeated == 4, "the late one is left out", 20)

    assert sorted(seen) == [b"a", b"b", b"c"]
    assert client.xpending("jobs", "g")["pending"] == 0


@each_kind
@pytest.mark.parametrize("harm", ["group", "flush"])
def test_a_group_that_vanishes_is_made_anew_and_nothing_new_is_missed(
    redis_process: RedisProcess, kind: str, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis_process.reset()
    seen: list[bytes | None] = []
    with (
        redis_process.client() as client,
        working(
            redis_process.url, "jobs", lambda entry: seen.append(entry.get("n")), kind
        ) as group,
    ):
        stream = Stream(client, "jobs")
        stream.add({"n": 1})
        until(lambda: group.figures.handled == 1 and not group.figures.in_flight, "it works", 20)
        pipe = client.pipeline()
        if harm == "group":
            pipe.xgroup_destroy("jobs", "g")
        else:
            pipe.flushall()
        pipe.xadd("jobs", {"n": 2})
        pipe.execute()
        until(lambda: b"2" in seen, "the new one is handled", 20)

        assert seen == [b"1", b"2"]
        assert not group.failures
        assert "made anew" in caplog.text


def test_redis_away_at_the_start_and_killed_later_is_waited_for(tmp_path: Path) -> None:
    seen: list[bytes | None] = []
    save = ("--dir", str(tmp_path), "--appendonly", "yes", "--appendfsync", "always")
    server = RedisProcess(*save, binary=REDIS or VALKEY, port=free_port())
    with working(
        server.url, "jobs", lambda entry: seen.append(entry.get("n")), claim_after=0.3
    ) as group:
        until(lambda: "Redis" in group.figures.trouble, "it says what is wrong", 20)
        server.start()
        try:
            with server.client() as client:
                Stream(client, "jobs").add({"n": 1})
            until(lambda: seen == [b"1"] and not group.figures.trouble, "it works", 20)
            server.kill()
            until(lambda: bool(group.figures.trouble), "it says so again", 20)
            server.start()
            with server.client() as client:
                Stream(client, "jobs").add({"n": 2})
            until(lambda: b"2" in seen, "it goes on", 20)
        finally:
            group.stop()
            until(lambda: not group._loop.books.stopping or group._loop.is_over, "it ends", 20)
            server.remove()


def test_a_key_of_another_type_ends_the_worker_with_that_error(
    server: RedisProcess, client: redis.Redis
) -> None:
    client.set("jobs", "no stream")
    with working(server.url, "jobs", print) as group:
        until(lambda: bool(group.failures), "it ends", 20)

    assert "WRONGTYPE" in str(group.failures[0]) or "wrong kind" in str(group.failures[0])


@each_kind
def test_big_entries_arrive_and_die_whole(
    server: RedisProcess, client: redis.Redis, kind: str
) -> None:
    wide = [(b"f%d" % n, b"v\xff") for n in range(10_000)]
    stream = Stream(client, "jobs")
    stream.add([("big", b"\x00" * 1_000_000)])
    stream.add(wide)
    seen: list[Entry] = []

    def refuse(entry: Entry) -> None:
        seen.append(entry)
        raise Reject("too big")

    with working(server.url, "jobs", refuse, kind) as group:
        until(lambda: group.figures.dead == 2, "both are dead letters", 20)

    assert [len(entry.fields) for entry in seen] == [1, 10_000]
    first, second = letters(Stream(client, "jobs:dead").range())
    assert first.fields == ((b"big", b"\x00" * 1_000_000),)
    assert list(second.fields) == wide


@each_kind
@pytest.mark.parametrize("key", ["jobs", "{jobs}:a"])
def test_a_group_works_on_a_cluster(cluster: Cluster, kind: str, key: str) -> None:
    client = connect(cluster.url)
    stream = Stream(client, key)
    for n in range(20):
        stream.add([("n", n), ("n", "twice")])
    seen: list[Entry] = []

    def handle(entry: Entry) -> None:
        if entry.get("n") == b"7":
            raise Reject("seven")
        seen.append(entry)

    with working(cluster.url, key, handle, kind, once=lambda entry: entry.get("n")) as group:
        until(lambda: group.figures.handled == 19 and group.figures.dead == 1, "all is settled", 20)
        stream.add({"n": 100})
        until(lambda: group.figures.handled == 20, "what comes later is, too", 20)

    assert all(len(entry.fields) == 2 for entry in seen[:-1])
    assert [one.cause for one in letters(Stream(client, dead_key(key)).range())] == ["seven"]
    client.close()


def test_a_group_made_anew_begins_before_what_is_held() -> None:
    books = Work(b"jobs", ConsumerGroup(None, "jobs", "g", print).terms)
    books.arrived([Entry(f"5-{n}", ()) for n in range(3)])
    first = books.queue.popleft()
    books.begin(first)
    books.finished(first)

    assert books.restart_at("9-0") == "5-0"
    assert not books.queue
    assert books.restart_at("1-0") == "0"


def test_a_plain_client_lends_no_connection_to_what_waits_and_its_timeout_cuts_nothing_off(
    redis_process: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    redis_process.reset()
    url = redis_process.url
    seen: list[bytes | None] = []
    with (
        redis.Redis.from_url(url, decode_responses=True) as decoding,
        pytest.raises(InvalidArgument, match="bytes"),
    ):
        ConsumerGroup(decoding, "jobs", "g", seen.append)
    with redis.Redis.from_url(url, socket_timeout=0.4, max_connections=3) as plain:
        worker = ConsumerGroup(plain, "jobs", "g", lambda entry: seen.append(entry.get("n")))
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            with Subscriber(plain, channels=["news"], quiet=0.1) as subscriber:
                assert subscriber.wait(20)
                # Longer than the plain client's patience: two blocking reads that find nothing.
                until(lambda: _calls(redis_process, "xreadgroup") >= 4, "it does not wait", 20)
                with redis_process.client() as patient:
                    patient.xadd("jobs", {"n": 1})
                    patient.publish("news", "x")

                until(lambda: seen == [b"1"], "it was not handled", 20)
                assert isinstance(subscriber.get(20), Message)
        finally:
            worker.stop()
            thread.join(20)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def _calls(server: RedisProcess, name: str) -> int:
    with server.client() as client:
        return int(client.info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0))


def test_a_worker_and_a_subscriber_follow_a_failover() -> None:
    seen: list[bytes | None] = []
    heard: list[Any] = []
    with Watched() as watched:
        with working(
            watched.url, "jobs", lambda entry: seen.append(entry.get("n")), "awaiting"
        ) as group, connect(watched.url) as client, Subscriber(
            client, channels=["news"], quiet=0.2
        ) as subscriber:  # fmt: skip
            Stream(client, "jobs").add({"n": 1})
            until(lambda: seen == [b"1"], "it does not work", 20)
            assert subscriber.wait(20)
            with watched.replica.client() as other:
                until(lambda: _is_acknowledged(other), "it was not replicated", 20)

            watched.fail_over()

            until(lambda: _is_sent(client, b"2"), "nothing can be added", 20)
            until(lambda: b"2" in seen, "the worker does not follow", 20)
            with watched.replica.client() as other:
                until(lambda: bool(other.pubsub_channels("news")), "nobody listens there", 20)
                other.publish("news", "after")
            while not heard or not isinstance(heard[-1], Message):
                heard.append(subscriber.get(20))
            assert {type(one) for one in heard[:-1]} == {Gap}  # each link that was torn is one
            assert heard[-1].data == b"after"
        assert not group.failures


def _is_acknowledged(client: redis.Redis) -> bool:
    groups: Any = client.xinfo_groups("jobs") if client.exists("jobs") else []
    return bool(groups) and groups[0]["last-delivered-id"] != b"0-0" and not groups[0]["pending"]


def _is_sent(client: Any, number: bytes) -> bool:
    try:
        Stream(client, "jobs").add({"n": number})
    except redis.RedisError:
        return False
    return True
