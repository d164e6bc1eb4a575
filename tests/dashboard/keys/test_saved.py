"""Views with a name, and the keys a person opened lately."""

import pytest
from django.db import DatabaseError
from django.urls import reverse

from dashboard.keys.saved import recent
from dashboard.keys.saved.models import RecentKey, SavedView
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import key_path
from tests.hostile import NAMES

pytestmark = pytest.mark.django_db
VIEWS = "/servers/shop/views/"


def save(browser, name="Sessions", query="match=session%3A%2A&type=hash&view=flat"):
    return browser.post(f"{VIEWS}save/", {"name": name, "query": query})


def test_a_view_comes_back_by_its_name(client_for, viewer, server, data):
    browser = client_for(viewer)
    offered = browser.get("/servers/shop/keys/?match=session:*&type=hash&view=flat")
    form = browser.get(f"{VIEWS}?view=match%3Dsession%3A%2A%26type%3Dhash")

    done = save(browser)
    page = browser.get(VIEWS)
    found = browser.get("/find/?q=sess&server=shop")

    assert "views/?view=match%3Dsession" in offered.content.decode()
    assert "session:*, type hash" in form.content.decode()
    assert done.url == "/servers/shop/keys/?match=session%3A%2A&type=hash&view=flat"
    assert "Sessions" in page.content.decode() and "session:*, type hash" in page.content.decode()
    assert_valid_html(page)
    assert_valid_html(form)
    assert done.url.replace("&", "&amp;") in found.content.decode()


def test_the_same_name_replaces_and_the_position_in_a_walk_is_not_kept(client_for, viewer, server):
    browser = client_for(viewer)
    save(browser)
    save(browser, query="match=cart%3A%2A&cursor=WzEsMCx7IiI6MX1d&tree=again")

    assert SavedView.objects.get().query == "match=cart%3A%2A&view=tree"


@pytest.mark.parametrize(
    ("name", "query"),
    [("", "match=a"), ("x" * 81, "match=a"), ("x", "count=many"), ("x", "sort=<script>")],
)
def test_what_is_no_view_is_refused_with_the_reason(client_for, viewer, server, name, query):
    answer = save(client_for(viewer), name, query)

    assert answer.status_code == 400
    assert_valid_html(answer)
    assert not SavedView.objects.exists()


def test_views_and_recent_keys_are_each_persons_own(client_for, viewer, operator, server, data):
    data.set("private:one", 1)
    save(client_for(viewer), "Mine")
    client_for(viewer).post(reverse("keys:opened", args=["shop", b"private:one"]))
    view = SavedView.objects.get()

    theirs = client_for(operator).get(VIEWS).content.decode()
    removed = client_for(operator).post(reverse("keys:delete_view", args=["shop", view.pk]))

    assert "Mine" not in theirs and "private:" not in theirs
    assert removed.status_code == 404
    assert SavedView.objects.filter(pk=view.pk).exists()


def test_opened_keys_are_listed_newest_first_and_bounded(viewer, server):
    for number in range(recent.KEPT + 5):
        recent.remember(viewer, server, b"key:%d" % number)
    recent.remember(viewer, server, b"key:20")

    names = [one.name for one in recent.of(viewer, server)]
    assert names[:2] == [b"key:20", b"key:34"]
    assert len(names) == RecentKey.objects.count() == recent.KEPT


def test_any_name_is_remembered_and_shown_harmless(client_for, viewer, server):
    for name in NAMES:
        recent.remember(viewer, server, name)

    page = client_for(viewer).get(VIEWS)

    kept = {one.name for one in recent.of(viewer, server)}
    assert kept == set(NAMES[-recent.KEPT :]) & kept
    assert_valid_html(page)
    assert "<script>alert" not in page.content.decode()


def test_keys_can_be_forgotten(client_for, viewer, server):
    recent.remember(viewer, server, b"a")

    client_for(viewer).post(f"{VIEWS}forget/")

    assert recent.of(viewer, server) == []


def test_a_page_tells_which_key_is_open_and_looking_alone_changes_nothing(
    client_for, viewer, server, data, monkeypatch
):
    data.set("a:b", 1)
    browser = client_for(viewer)
    opened = reverse("keys:opened", args=["shop", b"a:b"])

    page = browser.get(key_path(b"a:b"))
    assert f'data-opened="{opened}"' in page.content.decode()
    assert recent.of(viewer, server) == []

    assert browser.post(opened).status_code == 204
    assert [one.name for one in recent.of(viewer, server)] == [b"a:b"]

    monkeypatch.setattr(RecentKey.objects, "bulk_create", _locked)
    assert browser.post(reverse("keys:opened", args=["shop", b"c"])).status_code == 204


def test_the_consoles_own_keys_are_not_remembered(client_for, viewer, server, settings):
    own = server.protected_prefix + b"session:x"

    client_for(viewer).post(reverse("keys:opened", args=["shop", own]))

    assert recent.of(viewer, server) == []


def _locked(*_args, **_options):
    raise DatabaseError("database is locked")
