"""Archives of keys: exact round trips of every type, and files that are refused."""

from __future__ import annotations

import io
import json
import random
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from redisops import keys
from redisops.archives import (
    DUMP,
    LINES,
    AsyncPutting,
    AsyncReading,
    Damaged,
    Dropped,
    DumpReader,
    DumpWriter,
    Large,
    LinesReader,
    LinesWriter,
    Part,
    Put,
    Putting,
    Reading,
    format_of,
    staging,
)
from redisops.connection import connect, measure
from redisops.dumps import Dumps
from tests.hostile import NAMES, SCRIPT
from tests.servers import Cluster

HOSTILE = list(dict.fromkeys(NAMES))
FORMATS = {LINES: (LinesWriter, LinesReader), DUMP: (DumpWriter, DumpReader)}
LATER = int(time.time() * 1000) + 3_600_000
each_format = pytest.mark.parametrize("kind", FORMATS)


def fill(client: redis.Redis, keys: list[bytes] | None = None) -> None:
    """Every type under every hostile name, and large ones of each type."""
    pipe = client.pipeline(transaction=False)
    makers: list[Callable[[bytes], Any]] = [
        lambda k: pipe.set(k, b"\x00\xff" + k),
        lambda k: pipe.hset(k, mapping={name: b"v" + name for name in HOSTILE[:40]}),
        lambda k: pipe.rpush(k, b"", b"\xff", SCRIPT, k, b""),
        lambda k: pipe.sadd(k, *HOSTILE[:30]),
        lambda k: pipe.zadd(k, {b"a" + k: 0.1, b"b": float("inf"), b"c": -1e308, b"d": 2**53}),
        lambda k: pipe.xadd(k, {b"f" + k: b"\xfe", b"g": b""}, id="5-1"),
    ]
    for n, key in enumerate(keys or HOSTILE):
        makers[n % len(makers)](key)
        if n % 3 == 0:
            pipe.execute_command("PEXPIREAT", key, LATER + n)
    pipe.execute()


def fill_large(client: redis.Redis) -> None:
    draw = random.Random(7)
    client.set("large:string", draw.randbytes(3_000_000))
    client.rpush("large:list", *[b"%d" % n for n in range(12_000)])
    client.hset("large:hash", mapping={b"f\xff%d" % n: b"%d" % n for n in range(12_000)})
    client.sadd("large:set", *range(12_000))
    client.zadd("large:zset", {f"m{n}": n / 3 for n in range(12_000)})
    pipe = client.pipeline(transaction=False)
    for n in range(6_000):
        pipe.execute_command("XADD", "large:stream", f"{n + 1}-0", "a", n, "a", "again")
    pipe.xdel("large:stream", "6000-0")
    pipe.execute()
    client.xgroup_create("empty:stream", "g", mkstream=True)
    client.xgroup_destroy("empty:stream", "g")
    client.set("empty:string", "")
    client.set("number", 123456789012)


def export(reading: Any, kind: str, names: list[bytes]) -> bytes:
    """All keys as one file."""
    writer = FORMATS[kind][0]()
    out = [writer.header("Valkey 8.1", 1)]
    at = 0
    while at < len(names):
        read = reading.dumps if kind == DUMP else reading.read
        found = read(names[at : at + 500])
        for one in found:
            if isinstance(one, Part):
                writer = FORMATS[kind][0](json.loads(json.dumps(writer.state)))
                out.append(writer.part(one))
            place = one if isinstance(one, Large) else None
            while place is not None:
                part, place = reading.page(place)
                out.append(writer.part(part) if isinstance(part, Part) else writer.dropped(part))
        at += len(found)
    return b"".join([*out, writer.end()])


def parts(kind: str, data: bytes) -> Iterator[Part | Dropped]:
    """What the file holds; another reader goes on after each record."""
    assert format_of(data[:20]) == kind
    reader = FORMATS[kind][1](io.BytesIO(data))
    reader.header()
    while (found := reader.next()) is not None:
        yield found
        file = io.BytesIO(data)
        file.seek(reader.state["at"])
        reader = FORMATS[kind][1](file, json.loads(json.dumps(reader.state)))


def snapshot(client: redis.Redis) -> dict[bytes, Any]:
    """Every key's type, expiry and value, in Python's own words."""
    found = {}
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        value: Any = {
            b"string": lambda k: client.get(k),
            b"list": lambda k: client.lrange(k, 0, -1),
            b"hash": lambda k: client.hgetall(k),
            b"set": lambda k: sorted(client.smembers(k)),
            b"zset": lambda k: client.zrange(k, 0, -1, withscores=True),
            b"stream": lambda k: (
                client.eval("return redis.call('XRANGE', KEYS[1], '-', '+')", 1, k),
                client.xinfo_stream(k)["last-generated-id"],
            ),
        }[kind](key)
        found[key] = (kind, client.pexpiretime(key), value)
    return found


@each_format
def test_every_type_and_name_comes_back_exactly(build: Any, client: redis.Redis, kind: str) -> None:
    fill(client)
    fill_large(client)
    before = snapshot(client)
    reading, putting = build(Reading, AsyncReading), build(Putting, AsyncPutting)
    data = export(reading, kind, list(before))
    client.flushall()

    words = [putting.put([Put(part, part.key, token=b"t")]) for part in parts(kind, data)]

    assert all(word == ["put"] for word in words)
    assert snapshot(client) == before
    # JSON lines are split into parts that fit into memory.
    if kind == LINES:
        assert len(words) > len(before) + 10
        assert max(map(len, data.split(b"\n"))) < 3_000_000


def test_many_small_keys_cost_few_round_trips(server: Any, client: redis.Redis) -> None:
    fill(client)
    names = list(client.scan_iter())
    ours = connect(server.url)
    ours.ping()

    with measure() as read:
        found = Reading(ours).read(names)
    client.flushall()
    with measure() as put:
        words = Putting(ours).put([Put(one, one.key) for one in found])
    ours.close()

    assert len(found) == len(names) == len(words)
    assert read.round_trips <= 5 and put.round_trips <= 2


def test_a_name_that_is_taken_stays_and_one_that_was_seen_is_replaced(client: redis.Redis) -> None:
    part = Part(b"a", "list", None, [b"new"])
    client.set("a", "old", px=60_000)
    [seen] = Dumps(client).take([b"a"])
    putting = Putting(client)

    assert putting.put([Put(part, b"a")]) == ["taken"]
    client.set("a", "written since")
    assert putting.put([Put(part, b"a", seen)]) == ["taken"]
    assert client.get("a") == b"written since"
    [seen] = Dumps(client).take([b"a"])
    assert putting.put([Put(part, b"a", seen)]) == ["put"]
    assert client.lrange("a", 0, -1) == [b"new"] and client.pttl("a") == -1
    assert putting.put([Put(part._replace(expires_at=1), b"b")]) == ["expired"]
    assert client.keys() == [b"a"]


def test_a_part_that_is_sent_again_is_added_once(client: redis.Redis) -> None:
    first = Part(b"a", "list", None, [b"1", b"2"], is_last=False)
    second = Part(b"a", "list", None, [b"3"], 2, is_last=False, start=2)
    third = Part(b"a", "list", None, [b"4"], 3, start=3)
    putting = Putting(client)

    for part in (first, first, second, second):
        assert putting.put([Put(part, b"a")]) == ["put"]
    assert not client.exists("a")
    assert client.pttl(staging(b"a", b"", same_slot=False)) > 0
    assert putting.put([Put(third, b"a")]) == ["put"]

    assert client.lrange("a", 0, -1) == [b"1", b"2", b"3", b"4"] and client.pttl("a") == -1
    assert putting.put([Put(third, b"b")])[0].startswith("refused")


def test_a_key_that_changes_while_it_is_read_is_dropped(client: redis.Redis) -> None:
    client.rpush("a", *range(12_000))
    reading = Reading(client)
    [large] = reading.read([b"a"])
    first, place = reading.page(large)
    client.lpush("a", "new")
    second, over = reading.page(place)

    writer = LinesWriter()
    data = writer.header("x", 1) + writer.part(first) + writer.dropped(second) + writer.end()

    assert isinstance(second, Dropped) and over is None
    assert [type(one) for one in parts(LINES, data)] == [Part, Dropped]


def sample(kind: str) -> bytes:
    writer = FORMATS[kind][0]()
    payload = b"\x00" * 20
    made = [
        Part(b"key \xff%d" % n, "string", None, payload, is_dump=kind == DUMP) for n in range(3)
    ]
    return writer.header("x", 1) + b"".join(map(writer.part, made)) + writer.end()


@each_format
def test_no_byte_can_be_changed_or_cut_off_unseen(kind: str) -> None:
    data = sample(kind)
    assert len(list(parts(kind, data))) == 3

    for at in range(0, len(data)):
        with pytest.raises(Damaged):
            list(parts(kind, data[:at]))
        with pytest.raises(Damaged):
            list(parts(kind, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]))
    with pytest.raises(Damaged, match="follows"):
        list(parts(kind, data + b"x"))


def test_the_number_of_the_wrong_record_is_told() -> None:
    data = sample(DUMP)
    second = data.index(b"key \xff1")

    with pytest.raises(Damaged, match="record 2") as caught:
        list(parts(DUMP, data[:second] + b"K" + data[second + 1 :]))

    assert caught.value.record == 2


LINE = '{"key":"a","type":"%s","value":%s}'
BAD = [
    "[]", "nonsense", "[" * 100_000, '{"key":1,"type":"string","value":"x"}',
    '{"key":"\\ud800","type":"string","value":"x"}', '{"type":"string","value":"x"}',
    '{"key":{"base64":"%%"},"type":"string","value":""}', LINE % ("list", "[]"),
    LINE % ("list", '"text"'), LINE % ("zset", '[["m",NaN]]'), LINE % ("zset", '[["m",1e999]]'),
    LINE % ("zset", '[["m",true]]'), LINE % ("stream", '[["0-0",[["f","v"]]]]'),
    LINE % ("stream", '[["2-0",[["f","v"]]],["1-0",[["f","v"]]]]'),
    LINE % ("stream", '[["1-0",[]]]'), LINE % ("stream", '[["%s-0",[["f","v"]]]]' % ("9" * 20)),
    LINE % ("hash", '[["f"]]'), LINE % ("ReJSON-RL", '"x"'), LINE % ("<b>", '"x"'),
    '{"key":"a","type":"string","part":2,"value":"x"}',
    '{"key":"a","type":"string","expires_at":-5,"value":"x"}',
    '{"key":"a","type":"string","expires_at":' + "9" * 5000 + ',"value":"x"}',
    '{"key":"a","part":2,"dropped":true}', '{"key":"a","type":"json","dump":7}',
]  # fmt: skip


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_a_hostile_line_is_refused_with_its_number(line: str) -> None:
    writer = LinesWriter()
    good = writer.header("x", 1) + writer.part(Part(b"first", "string", None, b""))

    with pytest.raises(Damaged, match="record 2") as caught:
        list(parts(LINES, good + line.encode() + b"\n" + writer.end()))

    assert len(str(caught.value)) < 300


def test_a_hostile_record_claims_no_memory() -> None:
    data = bytearray(sample(DUMP))
    at = data.index(b"K\x00\x00\x00\x06") + 5
    data[at : at + 8] = (1 << 60).to_bytes(8, "big")

    with pytest.raises(Damaged, match="record 1"):
        list(parts(DUMP, bytes(data)))
    with pytest.raises(Damaged):
        format_of(b"PK\x03\x04")
    assert zlib.crc32(b"") == 0


def test_on_a_cluster_a_key_is_made_in_its_own_slot(cluster: Cluster) -> None:
    names = [*HOSTILE, b"a{b", b"a}b{", b"{user:1}:cart"]
    for name in names:
        assert keys.slot(staging(name, b"t", same_slot=True)) == keys.slot(name)

    with redis.RedisCluster.from_url(
        cluster.url.replace("redis+cluster", "redis").split(",")[0]
    ) as client:
        found = [Part(name, "list", LATER, [name, b"x"]) for name in names]
        assert set(Putting(client).put([Put(part, part.key) for part in found])) == {"put"}

        read = Reading(client).read(names)
        assert {part.key: part.value for part in read} == {p.key: p.value for p in found}
        assert {part.expires_at for part in read} == {LATER}
