"""Stored bytes as text: found or told, chained, exact, and never executed."""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import sys
import zlib
from pathlib import Path
from typing import Any

import cramjam
import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from redisops import codecs
from redisops.decoders import Limits, decode, names
from redisops.decoders.show import UNSAFE
from redisops.errors import InvalidArgument
from tests import hostile

DOCUMENT = {"id": 9007199254740993, "cart": [{"sku": "KB-87-NO", "qty": 1}], "ok": True}
TEXT = json.dumps(DOCUMENT).encode()
SHOWN = """{
  "id": 9007199254740993,
  "cart": [
    { "sku": "KB-87-NO", "qty": 1 }
  ],
  "ok": true
}"""


def squeeze(name: str, data: bytes) -> bytes:
    return bytes(getattr(cramjam, name).compress(data))


LAYERS = {
    "base64": base64.b64encode,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zstd": lambda data: squeeze("zstd", data),
    "lz4": lambda data: squeeze("lz4", data),
    "brotli": lambda data: squeeze("brotli", data),
    "snappy": lambda data: squeeze("snappy", data),
    "utf16": lambda data: data.decode().encode("utf-16"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_found_and_can_be_told(name: str) -> None:
    packed = LAYERS[name](TEXT)

    for how in ("auto", name, f"{name},json"):
        decoded = decode(packed, how)

        assert (decoded.chain, decoded.text) == ((name, "json"), SHOWN), how
        assert not decoded.truncated


def test_raw_snappy_is_found() -> None:
    assert decode(bytes(cramjam.snappy.compress_raw(TEXT))).chain == ("snappy", "json")


def test_three_layers_are_found_and_said() -> None:
    decoded = decode(base64.b64encode(squeeze("zstd", msgpack.packb(DOCUMENT))))

    assert decoded.label == "Base64, then zstd, then MessagePack"
    assert decoded.text == SHOWN


def test_urlsafe_and_wrapped_base64_are_read_by_hand() -> None:
    wrapped = base64.encodebytes(TEXT)
    bare = base64.urlsafe_b64encode(TEXT).rstrip(b"=")

    assert decode(wrapped, "base64").chain == ("base64", "json")
    assert decode(bare).chain == ("base64", "json")


@pytest.mark.parametrize(
    "data",
    [
        b"42", b"-1.5", b"true", b"hello", b'"quoted"', b"x^2+1", b"abcd", b"\n\x09some text",
        b"deadbeefdeadbeefdeadbeefdeadbeef", b"abcdefghijklmnopqrstuvwxyz",
        b"r3Kq0PzVbEo7sTgY1nWc9fA=", b"3f2504e0-4f89-11d3-9a0c-0305e82c3301", b"0123456789abcdef",
        "שלום עולם".encode(), "naïve — café".encode(), b"a,b\nc,d\n", b"{not json}", b"[1, 2",
        b"i:am:a:key", b"s:1", b"Nnn", b"+OK\r\n", b"{{7*7}}", b"\x1b[31mred\x1b[0m",
    ],
)  # fmt: skip
def test_text_stays_text(data: bytes) -> None:
    assert decode(data).chain == ("text",)


@given(st.binary(min_size=16, max_size=16))
def test_base64_of_random_bytes_hardly_ever_counts(token: bytes) -> None:
    """A token is not a value in disguise: only real structure inside makes it base64."""
    chain = decode(base64.b64encode(token)).chain

    assert chain == ("text",) or chain[1] in {"json", "php", "msgpack", "zlib"}


def test_random_bytes_are_hex_and_seldom_taken_for_more() -> None:
    import random

    source = random.Random(7)
    wrong = sum(
        decode(source.randbytes(source.randrange(8, 64))).chain not in (("hex",), ("text",))
        for _ in range(3000)
    )

    assert wrong <= 6, f"{wrong} of 3000 random values were taken for something"


def test_numbers_in_json_stay_as_they_were_written() -> None:
    text = decode(b'{"a":18446744073709551617,"b":1.10,"c":1e400,"d":-0}').text

    assert text == '{ "a": 18446744073709551617, "b": 1.10, "c": 1e400, "d": -0 }'


def test_a_number_of_a_hundred_thousand_digits_is_shown() -> None:
    assert "9" * 100_000 in decode(b'{"n":' + b"9" * 100_000 + b"}").text


def test_repeated_names_in_json_are_all_shown() -> None:
    assert decode(b'{"a":1,"a":2}').text == '{ "a": 1, "a": 2 }'


def test_messagepack_shows_bytes_extensions_and_big_integers() -> None:
    packed = msgpack.packb({"u": 2**64 - 1, "b": b"\xff\x00", "e": msgpack.ExtType(5, b"\x01")})

    text = decode(packed).text

    assert '"u": 18446744073709551615' in text
    assert '"b": hex(ff00)' in text
    assert '"e": ext 5(hex 01)' in text


def test_protocol_buffers_are_found_by_order_and_words() -> None:
    message = b"\x08\x96\x01\x12\x07testing\x1a\x06\x0a\x04abcd"

    decoded = decode(message)

    assert decoded.chain == ("protobuf",)
    assert decoded.text == '{\n  1: 150,\n  2: "testing",\n  3: { 1: "abcd" }\n}'


def test_php_shows_classes_and_visibility() -> None:
    decoded = decode(b'O:4:"User":2:{s:4:"name";s:3:"bob";s:6:"\x00*\x00age";i:3;}')

    assert decoded.chain == ("php",)
    assert decoded.text == 'User { "name": "bob", "age" (protected): 3 }'


def test_java_shows_classes_maps_and_references() -> None:
    point = bytes.fromhex(
        "aced0005737200055 06f696e74".replace(" ", "") + "0000000000000001" + "02" + "0002"
        "49000178" "4c000473656c66" "740007" + b"LPoint;".hex() + "78" "70" "0000002a" "71007e0002"
    )  # fmt: skip

    decoded = decode(point)

    assert decoded.chain == ("java",)
    assert "Point {" in decoded.text
    assert '"x": 42' in decoded.text
    assert "reference(object 1 above)" in decoded.text


def test_a_pickle_is_listed_with_what_it_would_call_and_never_loaded() -> None:
    canary = Path(hostile.CANARY)
    for data in (hostile.PICKLE, base64.b64encode(hostile.PICKLE), zlib.compress(hostile.PICKLE)):
        decoded = decode(data)

        assert decoded.chain[-1] == "pickle"
        assert decoded.language == "disassembly"
        assert "Listed, not loaded" in decoded.note
        assert "io.open" in decoded.note
        assert "STACK_GLOBAL" in decoded.text
    assert decode(b"cos\nsystem\n(S'true'\ntR.", "pickle").note.startswith("Listed, not loaded.")
    assert not canary.exists()


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_can_be_told(protocol: int) -> None:
    decoded = decode(pickle.dumps({"a": [1, "x"]}, protocol), "pickle")

    assert decoded.chain == ("pickle",)
    assert decoded.text.endswith("STOP")


def test_our_own_codecs_are_recognised() -> None:
    for codec in (codecs.JSON(), codecs.JSON(compress_over=0), codecs.MessagePack()):
        decoded = decode(codec.dumps(DOCUMENT))

        assert decoded.chain[0] == "redisops"
        assert decoded.text == SHOWN


def test_hex_shows_offsets_and_letters() -> None:
    decoded = decode(b"\x00\x01 hello <b>", "hex")

    assert decoded.text == (
        "00000000  00 01 20 68 65 6c 6c 6f  20 3c 62 3e              |.. hello <b>|"
    )


def test_what_cannot_be_decoded_as_told_says_why_and_shows_hex() -> None:
    for how in ("json", "msgpack", "protobuf", "php", "java", "pickle", "zlib", "zstd", "utf16"):
        decoded = decode(b"\xfe not that", how)

        assert decoded.chain == ("hex",)
        assert decoded.note.startswith("This is not "), how


def test_an_unknown_decoder_is_refused_with_the_list() -> None:
    with pytest.raises(InvalidArgument, match="msgpack"):
        decode(b"x", "yaml")
    for how in ("", "json,", "zlib,,json"):
        with pytest.raises(InvalidArgument):
            decode(b"x", how)


def test_a_format_holds_no_further_layer() -> None:
    assert "no further layer" in decode(b"{}", "json,text").note


@pytest.mark.parametrize("name", ["gzip", "zlib", "zstd", "lz4", "brotli"])
def test_a_bomb_is_opened_only_so_far(name: str) -> None:
    decoded = decode(LAYERS[name](b"A" * 50_000_000), name, Limits(output=100_000, text=500))

    assert decoded.truncated
    assert "unpacks to more than" in decoded.note
    assert len(decoded.text) <= 500


def test_the_ratio_bounds_a_small_bomb_further() -> None:
    packed = zlib.compress(b"A" * 1_000_000)

    decoded = decode(packed, limits=Limits(ratio=100))

    assert f"more than {len(packed) * 100:,} bytes" in decoded.note


def test_a_stream_cut_short_shows_what_came_before() -> None:
    words = b" ".join(b"word%d" % number for number in range(20_000))
    for name in ("gzip", "zlib", "zstd", "lz4"):
        packed = LAYERS[name](words)

        decoded = decode(packed[: len(packed) - 50])

        assert decoded.chain == (name, "text")
        assert decoded.truncated
        assert decoded.text.startswith("word0 word1 word2")


def test_the_beginning_of_a_longer_value_is_said_to_be_that() -> None:
    decoded = decode(b"start of it", total=5_000_000)

    assert decoded.truncated
    assert "first 11 of 5,000,000 bytes" in decoded.note


def test_a_cut_in_the_middle_of_a_character_stays_text() -> None:
    whole = "é".encode() * 100

    decoded = decode(whole[:101], total=200)

    assert decoded.chain == ("text",)
    assert decoded.text == "é" * 50


def test_many_layers_end_in_a_note() -> None:
    data = TEXT
    for _ in range(12):
        data = zlib.compress(data)

    decoded = decode(data)

    assert decoded.chain[:8] == ("zlib",) * 8
    assert "more layers" in decoded.note


def test_deep_nesting_is_cut_with_a_note() -> None:
    decoded = decode(b"[" * 500 + b"]" * 500)

    assert decoded.chain == ("json",)
    assert decoded.truncated
    assert "Deeper than 64 levels" in decoded.note
    assert "nested too deeply" in decode(b"[" * 100_000 + b"]" * 100_000).note


def test_no_character_can_hide_or_reorder_its_neighbours() -> None:
    decoded = decode("a\u202eb\u200bc\x00d\u2028e\tf\r\ng".encode(), "text")

    assert decoded.text == "a\\u202eb\\u200bc\\u0000d\\u2028e\tf\ng"
    assert "4 characters" in decoded.note
    assert "CR LF" in decoded.note


@pytest.mark.parametrize("how", [name for name, _ in names()])
def test_hostile_values_end_soon_with_text_that_a_page_can_hold(how: str) -> None:
    import time

    limits = Limits()
    for data in hostile.VALUES:
        start = time.thread_time()
        decoded = decode(data, how, limits)

        assert time.thread_time() - start < 3 * limits.seconds + 0.5, (how, data[:60])
        assert not UNSAFE.search(decoded.text), (how, data[:60])
        assert not UNSAFE.search(decoded.note), (how, data[:60])
        assert len(decoded.text) <= limits.text + 200
        decoded.text.encode()
    assert not Path(hostile.CANARY).exists()


@given(st.binary(max_size=200), st.sampled_from([name for name, _ in names()]))
@example(b"\x80\x04", "pickle")
@example(b"\x10", "auto")
def test_any_bytes_give_the_same_text_twice_and_never_an_error(data: bytes, how: str) -> None:
    first = decode(data, how)

    assert decode(data, how) == first
    assert first.chain


STARTS = [
    b"\x1f\x8b\x08", b"x\x9c", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\xff\xfe", b"\x10",
    b"\xac\xed\x00\x05", b"\x80\x04", b"a:1:{", b"O:1:", b"\x81\xa1", b"{", b"\x0a\x05",
]  # fmt: skip


@given(st.sampled_from(STARTS), st.binary(max_size=200))
def test_broken_beginnings_of_every_format_never_raise(start: bytes, rest: bytes) -> None:
    assert decode(start + rest).chain


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from redisops.decoders import formats, layers

    monkeypatch.setattr(layers, "cramjam", None)
    monkeypatch.setattr(formats, "msgpack_package", None)
    for module in ("javaobj.v2", "javaobj.v2.core", "phpserialize", "blackboxprotobuf"):
        monkeypatch.setitem(sys.modules, module, None)

    packed = LAYERS["zstd"](TEXT)

    assert "cramjam, which is not installed" in decode(packed, "zstd").note
    assert "cramjam, which is not installed" in decode(packed).note
    assert "msgpack" in decode(b"\x81\xa1a\x01", "msgpack").note
    assert "bbpb" in decode(b"\x08\x01", "protobuf").note
    assert "phpserialize" in decode(b"N;", "php").note
    assert "javaobj" in decode(b"\xac\xed\x00\x05p", "java").note


def test_names_are_what_decode_takes() -> None:
    values: list[Any] = [decode(b"x", name) for name, _ in names()]

    assert len(values) == len(names())
    assert dict(names())["msgpack"] == "MessagePack"
