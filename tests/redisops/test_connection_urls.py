"""URLs: taken apart, refused in words, and shown without their secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redisops.connection import parse_url, redacted
from redisops.connection.urls import Endpoint
from redisops.errors import InvalidArgument


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("redis://", Endpoint("standalone", (("localhost", 6379),))),
        ("redis://db.example:7000/3", Endpoint("standalone", (("db.example", 7000),), db=3)),
        ("redis://[::1]:7000", Endpoint("standalone", (("::1", 7000),))),
        (
            "redis://app:p%40ss%2Fword@h",
            Endpoint("standalone", (("h", 6379),), username="app", password="p@ss/word"),
        ),
        ("redis://:only@h", Endpoint("standalone", (("h", 6379),), password="only")),
        ("redis://h?db=4", Endpoint("standalone", (("h", 6379),), db=4)),
        ("rediss://h:1", Endpoint("standalone", (("h", 1),), encrypted=True)),
        ("unix:///run/redis.sock?db=2", Endpoint("standalone", path="/run/redis.sock", db=2)),
        (
            "unix://app:pw@/run/a%20b.sock",
            Endpoint("standalone", path="/run/a b.sock", username="app", password="pw"),
        ),
        (
            "redis+sentinel://s1:1,s2/shop/5?sentinel_username=u&sentinel_password=p%26w",
            Endpoint(
                "sentinel",
                (("s1", 1), ("s2", 26379)),
                db=5,
                service="shop",
                sentinel_username="u",
                sentinel_password="p&w",
            ),
        ),
        (
            "rediss+cluster://u:p@n1:1,[::2]:2",
            Endpoint(
                "cluster", (("n1", 1), ("::2", 2)), username="u", password="p", encrypted=True
            ),
        ),
    ],
)
def test_each_kind_of_url_is_taken_apart(url, endpoint):
    assert parse_url(url) == endpoint


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h", "starts with none of redis://"),
        ("h:6379", "starts with none of"),
        ("redis://h:70000", "is no host or host:port"),
        ("redis://h/x", "database 'x'"),
        ("redis://h/-1", "database '-1'"),
        ("redis://h1:1,h2:2", "names 2 hosts"),
        ("redis+cluster://", "needs a node"),
        ("redis+cluster://n1:1/3", "a cluster has only 0"),
        ("redis+sentinel://s1:1", "needs Sentinels and a service"),
        ("unix://", "needs an absolute path"),
    ],
)
def test_a_wrong_url_is_refused_with_what_would_be_right(url, words):
    with pytest.raises(InvalidArgument, match=words):
        parse_url(url)


def test_a_refusal_does_not_repeat_the_password():
    with pytest.raises(InvalidArgument) as refusal:
        parse_url("redis://app:hunter2@h/x")

    assert "hunter2" not in str(refusal.value)
    assert "redis://app:…@h/x" in str(refusal.value)


def test_neither_the_endpoint_nor_its_address_shows_a_password():
    endpoint = parse_url("redis+sentinel://u:hunter2@s1:1/shop?sentinel_password=hunter3")

    assert "hunter" not in repr(endpoint)
    assert endpoint.address == "s1:1/shop"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=8))
def test_redacted_never_shows_a_password_however_it_is_written(secret):
    secret = f"#{secret}@"
    for scheme in ("redis", "rediss+cluster", "unix"):
        assert secret not in redacted(f"{scheme}://user:{secret}@host:1/0")


def test_redacted_hides_secret_options_and_keeps_the_rest():
    url = "redis+sentinel://s1:1/shop/0?sentinel_username=u&sentinel_password=pw"

    assert redacted(url) == ("redis+sentinel://s1:1/shop/0?sentinel_username=u&sentinel_password=…")
    assert redacted("redis://h:1/0") == "redis://h:1/0"
