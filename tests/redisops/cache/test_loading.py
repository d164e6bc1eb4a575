"""Values loaded: by one for all, in one go, and not after an end; blocking and awaiting."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from redisops.cache import (
    Cache,
)  # fmt: skip
from redisops.errors import InvalidArgument
from tests.clients import Connecting
from tests.redisops.cache.rigs import Rig, Source
from tests.redisops.counting import counted_trips
from tests.servers import RedisProcess, until


def test_xfetch_refreshes_before_the_end(rig):
    cache, source = rig.cache(ttl=10.0, stale=60.0, early=100.0, follow=False), Source()

    def slow() -> Any:
        time.sleep(0.05)
        return source()

    load = rig.source(slow)
    cache.get_or_load("k", load)
    rig.until(lambda: cache.get_or_load("k", load)["n"] > 1)

    assert cache.counts.early


def test_a_load_that_began_before_an_end_is_not_stored(rig):
    one, other = rig.cache(follow=False), rig.cache(follow=False)
    ends = [
        lambda cache: cache.invalidate_tag("t"), lambda cache: cache.delete("k"),
        lambda cache: cache.invalidate_prefix("k:"), lambda cache: cache.invalidate_namespace(),
    ]  # fmt: skip
    for end in ends:
        for ending in (one, other):

            def racing(end=end, ending=ending) -> str:
                running(rig, lambda: end(ending))
                return "old"

            key = "k" if end is ends[1] else "k:1"
            assert one.get_or_load(key, rig.source(racing), tags=["t"]) == "old"
            assert other.get(key) is None
            assert other.get_or_load(key, rig.source(lambda: "new"), tags=["t"]) == "new"
            assert one.get(key) == "new"
            one.delete(key)

    def put() -> str:
        running(rig, lambda: other.put("k", "put"))
        return "old"

    assert one.get_or_load("k", rig.source(put)) == "old"
    assert one.get("k") == "put"


def running(rig: Rig, act: Callable[[], Any]) -> None:
    """Do it in the middle of a load, which for asyncio means from a thread with its own loop."""
    if not rig.connecting.awaiting:
        act()
        return
    aside = Rig(Connecting(awaiting=False), rig.server)
    doing = {id(one): aside.cache(follow=False) for one in rig.made}
    act_on = inspect.getclosurevars(act).nonlocals
    cache = next(iter(doing.values()))
    if "end" in act_on:
        act_on["end"](cache)
    else:
        cache.put("k", "put")
    aside.connecting.close()


def test_many_are_read_and_loaded_in_one_go(rig):
    cache, asked = rig.cache(negative_ttl=60.0, follow=False), []

    def load(keys: list[Any]) -> dict[Any, Any]:
        asked.append(sorted(keys))
        return {key: key.upper() for key in keys if key != "none"}

    assert cache.get_many_or_load(["a", "b", "none"], rig.source(load)) == {
        "a": "A", "b": "B", "none": None,
    }  # fmt: skip
    assert cache.get_many_or_load(["c", "a", "none"], rig.source(load))["c"] == "C"
    assert asked == [["a", "b", "none"], ["c"]]
    assert cache.get_many(["a", "c", "d"]) == {"a": "A", "c": "C"}
    assert cache.get_many([]) == {}
    with pytest.raises(InvalidArgument, match="1,000"):
        cache.get_many(map(str, range(1001)))
    assert cache.delete("a", "b", "zz") == 2

    def fails(keys: list[Any]) -> dict[Any, Any]:
        raise ValueError("source")

    with pytest.raises(ValueError, match="source"):
        cache.get_many_or_load(["x"], rig.source(fails))
    assert cache.get_or_load("x", rig.source(lambda: 1)) == 1


def test_a_batch_of_cold_keys_is_one_load_in_two_round_trips(rig, client, monkeypatch):
    cache, keys = rig.cache(follow=False), [f"k{n}" for n in range(60)]
    asked: list[Any] = []

    def load(some: list[Any]) -> dict[Any, Any]:
        asked.append(some)
        return dict.fromkeys(some, "v")

    whole = dict.fromkeys(keys, "v")
    cache.get_many_or_load(["warm"], rig.source(load))
    trips = counted_trips(monkeypatch)
    assert cache.get_many_or_load(keys, rig.source(load)) == whole
    assert (len(trips), asked[1:]) == (2, [keys])
    trips.clear()
    assert cache.get_many_or_load(keys, rig.source(load)) == whole
    assert (len(trips), len(asked)) == (1, 2)

    # The same batch, which another process is loading: it is waited for once, not key by key.
    cache.delete(*keys)
    elsewhere = Rig(Connecting(awaiting=False), rig.server)
    begun = threading.Event()

    def slow(some: list[Any]) -> dict[Any, Any]:
        begun.set()
        lease = f"redisops:cache:{{shop}}:lease:{keys[-1]}"
        until(lambda: client.hget(lease, "waiters"), "nobody waits")
        return dict.fromkeys(some, "theirs")

    other = elsewhere.cache(follow=False)
    thread = threading.Thread(target=other.get_many_or_load, args=(keys, slow))
    thread.start()
    assert begun.wait(20)
    trips.clear()
    found = cache.get_many_or_load(keys, rig.source(load))
    own = [*trips]  # with those of the thread's, of who waits for it, and of connecting
    thread.join(20)
    elsewhere.close()
    elsewhere.connecting.close()
    assert set(found.values()) == {"theirs"}
    assert len(asked) == 2
    assert len(own) < len(keys) / 2


def test_threads_of_one_process_load_a_batch_once(server, client):
    asked: list[Any] = []
    begun = threading.Event()

    def scripts() -> int:
        return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])

    def slow(some: list[Any]) -> dict[Any, Any]:
        asked.append(some)
        before = scripts()
        begun.set()  # the other thread asks for the three, and for the first once more
        until(lambda: scripts() >= before + 3 + 1, "nobody else asks")
        return dict.fromkeys(some, "v")

    with Connected(server, 1) as [cache]:
        cache.get("warm")
        got: list[Any] = []
        read = lambda: got.append(cache.get_many_or_load(["a", "b", "c"], slow))  # noqa: E731
        threads = [threading.Thread(target=read) for _ in range(2)]
        threads[0].start()
        assert begun.wait(20)
        threads[1].start()
        for thread in threads:
            thread.join(20)

    assert got == [dict.fromkeys("abc", "v")] * 2
    assert len(asked) == 1


def test_a_failing_source_raises_or_falls_back_and_frees_its_lease(rig, client):
    cache, source = rig.cache(follow=False), Source()
    source.error = ValueError("down")
    load = rig.source(source)

    with pytest.raises(ValueError, match="down"):
        cache.get_or_load("k", load)
    assert not client.exists("redisops:cache:{shop}:lease:k")
    assert cache.get_or_load("k", load, fallback=7) == 7
    assert cache.get_or_load("k", load, fallback=lambda error: str(error)) == "down"
    with pytest.raises(InvalidArgument):
        cache.get_or_load("k", rig.source(lambda: object()))
    assert not client.exists("redisops:cache:{shop}:lease:k")
    source.error = None
    assert cache.get_or_load("k", load)["n"] == 4


def test_the_lease_of_the_dead_ends_and_its_late_value_is_not_stored(rig, client):
    cache = rig.cache(follow=False)
    client.hset("redisops:cache:{shop}:lease:k", "token", "of the dead")
    client.pexpire("redisops:cache:{shop}:lease:k", 200)
    assert cache.get_or_load("k", rig.source(lambda: "mine")) == "mine"

    def overdue() -> str:
        client.unlink("redisops:cache:{shop}:lease:slow")
        client.hset("redisops:cache:{shop}:lease:slow", "token", "of another")
        return "late"

    assert cache.get_or_load("slow", rig.source(overdue)) == "late"
    assert cache.get("slow") is None
    assert cache.counts.unstored == 1

    waits = rig.cache("waits", wait=0.05, follow=False)
    client.hset("redisops:cache:{waits}:lease:k", "token", "of another")
    client.pexpire("redisops:cache:{waits}:lease:k", 60_000)
    assert waits.get_or_load("k", rig.source(lambda: "own")) == "own"


def test_many_readers_of_one_key_ask_the_source_once(server, client):
    """Threads over several caches (as in several processes); each command is counted."""
    asked, got = [], []
    go = threading.Barrier(12)

    def slow() -> str:
        asked.append(1)
        time.sleep(0.1)
        return "v"

    with Connected(server, 3) as caches:
        for cache in caches:
            cache.get("other")  # connected
        before = client.info("commandstats")

        def read(cache: Cache) -> None:
            go.wait()
            got.append(cache.get_or_load("k", slow))

        threads = [threading.Thread(target=read, args=(caches[n % 3],)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        after = client.info("commandstats")
    sent = sum(
        row["calls"] - before.get(name, {"calls": 0})["calls"]
        for name, row in after.items()
        if name in ("cmdstat_eval", "cmdstat_evalsha", "cmdstat_blpop")
    )

    assert got == ["v"] * 12
    assert len(asked) == 1
    assert sent <= 12 * 3 + 1
    assert client.exists("redisops:cache:{shop}:lease:k") == 0


class Connected:
    """Caches with a client each, blocking."""

    def __init__(self, server: RedisProcess, count: int) -> None:
        self.rigs = [Rig(Connecting(awaiting=False), server) for _ in range(count)]

    def __enter__(self) -> list[Any]:
        return [rig.cache(follow=False) for rig in self.rigs]

    def __exit__(self, *raised: object) -> None:
        for rig in self.rigs:
            rig.close()
            rig.connecting.close()


def test_tasks_of_one_loop_ask_once_and_a_cancelled_loader_leaves_the_others(server):
    rig = Rig(Connecting(awaiting=True), server)
    cache = rig.cache(follow=False)._target
    asked: list[int] = []

    async def slow() -> int:
        asked.append(1)
        await asyncio.sleep(0.05)
        return len(asked)

    async def all_at_once() -> None:
        tasks = [asyncio.create_task(cache.get_or_load("k", slow)) for _ in range(20)]
        while not asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        tasks[0].cancel()
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(got[0], asyncio.CancelledError)
        assert set(got[1:]) == {2}
        assert len(asked) == 2

    rig.connecting.loop.run_until_complete(all_at_once())
    rig.close()
    rig.connecting.close()
