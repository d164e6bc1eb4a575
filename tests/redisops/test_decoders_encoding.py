"""Edited text goes back through the chain it came by, exactly, or is refused with the reason."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import cramjam
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redisops import codecs
from redisops.decoders import decode, encode
from redisops.errors import InvalidArgument, NotSupported
from tests.hostile import VALUES

BIG = '{"id":9223372036854775807,"pi":3.14159265358979323846264338327950288,"n":[1.10,-0,1E5]}'
CHAINS: dict[str, bytes] = {
    "json": BIG.encode(),
    "json, spaced": b'{"a": 1, "b": [true, null, "x"]}\n',
    "json, indented": json.dumps({"a": {"b": ["long " * 30, 2]}, "c": []}, indent=4).encode(),
    "json, escaped": b'{"a":"caf\\u00e9 \\/ \\u200b \\ud800"}',
    "json with a byte order mark": b"\xef\xbb\xbf[1,2]",
    "json in zstd": bytes(cramjam.zstd.compress(BIG.encode())),
    "json in base64": base64.urlsafe_b64encode(BIG.encode()),
    "json of the library": codecs.JSON(compress_over=8).dumps({"a": "x" * 100}),
    "msgpack": msgpack.packb({"id": 2**64 - 1, "low": -(2**63), "bin": b"\xff", 7: [1.5, None]}),
    "msgpack, single floats": msgpack.packb({"a": [0.1, 2.5]}, use_single_float=True),
    "msgpack, old": msgpack.packb({"a": "x" * 40, "b": "y"}, use_bin_type=False),
    "msgpack, extended": msgpack.packb([msgpack.Timestamp(5, 6), msgpack.ExtType(4, b"z")]),
    "msgpack of the library": codecs.MessagePack().dumps({"a": [1, 2]}),
    "php": b'a:3:{i:0;s:2:"\xc3\xa9";i:1;d:0.5;i:2;i:9223372036854775807;}',
    "php object": b'O:3:"Foo":2:{s:1:"a";i:5;s:1:"b";b:1;}',
    "text": "lines\r\nend so\u200b\r\n".encode(),
    "text with a byte order mark": b"\xef\xbb\xbfhello",
    "utf-16": "h\xe9llo".encode("utf-16"),
    "hex": bytes(range(256)),
    "empty": b"",
}  # fmt: skip


@pytest.mark.parametrize("data", CHAINS.values(), ids=CHAINS)
def test_what_is_not_edited_stays_the_same_to_the_byte(data: bytes) -> None:
    decoded = decode(data)

    again = encode(decoded.text.replace("\n", "\r\n"), decoded.chain, data)  # as forms send it

    assert again == data


# Data, an edit of what is shown, and what the result must hold.
EDITED: dict[str, tuple[bytes, str, str]] = {
    "json": (BIG.encode(), "9223372036854775807", "9223372036854775808"),
    "gzip": (gzip.compress(b'{"a":1}', mtime=7), "1", "18446744073709551617"),
    "zlib": (zlib.compress(b'{"a": 1, "b": "' + b"x" * 90 + b'"}'), "1", "2"),
    "msgpack": (CHAINS["msgpack"], "18446744073709551615", "-9223372036854775808"),
    "bin": (CHAINS["msgpack"], "hex(ff)", "hex(fe00)"),
    "php": (CHAINS["php"], "9223372036854775807", "-9223372036854775808"),
    "text": (CHAINS["text"], "so", "here"),
    "utf16": ("h\xe9llo".encode("utf-16-be").join([b"\xfe\xff", b""]), "llo", "y 👩‍🚀"),
}


@pytest.mark.parametrize("name", EDITED)
def test_an_edit_changes_what_was_edited_and_nothing_else(name: str) -> None:
    data, old, new = EDITED[name]
    decoded = decode(data)
    assert old in decoded.text

    encoded = encode(decoded.text.replace(old, new, 1), decoded.chain, data)

    again = decode(encoded, ",".join(decoded.chain))
    assert again.chain == decoded.chain
    assert again.text != decoded.text
    back = encode(decoded.text, decoded.chain, encoded)
    assert decode(back, ",".join(decoded.chain)).text == decoded.text


def test_64_bit_integers_survive_beside_an_edit() -> None:
    packed = msgpack.packb({"id": 2**64 - 1, "name": "ann"})
    written = encode(decode(packed).text.replace("ann", "bob"), "msgpack", packed)
    told = json.loads(encode(decode(BIG.encode()).text.replace("1E5", "2"), "json", BIG.encode()))

    assert msgpack.unpackb(written) == {"id": 2**64 - 1, "name": "bob"}
    assert told["id"] == 2**63 - 1


def test_types_that_text_does_not_show_are_kept() -> None:
    data = {"text": "x", "binary": b"also text", "single": b"\xff"}

    written = encode(
        decode(msgpack.packb(data)).text.replace("also text", "still binary"),
        "msgpack", msgpack.packb(data),
    )  # fmt: skip

    assert msgpack.unpackb(written) == data | {"binary": b"still binary"}


BOTH = msgpack.packb({"a": "x", "b": b"\xff"})
FLOAT = msgpack.packb({"a": 1.5})
WIDE = b"\x81\xa1a\xcf" + bytes(7) + b"\x05"  # 5 in 64 bits
REFUSED: dict[str, tuple[bytes, str, str, str, str]] = {
    "pickle": (b"\x80\x04N.", "", "x", "pickle", "never written"),
    "java": (b"\xac\xed\x00\x05t\x00\x01a", "a", "b", "java", "not written back"),
    "protobuf": (b"\x0a\x05hello", "hello", "x", "protobuf", "schema"),
    "str or bin": (BOTH, "}", ', "new": "z" }', "msgpack", "both text and"),
    "too many digits": (FLOAT, "1.5", "0.1234567890123456789", "msgpack", "digits"),
    "beyond 64 bits": (msgpack.packb({"a": 7}), "7", str(2**64), "msgpack", "cannot hold"),
    "beyond PHP": (b"a:1:{i:0;i:5;}", "5", str(2**63), "php", "64 bits"),
    "no JSON": (b'{"a":1}', "1", "1,", "json", "line 1, column"),
    "bytes in JSON": (b'{"a":1}', "1", "hex(ff)", "json", "no word for bytes"),
    "no number of JSON": (b'{"a":1}', "1", "nan", "json", "no JSON number"),
    "mixed line ends": (b"a\r\nb\n", "b", "c", "text", "mixed"),
    "an escape or the text of one": (b"\\u200b\xe2\x80\x8b!", "!", "?", "text", "escapes"),
    "half a pair": (b"abc", "b", "\ud800", "text", "surrogate"),
    "odd hex": (b"\xff\xfe\xfd", "fd", "f", "hex", "pairs"),
    "a broken stream": (
        gzip.compress(b'{"a":1}', mtime=7)[:-4], "1", "2", "gzip,json", "ends too early"
    ),
    "more than is shown": (b"x" * 300_000, "x", "y", "text", "ot all"),
    "too deep": (b"[" * 70 + b"]" * 70, "[", "[", "json", "ot all"),
    "numbers of an unusual size": (WIDE, "5", "6", "msgpack", "unusual"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exact_is_refused_with_the_reason(name: str) -> None:
    data, old, new, chain, reason = REFUSED[name]
    text = decode(data, chain).text.replace(old, new, 1)

    with pytest.raises(NotSupported, match=reason):
        encode(text, chain, data)


def test_a_chain_that_is_none_is_an_error_of_the_caller() -> None:
    for chain in ("", "gzip", "json,gzip", "exec"):
        with pytest.raises(InvalidArgument):
            encode("x", chain)


def test_a_new_value_is_written_in_the_usual_way() -> None:
    assert encode('{ "a": 1 }', "json") == b'{"a":1}'
    assert zlib.decompress(encode("[1]", ["zlib", "json"])) == b"[1]"
    assert msgpack.unpackb(encode('{ "a": [1, hex(ff)] }', "msgpack")) == {"a": [1, b"\xff"]}
    assert base64.b64decode(encode("hi", "base64,text")) == b"hi"


@pytest.mark.parametrize("data", VALUES)
def test_hostile_values_go_back_or_are_refused(data: bytes) -> None:
    """Never anything but the same value or a reason."""
    decoded = decode(data)
    try:
        again = encode(decoded.text, decoded.chain, data)
    except NotSupported:
        return

    assert decode(again, ",".join(decoded.chain)).text == decoded.text


_leaf = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
    | st.floats(allow_nan=False) | st.binary(max_size=6)
)  # fmt: skip
_values = st.recursive(
    _leaf,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.integers(0, 2**63), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(_values)
def test_any_messagepack_goes_back_to_the_byte(value: Any) -> None:
    data = msgpack.packb(value, unicode_errors="surrogatepass")

    assert encode(decode(data, "msgpack").text, "msgpack", data) == data


@given(_values)
def test_any_json_goes_back_to_the_value(value: Any) -> None:
    data = json.dumps(value, default=repr, ensure_ascii=False).encode("utf-8", "replace")
    decoded = decode(data, "json")

    again = encode(decoded.text, "json", data)

    assert json.loads(again) == json.loads(data)


@given(st.binary(max_size=200))
def test_any_bytes_go_back_or_are_refused(data: bytes) -> None:
    decoded = decode(data)
    try:
        again = encode(decoded.text, decoded.chain, data)
    except NotSupported:
        return

    assert decode(again, ",".join(decoded.chain)).text == decoded.text
    if decoded.chain in (("text",), ("hex",), ("msgpack",), ("php",)):
        assert again == data


@given(st.text(max_size=40))
def test_any_text_that_is_typed_arrives_or_is_refused(text: str) -> None:
    try:
        data = encode(text, "text", b"old")
    except NotSupported:
        text.encode("utf-16", "surrogatepass")
        return

    assert data.decode() == text.replace("\r\n", "\n")
