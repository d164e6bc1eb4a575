"""The pages for many keys: who gets them, what they refuse, what one form starts."""

from __future__ import annotations

import datetime
import os

import pytest
import redis
from django.utils import timezone
from pytest_django.fixtures import Settings

from dashboard.jobs import testing
from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.models import Grant, Server
from dashboard.undo.models import Removal
from redisops.keys import to_url
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.bulk_pages import BULK, CARTS, SHEET, act, acts, count, page_of
from tests.dashboard.keys.conftest import LIST, text_of


def test_the_list_offers_its_boxes_to_who_may(browser, viewer, client_for, carts):
    offered = text_of(browser.get(LIST))
    seen = text_of(client_for(viewer).get(LIST))

    assert f'name="key" value="{to_url(b"cart:us:1")}"' in offered
    assert "data-bulk-menu" in offered and 'name="do" value="delete"' in offered
    assert 'name="key"' in seen and 'name="do" value="export"' in seen
    assert 'name="do" value="delete"' not in seen and 'data-do="delete"' not in seen


def test_who_may_only_read_counts_for_an_export_and_nothing_else(viewer, client_for, carts):
    browser = client_for(viewer)
    page = text_of(browser.get(BULK, {"do": "export", "match": "cart:*"}))
    assert '<option value="export"' in page and '<option value="delete"' not in page
    browser.post(BULK, {"do": "export", "match": "cart:eu:*"})
    testing.run(Job.objects.get(kind="keys.list"))
    key_list = KeyList.objects.get()
    page = browser.get(page_of(key_list, "export"))
    assert_valid_html(page)
    assert f"/servers/shop/export/?list={key_list.pk}" in text_of(page)

    begun = browser.post("/servers/shop/export/", {"list": key_list.pk, "format": "lines"})
    assert begun.status_code == 302 and Job.objects.filter(kind="keys.export").exists()

    for do in ("delete", "expire", "persist", "rename", "copy"):
        assert browser.get(BULK, {"do": do}).status_code == 403
        assert browser.get(page_of(key_list, do)).status_code == 403
        assert act(browser, key_list, do=do).status_code == 403
        assert browser.post(BULK, {"do": do, "match": "cart:*"}).status_code == 403
    for path in ("", "again/", "stop/", "leave-out/"):
        assert browser.post(f"{BULK}{key_list.pk}/{path}", {"do": "delete"}).status_code == 403
    assert {job.kind for job in acts()} == {"keys.export"} and carts.dbsize() == 31


def test_a_prefix_is_counted_confirmed_and_deleted(browser, carts):
    counted = count(browser, match="", prefix="cart:eu:")
    page = browser.get(page_of(counted))

    assert_valid_html(page)
    assert "Delete 30 keys" in text_of(page)
    assert "a key that was written anew in between may be removed" in text_of(page)
    expiring = text_of(browser.get(page_of(counted, "expire")))
    assert "written anew" not in expiring
    answer = act(browser, counted)
    (job,) = acts()
    assert answer["Location"] == job.get_absolute_url()
    testing.run(job)
    assert carts.keys() == [b"cart:us:1"]


def test_a_job_leads_back_to_the_keys_with_undo_at_hand(browser, carts):
    act(browser, count(browser))
    job = testing.run(acts()[0])
    removal = Removal.objects.get(job=job.pk)

    told = browser.get(job.get_absolute_url())
    keys = browser.get(f"{LIST}?undo={removal.pk}")
    restored = browser.post(f"/servers/shop/recycle-bin/{removal.pk}/restore/", {"which": "all"})

    assert f'href="{LIST}?undo={removal.pk}"' in text_of(told)
    assert [name for name, _ in told.context["rules"]].count("Pace") == 1
    assert "of dumps kept for undo" in text_of(told)
    assert_valid_html(keys)
    for part in (f"{removal.pk}/restore/", f'href="{job.get_absolute_url()}"', "Kept until"):
        assert part in text_of(keys)
    assert restored.status_code == 302
    assert carts.dbsize() == 31
    assert browser.get(f"{LIST}?undo=99999").status_code == 200


def test_a_deleted_key_leads_back_to_the_keys_with_undo_at_hand(browser, carts):
    url = f"{LIST}{to_url(b'cart:us:1')}/delete/"

    keys = browser.post(url, {"step": "save", "reason": ""}, follow=True)

    (removal,) = Removal.objects.all()
    assert keys.redirect_chain[-1][0].endswith(f"undo={removal.pk}")
    assert f"{removal.pk}/restore/" in text_of(keys)
    assert not carts.exists("cart:us:1")


def test_a_selection_is_only_what_was_ticked(browser, carts):
    names = [to_url(b"cart:eu:1"), to_url(b"cart:us:1")]

    answer = browser.post(BULK, {"source": "selection", "do": "delete", "key": names})

    counted = KeyList.objects.latest("pk")
    testing.run(Job.objects.get(pk=counted.job_id))
    assert answer["Location"] == page_of(counted)
    counted.refresh_from_db()
    assert sorted(counted.keys(0, 10)) == [b"cart:eu:1", b"cart:us:1"]
    assert "2 keys" in text_of(browser.get(page_of(counted)))
    assert Job.objects.get(pk=counted.job_id).done == 2


@pytest.mark.parametrize("match", ["", "*", "**"])
def test_every_key_is_never_meant_by_accident(browser, server, carts, match):
    answer = browser.post(BULK, {"do": "delete", "match": match})

    assert answer.status_code == 422
    assert "“Every key of Shop”" in text_of(answer)
    assert_valid_html(answer)
    assert not Job.objects.exists()


def test_every_key_is_asked_for_in_words_and_confirmed_by_the_servers_name(browser, carts):
    counted = count(browser, match="", everything="on")

    assert counted.acting == 31
    assert act(browser, counted, confirm="*").status_code == 422
    assert act(browser, counted, confirm="Shop").status_code == 302


def test_an_address_ticks_nothing(browser, server):
    page = text_of(browser.get(f"{BULK}?do=delete&everything=on"))

    assert "checked" not in page


def test_nothing_selected_is_refused(browser, server):
    answer = browser.post(BULK, {"source": "selection", "do": "delete"})

    assert answer.status_code == 422
    assert "No key is selected" in text_of(answer)


def test_the_dialog_gets_what_is_inside_it(browser, carts):
    asked = browser.get(f"{BULK}?do=delete&match={CARTS}", headers=SHEET)
    counted = count(browser)
    shown = browser.get(page_of(counted), headers=SHEET)
    refused = browser.post(f"{BULK}{counted.pk}/", {"do": "delete"}, headers=SHEET)
    taken = browser.post(
        f"{BULK}{counted.pk}/", {"do": "delete", "keep": "on", "confirm": CARTS}, headers=SHEET
    )

    for answer in (asked, shown, refused):
        assert not text_of(answer).lstrip().startswith("<!doctype")
        assert_valid_html(answer)
    assert refused.status_code == 422
    assert taken["HX-Redirect"] == acts()[0].get_absolute_url()


def test_the_heading_follows_when_the_count_is_over(browser, carts):
    counted = count(browser)
    asking = {"HX-Request": "true", "HX-Target": "bulk-counting"}

    page = browser.get(page_of(counted), headers=asking)
    dialog = browser.get(f"{page_of(counted)}&dialog=1", headers=asking)

    assert 'id="bulk-verdict" hx-swap-oob="true">Dry run: nothing has been' in page.content.decode()
    assert "bulk-verdict" not in dialog.content.decode()  # there is no heading behind it


def test_a_count_under_way_says_how_far_it_is_and_can_be_stopped(browser, carts):
    browser.post(BULK, {"do": "delete", "match": CARTS})
    counting = KeyList.objects.latest("pk")
    page = browser.get(page_of(counting))
    walks = {"phase": "walk", "scanned": 400, "keyspace": 1000}
    Job.objects.filter(pk=counting.job_id).update(checkpoint=walks, done=7)
    walking = text_of(browser.get(page_of(counting)))
    looks = walks | {"phase": "look", "position": 3, "total": 7}
    Job.objects.filter(pk=counting.job_id).update(checkpoint=looks)
    looking = text_of(browser.get(page_of(counting)))
    stopped = browser.post(f"{BULK}{counting.pk}/stop/", {"do": "delete"}, follow=True)

    assert "Stop counting" in text_of(page)
    assert "400 of about 1,000 names looked at" in walking
    assert "All names are found; types and sizes: 3 of 7 keys" in looking
    assert_valid_html(page)
    assert "The count was stopped" in text_of(stopped)
    assert act(browser, counting).status_code == 422
    assert not acts()


def test_what_is_typed_must_name_what_will_be_lost(browser, carts):
    counted = count(browser)

    answer = act(browser, counted, confirm="cart:eu:")

    assert answer.status_code == 422
    assert f"Type {CARTS} here" in text_of(answer)
    assert not acts()


def test_production_asks_for_what_is_lost_and_the_servers_name_and_a_reason(browser, server, carts):
    Server.objects.update(environment="production")
    counted = count(browser)
    whole = {"confirm": CARTS, "place": "Shop", "reason": "OPS-4412"}

    page = browser.get(page_of(counted))
    refused = [act(browser, counted, **(whole | {name: ""})) for name in whole]

    assert_valid_html(page)
    assert "type the server&#x27;s name, Shop" in text_of(page)
    assert [answer.status_code for answer in refused] == [422, 422, 422]
    assert act(browser, counted, **(whole | {"confirm": "Shop"})).status_code == 422
    assert not acts()
    assert act(browser, counted, **whole).status_code == 302
    assert acts()[0].reason == "OPS-4412"


def test_every_key_of_production_is_confirmed_by_how_many_they_are(browser, server, carts):
    Server.objects.update(environment="production")
    counted = count(browser, match="", everything="on")
    told = {"place": "Shop", "reason": "OPS-4412"}

    assert act(browser, counted, confirm="Shop", **told).status_code == 422
    assert act(browser, counted, confirm="31 keys", **told).status_code == 302


def test_a_form_sent_twice_starts_one_job(browser, carts):
    counted = count(browser)

    first, second = act(browser, counted), act(browser, counted)
    (job,) = acts()
    testing.run(job)
    third = act(browser, counted)

    assert first["Location"] == second["Location"] == third["Location"]
    assert len(acts()) == 1


def test_how_long_it_takes_is_told_from_the_count(browser, carts):
    counted = count(browser)
    jobs = Job.objects.filter(pk=counted.job_id)
    KeyList.objects.update(total=100_000)

    def told(**measured: object) -> tuple[float, str]:
        jobs.update(commands=1_000, round_trips=10, **measured)
        run = browser.get(page_of(counted)).context["run"]
        return round(run.seconds), run.seconds_how

    # 700,000 commands of 50 µs and 200 trips of 1 ms, in 5 % of the time.
    local, how = told(seconds=0.06, latency={"p50": 1.0})
    # 1 s there and back, but no work for the server: 200 trips.
    far, _ = told(seconds=10.0, latency={"p50": 1_000.0})
    idle, _ = told(seconds=0.0, latency={})

    assert (local, far, idle) == (704, 4000, 14)
    assert how.startswith("answers in 1 ms as when counting, 5% of the server's time, at most 50,0")
    Server.objects.update(load_share=100)
    assert told(seconds=0.06, latency={"p50": 1.0})[0] == 35


def test_an_overlapping_job_is_named_and_nothing_begins(browser, carts):
    act(browser, count(browser))

    answer = act(browser, count(browser, match="", prefix="cart:"), confirm="cart:*")

    assert answer.status_code == 409
    assert acts()[0].get_absolute_url() in text_of(answer)
    assert len(acts()) == 1


def test_a_list_of_more_than_15_minutes_must_be_counted_again(browser, carts):
    counted = count(browser)
    KeyList.objects.update(counted=timezone.now() - datetime.timedelta(minutes=16))

    page = browser.get(page_of(counted))

    assert "must be counted again" in text_of(page)
    assert "Delete 30 keys" not in text_of(page)
    assert act(browser, counted).status_code == 422
    assert not acts()
    again = browser.post(f"{BULK}{counted.pk}/again/", {"do": "delete"})
    assert again["Location"] == page_of(KeyList.objects.latest("pk"))
    assert KeyList.objects.count() == 2


@pytest.mark.parametrize("whose", ["another server", "another person"])
@pytest.mark.parametrize("below", ["", "again/", "stop/", "leave-out/", "names/"])
def test_a_list_of_somebody_else_does_not_exist(
    browser, server, operator, owner, carts, whose, below
):
    other = Server.objects.create(name="Other", slug="other", nodes=server.nodes)
    Grant.objects.create(server=other, user=operator, role="operator")
    place, person = (other, operator) if whose == "another server" else (server, owner)
    theirs = KeyList.objects.create(
        server=place, person=person, source="prefix", label=CARTS, prefix=b"cart:eu:",
        state="ready", total=1, counted=timezone.now(),
    )  # fmt: skip

    for answer in (browser.get(f"{BULK}{theirs.pk}/{below}"), browser.post(
        f"{BULK}{theirs.pk}/{below}", {"do": "delete", "confirm": CARTS}
    )):  # fmt: skip
        assert answer.status_code in (404, 405)
    assert not acts()


def test_a_key_that_was_left_out_stays(browser, carts):
    counted = count(browser)
    out = {"do": "delete", "key": [to_url(b"cart:eu:7"), to_url(b"no such key")]}

    answer = browser.post(f"{BULK}{counted.pk}/leave-out/", out, follow=True)

    assert "Delete 29 keys" in text_of(answer)
    act(browser, counted)
    testing.run(acts()[0])
    assert sorted(carts.keys()) == [b"cart:eu:7", b"cart:us:1"]


@pytest.fixture
def heavy(carts: redis.Redis, settings: Settings) -> redis.Redis:
    """One of the carts is too big for the recycle bin."""
    settings.UNDO_VALUE_BYTES = 100_000
    carts.set("cart:eu:big", os.urandom(200_000))
    return carts


def test_what_is_too_big_for_undo_is_named_and_can_be_left_out(browser, heavy):
    counted = count(browser)

    page = browser.get(page_of(counted))
    out = {"do": "delete", "key": [to_url(b"cart:eu:big")]}
    without = browser.post(f"{BULK}{counted.pk}/leave-out/", out, follow=True)

    assert_valid_html(page)
    (warning, *_) = page.context["run"].warnings
    assert warning.keys == warning.leave_out == [b"cart:eu:big"]
    assert "too big to be kept for undo" in text_of(page) and 'name="unkept"' in text_of(page)
    assert "too big" not in text_of(without) and 'name="unkept"' not in text_of(without)


@pytest.mark.parametrize("told", [{}, {"unkept": "on"}])
def test_what_is_too_big_for_undo_goes_only_when_that_is_said(browser, heavy, told):
    act(browser, count(browser), **told)

    job = testing.run(acts()[0])

    assert heavy.exists("cart:eu:big") == (not told)
    assert (job.done, job.failed) == ((31, 0) if told else (30, 1))
    assert Removal.objects.get(job=job.pk).offered == 30


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "Types and expiry of all of them"),
        (
            {"one_in": 33, "exact_types": True},
            "Types of all of them, expiry estimated from a sample",
        ),
        ({"one_in": 33, "exact_types": False}, "Types and expiry estimated from a sample"),
    ],
)
def test_what_is_estimated_says_so(browser, carts, facts, words):
    counted = count(browser)
    KeyList.objects.update(facts=counted.facts | facts)

    assert words in text_of(browser.get(page_of(counted)))


def test_all_names_are_paged(browser, carts):
    counted = count(browser)
    carts.delete("cart:eu:3")

    page = browser.get(f"{BULK}{counted.pk}/names/?do=delete&from=10")
    beyond = browser.get(f"{BULK}{counted.pk}/names/?from=900")

    assert "11 to 30 of 30" in text_of(page)
    assert_valid_html(page)
    assert "No names from here on" in text_of(beyond)


def test_with_redis_down_each_step_says_so_and_loses_nothing(browser, server, carts):
    counted = count(browser)
    Server.objects.update(nodes="127.0.0.1:1")

    names = browser.get(f"{BULK}{counted.pk}/names/")
    page = browser.get(page_of(counted))
    answer = act(browser, counted)
    begun = browser.post(BULK, {"do": "delete", "match": CARTS})

    assert names.status_code == 503
    assert page.status_code == 200 and "Delete 30 keys" in text_of(page)
    assert answer.status_code == 302
    assert begun.status_code == 302
    assert testing.run(acts()[0]).is_unfinished
    assert carts.dbsize() == 31
