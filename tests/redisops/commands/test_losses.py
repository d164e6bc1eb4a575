"""What a write takes away, by command: the keys to keep first, and what cannot be kept."""

from __future__ import annotations

import pytest

from redisops.commands import Table, judge, losses, parse
from redisops.commands.reading import read
from tests.redisops.commands.plain import plain


@pytest.fixture(scope="module")
def table() -> Table:
    """The kept table."""
    return read(PermissionError("NOPERM"), None, "Redis 7.0")


def loss(table: Table, line: str):
    args = parse(line)
    verdict = judge(args, table, "admin")
    assert verdict.allowed, verdict.reason
    return losses(args, verdict)


@pytest.mark.parametrize(
    "line, keys",
    [
        ("DEL a b a", "a b"),
        ("UNLINK a b", "a b"),
        ("getdel a", "a"),
        ("GETSET a 1", "a"),
        ("SET a 1 NX", "a"),
        ("PSETEX a 100 1", "a"),
        ("MSET a b c d", "a c"),
        ("RENAME a b", "b"),
        ("COPY a b REPLACE", "b"),
        ("COPY a REPLACE", ""),
        ("RESTORE a 0 x REPLACE", "a"),
        ("RESTORE REPLACE 0 x", ""),
        ("SINTERSTORE to a b", "to"),
        ("ZUNIONSTORE to 2 a b", "to"),
        ("BITOP NOT to a", "to"),
        ("SORT a BY nosort STORE to", "to"),
        ("SORT store STORE to", "to"),
        ("GEORADIUS a 1 1 1 km STOREDIST to", "to"),
        ("EXPIRE a 0", "a"),
        ("PEXPIRE a -5", "a"),
        ("EXPIREAT a 1", "a"),
        ("GETEX a EXAT 1", "a"),
        ("LTRIM a 1 0", "a"),
        ("XTRIM a MAXLEN 0", "a"),
        ("MIGRATE h 1 a 0 1", "a"),
        ('MIGRATE h 1 "" 0 1 AUTH COPY KEYS COPY a', "COPY a"),
        ("GET a", ""),
        ("RENAMENX a b", ""),
        ("MSETNX a 1", ""),
    ],
)
def test_whole_values_are_named(table, line, keys):
    found = loss(table, line)

    assert " ".join(key.decode() for key in found.keys) == keys
    assert (found.beyond, found.note) == ("", "")


@pytest.mark.parametrize(
    "line", ["FLUSHALL", "FLUSHDB ASYNC", "SWAPDB 0 1", "COPY a b DB 1 REPLACE"]
)
def test_what_cannot_be_kept_is_said_before(table, line):
    assert loss(table, line).beyond


@pytest.mark.parametrize(
    "line",
    ["HSET a f 1", "LPOP a", "SREM a x", "INCR a", "EXPIRE a 100", "PERSIST a", "EVAL x 0",
     "XADD a MAXLEN 5 * f v", "APPEND a x"],
)  # fmt: skip
def test_what_changes_in_part_is_said(table, line):
    found = loss(table, line)

    assert found.note
    assert (found.keys, found.beyond) == ((), "")


@pytest.mark.parametrize("line", ["LPUSH a 1", "SADD a 1", "XADD a * f v", "PUBLISH c x"])
def test_what_only_adds_says_nothing(table, line):
    assert loss(table, line) == losses([b"GET", b"a"], judge([b"GET", b"a"], table, "admin"))


def test_every_write_with_keys_of_the_known_table_is_decided(table):
    """A new one falls back to the note, never to silence."""
    silent = set()
    for name, command in table.commands.items():
        args = plain(command)
        verdict = judge(args, table, "admin")
        found = losses(args, verdict)
        if verdict.allowed and verdict.writes and verdict.keys and not (
            found.keys or found.note or found.beyond
        ):  # fmt: skip
            silent.add(name)

    assert silent == {
        "copy", "getex", "hsetnx", "linsert", "lmove", "lpush", "lpushx", "move", "msetnx",
        "pfadd", "renamenx", "restore", "rpoplpush", "rpush", "rpushx", "sadd", "setnx", "smove",
        "xack", "xadd", "xautoclaim", "xclaim", "xgroup|create",
        "xgroup|createconsumer", "xreadgroup",
    }  # fmt: skip
