"""Values as bytes and back: exact, compressed when it helps, refused clearly otherwise."""

from __future__ import annotations

import datetime
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redisops import codecs
from redisops.codecs import JSON, MessagePack, UnreadableValue
from redisops.errors import InvalidArgument

EXACT = [2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1]
WORDS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.sampled_from([None, 0, 20]), st.sampled_from(["zlib", "zstd"]))
def test_json_comes_back_as_it_went(value: Any, over: int | None, compression: Any) -> None:
    codec = JSON(compress_over=over, compression=compression)

    assert codec.loads(codec.dumps(value)) == value


@pytest.mark.parametrize("number", EXACT)
@pytest.mark.parametrize("codec", [JSON(), MessagePack()])
def test_integers_of_64_bits_stay_exact(codec: JSON | MessagePack, number: int) -> None:
    assert codec.loads(codec.dumps({"n": number})) == {"n": number}


def test_json_keeps_integers_beyond_64_bits() -> None:
    assert JSON().loads(JSON().dumps(2**200 + 1)) == 2**200 + 1


def test_messagepack_keeps_bytes_and_aware_datetimes() -> None:
    value = {"at": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "raw": b"\xff\x00", 7: "x"}

    assert MessagePack().loads(MessagePack().dumps(value)) == value


def test_any_codec_reads_what_any_other_wrote() -> None:
    written = MessagePack(compress_over=0, compression="zstd").dumps(["a" * 100])

    assert JSON().loads(written) == ["a" * 100]


def test_small_values_are_not_compressed_and_large_ones_are() -> None:
    codec = JSON(compress_over=100)

    assert codec.dumps("a" * 50) == b'\x10"' + b"a" * 50 + b'"'
    assert codec.dumps("a" * 500)[0] == 0x14
    assert len(codec.dumps("a" * 500)) < 50


def test_what_compression_would_make_longer_stays_plain() -> None:
    assert JSON(compress_over=0).dumps("q7")[0] == 0x10


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b'{"a":1}', "0x7b"),
        (b"\x20{}", "version 2"),
        (b"\x12{}", "0x12"),
        (b"\x10{", "damaged JSON"),
        (b"\x11\xc1", "damaged MessagePack"),
        (b"\x14nonsense", "damaged zlib"),
        (b"\x14" + zlib.compress(b'"long enough"')[:-4], "too early"),
        (b"\x18nonsense", "damaged zstd"),
        (b"\x80\x04.", "version 8"),
    ],
)
def test_unreadable_bytes_are_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableValue, match=words):
        JSON().loads(data)


@pytest.mark.parametrize("compression", ["zlib", "zstd"])
def test_a_bomb_is_refused_at_max_size(compression: Any) -> None:
    bomb = JSON(compress_over=0, compression=compression).dumps("a" * 5_000_000)

    with pytest.raises(UnreadableValue, match="max_size"):
        JSON(max_size=1_000_000).loads(bomb)


def test_a_value_of_exactly_max_size_is_read() -> None:
    for compression in ("zlib", "zstd"):
        codec = JSON(compress_over=0, compression=compression, max_size=10_002)

        assert codec.loads(codec.dumps("a" * 10_000)) == "a" * 10_000


@pytest.mark.parametrize(
    "value",
    [b"bytes", {1: "a"}, [{"x": [{None: 1}]}], float("nan"), float("inf"), {1, 2}, "\ud800"],
)
def test_json_refuses_what_would_come_back_changed(value: object) -> None:
    with pytest.raises(InvalidArgument):
        JSON().dumps(value)


def test_cycles_are_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)

    for codec in (JSON(), MessagePack()):
        with pytest.raises(InvalidArgument):
            codec.dumps(cycle)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_messagepack_refuses_integers_that_do_not_fit(number: int) -> None:
    with pytest.raises(InvalidArgument):
        MessagePack().dumps(number)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "msgpack", None)

    with pytest.raises(InvalidArgument, match="pip install"):
        MessagePack()


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(InvalidArgument, match='"lzma"'):
        JSON(compression="lzma")  # type: ignore[arg-type]
