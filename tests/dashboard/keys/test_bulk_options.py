"""What a bulk action is told: expiry, copies, where they go, and what makes no sense."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.test import Client

from dashboard.jobs import testing
from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from dashboard.servers.models import Grant, Server
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.bulk_pages import act, acts, count, page_of
from tests.dashboard.keys.conftest import text_of


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"do": "expire"}, "either after how long or at what time"),
        ({"do": "expire", "at": "2020-01-01T00:00"}, "not in the future"),
        ({"do": "rename", "old": "cart:eu:"}, "what the names are to begin with"),
        ({"do": "copy", "target": "nowhere"}, "not one of the available choices"),
        ({"do": "delete", "limit": "0"}, "greater than or equal to 1"),
    ],
)
def test_options_that_make_no_sense_are_named(browser, carts, told, words):
    counted = count(browser)

    answer = act(browser, counted, **told)

    assert answer.status_code == 422
    assert words in text_of(answer)
    assert_valid_html(answer)
    assert not acts()


def test_expiry_is_set_with_jitter(browser, carts):
    counted = count(browser, do="expire")

    act(browser, counted, do="expire", after="10", unit="60", jitter="1", jitter_unit="60")
    testing.run(acts()[0])

    left = [carts.ttl(f"cart:eu:{number}") for number in range(30)]
    assert all(500 < seconds <= 660 for seconds in left) and len(set(left)) > 1
    assert carts.ttl("cart:us:1") == -1


def test_the_same_keys_can_be_given_another_expiry(browser, carts):
    counted = count(browser, do="expire")
    told = {"do": "expire", "unit": "60", "newest": ""}
    act(browser, counted, after="10", **told)
    act(browser, counted, after="10", **told)  # the form was sent twice
    assert len(acts()) == 1
    testing.run(acts()[0])

    shown = text_of(browser.get(page_of(counted, "expire")))
    newest = re.search(r'name="newest" value="(\d+)"', shown)
    assert newest is not None and shown.count('name="after"') == 1
    act(browser, counted, after="20", **told | {"newest": newest[1]})
    testing.run(Job.objects.latest("pk"))
    assert 600 < carts.ttl("cart:eu:7") <= 1200


def test_only_servers_that_one_may_write_can_get_copies(browser, server, operator, carts):
    for slug, role in (("mine", "operator"), ("read", "viewer")):
        row = Server.objects.create(name=slug, slug=slug, nodes="127.0.0.1:1")
        Grant.objects.create(server=row, user=operator, role=role)

    page = text_of(browser.get(page_of(count(browser, do="copy"), "copy")))

    assert '<option value="mine">' in page and '<option value="shop">Shop itself' in page
    assert '<option value="read">' not in page


def test_copies_keep_their_names_unless_a_new_prefix_is_given(browser, server, operator, carts):
    there = Server.objects.create(name="There", slug="there", db=1, nodes=server.nodes)
    Grant.objects.create(server=there, user=operator, role="operator")
    counted = count(browser, do="copy", match="", prefix="cart:us:")

    answer = act(browser, counted, do="copy", target="there", old="cart:us:", confirm="There")
    testing.run(acts()[0])

    assert answer.status_code == 302
    carts.select(1)
    assert carts.keys() == [b"cart:us:1"]


def copied(browser: Client, key_list: KeyList, **told: object) -> HttpResponse:
    answer = act(browser, key_list, do="copy", target="shop", confirm="Shop", **told)
    for job in acts():
        testing.run(job)
    return answer


def test_keys_are_copied_under_another_prefix_of_the_same_server(browser, carts):
    counted = count(browser, do="copy", match="", prefix="cart:us:")

    itself = copied(browser, counted, old="cart:us:")
    chained = copied(browser, counted, old="cart:us:", new="cart:us:x:", conflict="replace")
    done = copied(browser, counted, old="cart:us:", new="kept:", conflict="replace")

    assert "copied onto themselves" in text_of(itself)
    assert "still to be copied" in text_of(chained)
    assert done.status_code == 302
    assert carts.get("kept:1") == carts.get("cart:us:1") == b"y"
    assert carts.dbsize() == 32


def test_keys_are_copied_to_another_database_of_the_same_server(browser, server, carts):
    counted = count(browser, do="copy", match="", prefix="cart:us:")

    page = browser.get(page_of(counted, "copy"))
    replacing = copied(browser, counted, db="3", conflict="replace")
    absent = copied(browser, counted, db="9999")
    done = copied(browser, counted, db="3")

    assert_valid_html(page)
    assert "could not be undone" in text_of(replacing)
    assert "refuses database 9999" in text_of(absent)
    assert done.status_code == 302
    assert acts()[0].params["target_name"] == "Shop, database 3"
    assert carts.dbsize() == 31
    carts.select(3)
    assert carts.keys() == [b"cart:us:1"]


def test_a_database_that_is_a_server_of_its_own_keeps_its_own_roles(browser, server, carts):
    Server.objects.create(name="Theirs", slug="theirs", db=3, nodes=server.nodes)
    counted = count(browser, do="copy", match="", prefix="cart:us:")

    refused = copied(browser, counted, db="3")

    assert refused.status_code == 422
    assert "a server of its own here" in text_of(refused)
    assert not acts()
