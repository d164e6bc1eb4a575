"""Who may run what: every command of two real tables, each refusal, keys by every route."""

from __future__ import annotations

from pathlib import Path

import pytest

from redisops.commands import Command, Commands, Table, hushed, judge, masked, parse, standing
from redisops.commands.reading import read
from redisops.commands.refusals import REFUSED
from redisops.commands.roles import FLAGS, ROLES
from redisops.commands.table import known
from redisops.connection import connect
from tests.redisops.commands.plain import plain, told

GOLDEN = dict(
    line.split(" ", 1) for line in Path(__file__).with_name("verdicts.txt").read_text().splitlines()
)
OWN = b"redisops:console:"


@pytest.fixture(scope="module")
def table() -> Table:
    """The kept table, as of a server whose ACL tells nothing."""
    return read(PermissionError("NOPERM"), None, "Redis 7.0")


def verdict(table: Table, line: str, role: str = "admin"):
    return judge(parse(line), table, role, protected=OWN)


def test_every_command_of_a_real_server_has_the_verdict_that_was_reviewed(server):
    client = connect(server.url)
    real = Commands(client).table()
    client.close()

    found = {name: told(command, real) for name, command in real.commands.items()}

    assert len(found) > 300
    assert found == {name: GOLDEN.get(name, "never") for name in found}


def test_the_kept_table_is_judged_alike(table):
    assert {name: told(one, table) for name, one in table.commands.items()} == GOLDEN


def test_a_viewer_runs_nothing_that_the_server_flags_as_a_write_or_as_an_admins(table):
    viewers = {name for name, one in table.commands.items() if standing(one)[0] == "viewer"}

    flagged = {name for name in viewers if table.commands[name].flags & {"write", "admin"}}
    assert flagged == set()
    assert "get" in viewers


@pytest.mark.parametrize(
    "command",
    [
        Command("brandnew", 2, frozenset({"readonly", "fast"}), frozenset({"read"}), (1, 1, 1)),
        Command("get", 2, frozenset({"readonly", "fast", "teleports"}), frozenset(), (1, 1, 1)),
        Command("keyless", 1, frozenset({"readonly", "fast"}), frozenset()),
        Command("ping", -1, frozenset({"write"}), frozenset()),
    ],
    ids=["a new command", "a new flag", "no key and no rule", "a read that became a write"],
)
def test_what_nobody_reviewed_is_refused_to_everybody(command):
    table = Table({command.name: command})

    assert not any(judge(plain(command), table, role).allowed for role in ROLES)


def row(name: bytes, flags: list[bytes], *parts: list) -> list:
    """One row of COMMAND as a server tells it that is not to be believed: a key, nothing else."""
    return [name, -2, flags, 1, 1, 1, [b"@read"], [], [], list(parts)]


def test_a_server_cannot_make_a_write_a_read_by_what_it_says_of_it():
    reads = [b"readonly", b"fast"]
    names = [b"set", b"flushall", b"config", b"eval", b"blpop", b"xread", b"json.set", b"hello"]
    rows = [row(name, reads) for name in names]
    rows.append(row(b"ping", reads, row(b"set", reads), row(b"debug|sleep", reads)))
    lying = read(rows, [], "Redis 9")

    for line in ("SET a b", "FLUSHALL x", "CONFIG SET requirepass", "EVAL x 0", "BLPOP a 0",
                 "JSON.SET a $ 1", "HELLO 3"):  # fmt: skip
        assert not verdict(lying, line, "viewer").allowed, line
    assert verdict(lying, "SET a b", "operator").writes
    assert verdict(lying, "EVAL x 1 redisops:console:x").reaches
    assert not verdict(lying, "XREAD STREAMS redisops:console:x 0", "viewer").allowed
    assert set(lying.commands) == {name.decode() for name in names} | {"ping"}


def test_a_table_that_cannot_be_understood_is_left_out():
    nested: list = []
    for _ in range(5000):
        nested = [b"arguments", [nested]]
    broken = row(b"get", [b"readonly"])
    broken[8] = [[b"begin_search", [b"type", b"index", b"spec", []]]]
    rows = [broken, row(b"ttl", 7), [b"del", b"many", [], 1, 1, 1], row(b"strlen", [b"readonly"])]

    table = read(rows, [b"get", nested, b"ttl", 5, b"del", [b"subcommands", 3]], "Redis 9")

    assert set(table.commands) == {"strlen"}
    assert set(table.docs) == {"get", "ttl", "del"}


def test_names_and_flags_are_those_of_the_table():
    assert {flag for one in known().values() for flag in one.flags} <= FLAGS
    assert set(REFUSED) <= set(known())


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_each_refusal_says_why_and_what_instead(table, name):
    found = judge(plain(known()[name]), table, "admin")

    assert not found.allowed
    assert found.reason.endswith(".") and found.instead.endswith(".")


@pytest.mark.parametrize(
    "line",
    [
        "XREAD BLOCK 0 STREAMS a 0",
        "XREADGROUP GROUP g c COUNT 1 block 5 STREAMS a >",
        r'XREAD "BLOCK\x00" 0 STREAMS a 0',
        r'SCAN 0 "COUNT\x00y" 100000',
        "CLIENT",
        "CONFIG NOPE",
        "COMMAND NOPE",
        "config|set a b",
        "SCAN 0 COUNT 100000",
        "HSCAN h 0 COUNT 1 COUNT 100000",
        "SRANDMEMBER s -100000000",
        "XRANGE s - + COUNT 100000",
        "XREAD COUNT 100000 STREAMS COUNT 5",
        "ZRANGEBYSCORE z 0 1 LIMIT 0 5 LIMIT 0 100000",
        "XINFO STREAM s FULL COUNT 0",
        "MEMORY USAGE k SAMPLES 0",
        "SETBIT k 4294967295 1",
        "SETRANGE k 500000000 x",
        "BITFIELD k GET u1 0 SET u1 4294967295 1",
        "BITFIELD k INCRBY u32 #100000000 1",
        "ZRANGEBYSCORE z 0 1 LIMIT 9000000 5",
        "SLOWLOG GET -1000000",
        "LPOP l 100000",
        "XPENDING s g - + 100000",
        "XPENDING s g IDLE 1 - + 100000",
        "MIGRATE h 1 k 0 60000",
        "GET",
        "GET a b",
    ],
)
def test_what_has_no_bounded_answer_is_refused(table, line):
    found = verdict(table, line)

    assert not found.allowed
    assert found.reason and found.instead


@pytest.mark.parametrize(
    "line, asks",
    [
        ("HGETALL h", [b"HLEN h"]),
        ("SMEMBERS s", [b"SCARD s"]),
        ("LRANGE l 0 -1", [b"LLEN l"]),
        ("LRANGE l 0 99", None),
        ("ZRANGE z 0 -1", [b"ZCARD z"]),
        ("ZRANGE z 0 1 BYSCORE", [b"ZCARD z"]),
        ("ZRANGE z 0 1 BYSCORE LIMIT 0 10", None),
        ("ZRANGEBYSCORE z 0 1 LIMIT 0 -1", [b"ZCARD z"]),
        ("XRANGE s - +", [b"XLEN s"]),
        ("XREAD STREAMS COUNT 5", [b"XLEN COUNT"]),
        ("MGET a b", [b"STRLEN a", b"STRLEN b"]),
        ("MGET a a", [b"STRLEN a", b"STRLEN a"]),
        ("SORT l GET x* GET y*", [b"LLEN l", b"SCARD l", b"ZCARD l"]),
        ("BITFIELD k SET u8 #100 1", None),
        ("GETRANGE a 0 -1", [b"STRLEN a"]),
        ("HMGET h f g", [b"HSTRLEN h f", b"HSTRLEN h g"]),
        ("SUNIONSTORE d a", [b"SCARD d", b"ZCARD d", b"SCARD a", b"ZCARD a"]),
        ("SORT l", [b"LLEN l", b"SCARD l", b"ZCARD l"]),
        ("DEL big", [b"MEMORY USAGE big"]),
        ("SET a b", None),
        ("SET a b GET", [b"STRLEN a"]),
    ],
)
def test_what_depends_on_the_data_is_measured_first(table, line, asks):
    bound = verdict(table, line).bound

    assert (bound and [b" ".join(ask) for ask in bound.asks]) == asks
    if bound:
        assert bound.exceeded([10**9] * len(asks)) is not None
        assert bound.exceeded([1] * len(asks)) is None


KEYED = [
    "GET {}", "SET {} x", "MSET a 1 {} 2", "DEL a {}", "OBJECT ENCODING {}", "MEMORY USAGE {}",
    "DUMP {}", "RESTORE {} 0 x", "RENAME a {}", "COPY a {}", "COPY {} a", "MOVE {} 1",
    "MIGRATE h 1 {} 0 10", 'MIGRATE h 1 "" 0 10 KEYS a {}', "MIGRATE h 1 a 0 9 AUTH KEYS KEYS {}",
    "SORT {}", "SORT l STORE {}", "SORT l BY {}*", "SORT l GET # GET {}*->f", "SORT l GET *",
    "SORT l BY red*", "SORT_RO l BY redisops:console:session:*", "BITOP AND {} a", "PFMERGE a {}",
    "EVAL x 1 {}", "EVALSHA x 2 a {}", "FCALL f 1 {}", "EVAL_RO x 1 {}", "TOUCH a {}",
    "ZUNIONSTORE a 1 {}", "ZDIFF 2 a {}", "LMPOP 2 a {} LEFT", "GEORADIUS g 0 0 1 m STORE {}",
    "GEORADIUS g 0 0 1 m STOREDIST {}", "GEOSEARCHSTORE {} g FROMLONLAT 0 0 BYRADIUS 1 m",
    "XREAD STREAMS a {} 0 0", "XREAD COUNT 1 STREAMS STREAMS {} 0 0",
    "XREADGROUP GROUP STREAMS c STREAMS {} >", "XINFO STREAM {}", "XGROUP CREATE {} g 0",
    "LCS a {}", "PUBLISH {} x", "SPUBLISH {} x", "UNLINK {}", "RPOPLPUSH a {}", "SMOVE {} a m",
    "BITFIELD {} GET u8 0", "EXPIRE {} 1", "TTL {}", "TYPE {}", "HSCAN {} 0", "GETDEL {}",
    # A server compares its words as C strings: they end at the first NUL.
    r'SORT l "STORE\x00" {}', r'SORT l "by\x00x" {}*', r'XREAD "STREAMS\x00" {} 0',
    r'GEORADIUS g 0 0 1 m "STORE\x00" {}', r'MIGRATE h 1 "" 0 10 "KEYS\x00" a {}',
]  # fmt: skip


@pytest.mark.parametrize("line", KEYED)
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_the_consoles_own_keys_are_named_by_no_route(table, line, role):
    assert not verdict(table, line.format("redisops:console:s:1"), role).allowed
    if "*" not in line:
        assert verdict(table, line.format("cart:1")).keys or "PUBLISH" in line


@pytest.mark.parametrize("line", ["EVAL x 0", "FCALL f 0", "FLUSHALL", "SLOWLOG GET", "SWAPDB 0 1"])
def test_what_can_reach_any_key_says_so(table, line):
    assert verdict(table, line).reaches


def test_sort_reads_unless_it_stores(table):
    assert not verdict(table, "SORT l BY w_*", "operator").writes
    assert verdict(table, "SORT l STORE d", "operator").writes
    assert verdict(table, "GEORADIUS g 0 0 1 m STORE d", "operator").writes
    assert verdict(table, r'SORT l "store\x00" d', "operator").writes
    assert not verdict(table, "SORT l", "viewer").allowed


@pytest.mark.parametrize(
    "line, shown",
    [
        ("auth a b", "auth (secret) (secret)"),
        ("ACL SETUSER bob on >pw #h ~* +get", "ACL SETUSER bob on >(secret) #(secret) ~* +get"),
        ("CONFIG SET maxmemory 1 requirepass x", "CONFIG SET maxmemory 1 requirepass (secret)"),
        ("SET auth x", "SET auth x"),
        (r'MIGRATE h 1 k 0 9 "AUTH\x00" x', "MIGRATE h 1 k 0 9 AUTH\0 (secret)"),
    ],
)
def test_secrets_are_masked(line, shown):
    assert b" ".join(masked(parse(line))).decode() == shown


def test_what_a_server_says_of_secrets_is_hushed():
    args = parse("ACL SETUSER bob #dead <beef")

    said = hushed("Error in modifier '#dead': no hash, and no '<beef'", args)

    assert said == "Error in modifier '(secret)': no hash, and no '(secret)'"


def test_a_server_before_7_is_filled_in_from_the_kept_table():
    rows = [
        [b"get", 2, [b"readonly", b"fast"], 1, 1, 1, [b"@read", b"@fast"]],
        [b"config", -2, [b"admin", b"noscript"], 0, 0, 0, [b"@admin", b"@dangerous"]],
        [b"sort", -2, [b"write", b"movablekeys"], 1, 1, 1, [b"@write", b"@dangerous"]],
    ]

    old = read(rows, Exception("ERR unknown subcommand"), "Redis 6.2.14")

    assert old.help_note == "Help needs Redis 7.0; this is Redis 6.2.14."
    assert judge([b"GET", b"a"], old, "viewer").allowed
    assert judge([b"CONFIG", b"SET", b"a", b"b"], old, "admin").confirm
    assert not judge([b"CONFIG", b"GET", b"a"], old, "operator").allowed
    assert not judge(parse("SORT l GET *"), old, "admin", protected=OWN).allowed


def test_a_role_that_is_none_is_a_mistake(table):
    with pytest.raises(ValueError, match="no role"):
        judge([b"PING"], table, "root")
