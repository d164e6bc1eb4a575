"""Values of modules: JSON documents, and types that nobody knows. Never an error.

The module is a few lines of C that stand in for RedisJSON's type and reading commands; the
server, the type and the commands' replies are real. Not run where there is no C compiler.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from redisops.connection import connect
from redisops.keyspace import Keyspace
from redisops.values import Values
from redisops.values.pages import JsonPage, ModulePage, Piece
from tests.servers import REDIS, VALKEY, RedisProcess, running

SOURCE = Path(__file__).with_name("odd_module.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler for the test module")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("module") / "odd.so"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O1", "-o", target, SOURCE], check=True)
    return target


@pytest.fixture(scope="module", params=["valkey", "redis"])
def odd_server(request: pytest.FixtureRequest, library: Path) -> Iterator[RedisProcess]:
    binary = VALKEY if request.param == "valkey" else REDIS
    if binary is None:
        pytest.skip("no redis-server on PATH")
    with running("--loadmodule", str(library), binary=binary) as server:
        yield server


@pytest.fixture(params=["plain", "shipped"])
def odd(request: pytest.FixtureRequest, odd_server: RedisProcess) -> Iterator[redis.Redis]:
    shipped = request.param == "shipped"
    url = f"redis://127.0.0.1:{odd_server.port}/0"
    client = connect(url) if shipped else odd_server.client()
    client.flushall()
    yield client
    client.close()


def test_an_unknown_type_has_facts_and_the_start_of_its_dump(odd: redis.Redis) -> None:
    odd.execute_command("ODD.SET", "k", "hello")

    page = Values(odd).read(b"k", limit=16)

    assert isinstance(page, ModulePage)
    assert (page.type, page.length) == ("odd-thing", None)
    assert page.memory
    assert page.dump is not None
    dump = odd.dump("k")
    assert page.dump == Piece(dump[:16], len(dump))


def test_a_big_value_is_not_serialised(odd: redis.Redis) -> None:
    odd.execute_command("ODD.SET", "k", b"x" * 2_000_000)

    page = Values(odd).read(b"k")

    assert isinstance(page, ModulePage)
    assert page.dump is None
    assert "too big" in page.notes[0]


def test_a_document_is_shown_as_its_text(odd: redis.Redis) -> None:
    odd.execute_command("JSON.SET", "k", '{"first":1,"second":2}')

    page = Values(odd).read(b"k")

    assert isinstance(page, JsonPage)
    assert (page.kind, page.size) == ("object", 2)
    assert page.text == Piece(b'{"first":1,"second":2}', 22)


def test_a_long_document_is_cut(odd: redis.Redis) -> None:
    odd.execute_command("JSON.SET", "k", b"[" + b"1," * 50_000 + b"1]")

    page = Values(odd).read(b"k", window=1000)

    assert isinstance(page, JsonPage)
    assert page.text is not None
    assert (page.kind, page.size) == ("array", 2)
    assert (len(page.text.data), page.text.length) == (1000, 100_003)


def test_a_big_document_shows_the_names_at_its_root(odd: redis.Redis) -> None:
    odd.execute_command("JSON.SET", "k", b"{" + b" " * 2_000_000 + b"}")

    page = Values(odd).read(b"k")

    assert isinstance(page, JsonPage)
    assert page.text is None
    assert [piece.data for piece in page.names] == [b"first", b"second"]
    assert page.notes


def test_both_are_listed_with_their_types(odd: redis.Redis) -> None:
    odd.execute_command("ODD.SET", "a", "x")
    odd.execute_command("JSON.SET", "b", "{}")

    rows = {row.key: row for row in Keyspace(odd).page().rows}

    assert (rows[b"a"].type, rows[b"a"].length) == ("odd-thing", None)
    assert rows[b"b"].type == "ReJSON-RL"
    assert [row.key for row in Keyspace(odd).page(type="ReJSON-RL").rows] == [b"b"]


@pytest.mark.parametrize(
    ("command", "key_type"), [("ODD.SET", "odd-thing"), ("JSON.SET", "ReJSON-RL")]
)
def test_without_scripts_there_is_still_a_page(
    odd: redis.Redis, odd_server: RedisProcess, command: str, key_type: str
) -> None:
    odd.execute_command(command, "k", "{}")
    odd.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">p", "~*", "+@read", "+dump")
    with odd_server.client(username="narrow", password="p") as narrow:
        page = Values(narrow).read(b"k")

    assert isinstance(page, ModulePage)
    assert page.type == key_type
    assert page.dump == Piece(odd.dump("k"), len(odd.dump("k")))
    assert "evalsha_ro" in page.missing


def test_without_memory_usage_nothing_is_serialised(
    odd: redis.Redis, odd_server: RedisProcess
) -> None:
    odd.execute_command("ODD.SET", "k", "x")
    odd.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">p", "~*", "+@all", "-memory")
    with odd_server.client(username="narrow", password="p") as narrow:
        page = Values(narrow).read(b"k")

    assert isinstance(page, ModulePage)
    assert page.dump is None
    assert "memory|usage" in page.missing


@pytest.mark.parametrize(
    ("command", "whole"), [("ODD.SET", lambda c: c.dump("k")), ("JSON.SET", lambda c: b"{}")]
)
def test_both_are_downloaded(odd: redis.Redis, command: str, whole: Callable[[Any], bytes]) -> None:
    odd.execute_command(command, "k", "{}")

    assert b"".join(Values(odd).chunks(b"k")) == whole(odd)
