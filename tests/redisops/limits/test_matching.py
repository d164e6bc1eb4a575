"""Which policies a request falls under, whose count it is, and how long finding out may take."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redisops.errors import InvalidArgument
from redisops.limits.addresses import Trusted, client_address, grouped
from redisops.limits.matching import Asked, Matcher, explain, subject_of
from redisops.limits.paths import Paths
from redisops.limits.patterns import parse
from redisops.limits.policies import Ban, Exemption, Policy
from redisops.limits.subjects import fingerprint

INSIDE = Trusted(networks=("10.0.0.0/8",))


def policy(name: str = "p", **fields: Any) -> Policy:
    return Policy(name, **{"limit": 1, "period": 1.0, **fields})


def names(policies: list[Policy], book: str = "*", **asked: Any) -> list[str]:
    request = Asked(**{"service": "shop", "method": "GET", "path": "/", "ip": "192.0.2.1", **asked})
    return [matched.policy.name for matched in Matcher(policies, book).match(request)]


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("*", ["/", "/a//b", "*", ""], []),
        ("/**", ["/", "/a", "/a/b/", "//"], []),
        ("/", ["/"], ["", "//", "/a"]),
        ("/orders", ["/orders"], ["/orders/", "//orders", "/Orders", "/orders%2F", "/a/orders"]),
        ("/orders/", ["/orders/"], ["/orders", "/orders//"]),
        ("/orders/*", ["/orders/7"], ["/orders/", "/orders", "/orders/7/", "/orders/7/x"]),
        ("/orders/{id}/lines", ["/orders/7/lines"], ["/orders//lines", "/orders/7/8/lines"]),
        ("/orders/**", ["/orders", "/orders/", "/orders//", "/orders/7/x"], ["/ordersx", "/"]),
        ("/**/lines", ["/lines", "/a/lines", "/a/b/lines"], ["/lines/", "/a/linesx"]),
        ("/a/**/b/**/c", ["/a/b/c", "/a/x/b/b/y/c", "/a/b/b/c"], ["/a/c", "/a/b/c/d", "/b/a/c"]),
        ("/**/**/x", ["/x", "/a/x"], ["/a"]),
        ("/f/*.csv", ["/f/a.csv", "/f/.csv", "/f/a.csv.csv"], ["/f/a.csvx", "/f/a/b.csv"]),
        ("/f/{name}.csv", ["/f/a.csv"], ["/f/.csv"]),
        ("/f/a*b*a", ["/f/aba", "/f/axbxba"], ["/f/ab", "/f/a"]),
        ("/f/aa*aa", ["/f/aaaa", "/f/aaXaa"], ["/f/aaa"]),
        ("/f/*{x}", ["/f/a"], ["/f/"]),
        ("/ü/*", ["/ü/x"], ["/u/x"]),
        ("/a.b+c", ["/a.b+c"], ["/aXb+c", "/a.bbc"]),
    ],
)
def test_a_pattern_matches_what_the_grammar_says(
    pattern: str, matches: list[str], others: list[str]
) -> None:
    paths = Paths([pattern])

    assert [path for path in matches if not paths.match(path)] == []
    assert [path for path in others if paths.match(path)] == []


def as_regex(pattern: str) -> re.Pattern[str]:
    """The grammar again, by other means; it may take for ever, so only for short paths."""
    if pattern == "*":
        return re.compile(".*", re.DOTALL)
    said = ""
    for segment in pattern[1:].split("/"):
        if segment == "**":
            said += "(?:/[^/]*)*"
        elif segment in ("*", "{x}"):
            said += "/[^/]+"
        else:
            parts = re.split(r"(\*|\{x\})", segment)
            wild = {"*": "[^/]*", "{x}": "[^/]+"}
            said += "/" + "".join(wild.get(part) or re.escape(part) for part in parts)
    return re.compile(said)


SEGMENTS = st.lists(
    st.sampled_from(["a", "b", "", "*", "{x}", "**", "a*", "*b", "a*{x}b"]), max_size=4
)
PATHS = st.lists(st.sampled_from(["a", "b", "", "ab", "aab", "axb"]), max_size=5)


@given(patterns=st.lists(SEGMENTS.map(lambda s: "/" + "/".join(s)), max_size=6), path=PATHS)
@settings(max_examples=300)
def test_a_tree_of_patterns_finds_what_each_of_them_alone_would(
    patterns: list[str], path: list[str]
) -> None:
    asked = "/" + "/".join(path)

    found = Paths(patterns).match(asked)

    assert found == [n for n, pattern in enumerate(patterns) if as_regex(pattern).fullmatch(asked)]


def steps(paths: Paths, path: str) -> int:
    """How many lines of the library run to match this path."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        paths.match(path)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        ("/**/a/**/a/**/a/**/a/**/b", "/a"),
        ("/" + "/".join(["*"] * 20 + ["**"] * 20), "/a"),
        ("/a*a*a*a*a*a*a*a*b", "a"),
        ("/**/{x}a{y}a{z}b", "/aaaa"),
        ("/**/a", "/"),
    ],
)
def test_the_work_grows_with_the_path_and_not_faster(pattern: str, unit: str) -> None:
    paths = Paths([pattern])

    once, tenfold = steps(paths, "/" + unit * 100), steps(paths, "/" + unit * 1000)

    assert tenfold <= 11 * once


def test_policies_apply_by_service_method_path_and_mode_in_their_order() -> None:
    policies = [
        policy("all", order=5),
        policy("b", order=1),
        policy("a", order=1),
        policy("post", methods=("POST", "PUT")),
        policy("other", service="billing"),
        policy("mine", service="shop"),
        policy("off", mode="off"),
        policy("shadow", mode="shadow"),
        policy("path", path="/orders/*"),
    ]

    assert names(policies) == ["mine", "shadow", "a", "b", "all"]
    assert names(policies, method="PUT", path="/orders/1") == [
        "mine", "path", "post", "shadow", "a", "b", "all",
    ]  # fmt: skip
    assert "other" in names(policies, service="billing")
    assert "mine" not in names(policies, service="billing")
    assert names(policies, "billing", service="shop") == ["shadow", "a", "b", "all"]
    reasons = dict(explain(policies, Asked("shop", "GET", "/", "192.0.2.1")))
    said = {one.name: why for one, why in reasons.items()}
    assert [name for name, why in said.items() if not why] == names(policies)
    assert "It is off" in said["off"]
    assert "/orders/*" in said["path"]


def test_a_book_of_one_service_takes_its_name_where_a_request_says_none() -> None:
    assert names([policy("mine", service="shop")], "shop", service="") == ["mine"]


def test_a_request_without_a_part_of_the_subject_is_not_limited_by_it() -> None:
    policies = [
        policy("user", subject=("user",)),
        policy("both", subject=("user", "ip")),
        policy("key", subject=("api_key",)),
        policy("team", subject=("header:X-Team",)),
        policy("everybody", subject=("global",)),
    ]

    assert names(policies) == ["everybody"]
    assert names(policies, user="ann") == ["both", "everybody", "user"]
    assert names(policies, headers={"x-TEAM": "blue"}, api_key="k") == ["everybody", "key", "team"]


def test_subjects_are_bytes_that_nobody_can_pass_for_somebody_else_with() -> None:
    def subject(*parts: str, **asked: Any) -> bytes | None:
        return subject_of(policy(subject=parts), Asked(**asked))

    assert subject("user", user="ann") == b"ann"
    assert subject("global") == b"global"
    assert subject("ip", ip="2001:db8:0:1:2::3") == b"2001:db8:0:1::/64"
    assert subject("user", "ip", user="ann", ip="::ffff:192.0.2.7") == b"ann|192.0.2.7"
    assert subject("user", "header:T", user="a|b", headers={"t": "c"}) == b"a%7Cb|c"
    assert subject("user", "header:T", user="a", headers={"t": "b|c"}) == b"a|b%7Cc"
    assert subject("user", "header:T", user="a%7Cb", headers={"t": "c"}) == b"a%257Cb|c"
    assert subject("user", user="\udcff\x00\r\n") == b"\xff\x00\r\n"
    assert subject("user", user="\ud800") == b"\xed\xa0\x80"
    assert len(subject("user", user="x" * 1_000_000) or b"") == 33


def test_secrets_are_counted_by_their_digest() -> None:
    asked = Asked(api_key="sk_live_1", headers={"Authorization": "Bearer x", "X-Team": "t"})

    shown = subject_of(policy(subject=("api_key",)), asked)

    assert shown == fingerprint("sk_live_1").encode()
    assert shown is not None
    assert re.fullmatch(rb"key-[0-9a-f]{24}", shown)
    header = subject_of(policy(subject=("header:authorization",)), asked)
    assert header == fingerprint("Bearer x").encode()
    # Whoever sends another's digest as a key is not taken for them.
    forged = subject_of(policy(subject=("api_key",)), Asked(api_key=shown.decode()))
    assert forged != shown


def test_exemptions_and_bans_are_found_by_what_people_write() -> None:
    marked = policy(
        "ip",
        exempt=(Exemption("2001:db8::5", 5.0), Exemption("::ffff:192.0.2.9", 6.0)),
        banned=(Ban("192.0.2.1", 7.0, "scraping"),),
    )
    keys = policy(
        "key",
        subject=("api_key",),
        exempt=(Exemption("k1", 5.0), Exemption(fingerprint("k2"), 5.0)),
    )
    matcher = Matcher([marked, keys])

    def found(**asked: Any) -> Any:
        return matcher.match(Asked(**asked))

    assert found(ip="2001:db8:0:0:ffff::1")[0].exempt == 5.0
    assert found(ip="192.0.2.9")[0].exempt == 6.0
    assert found(ip="192.0.2.1")[0].banned == (7.0, "scraping")
    assert [one.exempt for one in found(ip="192.0.2.2", api_key="k1")] == [None, 5.0]
    assert [one.exempt for one in found(ip="192.0.2.2", api_key="k2")] == [None, 5.0]


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::/64"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("192.0.2.1/64", "192.0.2.1/64"),
        ("", ""),
        ("9" * 10_000, "9" * 10_000),
    ],
)
def test_addresses_are_counted_by_subscriber(ip: str, counted: str) -> None:
    assert grouped(ip) == counted


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("10.0.0.1", "203.0.113.9", Trusted(), "10.0.0.1"),
        ("10.0.0.1", "", Trusted(proxies=1), "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", Trusted(proxies=1), "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", Trusted(proxies=2), "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9", Trusted(proxies=3), "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 10.9.9.9", INSIDE, "203.0.113.9"),
        ("198.51.100.1", "203.0.113.9", INSIDE, "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, nonsense", Trusted(proxies=2), "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", Trusted(proxies=1), "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:443", Trusted(proxies=1), "2001:db8::1"),
        ("::1", "::ffff:203.0.113.9", Trusted(networks=("::1/128",)), "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6," * 100_000 + "203.0.113.9", Trusted(proxies=1), "203.0.113.9"),
        ("", "203.0.113.9", Trusted(proxies=1), "203.0.113.9"),
    ],
    ids=range(13),
)  # fmt: skip
def test_a_client_is_who_trusted_proxies_say(
    peer: str, forwarded: str, trusted: Trusted, client: str
) -> None:
    assert client_address(peer, forwarded, trusted) == client


def test_what_is_no_network_or_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        Trusted(networks=("everywhere",))
    with pytest.raises(InvalidArgument, match="brace"):
        parse("/{a b}")
