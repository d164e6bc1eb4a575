"""What a policy in shadow would have refused, and that it can be enforced."""

from __future__ import annotations

import dataclasses
import datetime
import time

from dashboard.limits import policies
from dashboard.limits.policies.models import PolicyVersion
from redisops.fast import Fast
from redisops.limits.use import keys_of
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.limits.using import CHECKOUT, USE, page, request_of


def test_a_shadow_is_reported_and_enforced(unhurried, row, owner, told, client_for):
    browser = client_for(owner)
    policies.change(request_of(owner), row, dataclasses.replace(CHECKOUT, mode="shadow"))
    told(b"ann", "allowed", 969)
    told(b"bulk", "shadow", 31)

    answer = browser.get(page("limits:shadow", "checkout"), {"range": "15m"})
    week = browser.get(page("limits:shadow", "checkout"), {"range": "7d"})

    assert_valid_html(answer)
    said = b"Would have refused 3.1% of 1,000 requests in 15 min, mostly this one."
    assert said in answer.content
    assert b"3.1% of 1,000 requests in 7 d" in week.content
    old = browser.post(page("limits:enforce", "checkout"), {"seen": "1"})
    assert old["Location"] == page("limits:shadow", "checkout"), "somebody else changed it"
    odd = browser.post(page("limits:enforce", "checkout"), {"seen": "9" * 5000})
    assert odd["Location"] == page("limits:shadow", "checkout")
    done = browser.post(page("limits:enforce", "checkout"), {"seen": "2", "reason": "harmless"})
    assert done["Location"] == page(USE, "checkout")
    now = policies.find(row.server, "checkout")
    assert (now.version, now.mode, now.versions.get(number=3).reason) == (3, "enforce", "harmless")


def test_a_report_begins_with_the_last_change_and_says_so(unhurried, row, owner, data, client_for):
    browser = client_for(owner)
    policies.change(request_of(owner), row, dataclasses.replace(CHECKOUT, limit=9))
    shadow = dataclasses.replace(CHECKOUT, mode="shadow", exempt=())
    for new in (shadow, dataclasses.replace(shadow, note="words alone")):
        row = policies.find(row.server, "checkout")
        policies.change(request_of(owner), row, new)
    now = int(time.time())
    for number, age in ((1, 3_000), (2, 1_000), (3, 600), (4, 300)):
        at = datetime.datetime.fromtimestamp(now - age, datetime.UTC)
        PolicyVersion.objects.filter(policy=row, number=number).update(at=at)
    for age, outcome, count in ((900, 1, 500), (590, 0, 30), (400, 2, 10)):
        minute = (now - age) // 60 * 60
        keys_ = keys_of("limits:use:", "checkout", minute)
        at = (now - age - minute) * 3 + outcome
        Fast.of(data).script("limit_use_add", keys_, [4000, 90_000, 2000, 99, 0, 1, at, count])

    since = browser.get(page("limits:shadow", "checkout"))
    mixed = browser.get(page("limits:shadow", "checkout"), {"range": "1h"})
    browser.post(page("limits:enforce", "checkout"), {"seen": "4"})
    after = browser.get(page("limits:shadow", "checkout"))

    for answer in (since, mixed, after):
        assert_valid_html(answer)
    text = " ".join(since.content.decode().split())
    assert "Would have refused 25% of 40 requests since version 3 of" in text
    assert "changed" not in text.split("<main")[1].split("<table")[0]
    assert "The policy changed 3 times in this range." in mixed.content.decode()
    assert "Would have refused 1.9% of 540 requests in 1 h" in " ".join(
        mixed.content.decode().split()
    )
    text = " ".join(after.content.decode().split())
    assert "Would have refused 25% of 40 requests while versions 3 to 4 ran in shadow" in text
