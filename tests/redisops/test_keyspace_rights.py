"""Keys for a user with few rights, or on an old server: no row is lost, what lacks is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from redisops.connection import connect
from redisops.keyspace import Keyspace
from tests.redisops.counting import counted, scripted
from tests.redisops.test_keyspace import populate
from tests.servers import RedisProcess, running


@pytest.fixture(params=["plain", "shipped"])
def as_user(
    request: pytest.FixtureRequest, server: RedisProcess, client: redis.Redis
) -> Iterator[Callable[..., redis.Redis]]:
    opened: list[redis.Redis] = []

    def user(*rules: str) -> redis.Redis:
        client.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">p", *rules)
        who = {"username": "narrow", "password": "p"}
        url = f"redis://127.0.0.1:{server.port}/0"
        shipped = request.param == "shipped"
        opened.append(connect(url, **who) if shipped else server.client(**who))
        return opened[-1]

    yield user
    for one in opened:
        one.close()
    client.execute_command("ACL", "DELUSER", "narrow")


def test_without_scripts_plain_commands_fetch_the_same(
    as_user: Callable[..., redis.Redis], client: redis.Redis
) -> None:
    client.mset({"a": 1, "b": "xx"})
    client.rpush("l", 1, 2, 3)
    client.expire("b", 50)
    full = {row.key: row for row in Keyspace(client).page().rows}
    narrow = as_user("~*", "+@read", "-@dangerous", "+ping")

    with counted(client) as spent:
        page = Keyspace(narrow).page()

    rows = {row.key: row for row in page.rows}
    assert {k: (r.type, r.length, r.memory, r.encoding) for k, r in rows.items()} == {
        k: (r.type, r.length, r.memory, r.encoding) for k, r in full.items()
    }
    assert rows[b"b"].ttl is not None
    assert all(row.missing == {"evalsha_ro"} for row in rows.values())
    assert spent.calls["type"] == 3
    # The refusal is remembered: the next page asks no script.
    with counted(client) as spent:
        Keyspace(narrow).page()
    assert scripted(spent) == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_a_refused_right_is_named_and_no_row_is_lost(
    as_user: Callable[..., redis.Redis], client: redis.Redis, scripts: bool
) -> None:
    client.set("a", "xyz")
    client.hset("h", "f", 1)
    rules = ["~*", "+@all", "-memory", "-hlen", "-object|idletime"]
    narrow = as_user(*rules, *([] if scripts else ["-@scripting"]))

    rows = {row.key: row for row in Keyspace(narrow).page().rows}

    assert (rows[b"a"].type, rows[b"a"].length, rows[b"a"].memory) == ("string", 3, None)
    assert rows[b"h"].length is None
    also = set() if scripts else {"evalsha_ro"}
    assert rows[b"a"].missing == {"memory|usage", "object|idletime"} | also
    assert rows[b"h"].missing == {"memory|usage", "object|idletime", "hlen"} | also


@pytest.mark.parametrize("scripts", [True, False])
def test_keys_out_of_reach_are_listed_as_such(
    as_user: Callable[..., redis.Redis], client: redis.Redis, scripts: bool
) -> None:
    client.mset({"mine:1": 1, "theirs:1": 1})
    narrow = as_user("~mine:*", "+@all", *([] if scripts else ["-@scripting"]))

    rows = {row.key: row for row in Keyspace(narrow).page().rows}

    assert rows[b"mine:1"].type == "string"
    assert rows[b"theirs:1"].type == "unknown"
    assert "~" in rows[b"theirs:1"].missing


def test_a_server_without_the_read_only_call_uses_the_other() -> None:
    with running("--rename-command", "EVALSHA_RO", "", "--rename-command", "EVAL_RO", "") as old:
        with old.client() as client:
            populate(client, 200)
            keyspace = Keyspace(client)

            first = keyspace.page()
            with counted(client) as spent:
                second = keyspace.page(cursor=first.cursor)

        assert first.rows and second.rows
        assert spent.calls["evalsha"] == len(second.rows)


def test_without_dbsize_the_total_is_what_was_looked_at(
    as_user: Callable[..., redis.Redis], client: redis.Redis
) -> None:
    populate(client, 500)

    page = Keyspace(as_user("~*", "+@all", "-dbsize")).page()

    assert page.rows
    assert page.total == page.scanned >= 100


def test_an_error_of_the_server_is_not_hidden(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "blind", "on", ">p", "~*", "+@all", "-scan")
    with (
        redis.Redis(
            port=client.connection_pool.connection_kwargs["port"], username="blind", password="p"
        ) as blind,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        Keyspace(blind).page()
