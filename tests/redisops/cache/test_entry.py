"""An entry as bytes: whatever is not one is said to be so, never run, never a value."""

from __future__ import annotations

import json
import pickle
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redisops.cache import Document, DocumentError, Poisoned, Policy
from redisops.cache import entry as entries
from redisops.cache.counts import Counts
from redisops.cache.names import marks_of, prefix_mark
from redisops.codecs import JSON
from redisops.errors import InvalidArgument

STAMP = b"\x41" + bytes(7)


def packed(key: bytes = b"k", value: object = 1234, marks: list[bytes] | None = None) -> bytes:
    one = entries.pack(key, JSON().dumps(value), 0, (90.0, 30.0, 0.25), marks or [b"t:a", b"p:x:"])
    return one.before + STAMP + one.behind


def test_an_entry_comes_back_as_it_was():
    entry = entries.read(b"k", packed(), JSON())

    assert (entry.value, entry.life, entry.stale, entry.load) == (1234, 90.0, 30.0, 0.25)
    assert entry.marks == (b"t:a", b"p:x:")
    assert not entry.is_negative
    assert not entry.is_own


def test_what_was_cut_off_anywhere_is_no_value():
    whole = packed()

    for size in range(len(whole)):
        with pytest.raises(Poisoned):
            entries.read_value(b"k", whole[:size], JSON())


def test_an_entry_under_another_name_is_no_value():
    with pytest.raises(Poisoned):
        entries.read_value(b"other", packed(b"k"), JSON())


class Trap:
    ran = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (setattr, (Trap, "ran", True))


@pytest.mark.parametrize(
    "foreign",
    [b"", b"\x00", pickle.dumps(Trap()), json.dumps({"a": 1}).encode(), zlib.compress(b"x" * 99),
     b"\xc1" * 500, JSON().dumps(1), bytes([0xC2]) + packed()[1:]],
)  # fmt: skip
def test_what_others_wrote_is_no_value_and_never_runs(foreign):
    with pytest.raises(Poisoned):
        entries.read_value(b"k", foreign, JSON())
    assert not Trap.ran


@given(st.binary(max_size=200), st.integers(0, 60), st.integers(1, 255))
def test_a_changed_byte_is_no_value(value, at, by):
    whole = bytearray(packed(value=value.hex()))
    at = at if at < len(whole) else len(whole) - 1
    whole[at] ^= by
    if 2 <= at < 10:
        return  # the stamp is the server's to judge

    with pytest.raises(Poisoned):
        entries.read_value(b"k", bytes(whole), JSON())


def test_marks_are_the_tags_and_each_prefix_of_the_key():
    assert marks_of(b"product:7:price", ["shoes"]) == [b"t:shoes", b"p:product:", b"p:product:7:"]
    assert len(marks_of(b":" * 50, ())) == 8
    with pytest.raises(InvalidArgument, match="16"):
        marks_of(b"k", map(str, range(17)))
    with pytest.raises(InvalidArgument, match="end with"):
        prefix_mark("product")


def test_a_document_comes_back_and_says_what_is_wrong_with_others():
    policies = (Policy("a", ttl=5.0, compress=100), Policy("b", when_down="raise"))
    document = Document(7, policies)
    data = document.dumps()

    assert Document.loads(data) == document
    assert document.of("b") == policies[1]
    assert document.of("c") is None
    for wrong in (
        b"", b"[]", b"{" * 5000, data[:-1], data.replace(b"raise", b"stale"), b"\xff",
        data.replace(b'"format":1', b'"format":2'), b'{"format":1,"version":' + b"9" * 5000,
    ):  # fmt: skip
        with pytest.raises(DocumentError):
            Document.loads(wrong)
    with pytest.raises(InvalidArgument, match="ttl"):
        Document(1, (Policy("a", ttl=0.0),)).dumps()
    with pytest.raises(InvalidArgument, match="one policy"):
        Document(1, (Policy("a"), Policy("a"))).dumps()


@pytest.mark.parametrize(
    ("field", "value"),
    [("ttl", float("nan")), ("jitter", 1.0), ("stale", -1.0), ("compress", True), ("lease", 0.0),
     ("max_bytes", 0), ("when_down", "ignore"), ("namespace", "a:b"), ("early", None)],
)  # fmt: skip
def test_a_policy_names_the_field_that_is_wrong(field, value):
    with pytest.raises(InvalidArgument, match=field):
        Policy(**{"namespace": "a", field: value}).check()


def test_counts_tell_each_figure_once():
    counts = Counts()
    counts.hits += 3
    counts.sent(counts.unsent())
    counts.loads += 1

    assert counts.unsent() == {"loads": 1}
    assert counts.now()["hits"] == 3
