"""Key names: every byte string survives each spelling, and the server agrees with ours."""

from __future__ import annotations

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redisops import keys
from redisops.errors import InvalidArgument
from tests.hostile import NAMES

ON_A_SERVER = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
GLOBBY = st.lists(st.sampled_from([b"*", b"?", b"[", b"]", b"\\", b"^", b"-", b"a", b"\xff"])).map(
    b"".join
)


@given(st.binary() | GLOBBY)
def test_a_key_survives_the_url(key: bytes) -> None:
    segment = keys.to_url(key)

    assert keys.from_url(segment) == key
    assert (
        segment.replace("-", "").replace("_", "").isalnum()
        or key == b""
        or set(segment) <= set("-_")
    )


@given(st.text(max_size=20))
def test_one_url_only_for_each_key(segment: str) -> None:
    try:
        key = keys.from_url(segment)
    except InvalidArgument:
        return

    assert keys.to_url(key) == segment


@pytest.mark.parametrize("segment", ["", "a", "--", "YQ==", "YR", "é", "a b", "Y\nQ", "YWJ\u0661"])
def test_what_is_no_key_in_base64url_is_refused(segment: str) -> None:
    with pytest.raises(InvalidArgument):
        keys.from_url(segment)


@given(st.binary() | GLOBBY | st.text().map(str.encode))
def test_a_key_survives_printing(key: bytes) -> None:
    assert keys.from_printable(keys.printable(key)) == key


@pytest.mark.parametrize("key", NAMES)
def test_hostile_names_survive_both_spellings(key: bytes) -> None:
    assert keys.from_printable(keys.printable(key)) == key
    assert keys.from_url(keys.to_url(key)) == key


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (b"user:1", "user:1"),
        ("sök:ключ:🐙".encode(), "sök:ключ:🐙"),
        (b"\x00\xff", r"\x00\xff"),
        (b"a\nb", r"a\x0ab"),
        (rb"a\x00", r"a\\x00"),
        ("\u202egnp.exe".encode(), r"\xe2\x80\xaegnp.exe"),
        (b" a  b ", r"\x20a \x20b\x20"),
        (b"", ""),
    ],
)
def test_printing_shows_what_cannot_be_seen(key: bytes, shown: str) -> None:
    assert keys.printable(key) == shown


def test_a_backslash_that_a_person_typed_stands_for_itself() -> None:
    assert keys.from_printable(r"C:\dir\*") == rb"C:\dir\*"


@ON_A_SERVER
@given(key=st.binary(max_size=12) | GLOBBY, others=st.lists(st.binary(max_size=4) | GLOBBY))
def test_an_escaped_key_matches_itself_and_nothing_else(
    client: redis.Redis, key: bytes, others: list[bytes]
) -> None:
    client.flushdb()
    client.mset(dict.fromkeys([key, *others], b""))

    found = set(client.scan_iter(match=keys.glob_escape(key), count=1000))

    assert found == {key}


@ON_A_SERVER
@given(pattern=GLOBBY)
def test_a_literal_pattern_matches_that_key_on_the_server(
    client: redis.Redis, pattern: bytes
) -> None:
    literal = keys.literal(pattern)
    if literal is None or pattern == b"":
        return
    client.flushdb()
    client.mset({literal: b"", literal + b"x": b"", b"x": b""})

    assert set(client.scan_iter(match=pattern, count=1000)) == {literal}


@given(st.binary() | GLOBBY)
def test_escaping_undoes_itself(key: bytes) -> None:
    assert keys.literal(keys.glob_escape(key)) == key
    assert not keys.is_glob(keys.glob_escape(key))


@pytest.mark.parametrize("pattern", [b"*", b"a?", b"[ab]", rb"\\*"])
def test_glob_characters_make_a_glob(pattern: bytes) -> None:
    assert keys.is_glob(pattern)


@pytest.mark.parametrize(
    "pattern", [b"a*" * 9, b"*" + b"x" * 1024, b"[" * 2000], ids=["stars", "length", "brackets"]
)
def test_a_pattern_that_could_stall_a_server_is_refused(pattern: bytes) -> None:
    with pytest.raises(InvalidArgument, match="refused: at most"):
        keys.pattern(pattern)


def test_a_long_name_and_escaped_stars_are_no_such_pattern() -> None:
    assert keys.pattern(b"x" * 5000) == b"x" * 5000
    assert keys.pattern(rb"\*" * 20 + b"*") == rb"\*" * 20 + b"*"
    assert keys.pattern("é*") == "é*".encode()
    assert keys.pattern("") is None


@ON_A_SERVER
@given(
    key=st.binary(max_size=40) | st.lists(st.sampled_from([b"{", b"}", b"a", b"b"])).map(b"".join)
)
def test_slots_are_those_of_the_server(cluster_node: redis.Redis, key: bytes) -> None:
    assert keys.slot(key) == cluster_node.execute_command("CLUSTER KEYSLOT", key)


@pytest.mark.parametrize(
    ("key", "tag"),
    [
        (b"{a}b", b"a"),
        (b"x{a}{b}", b"a"),
        (b"{}b", None),
        (b"{a", None),
        (b"}{", None),
        (b"a{{b}}", b"{b"),
    ],
)
def test_hash_tags(key: bytes, tag: bytes | None) -> None:
    assert keys.hash_tag(key) == tag


def test_names_are_taken_apart_again() -> None:
    assert keys.name("shop", "order", 17) == "shop:order:17"
    assert keys.parse("shop:order:17") == ("shop", "order", "17", None)
    assert keys.parse(keys.name("shop", "order", "17", "lines").encode()).attr == "lines"


@pytest.mark.parametrize("part", ["", "a:b", "a b", "a*", "{a}", "a\\", "a\n"])
def test_a_name_refuses_parts_that_could_not_be_taken_apart(part: str) -> None:
    with pytest.raises(InvalidArgument):
        keys.name("shop", "order", part)


@pytest.mark.parametrize("key", [b"", b"a:b", b"a:b:c:d:e", b"a::c", b"\xff:b:c"])
def test_only_the_house_form_is_parsed(key: bytes) -> None:
    with pytest.raises(InvalidArgument):
        keys.parse(key)


def test_lint_has_nothing_to_say_of_a_good_name() -> None:
    assert keys.lint(b"shop:order:17") == []


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (b"", "empty"), (b"x" * 2000, "2000 bytes"), (b"a:b c", "white space"), (b"a:*", "glob"),
        (b"a::b", "empty"), (b"lonely", "folder"), (b"\xff", "UTF-8"),
        ("a:\u200bb".encode(), "seen"),
    ],
)  # fmt: skip
def test_lint_says_what_is_unwise(key: bytes, word: str) -> None:
    assert any(word in sentence for sentence in keys.lint(key))
