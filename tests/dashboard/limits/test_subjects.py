"""One subject under all policies: looked at, given back, exempt, banned."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest

from dashboard.accounts.models import Team
from dashboard.audit.models import Entry
from dashboard.limits import policies
from dashboard.limits.policies.models import LimitPolicy, PolicyVersion
from redisops import keys
from redisops.limits import Limiter
from redisops.limits.policies import Ban, Policy
from redisops.limits.subjects import fingerprint
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.limits.using import BY_IP, CHECKOUT, HOSTILE, LOOK, USE, page, request_of


def test_one_subject_stands_under_every_policy_that_counts_it(row, owner, data, client_for):
    limiter, limit = Limiter(data), CHECKOUT.as_limit()
    for _ in range(6):
        limiter.hit(limit, "ann")
    browser = client_for(owner)

    answer = browser.get(page(LOOK, keys.to_url(b"ann")))

    text = answer.content.decode()
    assert_valid_html(answer)
    assert "Used up under checkout" in text and "<b>0</b> of 5" in text
    assert "slots" in text and "1 other off, or counting something else" in text
    again = browser.get(page(LOOK, keys.to_url(b"ann"))).content.decode()
    assert "<b>0</b> of 5" in again, "looking takes nothing and gives nothing"
    reset = browser.post(page("limits:subject_reset", "checkout"), {"subject": keys.to_url(b"ann")})
    assert reset.status_code == 302
    assert limiter.peek(limit, "ann").remaining == 5
    assert "Under <b>checkout</b>." in text, "the one that refuses"
    rested = browser.get(page(LOOK, keys.to_url(b"ann"))).content
    assert b"Choose under which policy." in rested and b'value="ban"' not in rested
    asked = browser.get(page(LOOK, keys.to_url(b"ann")), {"policy": "slots"}).content
    assert b"Under <b>slots</b>." in asked
    entry = Entry.objects.filter(action="limits.reset", result="ok").get()
    assert (entry.target, entry.after) == ("checkout, ann", {"had spent anything": True})


@pytest.mark.parametrize("subject", [HOSTILE, b"\xff", "ключ|%7C".encode(), b"x" * 5000])
def test_any_bytes_can_be_looked_at(row, owner, subject, client_for):
    browser = client_for(owner)

    answer = browser.post(page("limits:subjects"), {"encoded": keys.to_url(subject)}, follow=True)

    assert answer.status_code == 200
    assert_valid_html(answer)
    assert b"onerror=alert(1)&gt;" in answer.content or subject is not HOSTILE
    assert browser.get(page(LOOK, "!!")).status_code == 404
    assert browser.post(page("limits:subjects"), {"subject": ""}).status_code == 422


def test_a_subject_is_exempt_or_banned_for_a_time_by_a_new_version(row, owner, client_for):
    browser, ann = client_for(owner), keys.to_url(b"ann")
    where = page("limits:subject_except", "checkout")
    told = {"subject": ann, "lasts": "1 hour"}

    browser.post(where, {**told, "do": "exempt"})
    exempt = policies.find(row.server, "checkout")
    browser.post(where, {**told, "do": "ban"})  # without a reason
    for wrong in ("59 s", "11 years", "", "NaN", "1e9 d", "9" * 40):
        browser.post(where, {**told, "do": "ban", "reason": "x", "lasts": wrong})
    refused = policies.find(row.server, "checkout")
    browser.post(where, {**told, "do": "ban", "reason": "scraping"})
    banned = policies.find(row.server, "checkout")

    now = time.time()
    found = exempt.as_policy()
    assert (exempt.version, [one.subject for one in found.exempt]) == (2, ["ann"])
    assert now < found.exempt[0].until <= now + 3601
    assert refused.version == 2
    assert banned.as_policy().exempt == ()
    assert [(one.subject, one.reason) for one in banned.as_policy().banned] == [("ann", "scraping")]
    assert banned.versions.get(number=3).reason == "Ban ann for 1 h: scraping"
    shown = browser.get(page(LOOK, ann)).content.decode()
    assert "Banned under checkout" in shown and "scraping" in shown
    assert "Exceptions now" in browser.get(page(USE, "checkout")).content.decode()
    browser.post(page("limits:subject_lift", "checkout"), {"subject": ann})
    assert policies.find(row.server, "checkout").as_policy().banned == ()
    browser.post(where, {**told, "subject": keys.to_url(b"\xff"), "do": "exempt"})
    assert policies.find(row.server, "checkout").version == 4, "no policy can hold such a name"


def test_operators_act_on_what_their_teams_own_alone(row, operator, viewer, client_for):
    told = {"subject": keys.to_url(b"ann"), "lasts": "15 min", "do": "exempt"}
    acts = ["limits:subject_reset", "limits:subject_except", "limits:subject_lift",
            "limits:enforce"]  # fmt: skip
    for person in (viewer, operator):
        for act in acts:
            assert client_for(person).post(page(act, "checkout"), told).status_code == 403, act
    look = client_for(operator).get(page(LOOK, keys.to_url(b"ann")))
    assert b"Exempt it" not in look.content and b"Give all back" not in look.content
    team = Team.objects.create(name="Checkout")
    operator.teams.add(team)
    row.team = team
    row.save()

    answer = client_for(operator).post(page("limits:subject_except", "checkout"), told)

    assert answer.status_code == 302
    assert policies.find(row.server, "checkout").version == 2


def test_a_network_that_is_banned_is_known_by_each_address_in_it(row, owner, client_for):
    ends = time.time() + 900
    bans = (Ban("10.0.0.0/8", ends, "scraping"), Ban("2001:db8::/32", ends, "scraping"))
    by_ip = policies.find(row.server, "by-ip")
    policies.change(request_of(owner), by_ip, dataclasses.replace(BY_IP, banned=bans))
    browser, network = client_for(owner), page(LOOK, keys.to_url(b"10.0.0.0/8"))

    for address in (b"10.1.2.3", b"2001:db8:1::7", b"::ffff:10.1.2.3"):
        answer = browser.get(page(LOOK, keys.to_url(address)))
        text = answer.content.decode()
        assert_valid_html(answer)
        assert "Banned under by-ip" in text and "scraping" in text, address
        assert "End the ban" not in text, "it is the network's"
    assert f'href="{network}"' in browser.get(page(LOOK, keys.to_url(b"10.1.2.3"))).content.decode()
    assert b"Banned" not in browser.get(page(LOOK, keys.to_url(b"11.1.2.3"))).content
    there = browser.get(network)
    assert_valid_html(there)
    assert b"End the ban" in there.content
    told = {"subject": keys.to_url(b"10.0.0.0/8")}
    browser.post(page("limits:subject_lift", "by-ip"), told)
    now = policies.find(row.server, "by-ip").as_policy()
    assert [one.subject for one in now.banned] == ["2001:db8::/32"]
    assert b"Counted by address" in browser.get(network).content


def test_what_is_given_back_is_what_was_counted(row, owner, data, client_for):
    limiter, limit = Limiter(data), BY_IP.as_limit()
    limiter.hit(limit, "2001:db8::/64", 7)
    told = {"subject": keys.to_url(b"2001:db8::1")}

    client_for(owner).post(page("limits:subject_reset", "by-ip"), told)

    assert limiter.peek(limit, "2001:db8::/64").remaining == 100


def test_a_key_that_somebody_types_is_kept_nowhere(row, server, owner, data, client_for):
    secret = "sk-live-3f9a"
    by_key = Policy("by-key", subject=("api_key",), limit=5, period=3600.0)
    policies.seed(server, [by_key], "tests")
    limiter, limit, counted = Limiter(data), by_key.as_limit(), fingerprint(secret)
    limiter.hit(limit, counted, 5)
    browser, told = client_for(owner), {"subject": keys.to_url(secret.encode())}

    looked = browser.post(page("limits:subjects"), {"subject": secret})
    browser.post(page("limits:subject_reset", "by-key"), told)
    where = page("limits:subject_except", "by-key")
    sent = browser.post(where, {**told, "lasts": "1 h", "do": "ban", "reason": "leaked"})
    row = policies.find(server, "by-key")

    assert looked.status_code == 200 and b"Used up under by-key" in looked.content
    assert limiter.peek(limit, counted).remaining == 5
    assert [one.subject for one in row.as_policy().banned] == [counted]
    assert sent["Location"].startswith(page(LOOK, keys.to_url(counted.encode())))
    imported = json.dumps(
        by_key.as_dict() | {"exempt": [{"subject": secret, "until": time.time() + 900}]}
    )
    browser.post(page("limits:import"), {"text": imported})
    assert [one.subject for one in policies.find(server, "by-key").as_policy().exempt] == [counted]
    kept = [*Entry.objects.values_list("target", "before", "after", "reason")]
    kept += PolicyVersion.objects.values_list("body", "reason")
    assert secret not in f"{kept}"


def test_what_cannot_be_read_is_said_and_not_acted_on(row, owner, client_for):
    LimitPolicy.objects.filter(name="checkout").update(body={"limit": "many"})
    browser, told = client_for(owner), {"subject": keys.to_url(b"ann"), "lasts": "1 h"}

    look = browser.get(page(LOOK, keys.to_url(b"ann")))

    assert_valid_html(look)
    assert b"cannot be read" in look.content and b"slots" in look.content
    for act in ("limits:subject_reset", "limits:subject_except", "limits:subject_lift"):
        assert browser.post(page(act, "checkout"), told).status_code == 404, act
    assert browser.get(page("limits:try", "checkout")).status_code == 404
    for act in ("limits:enforce", "limits:delete"):
        refused = browser.post(page(act, "checkout"), {"seen": "1"}, follow=True)
        assert b"What is stored of it cannot be read" in refused.content, act
