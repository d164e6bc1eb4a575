"""Answers read as they come, no further than wanted; shown as text, JSON and rows."""

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redisops.commands import Limits, Reader, Reply, as_csv, as_json, pack, text, unpack
from redisops.commands.shapes import shaped
from redisops.commands.table import known
from redisops.errors import InvalidArgument

WIRE = (
    b"*7\r\n+OK\r\n:-12\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n$0\r\n\r\n*-1\r\n-ERR no\r\n"
    b"%1\r\n$1\r\nk\r\n,1.5\r\n"
)


def whole(wire: bytes, limits: Limits | None = None) -> Reader:
    reader = Reader(limits or Limits())
    reader.feed(wire)
    assert reader.done
    return reader


@given(st.lists(st.integers(1, 9), min_size=1))
def test_an_answer_is_the_same_however_it_arrives(sizes):
    reader = Reader()
    at = 0
    while not reader.done:
        size = sizes[at % len(sizes)]
        start = reader.received
        reader.feed(WIRE[start : start + size])
        at += 1

    assert reader.reply == whole(WIRE).reply
    assert not reader.cut
    assert text(reader.reply).splitlines() == [
        "1) OK", "2) (integer) -12", '3) "a\\r\\n"', "4) (nil)", '5) 1) ""', "   2) (nil)",
        "6) (error) ERR no", '7) 1# "k" => (double) 1.5',
    ]  # fmt: skip


def test_a_long_answer_is_left_after_what_is_wanted():
    many = whole(b"*1000000\r\n" + b":1\r\n" * 20, Limits(elements=10))
    large = whole(b"$500000000\r\n" + b"x" * 64, Limits(data=64))

    assert many.cut and many.reply.cut
    assert (len(many.reply.value), many.reply.size) == (9, 1_000_000)
    assert "cut: 9 of 1,000,000" in text(many.reply)
    assert large.cut
    assert (len(large.reply.value), large.reply.size) == (64, 500_000_000)


def test_what_follows_an_answer_costs_the_connection():
    assert whole(b":1\r\n:2\r\n").has_more
    assert not whole(b":1\r\n").has_more


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 400\r\n",
        b"$x\r\n",
        b",x\r\n",
        b"%1\r\n*1\r\n:1\r\n:2\r\n",
        b"*1\r\n" * 20 + b":1\r\n",
    ],
)
def test_what_is_no_answer_is_an_error(wire):
    with pytest.raises(redis.InvalidResponse):
        Reader().feed(wire)


def test_files_guard_formulas_and_keep_bytes():
    reply = shaped(
        whole(b"*4\r\n$1\r\na\r\n$5\r\n=1+1,\r\n$1\r\nb\r\n$2\r\n\xff\xfe\r\n").reply,
        known()["hgetall"],
        [b"HGETALL", b"h"],
    )

    assert as_csv(reply) == '"a","\'=1+1,"\r\n"b","\\xff\\xfe"\r\n'
    assert as_json(reply) == '{\n  "a": "=1+1,",\n  "b": {\n    "base64": "//4="\n  }\n}'
    for start in "=+-@\t\r\uff1d\uff20":
        row = as_csv(Reply("bulk", start.encode() + b"x", 2)).strip('\r\n"')
        assert row[0] in "'\\"


def test_a_packed_answer_comes_back_as_it_was():
    reply = whole(WIRE).reply

    assert unpack(pack(reply)) == reply


@pytest.mark.parametrize(
    "hostile",
    ["", "[]", "{}", '["bulk","%",1,false]', '["list",[],0,false]', '["integer","x",0,false]',
     '["map",[[["array",[],0,false],["nil",null,0,false]]],1,false]', '["integer",1e400,0,false]',
     '["double",1' + "0" * 400 + ',0,false]',
     '["array",' * 40 + "[]" + ",0,false]" * 40, '["nil",null,"1",false]'],
)  # fmt: skip
def test_what_was_never_packed_is_refused(hostile):
    with pytest.raises(InvalidArgument):
        unpack(hostile)
