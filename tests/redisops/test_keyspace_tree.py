"""The tree, one level at a time, from a bounded scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.errors import InvalidArgument
from redisops.keyspace import AsyncKeyspace, Folder, Keyspace, merge
from tests.redisops.test_keyspace import populate


@pytest.fixture
def keyspace(build_each: Callable[..., Any]) -> Any:
    return build_each(Keyspace, AsyncKeyspace)


def test_a_level_has_folders_and_keys(keyspace: Any, client: redis.Redis) -> None:
    client.mset({"a:1": 1, "a:2": 1, "a:b:3": 1, "b:": 1, "c": 1, ":d": 1, "": 1})

    level = keyspace.level()

    assert level.folders == [Folder(b":", 1), Folder(b"a:", 3), Folder(b"b:", 1)]
    assert level.keys == [b"", b"c"]
    assert (level.cursor, level.scanned, level.total) == (None, 7, 7)


def test_a_deeper_level_has_what_is_below_its_prefix(keyspace: Any, client: redis.Redis) -> None:
    client.mset({"a:1": 1, "a:b:3": 1, "a:b:4": 1, "a*:9": 1, "ab": 1})

    assert keyspace.level(b"a:").keys == [b"a:1"]
    assert keyspace.level(b"a:").folders == [Folder(b"a:b:", 2)]
    assert keyspace.level(b"a*:").keys == [b"a*:9"]


def test_a_level_is_narrowed_by_pattern_type_and_delimiter(
    keyspace: Any, client: redis.Redis
) -> None:
    client.mset({"a/x/1": 1, "a/y/1": 1, "b/x/1": 1})
    client.sadd("a/x/2", 1)

    level = keyspace.level(b"a/", b"/", match="*x*", type="string")

    assert level.folders == [Folder(b"a/x/", 1)]


def test_levels_add_up_over_requests(keyspace: Any, client: redis.Redis) -> None:
    populate(client, 10_000, "a")
    populate(client, 10_000, "b")

    level = keyspace.level(max_scans=3)
    assert level.scans == 3
    assert 0 < level.scanned < level.total
    while level.cursor:
        level = merge(level, keyspace.level(cursor=level.cursor, max_scans=3))

    assert [folder.name for folder in level.folders] == [b"a:", b"b:"]
    assert all(10_000 <= folder.keys < 10_100 for folder in level.folders)
    assert level.scanned == level.total == 20_000


def test_a_level_needs_a_delimiter(keyspace: Any) -> None:
    with pytest.raises(InvalidArgument):
        keyspace.level(delimiter=b"")
