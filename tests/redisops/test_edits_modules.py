"""Edits of what only some servers have: expiry per field, JSON documents, vector sets.

Each runs where the server has it. Name one to run it: TEST_VALKEY_SERVER (Valkey 9) or
TEST_REDIS_SERVER (Redis 7.4, with vector sets Redis 8); TEST_REJSON_MODULE is the path of
rejson.so, which Debian's Redis loads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redisops import edits as e
from redisops.connection import connect
from redisops.edits import AsyncEdits, Conflict, Edits, Exists, Missing, Refused, Saved, Seen
from tests.servers import REDIS, RedisProcess, running

REJSON = os.environ.get("TEST_REJSON_MODULE")
LATER = 2_000_000_000_123
OLD = Seen.of(b"old")


def needs(server: RedisProcess, operation: str) -> None:
    with connect(server.url) as client:
        if lacking := Edits.lacks(client.features(), operation):
            pytest.skip(f"this server {lacking}")


@pytest.fixture
def edits(build: Callable[..., Any]) -> Any:
    return build(Edits, AsyncEdits)


def expiry(client: redis.Redis, field: str) -> int:
    [at] = client.execute_command("HPEXPIRETIME", "h", "FIELDS", 1, field)
    return int(at)


def test_a_field_keeps_its_own_expiry_through_every_edit(
    edits: Any, server: RedisProcess, client: redis.Redis
) -> None:
    needs(server, "hash.expire")
    client.hset("h", "f", "old")
    client.pexpireat("h", LATER + 5)

    set_ = edits.apply(e.ExpireField(b"h", b"f", LATER, OLD))
    changed = edits.apply(e.SetField(b"h", b"f", b"new", OLD))
    assert expiry(client, "f") == LATER
    deleted = edits.apply(e.DeleteField(b"h", b"f", Seen.of(b"new")))
    assert not client.exists("h")
    for inverse in (deleted.inverse, changed.inverse):
        assert isinstance(edits.apply(inverse), Saved)
        assert (expiry(client, "f"), client.pexpiretime("h")) == (LATER, LATER + 5)
    assert isinstance(edits.apply(set_.inverse), Saved)
    assert (client.hget("h", "f"), expiry(client, "f")) == (b"old", -1)


def test_a_new_field_may_expire(edits: Any, server: RedisProcess, client: redis.Redis) -> None:
    needs(server, "hash.expire")
    client.hset("h", "f", "old")

    added = edits.apply(e.SetField(b"h", b"g", b"new", field_at=LATER))
    past = edits.apply(e.ExpireField(b"h", b"f", 1, OLD))
    other = edits.apply(e.ExpireField(b"h", b"f", LATER, Seen.of(b"older")))

    assert isinstance(added, Saved) and expiry(client, "g") == LATER
    assert isinstance(past, Refused) and isinstance(other, Conflict)
    assert expiry(client, "f") == -1


def test_an_element_of_a_vector_set(edits: Any, server: RedisProcess, client: redis.Redis) -> None:
    needs(server, "vectorset.add")
    rows = ((b"a", b"1", b"0"), (b"b", b"0", b"1"))
    edits.apply(e.Create(b"v", "vectorset", rows))

    added = edits.apply(e.AddVector(b"v", b"c", (0.5, 0.5), b'{"n":1}'))
    again = edits.apply(e.AddVector(b"v", b"c", (0.5, 0.5)))
    named = edits.apply(e.SetVectorAttributes(b"v", b"c", b'{"n":2}', Seen.of(b'{"n":1}')))
    stale = edits.apply(e.RemoveVector(b"v", b"c", Seen.of(b'{"n":1}')))
    gone = edits.apply(e.RemoveVector(b"v", b"c", Seen.of(b'{"n":2}')))

    assert isinstance(added, Saved) and isinstance(again, Exists)
    assert isinstance(named, Saved) and isinstance(stale, Conflict)
    assert isinstance(gone, Saved) and gone.inverse is None and gone.note
    assert client.execute_command("VCARD", "v") == 2


# JSON


@pytest.fixture(scope="module")
def json_server() -> Iterator[RedisProcess]:
    if REJSON is None or REDIS is None:
        pytest.skip("TEST_REJSON_MODULE names no rejson.so")
    with running("--loadmodule", REJSON, binary=REDIS) as server:
        yield server


@pytest.fixture
def document(json_server: RedisProcess) -> Iterator[redis.Redis]:
    with json_server.client() as client:
        client.flushall()
        text = b'{"a":{"b":[1,2,{"c":9007199254740993}]},"s":"x","t":{"s":"y"}}'
        assert isinstance(Edits(client).apply(e.Create(b"j", "json", ((text,),), LATER)), Saved)
        yield client


def at(client: redis.Redis, path: str) -> bytes:
    text: bytes = client.execute_command("JSON.GET", "j", path)
    return text


@pytest.mark.parametrize("path", ["$.a.b[1]", "a.b[2].c", "$.s", ".t", "$['a']", "$.a.b"])
def test_a_part_of_a_document_is_set_and_set_back(path: str, document: redis.Redis) -> None:
    before = at(document, "$")
    edit = e.SetJson(b"j", path, b'{"n":9223372036854775807}', Seen.of(at(document, path)))

    saved = Edits(document).apply(edit)

    assert isinstance(saved, Saved) and saved.inverse and edit.needs_dump
    assert b"9223372036854775807" in at(document, path)
    assert document.pexpiretime("j") == LATER
    assert isinstance(Edits(document).apply(saved.inverse), Saved)
    assert at(document, "$") == before


def test_a_part_that_changed_or_is_not_there_is_left_alone(document: redis.Redis) -> None:
    before = at(document, "$")
    edits = Edits(document)

    stale = edits.apply(e.SetJson(b"j", "$.s", b"1", Seen.of(b'["old"]')))
    there = edits.apply(e.SetJson(b"j", "$.s", b"1"))
    nowhere = edits.apply(e.SetJson(b"j", "$.no.where", b"1"))
    bad = edits.apply(e.SetJson(b"j", "$..[[", b"1", OLD))
    stale_delete = edits.apply(e.DeleteJson(b"j", "$.s", Seen.of(b'["old"]')))

    assert isinstance(stale, Conflict) and stale.now.data == b'["x"]'
    assert isinstance(there, Exists) and isinstance(nowhere, Missing)
    assert isinstance(bad, Missing | Refused) and isinstance(stale_delete, Conflict)
    assert at(document, "$") == before


def test_several_places_are_set_at_once_and_have_no_inverse(document: redis.Redis) -> None:
    saved = Edits(document).apply(e.SetJson(b"j", "$..s", b"7", Seen.of(at(document, "$..s"))))

    assert isinstance(saved, Saved) and saved.inverse is None and "DUMP" in saved.note
    assert at(document, "$..s") == b"[7,7]"


def test_a_part_is_deleted_and_a_member_comes_back(document: redis.Redis) -> None:
    edits = Edits(document)

    member = edits.apply(e.DeleteJson(b"j", "$.s", Seen.of(b'["x"]')))
    element = edits.apply(e.DeleteJson(b"j", "$.a.b[0]", Seen.of(b"[1]")))

    assert isinstance(member, Saved) and member.inverse
    assert isinstance(element, Saved) and element.inverse is None
    assert isinstance(edits.apply(member.inverse), Saved)
    assert at(document, "$.s") == b'["x"]'
    whole = edits.apply(e.DeleteJson(b"j", "$", Seen.of(at(document, "$"))))
    assert isinstance(whole, Saved) and not document.exists("j")
