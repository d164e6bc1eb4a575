"""Names and values made to break consoles: each is listed, linked and opened exactly."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
import redis
from django.test import Client

from redisops.keys import from_url, to_url
from tests import hostile
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import LIST, VALUE, key_path, text_of


class Danger(HTMLParser):
    """Collects what a browser would run or load that is not ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            own = value is None or value.startswith(("/", "#", "?"))
            if name.startswith("on") or (name in ("src", "href", "action") and not own):
                self.found.append(f"<{tag} {name}={value}>")
        if tag == "script" and "src" not in dict(attrs):
            self.found.append("<script> of its own")


def assert_nothing_runs(page: str) -> None:
    danger = Danger()
    danger.feed(page)
    assert not danger.found
    assert "\x00" not in page
    assert "\u202e" not in page


@pytest.fixture
def hostile_keys(data: redis.Redis) -> redis.Redis:
    for number, name in enumerate(hostile.NAMES):
        data.set(name, b"value number %d" % number)
    return data


def test_every_name_is_listed_and_leads_to_its_own_value(
    visitor: Client, hostile_keys: redis.Redis
) -> None:
    names = set(hostile.NAMES)
    page = text_of(visitor.get(LIST, {"view": "flat", "count": "500"}))
    assert_nothing_runs(page)
    paths = re.findall(r'<a class="open" href="([^"?]*)\?', page)

    assert {from_url(path.split("/")[-2]) for path in paths} == names
    for path in paths:
        key = from_url(path.split("/")[-2])
        opened = text_of(visitor.get(path))
        number = max(n for n, name in enumerate(hostile.NAMES) if name == key)
        assert f"value number {number}<" in opened, key
        assert_nothing_runs(opened)


@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_name_can_be_copied_and_typed_again(
    visitor: Client, data: redis.Redis, name: bytes
) -> None:
    """What the copy button gives is what the field takes."""
    import html

    from redisops.keys import glob_escape, printable

    data.set(name, "found me")
    page = text_of(visitor.get(key_path(name), headers=VALUE))
    copied = re.search(r'data-copy-value="([^"]*)"', page)
    assert copied and html.unescape(copied[1]) == printable(name)

    if name and len(name) <= 1024:
        listed = text_of(visitor.get(LIST, {"match": printable(glob_escape(name)), "view": "flat"}))
        assert "found me" in listed


def test_pages_with_hostile_names_are_valid(visitor: Client, hostile_keys: redis.Redis) -> None:
    assert_valid_html(visitor.get(LIST, {"count": "500"}))
    for name in (b"", b"..", hostile.SCRIPT, b"nul\x00byte", b"line\nbreak", bytes(range(256))):
        assert_valid_html(visitor.get(key_path(name, "?view=tree&prefix=a:")))


@pytest.mark.parametrize("kind", ["hash", "set", "zset", "list", "stream", "group"])
def test_fields_members_and_groups_are_as_harmless(
    visitor: Client, data: redis.Redis, kind: str
) -> None:
    if kind == "hash":
        data.hset("x", mapping={name: name for name in hostile.NAMES})
    elif kind == "set":
        data.sadd("x", *hostile.NAMES)
    elif kind == "zset":
        data.zadd("x", dict.fromkeys(hostile.NAMES, 1))
    elif kind == "list":
        data.rpush("x", *hostile.NAMES)
    else:
        data.xadd("x", {name: name for name in hostile.NAMES})
    if kind == "group":
        for name in hostile.NAMES:
            data.xgroup_create("x", name, "0")
        data.xreadgroup(hostile.SCRIPT, hostile.SCRIPT, {"x": ">"})

    query = "?rows=200" if kind != "group" else "?group=%3Cscript%3Ewindow.pwned%3D1%3C%2Fscript%3E"
    response = visitor.get(key_path(b"x", query))

    assert_valid_html(response)
    assert_nothing_runs(text_of(response))


@pytest.mark.parametrize("how", ["auto", "text", "json", "hex", "pickle"])
def test_values_are_shown_harmless(visitor: Client, data: redis.Redis, how: str) -> None:
    for value in hostile.VALUES:
        if len(value) > 400_000:
            continue
        data.set("v", value)
        response = visitor.get(key_path(b"v", f"?decode={how}"), headers=VALUE)
        assert response.status_code == 200
        assert_nothing_runs(text_of(response))


def test_every_hostile_pattern_is_answered(visitor: Client, hostile_keys: redis.Redis) -> None:
    from redisops.keys import printable

    for name in hostile.NAMES:
        response = visitor.get(LIST, {"match": printable(name), "view": "flat"})
        assert response.status_code in (200, 400), name
        assert_nothing_runs(text_of(response))


def test_addresses_of_all_names_differ() -> None:
    assert len({to_url(name) for name in hostile.NAMES}) == len(set(hostile.NAMES))
