"""Uniques: the counters of a server found, each over time, and merged over a range."""

from __future__ import annotations

import html
import json
import time

import pytest
from django.urls import reverse

from dashboard.servers.models import Server
from redisops import keys
from redisops.connection import parse_url
from redisops.uniques import Uniques
from redisops.windows import window_at
from tests.conftest import HOME
from tests.dashboard.conftest import assert_valid_html
from tests.hostile import SCRIPT
from tests.redisops.windows import far_from_midnight
from tests.servers import RedisProcess, restricted

midnight = pytest.fixture(far_from_midnight, autouse=True)
LIST = "/servers/shop/leaderboards/uniques/"


def page(pattern: bytes, query: str = "") -> str:
    return reverse("leaderboards:unique", args=["shop", pattern]) + query


@pytest.fixture
def visitors(data):
    """Three days, each with a hundred visitors of whom half came the day before."""
    counter = Uniques(data, "v", prefix="shop:")
    today = window_at("day", time.time())
    for back in range(3):
        counter.at(today.step(-back)).add(*(f"{n}" for n in range(50 * back, 50 * back + 100)))
    return today


def test_counters_are_found_and_their_windows_are_one(client_for, viewer, data, visitors):
    data.pfadd(b"all \xff", "a")
    data.pfadd(SCRIPT, "a")
    data.set("text:2026-11-23", "x")
    browser = client_for(viewer)

    answer = browser.get(LIST)

    assert_valid_html(answer)
    text = answer.content.decode()
    assert "3 counters known: every name was seen and looked into." in text
    assert keys.to_url(b"shop:{v}:<day>") in text and "text:" not in text
    assert SCRIPT.decode() not in text
    row = text[text.index(keys.to_url(b"shop:{v}:<day>")) :]
    assert f'{visitors.step(-2).label}</span> to <span class="mono">{visitors.label}' in row

    data.pfadd("later", "a")
    assert "later" not in browser.get(LIST).content.decode()  # what was found is remembered
    assert browser.post(LIST).status_code == 302
    assert "4 counters known" in browser.get(LIST).content.decode()
    opened = browser.post(LIST, {"key": "shop:{v}:2001-01-01"})
    assert opened["Location"] == page(b"shop:{v}:<day>")


def test_a_range_is_plotted_merged_and_told_with_its_error(client_for, viewer, data, visitors):
    browser = client_for(viewer)
    first = visitors.step(-2).label
    merged = data.pfcount(*(f"shop:{{v}}:{visitors.step(-back).label}" for back in range(3)))

    answer = browser.get(page(b"shop:{v}:<day>", f"?first={first}&last={visitors.label}"))

    assert_valid_html(answer)
    text = answer.content.decode()
    assert abs(merged - 200) <= 8
    assert f"About {merged} different from {first} to {visitors.label}, give or take" in text
    assert "Error" in text and "0.81" in text
    points = html.unescape(text.split('data-points="')[1].split('"')[0])
    columns = json.loads(points)["columns"]
    assert columns["count"][2] is None and all(columns["count"][:2])  # the open day is not over
    assert columns["open"][0] is None and columns["open"][1:] == [columns["count"][1], 100]
    usual = browser.get(page(b"shop:{v}:<day>")).content.decode()
    assert "not there" in usual  # the days before are gaps
    browser.get(LIST)
    long_ago = browser.get(page(b"shop:{v}:<day>", "?first=2020-01-01&last=2020-01-02"))
    assert_valid_html(long_ago)
    assert f"to {visitors.label}</a> are known." in long_ago.content.decode()
    for query in ("?first=yesterday", f"?first={visitors.label}&last={first}", "?first=0001-01-01"):
        wrong = browser.get(page(b"shop:{v}:<day>", query))
        assert wrong.status_code == 200 and 'class="note warn"' in wrong.content.decode()


def test_what_is_no_counter_says_so_and_one_key_has_no_range(client_for, viewer, data):
    browser = client_for(viewer)
    data.pfadd("one", "a", "b")
    data.set("text", "x")

    one = browser.get(page(b"one"))
    assert_valid_html(one)
    assert (
        "About 2 different" in one.content.decode() and "Merge a range" not in one.content.decode()
    )
    assert "This key is no counter." in browser.get(page(b"text")).content.decode()
    assert "Nobody was counted" in browser.get(page(b"gone:<week>")).content.decode()
    assert browser.get(page(b"redisops:console:x")).status_code == 404


def test_only_who_may_read_the_server_sees_them(
    client_for, viewer, stranger, server, target: RedisProcess
):
    assert client_for(stranger).get(LIST).status_code == 404
    assert client_for(None).get(LIST).status_code == 302
    assert client_for(viewer).put(LIST).status_code == 405

    with target.client() as plain:
        plain.pfadd("v:2026-11-23", "a")
    _act_as(server, restricted(target, "+@read", "-@dangerous", "+ping", "~*"))
    narrow, month = client_for(viewer), "?first=2026-11-01&last=2026-11-30"
    assert "1 counter known" in narrow.get(LIST).content.decode()
    assert "About 1 different" in narrow.get(page(b"v:<day>", month)).content.decode()

    _act_as(server, restricted(target, "+ping", "+hgetall", "~*"))
    blind = client_for(viewer)
    with HOME.client() as home:
        home.delete(*home.keys("*uniques*"))
    assert "may not look for counters" in blind.get(LIST).content.decode()
    assert "may not count here" in blind.get(page(b"v:<day>")).content.decode()


def _act_as(server: Server, url: str) -> None:
    """Let the console use the ACL user of ``url`` on the server."""
    server.username = str(parse_url(url).username)
    server.set_secret("password", "secret-42")
    server.save()
