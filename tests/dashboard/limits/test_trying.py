"""Try a policy: traffic of every shape past a draft and what is live, and the page of it."""

from __future__ import annotations

import dataclasses
import json
import re
import time

import pytest
from django.urls import reverse

from dashboard.limits import policies
from dashboard.limits.policies.models import LimitPolicy, PolicyVersion
from dashboard.limits.trying import running, traffic
from dashboard.limits.trying.showing import Shown, percent
from redisops.limits.policies import Ban, Exemption, Policy
from redisops.limits.recorder import Recorder
from tests.dashboard.conftest import assert_valid_html

LIVE = Policy("checkout", subject=("user",), limit=60, period=60.0, burst=60)
DRAFT = dataclasses.replace(LIVE, limit=120, burst=120)


@pytest.fixture
def checkout(server, owner) -> LimitPolicy:
    policies.seed(server, [LIVE], "tests")
    return policies.find(server, "checkout")


def made(counts, callers=1, skew=0.0):
    return traffic.Traffic(counts, traffic.callers(callers, skew), 1_790_000_000)


def test_shapes_send_what_they_say():
    assert traffic.steady(2.5, 4) == (2, 3, 2, 3)
    assert traffic.steady(0.1, 20).count(1) == 2
    assert sum(traffic.ramp(0, 10, 101)) == 505
    burst = traffic.bursts(1, 20, 120)
    assert [at for at, count in enumerate(burst) if count == 20] == [*range(25, 35), *range(85, 95)]


def test_requests_are_the_same_each_time_and_skewed_as_said():
    sent = made((1000, 1000), callers=3, skew=2)

    first, again = list(sent.requests()), list(sent.requests())

    assert first == again
    counts = [sum(who == one for _, part in first for _, who in part) for one in range(3)]
    assert counts[0] > 3 * counts[1] > 3 * counts[2]
    times = [at for _, part in first for at, _ in part]
    assert times == sorted(times) and times[0] == 1_790_000_000_000_000


def test_a_draft_and_live_meet_the_same_requests():
    run = running.run(made(traffic.steady(2, 120)), {"draft": DRAFT, "live": LIVE})

    shown = Shown(run, "")
    assert run.sides["draft"].total == 0
    assert run.sides["live"].total == 240 - 60 - 119  # a full bucket, and what came back
    assert shown.sentence == "The draft refuses nothing; live refuses 61 of 240 requests (25%)."
    assert [(row.change, row.state) for row in shown.rows] == [("no longer refused", "ok")]
    assert sum(run.sides["live"].allowed) == 179
    data = json.loads(shown.as_json)
    assert set(data["columns"]) >= {"refused_draft", "refused_live", "asked"}


def test_shadow_is_tried_as_if_it_enforced_and_exceptions_hold():
    ends = time.time() + 1e9
    shadow = dataclasses.replace(
        LIVE, mode="shadow", limit=10, burst=10,
        exempt=(Exemption("ann", ends),), banned=(Ban("bob", ends),),
    )  # fmt: skip
    people = tuple(traffic.Caller(name, 1, name.encode()) for name in ("ann", "bob", "cid"))
    sent = traffic.Traffic((300,), people, int(time.time()))

    run = running.run(sent, {"draft": shadow})

    of = run.sides["draft"].denied_of
    assert of[0] == 0 and of[1] == run.asked_of[1] and of[2] == run.asked_of[2] - 10
    by_ip = dataclasses.replace(
        shadow, subject=("ip",), exempt=(Exemption("10.0.0.7", ends),),
        banned=(Ban("10.0.0.0/8", ends), Ban("2001:db8::/32", ends)),
    )  # fmt: skip
    places = ("10.0.0.7", "2001:db8:1::/64", "11.0.0.1")
    sent = dataclasses.replace(
        sent, callers=tuple(traffic.Caller(one, 1, one.encode()) for one in places)
    )
    run = running.run(sent, {"draft": by_ip})
    of = run.sides["draft"].denied_of
    assert [of[0], of[1]] == [run.asked_of[0], run.asked_of[1]], "a network's ban wins, too"
    assert of[2] == run.asked_of[2] - 10


def test_places_in_flight_are_held_for_as_long_as_a_request_lasts():
    two = Policy("p", subject=("user",), algorithm="concurrency", limit=2, period=30.0)

    run = running.run(made((10,) * 3), {"draft": two}, takes=0.25)

    assert run.sides["draft"].allowed == [7, 7, 6]  # two of three


def test_a_run_is_bounded_and_says_so(monkeypatch):
    monkeypatch.setattr(running, "MOST", 400)
    run = running.run(made((50,) * 60), {"draft": DRAFT, "live": LIVE})

    assert (run.seconds, run.traffic.total) == (4, 200)
    assert run.traffic.start == 1_790_000_056, "the newest part"
    assert "this is 4 s of 1 min" in Shown(run, "").part
    assert made((9_999,)).newest(100).total == 100


def test_percents_have_two_digits_that_count():
    assert [percent(one) for one in (0, 0.0031, 0.031, 0.25, 1, 0.00001, None)] == [
        "0%", "0.31%", "3.1%", "25%", "100%", "under 0.01%", "—",
    ]  # fmt: skip


def test_the_page_tries_a_draft_before_it_is_saved(checkout, viewer, client_for):
    browser = client_for(viewer)
    page = reverse("limits:try", args=["shop", "checkout"])

    first = browser.get(page)
    tried = browser.get(page, {"limit": "1", "period": "1 h", "burst": "1", "shape": "steady",
                               "rate": "1", "seconds": "100", "callers": "1"})  # fmt: skip
    fragment = browser.get(page, {"shape": "ramp"}, headers={"HX-Request": "true"})

    assert_valid_html(first)
    assert b"The draft refuses 99 of 100 requests (99%); live refuses nothing." in tried.content
    assert b"newly refused" in tried.content
    assert_valid_html(tried)
    assert b"<html" not in fragment.content and b"data-points" in fragment.content
    assert PolicyVersion.objects.count() == 1
    wrong = browser.get(page, {"limit": "0", "period": "soon", "shape": "steady"})
    assert wrong.status_code == 200 and b"Nothing was tried" in wrong.content
    assert b"is no length of time" in wrong.content
    log = {"algorithm": "sliding_log", "limit": "99999999"}
    assert b"Nothing was tried" in browser.get(page, log).content


def test_large_numbers_are_filled_in_as_figures(checkout, viewer, client_for):
    page = reverse("limits:try", args=[checkout.server.slug, checkout.name])

    answer = client_for(viewer).get(page, {"limit": "6000", "period": "1 min", "burst": "6000"})

    assert 'name="peak" value="1000"' in " ".join(answer.content.decode().split())


def test_the_editor_posts_its_draft_and_gets_an_address(checkout, viewer, client_for):
    browser = client_for(viewer)
    data = {"algorithm": "fixed_window", "limit": "7", "period": "5 min", "name": "x", "note": "y"}
    for name in ("limits:try", "limits:try_new"):
        args = ["shop", "checkout"] if name == "limits:try" else ["shop"]

        answer = browser.post(reverse(name, args=args), data)

        assert answer.status_code == 302
        assert answer["Location"].endswith("?algorithm=fixed_window&limit=7&period=5+min")
        shown = browser.get(answer["Location"])
        assert b'name="limit" value="7"' in shown.content
        assert b'name="rate" value="0.1"' in shown.content, "usual for the draft"
        assert_valid_html(shown)


def test_the_editor_offers_it_before_anything_is_saved(checkout, owner, client_for):
    browser = client_for(owner)
    for editor, tried in (("limits:show", "limits:try"), ("limits:create", "limits:try_new")):
        args = ["shop", "checkout"] if editor == "limits:show" else ["shop"]

        page = browser.get(reverse(editor, args=args)).content.decode()

        assert f'formaction="{reverse(tried, args=args)}" formtarget="_blank"' in page


def test_a_draft_for_all_together_is_tried_as_one_count(checkout, owner, client_for):
    browser, page = client_for(owner), reverse("limits:try_new", args=["shop"])
    typed = {"algorithm": "token_bucket", "limit": "2", "period": "1 s", "burst": "2", "cost": "1"}

    each, together = (
        browser.get(browser.post(page, typed | {"subject": subject})["Location"]).content.decode()
        for subject in ("ip", "global")
    )

    refused = [
        int(re.search(r"refuses ([\d,]+) of", text)[1].replace(",", ""))
        for text in (each, together)
    ]
    assert refused[0] < refused[1]
    assert 'name="together" value="1"' in together


def test_the_last_hour_is_replayed_as_it_was_counted(checkout, viewer, data, client_for):
    recorder = Recorder(data)
    for who, count in ((b"ann", 150), (b"bob\xff<b>", 30)):
        recorder.add("checkout", who, "allowed", count)
    recorder.add("checkout", b"ann", "denied", 20)
    recorder.flush()
    page = reverse("limits:try", args=["shop", "checkout"])

    answer = client_for(viewer).get(page, {"shape": "replay"})

    text = answer.content.decode()
    assert "Replayed from 200 requests between" in text
    assert re.search(r"ann</bdi>.*?<td class=\"num\">1[67]\d</td>", text, re.DOTALL)
    assert r"bob\xff&lt;b&gt;" in text
    assert_valid_html(answer)


def test_without_a_recording_the_replay_says_so(checkout, viewer, client_for):
    page = reverse("limits:try", args=["shop", "checkout"])

    answer = client_for(viewer).get(page, {"shape": "replay"})

    assert b"Nothing was counted under this policy in the last hour" in answer.content
