"""The page of a policy in use: what it shows, and what it says when Redis does not answer."""

from __future__ import annotations

import html
import json

import pytest

from dashboard.servers import clients
from redisops import keys
from redisops.resilience.words import WORDS, Cause
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.limits.using import HOSTILE, LOOK, USE, page
from tests.servers import until


def test_the_page_is_whole_without_a_script(row, viewer, told, client_for):
    told(b"ann", "allowed", 40)
    told(HOSTILE, "denied", 7)

    answer = client_for(viewer).get(page(USE, "checkout"))

    text = answer.content.decode()
    assert_valid_html(answer)
    assert "<img src=x" not in text
    assert f'href="{page(LOOK, keys.to_url(HOSTILE))}?policy=checkout"' in text
    assert "Exact: fewer subjects came than are kept." in text
    series = json.loads(client_for(viewer).get(page("limits:use_series", "checkout")).content)
    assert len(series["rows"]) == 900 and series["rows"][-1][0] == series["until"]
    assert client_for(viewer).get(page(USE, "none")).status_code == 404


def test_counted_seconds_come_once_they_are_complete(row, viewer, told, client_for):
    told(b"ann", "denied", 7)
    browser = client_for(viewer)

    said = b"Refused 7 of 7 requests in 15 min (100%)."
    until(lambda: said in browser.get(page(USE, "checkout")).content, "they never came", 20)


NARROW = ("~*", "+@read", "-@dangerous", "+ping")
SCRIPTS = (*NARROW, "+eval", "+evalsha")


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        (NARROW, "evalsha"),
        (SCRIPTS, "time"),
        ((*SCRIPTS, "+time", "resetkeys", "~limits:use:*"), "a key"),
    ],
)
def test_a_narrow_account_is_told_what_is_missing(
    row, server, viewer, data, client_for, rights, missing
):
    data.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">pw", "&*", *rights)
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()
    try:
        browser = client_for(viewer)
        assert browser.get(page(USE, "checkout")).status_code == 200
        assert browser.get(page("limits:shadow", "checkout")).status_code == 200
        answer = browser.get(page(LOOK, keys.to_url(b"ann")))
        assert answer.status_code == 200
        assert b"does not let the console look" in answer.content
        assert missing in answer.content.decode().split("Redis said:")[1].split("Scripts")[0]
        assert b"Not known" in answer.content
        assert_valid_html(answer)
    finally:
        data.execute_command("ACL", "DELUSER", "narrow")


def test_every_page_waits_for_a_silent_server_as_long_as_the_list(
    row, viewer, target, client_for, monkeypatch
):
    monkeypatch.setattr("dashboard.limits.patience.PATIENCE", 0.2)
    browser, ann = client_for(viewer), keys.to_url(b"ann")
    pages = [page(USE, "checkout"), page("limits:use_series", "checkout"), page(LOOK, ann),
             page("limits:shadow", "checkout"), f"{page('limits:try', 'checkout')}?shape=replay",
             page("limits:index")]  # fmt: skip
    said = WORDS[Cause.DEADLINE][0]
    target.pause()
    try:
        for where in pages:
            clients.forget_all()  # a breaker that is open would not wait at all
            answer = browser.get(where)
            assert said in html.unescape(answer.content.decode()), where
            assert answer.status_code == (200 if where == pages[-1] else 503), where
    finally:
        target.resume()
