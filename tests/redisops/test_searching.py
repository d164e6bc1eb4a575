"""Looking into values: the grammar, what each type gives, bounds, and the rights it needs."""

from __future__ import annotations

import gzip
import json
import pickle
import zlib
from collections.abc import Sequence
from typing import Any

import msgpack
import phpserialize
import pytest
import redis

from redisops.connection import connect
from redisops.searching import Bounds, GrammarError, Looked, Search, parse
from redisops.searching.matching import Opened, excerpt, find
from tests.hostile import NAMES, VALUES
from tests.redisops.counting import counted
from tests.servers import Cluster, RedisProcess, restricted

BIG = 9007199254740993  # 2**53 + 1: a float has no place for it


def hit(query: str, data: bytes, how: str = "auto") -> Any:
    return find(parse(query), Opened(data, how))


def looked(client: Any, query: str, keys: Sequence[bytes], **options: Any) -> dict[bytes, Looked]:
    search = Search(client, parse(query), **options)
    rest, found = list(keys), {}
    while rest:
        some = search.look(rest)
        assert some
        found |= {one.key: one for one in some}
        rest = rest[len(some) :]
    return found


def matching(client: Any, query: str, keys: Sequence[bytes], **options: Any) -> set[bytes]:
    return {key for key, one in looked(client, query, keys, **options).items() if one.match}


@pytest.mark.parametrize(
    ("query", "column", "words"),
    [
        ("", 1, "say what to look for"),
        ("  find x", 3, "begins with"),
        ("containsx", 1, "begins with"),
        ("contains", 9, "a text is expected"),
        ('contains ""', 10, "an empty text"),
        ('equals "a', 8, "never closed"),
        ('equals "a" b', 12, "nothing may follow"),
        ("field = x", 7, "the name of a field"),
        ("field a x", 10, "an = is expected"),
        ("matches (", 9, "cannot be read"),
        ("matches (?=a)b", 9, "cannot be read"),
        (r"matches (a)\1", 9, "cannot be read"),
        ("matches " + "(((a{99}){99}){99})", 9, "cannot be read"),
        ("matches " + "a" * 501, 9, "at most 500"),
        ("$..a = 1", 3, "a name or *"),
        ("$.a[b] = 1", 5, "between [ and ]"),
        ('$["a = 1', 3, "never closed"),
        ("$.a > 1", 5, "an = is expected"),
        ("$.a = ", 7, "a value is expected"),
        ("$.a = {}", 7, "can be compared"),
        ('$.a = "b', 7, "not one whole text"),
        ("$" + ".a" * 33 + " = 1", 66, "at most 32"),
        ("contains " + "a" * 2000, 2001, "at most 2,000"),
    ],
)
def test_a_line_that_breaks_a_rule_is_refused_with_its_place(query, column, words):
    with pytest.raises(GrammarError, match=f"At column {column}: .*") as refused:
        parse(query)
    assert words in refused.value.why


@pytest.mark.parametrize(
    ("query", "value", "is_found"),
    [
        (f"$.id = {BIG}", {"id": BIG}, True),
        (f"$.id = {BIG - 1}", {"id": BIG}, False),
        (f"$.id = {2**64 - 1}", {"id": 2**64 - 1}, True),
        ("$.n = 1.50", {"n": 1.5}, True),
        ("$.n = 15e-1", {"n": 1.5}, True),
        ('$.n = "1"', {"n": 1}, False),
        ("$.n = 1", {"n": "1"}, False),
        ("$.n = 1", {"n": True}, False),
        ("$.n = true", {"n": True}, True),
        ("$.n = null", {"n": None}, True),
        ("$.n = null", {"m": None}, False),
        ("$.a[*].b = x y", {"a": [{"b": "n"}, {"b": "x y"}]}, True),
        ("$.a[-1] = 3", {"a": [1, 2, 3]}, True),
        ("$.a[3] = 3", {"a": [1, 2, 3]}, False),
        ('$["a.b"].* = 1', {"a.b": {"c": 1}}, True),
        ("$ = 5", 5, True),
    ],
)
def test_paths_compare_exactly_in_json_and_messagepack(query, value, is_found):
    for data in (json.dumps(value).encode(), gzip.compress(json.dumps(value).encode(), mtime=0)):
        assert bool(hit(query, data)) is is_found
    how = "msgpack"
    if isinstance(value, dict):
        assert bool(hit(query, msgpack.packb(value), how)) is is_found


def test_a_text_is_found_however_it_was_written():
    told = {"who": "café"}
    packed = {
        "": json.dumps(told, ensure_ascii=False).encode(),
        "JSON": json.dumps(told).encode(),
        "zlib, then JSON": zlib.compress(json.dumps(told).encode()),
    }
    for inside, data in packed.items():
        found = hit("contains café", data)
        assert (found.hit, found.inside) == ("café", inside)
        assert hit("matches caf.", data)
        assert hit("$.who = café", data).path == "$.who"
    assert hit("contains café", pickle.dumps(told))
    assert hit("$.who = café", phpserialize.dumps(told))
    assert hit("equals café", msgpack.packb("café" * 9), "msgpack") is None
    assert hit("equals café", zlib.compress("café".encode() * 1), "zlib")
    assert hit("contains KB", zlib.compress(b"KB-87" * 40), "hex") is None
    assert hit(r"contains \xff\x00", b"a\xff\x00b").hit == "\\xff\\u0000"
    assert hit('equals " a"', b" a") and not hit("equals a", b" a")


def test_hostile_values_neither_break_a_look_nor_come_out_unescaped():
    queries = [
        parse(text) for text in ("contains \\x00zz", "$.a[*] = 1", "matches zz+$", "equals zz")
    ]
    for data in [*VALUES, *NAMES]:
        for query in queries:
            find(query, Opened(data))
        found = excerpt(data, 0, len(data))
        text = found.before + found.hit + found.after
        assert not set(text) & set("\x00\x1b\u202e\u200b") and bool(text.encode()) == bool(data)
    deep = b"[" * 100_000
    assert hit("$[0][0] = 1", deep) is None


def test_a_regex_bomb_takes_steps_by_length_alone():
    # What backtracks needs 2**n steps for these: with it, this test would not end.
    for bomb in ("matches (a+)+$", "matches (a|aa)+$", "matches ^(([a-z])+.)+[A-Z]([a-z])+$"):
        assert hit(bomb, b"a" * 30 + b"!") is None
        assert hit(bomb, b"a" * 300_000 + b"!") is None


@pytest.fixture
def filled(server: RedisProcess) -> redis.Redis:
    plain = server.client()
    plain.set("text", "hello anna")
    plain.set("packed", zlib.compress(json.dumps({"who": "anna", "id": BIG}).encode()))
    plain.hset("hash", mapping={"who": "anna", "anna": "1", "cart": '{"id": 7}', "": ""})
    plain.rpush("list", "otto", "anna")
    plain.sadd("set", "anna", "otto")
    plain.zadd("zset", {"anna": 5})
    plain.xadd("stream", {"who": "anna"}, id="5-0")
    plain.pfadd("unique", "anna")
    return plain


KEYS = [b"text", b"packed", b"hash", b"list", b"set", b"zset", b"stream", b"unique", b"gone"]


def test_each_type_is_looked_into(filled, server):
    with connect(server.url) as client:
        for link in (client, filled):
            found = looked(link, "contains anna", KEYS)
            assert {key for key, one in found.items() if one.match} == {*KEYS} - {
                b"unique",
                b"gone",
            }
            assert found[b"gone"].type == "none" and not any(one.notes for one in found.values())
            assert (found[b"list"].match.part, found[b"list"].match.name) == ("element", "1")
            assert found[b"stream"].match.name == "5-0 who"
            assert matching(link, "equals anna", KEYS) == {
                b"hash",
                b"list",
                b"set",
                b"zset",
                b"stream",
            }
            assert matching(link, "field who = anna", KEYS) == {b"hash", b"stream"}
            assert matching(link, "field anna = anna", KEYS) == set()
            assert matching(link, 'field "" = ""', KEYS) == {b"hash"}
            assert matching(link, 'field absent = ""', KEYS) == set()
            assert matching(link, "member anna", KEYS) == {b"set", b"zset"}
            assert matching(link, "element anna", KEYS) == {b"list"}
            assert matching(link, f"$.id = {BIG}", KEYS) == {b"packed"}
            assert matching(link, "$.id = 7", KEYS) == {b"hash"}
            assert matching(link, "matches ^hello", KEYS) == {b"text"}


def test_a_look_reads_no_more_than_its_bounds_and_says_so(filled, server):
    bounds = Bounds(value=1000, elements=50, batch=4000)
    filled.set("long", b"x" * 5000 + b"anna")
    filled.set("begin", b"anna" + b"x" * 5000)
    filled.rpush("many", *[b"e%d" % n for n in range(200)], "anna")
    filled.zadd("board", {f"m{n}": n for n in range(200)})
    filled.hset("fat", mapping={"one": b"y" * 9000 + b"anna"})
    filled.set("bomb", zlib.compress(b"z" * 3_000_000 + b"anna"))
    keys = [b"long", b"begin", b"many", b"board", b"fat"]
    with connect(server.url) as client:
        found = looked(client, "contains anna", keys, bounds=bounds)
        assert {key: set(one.notes) for key, one in found.items()} == {
            b"long": {"cut"}, b"begin": set(), b"many": {"elements"}, b"board": {"elements"},
            b"fat": {"large"},
        }  # fmt: skip
        assert found[b"begin"].match
        assert matching(client, "member m199", [b"board"], bounds=bounds) == {b"board"}
        assert looked(client, "element anna", [b"many"], bounds=bounds)[b"many"].notes == {
            "elements"
        }
        assert looked(client, "field one = x", [b"fat"], bounds=bounds)[b"fat"].notes == {"large"}
        assert looked(client, "contains anna", [b"bomb"])[b"bomb"].notes == {"packed"}
        with counted(filled) as spent:
            search = Search(client, parse("contains nowhere"))
            search.look([b"text"] * 100)
        assert spent.commands <= 100 * search.each and not spent.calls["eval_ro"]


def test_a_batch_ends_where_its_bytes_are_full(filled, server):
    keys = [b"v%d" % n for n in range(10)]
    filled.mset(dict.fromkeys(keys, b"x" * 900))
    with connect(server.url) as client:
        search = Search(client, parse("contains y"), bounds=Bounds(batch=2000))
        with counted(filled) as spent:
            sizes, rest = [], keys
            while rest:
                sizes.append(len(search.look(rest)))
                rest = rest[sizes[-1] :]
        assert sizes == [2] * 5
        assert spent.calls == {"type": 10, "strlen": 10, "getrange": 10}


def test_a_narrow_user_looks_at_everything_and_missing_rights_are_named(filled, server):
    url = restricted(server, "~*", "+@read", "-@dangerous", "+ping")
    with connect(url) as client:
        assert matching(client, "contains anna", KEYS) == {*KEYS} - {b"unique", b"gone"}
        assert matching(client, "member anna", KEYS) == {b"set", b"zset"}
    url = restricted(
        server, "%R~text", "%R~hash", "%R~list", "+@read", "-hscan", "-memory|usage", user="less"
    )  # fmt: skip
    with connect(url) as client:
        search = Search(client, parse("contains anna"))
        found = {one.key: one for one in search.look([b"text", b"hash", b"list", b"set"])}
        assert search.missing == {"hscan", "memory|usage", "~"}
        assert found[b"text"].match and found[b"list"].match
        assert (found[b"hash"].notes, found[b"set"].notes) == ({"refused"}, {"reach"})


def test_a_cluster_is_searched_in_the_same_round_trips(cluster: Cluster):
    with connect(cluster.url) as client:
        keys = [b"k:%d" % n for n in range(60)]
        for n, key in enumerate(keys):
            client.set(key, f"anna {n}" if n % 3 else "otto")
        assert matching(client, "contains anna", keys) == {k for n, k in enumerate(keys) if n % 3}
