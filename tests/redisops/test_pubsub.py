"""Pub/sub: what is published is heard, and what may be missing is said."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from redisops.connection import connect, connect_async
from redisops.errors import InvalidArgument
from redisops.pubsub import (
    AsyncChannels,
    AsyncEar,
    AsyncPublisher,
    AsyncSampler,
    AsyncSubscriber,
    Channels,
    Gap,
    Message,
    Publisher,
    Sampler,
    Subscriber,
    channels,
    subscribers,
)
from redisops.pubsub.ears import BREATH
from tests.faults.proxy import Proxy
from tests.servers import Cluster, RedisProcess, until

HOSTILE = b"<b>\xff\x00\r\n*"


class Turned:
    """An AsyncSubscriber on a loop of its own thread, asked as if it were blocking."""

    def __init__(self, url: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.client = self.of(_made(lambda: connect_async(url)))
        self.target = self.of(_made(lambda: AsyncSubscriber(self.client, **options)))
        self.of(self.target.__aenter__())

    def of(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def wait(self, seconds: float = 20) -> bool:
        return bool(self.of(self.target.wait(seconds)))

    def get(self, seconds: float | None = None) -> Any:
        return self.of(self.target.get(seconds))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def end(self) -> None:
        self.of(self.target.__aexit__())
        self.of(self.client.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


async def _made(make: Any) -> Any:
    return make()


@contextlib.contextmanager
def listening(kind: str, url: str, **options: Any) -> Iterator[Any]:
    if kind == "awaiting":
        turned = Turned(url, **options)
        try:
            yield turned
        finally:
            turned.end()
        return
    client = connect(url)
    with Subscriber(client, **options) as subscriber:
        yield subscriber
    client.close()


each_kind = pytest.mark.parametrize("kind", ["blocking", "awaiting"])


@each_kind
def test_channels_patterns_and_sharded_channels_are_heard_as_bytes(
    server: RedisProcess, client: redis.Redis, kind: str
) -> None:
    options = {"channels": [HOSTILE, "news"], "patterns": ["n*"], "sharded": ["shard"]}
    with listening(kind, server.url, **options) as subscriber:
        assert subscriber.wait(20)
        publisher = Publisher(client)
        assert publisher.publish(HOSTILE, HOSTILE) == 1
        assert publisher.publish_many([("news", b"1"), ("nobody", b"2"), ("else", b"3")]) == [
            2, 1, 0,
        ]  # fmt: skip
        assert publisher.publish("shard", "4", sharded=True) == 1
        heard = [subscriber.get(20) for _ in range(5)]

        assert {(one.channel, one.pattern, one.data) for one in heard} == {
            (HOSTILE, None, HOSTILE), (b"news", None, b"1"), (b"news", b"n*", b"1"),
            (b"nobody", b"n*", b"2"), (b"shard", None, b"4"),
        }  # fmt: skip
        assert all(one.at > 1_700_000_000 for one in heard)
        assert subscriber.get(0) is None
        assert channels(client).names == sorted([HOSTILE, b"news"])
        assert not channels(client, limit=1).is_all
        assert channels(client, "n*").names == [b"news"]
        assert subscribers(client, ["news", "nobody"]) == {b"news": 1, b"nobody": 0}
        assert Channels(client).names(sharded=True).names == [b"shard"]
        assert Channels(client).patterns() == 1
        seen = Channels(client).overview()
        assert seen.subscribers == {HOSTILE: 1, b"news": 1}
        assert (seen.sharded, seen.patterns, seen.has_shards) == ({b"shard": 1}, 1, True)
        assert (seen.listed.is_all, Channels(client).overview(1).listed.is_all) == (True, False)


@each_kind
def test_a_connection_that_breaks_is_made_anew_and_a_gap_says_so(
    redis_process: RedisProcess, kind: str
) -> None:
    with (
        redis_process.client() as client,
        Proxy(redis_process.port) as proxy,
        listening(kind, proxy.url, channels=["news"], patterns=["p*"]) as subscriber,
    ):
        assert subscriber.wait(20)
        proxy.mode("down")
        until(lambda: bool(subscriber.trouble), "it notices", 20)
        client.publish("news", "nobody hears this")
        proxy.heal()
        gap = subscriber.get(20)
        client.publish("news", "again")
        client.publish("pattern", "too")

        assert isinstance(gap, Gap)
        assert gap.since < gap.until
        assert gap.missed is None
        assert gap.reason
        assert [subscriber.get(20).data for _ in range(2)] == [b"again", b"too"]
        assert (subscriber.trouble, subscriber.dropped) == ("", 0)


@each_kind
def test_silence_of_the_network_is_noticed(redis_process: RedisProcess, kind: str) -> None:
    with (
        Proxy(redis_process.port) as proxy,
        listening(kind, proxy.url, channels=["news"], quiet=0.1) as subscriber,
    ):
        assert subscriber.wait(20)
        until(lambda: any(b"PING" in one for one in proxy.requests), "it asks when it is quiet", 20)
        proxy.mode("blackhole")
        until(lambda: "sign of life" in subscriber.trouble, "it notices", 20)
        proxy.heal()

        assert isinstance(subscriber.get(20), Gap)


@each_kind
def test_a_full_queue_drops_the_oldest_and_counts_them(
    redis_process: RedisProcess, kind: str
) -> None:
    with (
        redis_process.client() as client,
        listening(kind, redis_process.url, channels=["news"], most=10) as subscriber,
    ):
        assert subscriber.wait(20)
        Publisher(client).publish_many([("news", b"%d" % n) for n in range(110)])
        until(lambda: subscriber.dropped == 100, "all have arrived", 20)
        gap = subscriber.get(20)

        assert (gap.missed, gap.reason) == (100, "the queue was full")
        assert [subscriber.get(20).data for _ in range(10)] == [b"%d" % n for n in range(100, 110)]


def test_a_queue_is_bounded_in_bytes_too(redis_process: RedisProcess) -> None:
    with (
        redis_process.client() as client,
        listening("blocking", redis_process.url, channels=["b"], most_bytes=3_000_000) as heard,
    ):
        assert heard.wait(20)
        for _ in range(5):
            client.publish("b", b"\x00" * 1_000_000)
        until(lambda: heard.dropped == 3, "the oldest are gone", 20)
        assert heard.get(20).missed == 3


@each_kind
def test_what_the_server_refuses_is_raised_to_the_reader(
    redis_process: RedisProcess, kind: str
) -> None:
    redis_process.reset()
    with redis_process.client() as client:
        client.acl_setuser(
            "deaf", enabled=True, nopass=True, commands=["+@all"], channels=["open"], keys=["*"]
        )
    url = f"redis://deaf:any@127.0.0.1:{redis_process.port}/0"
    with listening(kind, url, channels=["closed"]) as subscriber:
        assert not subscriber.wait(20)
        with pytest.raises(redis.exceptions.NoPermissionError):
            subscriber.get(20)
    with redis_process.client() as client:
        client.acl_deluser("deaf")


@each_kind
def test_redis_that_is_away_at_the_start_is_waited_for_without_a_gap(
    redis_process: RedisProcess, kind: str
) -> None:
    with Proxy(redis_process.port) as proxy, redis_process.client() as client:
        proxy.mode("down")
        with listening(kind, proxy.url, channels=["news"]) as subscriber:
            until(lambda: bool(subscriber.trouble), "it says so", 20)
            proxy.heal()
            assert subscriber.wait(20)
            client.publish("news", "1")

            assert isinstance(subscriber.get(20), Message)


@each_kind
def test_a_cluster_is_heard_and_looked_at_as_a_whole(cluster: Cluster, kind: str) -> None:
    client = connect(cluster.url)
    options = {"channels": ["a", "b"], "patterns": ["p*"], "sharded": ["s1", "s2", "{s1}x"]}
    with listening(kind, cluster.url, **options) as subscriber:
        assert subscriber.wait(20)
        publisher = Publisher(client)
        publisher.publish_many([("a", "1"), ("b", "1"), ("pp", "1")])
        publisher.publish_many([("s1", "1"), ("s2", "1"), ("{s1}x", "1")], sharded=True)

        heard = {subscriber.get(20).channel for _ in range(6)}
        assert heard == {b"a", b"b", b"pp", b"s1", b"s2", b"{s1}x"}
        assert channels(client).names == [b"a", b"b"]
        assert subscribers(client, ["a", "c"]) == {b"a": 1, b"c": 0}
        counts = Channels(client).subscribers(["s1", "s2"], sharded=True)
        assert counts == {b"s1": 1, b"s2": 1}
        seen = Channels(client).overview()
        assert (seen.subscribers, seen.patterns) == ({b"a": 1, b"b": 1}, 1)
        assert seen.sharded == {b"s1": 1, b"s2": 1, b"{s1}x": 1}
    client.close()


def test_what_is_subscribed_to_is_seen_in_three_round_trips(redis_process: RedisProcess) -> None:
    options = {"channels": ["news"], "patterns": ["n*"], "sharded": ["shard"]}
    with (
        Proxy(redis_process.port) as proxy,
        connect(proxy.url) as client,
        listening("blocking", redis_process.url, **options) as subscriber,
    ):
        assert subscriber.wait(20)
        Channels(client).overview()
        before = proxy.round_trips

        seen = Channels(client).overview()

        assert (seen.subscribers, seen.sharded) == ({b"news": 1}, {b"shard": 1})
        assert proxy.round_trips - before == 3


async def test_a_flood_in_the_buffer_leaves_the_loop_to_others(redis_process: RedisProcess) -> None:
    client, heard, turns = connect_async(redis_process.url), Counter[int](), 0

    async def others() -> None:
        nonlocal turns
        while heard.total() < 5000:
            turns += 1
            await asyncio.sleep(0)

    ear = AsyncEar(client.blocking(), (("SUBSCRIBE", (b"news",)),), lambda _: heard.update([turns]))
    listening = asyncio.create_task(ear.listen())
    async with asyncio.timeout(20):
        while not ear.is_listening:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        publishing = AsyncPublisher(client).publish_many([("news", b"x")] * 5000)
        await asyncio.gather(others(), publishing)
        ear.ended = True
        await listening

    assert max(heard.values()) <= BREATH
    assert ear.alive_at is not None
    await ear.client.aclose()
    await client.aclose()


async def test_the_awaiting_ones_ask_alike(redis_process: RedisProcess) -> None:
    client = connect_async(redis_process.url)
    async with AsyncSubscriber(client, channels=["news"]) as subscriber:
        assert await subscriber.wait(20)
        assert await AsyncPublisher(client).publish("news", "1") == 1
        async for one in subscriber:
            assert isinstance(one, Message)
            break
        assert (await channels(client, "news")).names == [b"news"]
        assert await AsyncChannels(client).subscribers(["news"]) == {b"news": 1}
    await client.aclose()


@pytest.mark.parametrize(
    "options", [{}, {"channels": "news"}, {"channels": ["a"], "most": 0}, {"channels": ["a"] * 0}]
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        Subscriber(None, **options)


@each_kind
def test_a_moments_sample_counts_what_nobody_subscribes_to_and_is_bounded(
    redis_process: RedisProcess, kind: str
) -> None:
    redis_process.reset()
    over = threading.Event()

    def publish() -> None:
        with redis_process.client() as client:
            while not over.is_set():
                client.publish(b"quiet:" + HOSTILE, b"x" * 1000)

    def take(**options: Any) -> Any:
        if kind == "blocking":
            with connect(redis_process.url) as client:
                return Sampler(client, "quiet:*").take(**options)

        async def taken() -> Any:
            async with connect_async(redis_process.url) as client:
                return await AsyncSampler(client, "quiet:*").take(**options)

        return asyncio.run(taken())

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        whole = take(seconds=0.3)
        few = take(seconds=10.0, most=20)
        light = take(seconds=10.0, most_bytes=5_000)
    finally:
        over.set()
        thread.join()

    assert whole.seconds >= 0.3 and not whole.is_cut and whole.messages > 0
    assert set(whole.counts) == {b"quiet:" + HOSTILE}
    assert (few.messages, few.is_cut) == (20, True)
    assert (light.messages, light.is_cut) == (5, True)
    with redis_process.client() as client:
        until(lambda: client.pubsub_numpat() == 0, "it still listens", 20)
