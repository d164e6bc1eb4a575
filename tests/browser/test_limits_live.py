"""A policy tried before it is felt, watched while it is, and one subject made an exception."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from redisops.limits.recorder import Recorder

pytestmark = pytest.mark.browser
POLICY = "/servers/shop/limits/watched/"
SEED = """
import django
django.setup()
from dashboard.limits import policies
from dashboard.servers.models import Server
from redisops.limits.policies import Policy
policies.seed(Server.objects.get(slug="shop"), [
    Policy("watched", subject=("user",), limit=60, period=60.0, burst=60),
], "tests")
"""


@pytest.fixture(scope="module", autouse=True)
def _seeded(stage):
    stage.console.run("-c", SEED)


def test_a_draft_is_tried_as_it_is_typed(visit):
    page = visit(f"{POLICY}try/?shape=steady&rate=2&seconds=120&callers=1")
    verdict = page.locator("[data-try-verdict]")
    expect(verdict).to_contain_text("refuses 61 of 240 requests (25%); so does live.")
    expect(page.locator("[data-plot=refused] canvas")).to_be_visible()
    expect(page.get_by_label("At the peak")).to_be_hidden()

    page.get_by_label("Requests", exact=False).first.fill("120")
    page.get_by_label(re.compile("^At once")).fill("120")
    page.get_by_label(re.compile("^At once")).blur()

    expect(verdict).to_contain_text("The draft refuses nothing; live refuses 61 of 240")
    expect(page).to_have_url(re.compile("limit=120"))
    expect(page.locator("[data-plot=refused] canvas")).to_be_visible()
    page.get_by_label("Bursts").check()
    expect(page.get_by_label("At the peak")).to_be_visible()


def test_use_is_followed_and_a_subject_looked_at(visit, stage):
    page = visit(f"{POLICY}use/")
    expect(page.locator("[data-live-mark]")).to_have_text("Live, 1 s")
    expect(page.locator("[data-plot=use] canvas")).to_be_visible()
    with stage.shop.client() as plain:
        recorder = Recorder(plain)
        recorder.add("watched", b"<b>ann", "denied", 7)
        recorder.flush()

    expect(page.locator("#part-verdict")).to_contain_text("Refused 7 of 7 requests")
    page.get_by_role("link", name="<b>ann").first.click()

    expect(page.locator("h1")).to_have_text("<b>ann")
    expect(page.locator("tbody")).to_contain_text("60 of 60")
    page.get_by_label(re.compile("^Why")).fill("scraping")
    page.get_by_role("button", name="Ban it").click()
    expect(page.locator("main")).to_contain_text("Banned under watched")


def test_trouble_is_said_and_ends_by_itself(visit, stage):
    page = visit(f"{POLICY}use/")
    expect(page.locator("[data-live-mark]")).to_have_text("Live, 1 s")
    note = page.locator("#source-note")
    stage.shop.pause()
    try:
        expect(note).to_contain_text("shop does not answer")
    finally:
        stage.shop.resume()
    expect(note).to_be_hidden()
    expect(page.locator("[data-live-mark]")).to_have_text("Live, 1 s")
