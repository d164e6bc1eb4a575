"""Filters of keys: one definition, whose ranges are half-open and whose refusals hide nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from redisops.errors import InvalidArgument
from redisops.filters import Filter, span
from redisops.keyspace import AsyncKeyspace, Keyspace


@pytest.mark.parametrize("text", ["60", "9-9", "10-9", "<", ">5", "-1-5", "<1e3", "a-b", "none"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        span(text)
    with pytest.raises(InvalidArgument):
        Filter(size=text)


@pytest.mark.parametrize(
    ("filters", "facts", "passes"),
    [
        (Filter(ttl="60-3600"), (60_000, None, None), True),
        (Filter(ttl="60-3600"), (3_600_000, None, None), False),
        (Filter(ttl="60-3600"), (-1, None, None), False),
        (Filter(ttl=">=60"), (59_999, None, None), False),
        (Filter(ttl="none"), (-1, None, None), True),
        (Filter(ttl="any"), (None, None, None), False),
        (Filter(size="<65"), (-1, 64, None), True),
        (Filter(size="<65"), (-1, 65, None), False),
        (Filter(size="<65"), (-1, None, None), False),
        (Filter(idle=">=10", ttl="none"), (-1, None, 10), True),
        (Filter(idle=">=10", ttl="none"), (5, None, 10), False),
    ],
)
def test_a_range_holds_its_start_and_not_its_end(
    filters: Filter, facts: tuple[int | None, ...], passes: bool
) -> None:
    assert filters.passes(*facts) is passes


def test_a_page_is_narrowed_by_expiry_size_and_rest_at_once(
    build: Callable[..., Any], client: redis.Redis
) -> None:
    client.set("small", "x")
    client.set("large", "x" * 5000)
    client.set("large:soon", "x" * 5000, ex=50)
    client.set("large:later", "x" * 5000, ex=500)
    keyspace = build(Keyspace, AsyncKeyspace)

    def names(**filters: str) -> set[bytes]:
        return {row.key for row in keyspace.page(**filters).rows}

    assert names(size=">=4097") == {b"large", b"large:soon", b"large:later"}
    assert names(size=">=4097", ttl="60-3600") == {b"large:later"}
    assert names(size="<4097", idle="<60") == {b"small"}
    assert names(idle=">=60") == set()
    assert names(match="large", size="<4097") == set()


def test_rest_is_refused_with_the_reason_where_uses_are_counted(
    build: Callable[..., Any], client: redis.Redis
) -> None:
    client.set("a", 1)
    client.config_set("maxmemory-policy", "allkeys-lfu")
    try:
        with pytest.raises(InvalidArgument, match="counts uses instead"):
            build(Keyspace, AsyncKeyspace).page(idle=">=60")
    finally:
        client.config_set("maxmemory-policy", "noeviction")
