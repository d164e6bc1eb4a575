"""What may be sent twice, checked against the servers' own flags."""

from __future__ import annotations

import pytest

from redisops.connection.commands import READING, READING_PARTS, only_reads, waits_for


@pytest.mark.parametrize(
    ("args", "reads"),
    [
        (("GET", "x"), True),
        (("get", "x"), True),
        ((b"get", b"x"), True),
        (("SET", "x", 1), False),
        (("XINFO STREAM", "x"), True),
        (("XINFO", "STREAM", "x"), True),
        (("CONFIG", "GET", "*"), True),
        (("CONFIG", "SET", "a", "b"), False),
        (("CONFIG SET", "a", "b"), False),
        (("CONFIG RESETSTAT",), False),
        (("COMMAND",), True),
        (("CLIENT", b"list"), True),
        (("CLIENT",), False),
        (("EVAL", "return 1", 0), False),
        (("EVAL_RO", "return 1", 0), True),
        (("PUBLISH", "a", "b"), False),
        (("SORT", "x"), False),
        (("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"), False),
        (("NO.SUCH", "x"), False),
        ((7, "x"), False),
    ],
)
def test_what_may_be_sent_twice(args, reads):
    assert only_reads(args) is reads


def test_the_server_may_add_commands_that_read():
    assert only_reads(("MY.GET", "x"), frozenset({"MY.GET"})) is True


def test_nothing_that_a_server_flags_as_a_write_is_in_the_table(client):
    client.set_response_callback("COMMAND", lambda reply, **options: reply)

    def flagged(rows):
        for row in rows:
            name, parts = row[0].decode().upper(), row[9] if len(row) > 9 else []
            yield name.replace("|", " "), {bytes(flag) for flag in row[2]}
            yield from flagged(parts)

    table = dict(flagged(client.execute_command("COMMAND")))

    ours = READING | {f"{first} {rest}" for first, parts in READING_PARTS.items() for rest in parts}
    writes = {name for name in ours if b"write" in table.get(name, set())}
    forgotten = {name for name, flags in table.items() if b"readonly" in flags} - ours
    assert (writes, forgotten) == (set(), set())


@pytest.mark.parametrize(
    ("args", "seconds"),
    [
        (("GET", "x"), None),
        (("BLPOP", "a", "b", 1.5), 1.5),
        (("BLPOP", "a", 0), 0.0),
        (("BLMPOP", "2", 1, "a", "LEFT"), 2.0),
        (("XREAD", "BLOCK", 1500, "STREAMS", "s", "$"), 1.5),
        (("XREAD", "COUNT", 1, b"block", b"0", "STREAMS", "s", "$"), 0.0),
        (("XREAD", "STREAMS", "BLOCK", "0"), None),
        (("WAIT", 1, 200), 0.2),
        (("BLPOP", "a", "soon"), None),
    ],
)
def test_how_long_a_command_may_block(args, seconds):
    assert waits_for(args) == seconds
