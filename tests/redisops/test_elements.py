"""One element of a key as it is, whatever the key's size and the bytes."""

import pytest
import redis

from redisops.edits import Seen
from redisops.elements import AsyncElements, Elements
from tests.redisops.counting import counted, scripted
from tests.servers import restricted

BYTES = bytes(range(256))


@pytest.fixture
def elements(build_each):
    return build_each(Elements, AsyncElements)


@pytest.mark.parametrize(
    ("what", "which", "data"),
    [
        ("string", b"", BYTES),
        ("bit", 7, b"1"),
        ("hash", BYTES, BYTES),
        ("list", -1, BYTES),
        ("set", BYTES, b""),
        ("zset", BYTES, b"9007199254740992"),
    ],
)
def test_an_element_comes_back_byte_for_byte(elements, client, what, which, data):
    client.set("string", BYTES)
    client.set("bit", b"\x01")
    client.hset("hash", BYTES, BYTES)
    client.rpush("list", "first", BYTES)
    client.sadd("set", BYTES)
    client.zadd("zset", {BYTES: 9007199254740992})

    found = elements.look(what.encode(), what, which)
    absent = elements.look(b"nothing", what, which)
    other = elements.look(b"set" if what != "set" else b"hash", what, which)

    assert found.data == data
    assert found.seen == Seen.of(data)
    assert (absent.exists, absent.data) == (False, None)
    assert other.exists and other.data is None


def test_a_large_element_shows_its_start_and_guards_by_its_length(elements, client):
    client.hset("hash", "big", b"x" * 3_000)

    found = elements.look(b"hash", "hash", b"big", most=1_000)

    assert found.is_cut and found.length == 3_000 and len(found.data) == 1_000
    assert found.seen == Seen.of(b"x" * 1_000, 3_000)


def test_an_entry_of_a_stream_keeps_its_bytes(elements, client):
    id = client.xadd("stream", {b"name": BYTES, BYTES: b""})

    found = elements.look(b"stream", "stream", id)

    assert found.fields == ((b"name", BYTES), (BYTES, b""))


def test_the_expiry_is_by_the_servers_clock(elements, client):
    client.set("soon", "1", px=90_000)

    found = elements.look(b"soon")

    assert 0 < found.expires_at - found.now <= 90_000
    assert elements.look(b"absent").expires_at is None


def test_a_look_is_one_script_whatever_the_size(elements, client):
    client.zadd("board", {f"player {n}": n for n in range(5_000)})
    elements.look(b"board")

    with counted(client) as spent:
        elements.look(b"board", "zset", b"player 4999")

    assert scripted(spent) == 1
    assert spent.commands <= 6


def test_a_right_that_was_just_given_counts_at_once(server, client):
    with redis.Redis.from_url(restricted(server, "~*", "+@read", "+ping")) as narrow:
        for _ in range(2):
            with pytest.raises(redis.exceptions.NoPermissionError, match="evalsha_ro"):
                Elements(narrow).look(b"a")
        client.execute_command("ACL", "SETUSER", "narrow", "+@all")

        assert not Elements(narrow).look(b"a").exists
