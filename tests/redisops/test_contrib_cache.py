"""The Django cache backend on a real server, and while there is none."""

import os
import pickle
import time
from collections.abc import Iterator

import pytest

from redisops.connection import measure
from redisops.contrib.django import cache as backend
from redisops.contrib.django.cache import RedisCache
from redisops.errors import InvalidArgument
from tests.servers import RedisProcess, until

VALUES = [
    None, True, False, 0, -7, 2**63 - 1, 1.5, "text ü\n", b"\x00\xff", [1, [2]], {"a": {"b": None}},
    "x" * 50_000,
]  # fmt: skip


def make(server: RedisProcess, prefix="app:cache", **options) -> RedisCache:
    return RedisCache(server.url, {"KEY_PREFIX": prefix, "OPTIONS": options})


@pytest.fixture
def cache(server) -> RedisCache:
    return make(server)


@pytest.fixture
def away() -> Iterator[tuple[RedisCache, RedisProcess]]:
    """A cache whose server the test may kill, stop and restart."""
    with RedisProcess() as process:
        cache = make(process)
        yield cache, process
        cache._home().client.close()
        backend._home.cache_clear()


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_as_it_was_stored(cache, value):
    cache.set("key", value)

    found = cache.get("key", "missing")

    assert found == value and type(found) is type(value)


def test_json_is_a_choice_and_reads_what_msgpack_wrote(cache, server):
    cache.set("key", {"n": 2**60})

    assert make(server, CODEC="json").get("key") == {"n": 2**60}
    with pytest.raises(InvalidArgument, match="pickle"):
        make(server, CODEC="pickle")


def test_what_no_codec_holds_is_refused(cache):
    with pytest.raises(InvalidArgument):
        cache.set("key", object())


def test_keys_are_below_the_prefix_and_the_version(cache, client):
    cache.set("key", 1)
    cache.set("key", 2, version=2)

    assert sorted(client.keys("*:key")) == [
        b"app:cache:cache:{django}:1:key", b"app:cache:cache:{django}:2:key",
    ]  # fmt: skip
    assert all(key.startswith(b"app:cache:") for key in client.keys("*"))
    assert (cache.get("key"), cache.get("key", version=2)) == (1, 2)


def test_values_expire(cache, client):
    cache.set("soon", 1, timeout=0.05)
    cache.set("never", 1, timeout=None)
    cache.set("usual", 1)
    cache.set("over", 1, timeout=0)
    time.sleep(0.06)

    assert cache.get_many(["soon", "never", "usual", "over"]) == {"never": 1, "usual": 1}
    assert client.pttl("app:cache:cache:{django}:1:never") == -1
    assert 200_000 < client.pttl("app:cache:cache:{django}:1:usual") <= 300_000


def test_many_are_one_round_trip_each_way(cache):
    cache.get("warm")
    data = {f"k{n}": {"n": n} for n in range(200)}

    with measure() as writing:
        assert cache.set_many(data) == []
    with measure() as reading:
        assert cache.get_many([*data, "missing"]) == data
    with measure() as deleting:
        cache.delete_many(data)

    trips = (writing.round_trips, reading.round_trips, deleting.round_trips)
    assert trips == (1, 1, 1)
    assert cache.get_many(data) == {} and cache.get_many([]) == {} and cache.set_many({}) == []


def test_add_stores_only_what_is_not_there(cache):
    assert cache.add("key", "first") is True
    assert cache.add("key", "second") is False
    assert cache.get("key") == "first"
    assert cache.add("gone", 1, timeout=0) is True
    assert cache.get("gone") is None


def test_counting_is_exact_and_creates_nothing(cache, client):
    cache.set("n", 2**53)
    assert cache.incr("n") == 2**53 + 1
    assert cache.decr("n", 3) == 2**53 - 2
    assert client.pttl("app:cache:cache:{django}:1:n") > 0

    with pytest.raises(ValueError, match="not found"):
        cache.incr("missing")
    cache.set("text", "x")
    with pytest.raises(ValueError, match="cannot be incremented"):
        cache.incr("text")
    assert client.exists("app:cache:cache:{django}:1:missing") == 0


def test_touch_changes_only_the_expiry(cache, client):
    cache.set("key", 1, timeout=10)

    assert (
        cache.touch("key", 100)
        and 90_000 < client.pttl("app:cache:cache:{django}:1:key") <= 100_000
    )
    assert cache.touch("key", None) and client.pttl("app:cache:cache:{django}:1:key") == -1
    assert cache.touch("key", None)
    assert cache.touch("key", 0) and cache.get("key") is None
    assert not cache.touch("key", 10) and not cache.touch("key", None)


def test_delete_and_has_key(cache):
    cache.set("key", None)

    assert cache.has_key("key") and "key" in cache
    assert cache.delete("key") is True
    assert cache.delete("key") is False and "key" not in cache


def test_get_or_set_stores_none_too(cache):
    calls = []

    for _ in range(2):
        assert cache.get_or_set("key", lambda: calls.append(1)) is None
    assert len(calls) == 1


@pytest.mark.parametrize("prefix", ["app:cache", "a*b[c]?", ""])
def test_clear_removes_what_is_below_its_prefix_and_nothing_else(server, client, prefix):
    cache = make(server, prefix)
    client.mset({"app:cached:1:x": 1, "other": 1, "aXb[c]?:1:x": 1, "a*b[c]?x:1": 1})
    cache.set_many({f"k{n}": n for n in range(1500)})
    cache.set("v", 1, version=2)

    cache.clear()

    kept = {b"app:cached:1:x", b"other", b"aXb[c]?:1:x", b"a*b[c]?x:1"}
    left = set(client.keys("*"))
    assert kept <= left and all(key[-8:] in (b"versions", b"ngo}:seq") for key in left - kept)


def test_what_somebody_else_put_there_is_a_miss_and_never_run(cache, client, tmp_path, caplog):
    canary = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(canary),))

    planted = {"a": pickle.dumps(Payload()), "b": b"", "c": b"\x11\xc1", "d": b"12x", "e": b"\xff"}
    for key, data in planted.items():
        client.set(f"app:cache:cache:{{django}}:1:{key}", data)
    client.rpush("app:cache:cache:{django}:1:list", pickle.dumps(Payload()))

    assert cache.get_many(planted) == {}
    assert [cache.get(key, "miss") for key in (*planted, "list")] == ["miss"] * 6

    assert not canary.exists()
    assert "is not ours" in caplog.text


@pytest.mark.parametrize("fault", ["killed", "stopped", "wrong password"])
def test_while_redis_is_away_reads_miss_and_writes_say_so_once(away, fault, caplog):
    cache, process = away
    cache.set("key", 1)
    if fault == "killed":
        process.kill()
    elif fault == "stopped":
        process.pause()
    else:
        process.client().config_set("requirepass", "changed")
        cache._home().client.connection_pool.disconnect()

    assert cache.get("key", "miss") == "miss"
    assert cache.get_many(["key"]) == {} and not cache.has_key("key")
    cache.set("key", 2)
    assert cache.set_many({"a": 1}) == ["a"]
    assert cache.add("lock", 1) is False and cache.touch("key") is False
    assert cache.delete("key") is False
    cache.delete_many(["key"])
    cache.clear()
    with pytest.raises(ValueError, match="not found"):
        cache.incr("key")
    assert cache.get_or_set("key", lambda: 5) == 5

    # Twelve calls, of which three wait in vain at most: then the breaker keeps them from waiting.
    assert cache._home().client.breaker.state == ("closed" if fault == "wrong password" else "open")
    assert caplog.text.count("the cache is away") == 1


def test_it_works_again_by_itself(away, caplog):
    cache, process = away
    process.pause()
    for _ in range(3):
        cache.set("key", 1)
    process.resume()

    until(lambda: cache.set_many({"key": 2}) == [], "it does not work again")

    assert cache.get("key") == 2
    assert "the cache is back" in caplog.text
