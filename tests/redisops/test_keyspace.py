"""Pages of keys: bounded, resumable, two round trips, and nothing lost under a narrow ACL."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from redisops.connection import connect, connect_async, measure
from redisops.errors import InvalidArgument
from redisops.keyspace import AsyncKeyspace, KeyPage, Keyspace
from tests.conftest import Settled
from tests.hostile import NAMES
from tests.redisops.counting import counted, scripted
from tests.servers import RedisProcess, until


@pytest.fixture
def keyspace(build_each: Callable[..., Any]) -> Any:
    return build_each(Keyspace, AsyncKeyspace)


def populate(client: redis.Redis, keys: int, prefix: str = "key") -> None:
    client.execute_command("DEBUG", "POPULATE", keys, prefix, 10)


def walk(keyspace: Any, **options: Any) -> list[KeyPage]:
    """All pages of a walk, at most 500."""
    pages = [keyspace.page(**options)]
    while pages[-1].cursor and len(pages) < 500:
        pages.append(keyspace.page(cursor=pages[-1].cursor, **options))
    return pages


def names(pages: list[KeyPage]) -> list[bytes]:
    return [row.key for page in pages for row in page.rows]


# The page


def test_a_page_has_each_fact_of_each_type(keyspace: Any, client: redis.Redis) -> None:
    client.set("s", "hello", px=90_000)
    client.rpush("l", *range(3))
    client.hset("h", mapping={"a": 1, "b": 2})
    client.sadd("e", *"abcd")
    client.zadd("z", {"a": 1})
    client.xadd("x", {"a": 1})

    page = keyspace.page()

    rows = {row.key: row for row in page.rows}
    assert {key: (row.type, row.length) for key, row in rows.items()} == {
        b"s": ("string", 5), b"l": ("list", 3), b"h": ("hash", 2),
        b"e": ("set", 4), b"z": ("zset", 1), b"x": ("stream", 1),
    }  # fmt: skip
    assert 80 < rows[b"s"].ttl <= 90
    assert rows[b"l"].ttl is None
    assert rows[b"s"].encoding == "embstr"
    for key, row in rows.items():
        assert row.memory == client.memory_usage(key, samples=5)
        assert row.idle is not None
        assert row.missing == frozenset()
    assert (page.cursor, page.scanned, page.total, page.scans) == (None, 6, 6, 1)


@pytest.mark.parametrize("count", [10, 20, 50, 100])
def test_scanned_is_never_less_than_the_keys_returned(
    keyspace: Any, client: redis.Redis, count: int
) -> None:
    populate(client, 2_435)  # buckets hold several keys, so that SCAN returns more than COUNT

    pages = walk(keyspace, count=count)

    assert any(len(page.rows) > count for page in pages)
    so_far = 0
    for page in pages:
        so_far += len(page.rows)
        assert so_far <= page.scanned <= page.total
    assert pages[-1].scanned == 2_435


def test_scanned_counts_the_keys_that_a_filter_left_out(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 2_435)

    page = keyspace.page(match=b"nothing*", max_scans=1)

    assert (page.rows, page.scanned, page.total) == ([], 100, 2_435)


def test_an_empty_server_gives_an_empty_page(keyspace: Any) -> None:
    assert keyspace.page() == KeyPage([], None, 0, 0, 1)


def test_a_walk_finds_every_key_and_counts_to_the_total(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 2_000)

    pages = walk(keyspace, count=250)

    assert set(names(pages)) == {b"key:%d" % n for n in range(2_000)}
    assert all(page.total == 2_000 for page in pages)
    assert [page.scanned for page in pages] == sorted(page.scanned for page in pages)
    assert pages[-1].scanned == 2_000
    assert all(250 <= len(page.rows) <= 300 for page in pages[:-1])


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_a_page_of_100_costs_two_round_trips(server: RedisProcess, kind: str) -> None:
    with server.client() as client:
        populate(client, 5_000)
        with opened(server.url, kind) as keyspace:
            for expected in ({"eval_ro": 1, "evalsha_ro": None}, {"evalsha_ro": None}):
                with counted(client) as spent, measure() as cost:
                    page = keyspace.page()

                rows = len(page.rows)
                assert rows >= 100
                assert cost.round_trips == 2
                assert cost.commands == rows + 2
                assert spent.calls["scan"] == spent.calls["dbsize"] == 1
                assert scripted(spent) == rows  # the first page of a client carries the script
                assert spent.calls["eval_ro"] == expected.get("eval_ro", 0)


class opened:
    """A keyspace on our own client, whichever way it runs, closed at the end."""

    def __init__(self, url: str, kind: str, **options: Any) -> None:
        self.url, self.kind, self.options = url, kind, options

    def __enter__(self) -> Any:
        if self.kind == "blocking":
            self.client: Any = connect(self.url, **self.options)
            return Keyspace(self.client)
        import asyncio

        self.loop = asyncio.new_event_loop()
        self.client = connect_async(self.url, **self.options)
        return Settled(AsyncKeyspace(self.client), self.loop)

    def __exit__(self, *details: object) -> None:
        if self.kind == "blocking":
            self.client.close()
        else:
            self.loop.run_until_complete(self.client.aclose())
            self.loop.close()


def test_a_page_does_not_touch_idle_times(server: RedisProcess) -> None:
    with server.client() as client, connect(server.url, touch=False) as own:
        client.rpush("old", 1)
        wait_for_idle(client, "old")

        first, second = Keyspace(own).page().rows[0], Keyspace(own).page().rows[0]

        assert first.idle
        # Before 7.2 there is no CLIENT NO-TOUCH, and asking for a length is a use of the key.
        assert second.idle or not has_no_touch(client)


def has_no_touch(client: redis.Redis) -> bool:
    try:
        return bool(client.execute_command("CLIENT", "NO-TOUCH", "OFF"))
    except redis.ResponseError:
        return False


def wait_for_idle(client: redis.Redis, key: str) -> None:
    """Until the server's clock of seconds has moved on."""
    until(lambda: bool(client.object("idletime", key)), "no second has passed")


def test_an_lfu_server_has_no_idle_time(keyspace: Any, client: redis.Redis) -> None:
    client.set("a", 1)
    client.config_set("maxmemory-policy", "allkeys-lfu")
    try:
        [row] = keyspace.page().rows
    finally:
        client.config_set("maxmemory-policy", "noeviction")

    assert row.idle is None
    assert row.missing == frozenset()


# Filters


def test_a_pattern_finds_its_keys(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 3_000)
    client.mset({f"session:{n}": "" for n in range(20)})

    pages = walk(keyspace, match="session:*")

    assert set(names(pages)) == {b"session:%d" % n for n in range(20)}


def test_a_rare_key_is_looked_for_with_twenty_scans_at_most(
    keyspace: Any, client: redis.Redis
) -> None:
    populate(client, 30_000)
    client.set("needle", 1)
    with counted(client) as spent:
        first = keyspace.page(match="need*")

    assert spent.calls["scan"] == first.scans == 20
    assert first.cursor is not None
    assert 0 < first.scanned < first.total == 30_001
    assert names(walk(keyspace, match="need*")) == [b"needle"]


def test_max_scans_is_a_promise(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 5_000)

    page = keyspace.page(match="none*", max_scans=3)

    assert page.scans == 3
    assert page.rows == []


def test_a_name_without_glob_characters_is_looked_up_without_a_scan(
    keyspace: Any, client: redis.Redis
) -> None:
    populate(client, 1_000)
    client.set("a*b", "exact")
    client.set("axb", "other")
    with counted(client) as spent:
        page = keyspace.page(match=rb"a\*b")

    assert names([page]) == [b"a*b"]
    assert page.cursor is None
    assert page.scans == spent.calls["scan"] == 0
    assert page.total == 1_002


def test_an_exact_name_still_passes_the_other_filters(keyspace: Any, client: redis.Redis) -> None:
    client.set("a", 1, ex=30)

    assert names([keyspace.page(match="a", type="string", ttl="<60")]) == [b"a"]
    assert names([keyspace.page(match="a", type="list")]) == []
    assert names([keyspace.page(match="a", ttl="none")]) == []
    assert names([keyspace.page(match="absent")]) == []


def test_a_type_is_filtered_by_the_server(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 500)
    client.sadd("members", 1)

    pages = walk(keyspace, type="set")

    assert names(pages) == [b"members"]


def test_a_type_that_the_server_does_not_know_has_no_keys(
    keyspace: Any, client: redis.Redis
) -> None:
    client.set("a", 1)

    page = keyspace.page(type="ReJSON-RL")

    assert (page.rows, page.cursor, page.scanned) == ([], None, 1)


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        ("none", {b"ever"}),
        ("any", {b"short", b"long"}),
        ("<60", {b"short"}),
        ("<9999", {b"short", b"long"}),
    ],
)
def test_a_time_to_live_is_filtered(
    keyspace: Any, client: redis.Redis, ttl: str, expected: set[bytes]
) -> None:
    client.set("ever", 1)
    client.set("short", 1, ex=30)
    client.set("long", 1, ex=3000)

    assert set(names(walk(keyspace, ttl=ttl))) == expected


def test_a_rare_time_to_live_is_bounded_too(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 5_000)
    with counted(client) as spent:
        page = keyspace.page(ttl="any", max_scans=4)

    assert page.scans == spent.calls["scan"] == 4
    assert page.cursor is not None


@pytest.mark.parametrize(
    "options",
    [
        {"match": "*a" * 9}, {"match": b"[" * 1025}, {"type": "str ing"}, {"type": "x" * 65},
        {"ttl": "soon"}, {"ttl": "<-1"}, {"count": 0}, {"count": 1001}, {"max_scans": 0},
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused_before_anything_is_sent(
    keyspace: Any, client: redis.Redis, options: dict[str, Any]
) -> None:
    with counted(client) as spent, pytest.raises(InvalidArgument):
        keyspace.page(**options)

    assert not spent.commands


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "WzFd", "W10", "bnVsbA", "WzEsMCx7IiI6LTF9XQ", "WzEsMCx7IiI6MS41fV0",
     "WzIsMCx7fV0", "WzEsMCx7IiI6dHJ1ZX1d", "A" * 70_000, "W1tbW1tbW1tbW1tb"],
)  # fmt: skip
def test_a_cursor_that_no_page_gave_is_refused(keyspace: Any, cursor: str) -> None:
    with pytest.raises(InvalidArgument):
        keyspace.page(cursor=cursor)


# Under way


def test_keys_that_vanish_between_the_trips_are_dropped(client: redis.Redis) -> None:
    client.mset({"stays": 1, "goes": 2})

    class Deleting(redis.Redis):
        """Deletes a key after the first pipeline, as another client might."""

        def pipeline(self, *args: Any, **options: Any) -> Any:
            pipe = super().pipeline(*args, **options)
            execute = pipe.execute

            def first(*a: Any, **k: Any) -> Any:
                replies = execute(*a, **k)
                client.delete("goes")
                return replies

            pipe.execute = first  # type: ignore[method-assign]
            return pipe

    with Deleting(connection_pool=client.connection_pool) as deleting:
        page = Keyspace(deleting).page()

    assert names([page]) == [b"stays"]


def test_a_restarted_server_gets_the_script_again(keyspace: Any, client: redis.Redis) -> None:
    client.set("a", 1)
    keyspace.page()
    client.script_flush()

    assert names([keyspace.page()]) == [b"a"]


def test_every_hostile_name_is_listed_and_looked_up(client: redis.Redis) -> None:
    keyspace = Keyspace(client)
    client.set(b"other", "value")
    for key in NAMES:
        client.set(key, "value")

        row = keyspace.lookup(key)

        assert row is not None, key
        assert (row.key, row.length) == (key, 5)
        assert set(names([keyspace.page()])) == {key, b"other"}
        client.delete(key)


def test_describe_keeps_the_order_and_shows_what_is_gone(
    keyspace: Any, client: redis.Redis
) -> None:
    client.mset({"a": 1, "b": 22})

    rows = keyspace.describe([b"b", b"gone", b"a"])

    assert [row and row.length for row in rows] == [2, None, 1]
    assert keyspace.describe([]) == []
    assert keyspace.lookup(b"gone") is None


# Time


def test_a_slow_server_is_asked_for_less_and_for_a_second_only(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(client, 30_000)
    counts = []
    now = [1000.0]
    monkeypatch.setattr("redisops.walks.time", SimpleNamespace(monotonic=lambda: now[0]))

    class Slow(redis.Redis):
        """Each trip after the first takes 60 ms longer."""

        def pipeline(self, *args: Any, **options: Any) -> Any:
            pipe = super().pipeline(*args, **options)
            execute = pipe.execute

            def slowly(*a: Any, **k: Any) -> Any:
                counts.extend(c[0][5] for c in pipe.command_stack if c[0][0] == "SCAN")
                now[0] += 0.06 if len(counts) > 1 else 0.001
                return execute(*a, **k)

            pipe.execute = slowly  # type: ignore[method-assign]
            return pipe

    with Slow(connection_pool=client.connection_pool) as slow:
        page = Keyspace(slow).page(match="none*")

    assert 1.0 <= now[0] - 1000 <= 1.07
    assert page.scans < 20
    assert counts[1] == 1000
    assert counts[-1] == 100
