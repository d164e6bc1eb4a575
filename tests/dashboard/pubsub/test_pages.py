"""Channels on a page, what may be heard and published, and by whom."""

from __future__ import annotations

import threading
from urllib.parse import quote

import pytest
from django.conf import settings

from dashboard.audit.models import Entry
from dashboard.pubsub.presets import kind_of
from dashboard.pubsub.wanted import is_own
from tests.dashboard.conftest import assert_valid_html
from tests.hostile import NAMES
from tests.servers import until

pytestmark = pytest.mark.django_db
PAGE = "/servers/shop/pubsub/"
OWN = f"{settings.HOME_PREFIX}channels__group__live".encode()


@pytest.fixture
def ears(data):
    """``ears(*channels)``: somebody who subscribes to them by name."""
    made = []

    def subscribe(*channels, patterns=()):
        one = data.pubsub()
        if channels:
            one.subscribe(*channels)
        if patterns:
            one.psubscribe(*patterns)
        for _ in (*channels, *patterns):
            assert one.get_message(timeout=20) is not None
        made.append(one)
        return one

    yield subscribe
    for one in made:
        one.close()


def test_the_page_lists_who_is_listened_to_but_not_the_consoles_own(client_for, viewer, ears):
    hostile = [name for name in NAMES if 0 < len(name) < 900][:8]
    ears(b"orders", b"<b>x</b>", OWN, *hostile, patterns=[b"news.*"])

    answer = client_for(viewer).get(PAGE)
    text = answer.content.decode()

    assert answer.status_code == 200
    assert_valid_html(answer)
    assert "kind=channel&amp;name=orders" in text
    assert "<b>x</b>" not in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "1 pattern subscribed to" in text
    assert OWN.decode() not in text
    assert "Publish on" not in text  # a viewer may not


def test_listening_to_names_of_any_bytes_and_to_nothing_of_the_console(client_for, viewer, server):
    person = client_for(viewer)

    for name in ("*", "a b", r"\x00\xff", "<script>", "orders.*"):
        answer = person.get(f"{PAGE}?kind=pattern&name={quote(name)}")
        assert answer.status_code == 200
        assert "/ws/servers/shop/pubsub/pattern/" in answer.content.decode()
        assert_valid_html(answer)
    for bad in ("kind=channel&name=" + quote(OWN), "kind=x&name=a", "kind=pattern&name=" + "*a" * 9,
                "kind=channel", "kind=channel&name=" + "a" * 1001):  # fmt: skip
        answer = person.get(f"{PAGE}?{bad}")
        assert answer.status_code == 422
        assert_valid_html(answer)
        assert "data-feed " not in answer.content.decode()


def test_publishing_is_sent_once_counted_and_audited(client_for, operator, ears):
    heard = ears(b"or\xffders")
    person = client_for(operator)

    answer = person.post(
        f"{PAGE}publish/?kind=channel&name=or%5Cxffders",
        {"channel": r"or\xffders", "message": r"\x00<b>hi", "way": "escaped"}, follow=True,
    )  # fmt: skip

    message = heard.get_message(timeout=20)
    assert message["data"] == b"\x00<b>hi"
    assert "Published 6 bytes" in answer.content.decode()
    assert "1 subscription received it" in answer.content.decode()
    assert answer.redirect_chain == [(f"{PAGE}?kind=channel&name=or%5Cxffders", 302)]
    entry = Entry.objects.filter(action="pubsub.publish").latest("pk")
    assert (entry.result, entry.target, entry.server) == ("ok", r"or\xffders", "shop")
    assert entry.after == {
        "message": r"\x00<b>hi", "bytes": 6, "received by": 1, "sharded": False,
    }  # fmt: skip


def test_nobody_listening_and_sharded_are_said(client_for, operator, server):
    answer = client_for(operator).post(
        f"{PAGE}publish/", {"channel": "x", "message": "", "sharded": "on"}, follow=True
    )

    assert "Published 0 bytes on x. Nobody listened, so nobody has it." in answer.content.decode()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"channel": OWN.decode(), "message": "x"}, "console&#x27;s own"),
        ({"channel": "x", "message": "zz", "way": "hex"}, "This is not Hex"),
        ({"channel": "", "message": "x"}, "required"),
        ({"channel": "a" * 1001, "message": "x"}, "at most 1,000 bytes"),
    ],
)
def test_what_is_not_published_says_why_and_keeps_what_was_typed(
    client_for, operator, server, given, words
):
    answer = client_for(operator).post(f"{PAGE}publish/", given)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert_valid_html(answer)
    assert not Entry.objects.filter(action="pubsub.publish").exists()


def test_roles_and_methods(client_for, viewer, stranger, server):
    assert client_for(stranger).get(PAGE).status_code == 404
    assert client_for(viewer).post(PAGE).status_code == 405
    assert client_for(viewer).get(f"{PAGE}publish/").status_code == 405
    assert client_for(viewer).post(f"{PAGE}publish/", {"channel": "x"}).status_code == 403
    assert Entry.objects.filter(action="pubsub.publish", result="refused").count() == 1


def test_a_lost_answer_is_unknown_and_not_sent_again(client_for, operator, server, target, ears):
    heard = ears(b"orders")
    person = client_for(operator)
    person.get(PAGE)
    target.pause()
    try:
        answer = person.post(f"{PAGE}publish/", {"channel": "orders", "message": "once"})
    finally:
        target.resume()

    assert answer.status_code == 302
    assert Entry.objects.filter(action="pubsub.publish").latest("pk").result == "unknown"
    assert heard.get_message(timeout=20)["data"] == b"once"
    assert heard.get_message(timeout=0.1) is None
    until(lambda: person.get(PAGE).status_code == 200, "the page does not come back", 20)


def test_a_missing_right_is_named_and_the_page_stands(client_for, viewer, server, data):
    data.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "+@read", "+ping")
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()

    answer = client_for(viewer).get(PAGE)

    assert answer.status_code == 200
    assert "The channels are not listed." in answer.content.decode()
    assert_valid_html(answer)


def test_whose_channels_they_are_is_known_and_the_own_are_never_shown(server):
    assert kind_of(b"/0.celeryev/worker.heartbeat") == "celery"
    assert kind_of(b"x:/0.celery.pidbox") == "celery"
    assert kind_of(b"celery-task-meta-1") == "celery"
    assert kind_of(b"asgi__group__chat") == "channels"
    assert kind_of(b"asgispecific." + b"0f" * 16) == "channels"
    assert kind_of(b"__keyevent@0__:expired") == "keyspace"
    assert kind_of(b"redisops:limits:changed") == "limits"
    assert kind_of(b"orders\n/0.x") == ""
    own_key = settings.HOME_PREFIX.encode() + b"x"
    assert is_own(server, b"__keyspace@0__:" + own_key, b"set")
    assert is_own(server, b"__keyevent@0__:set", own_key)
    assert not is_own(server, b"__keyevent@0__:set", b"cart")


def test_rates_are_measured_when_asked_also_where_nobody_subscribes(
    client_for, viewer, server, data
):
    loud = b"<i>loud\xff"
    over = threading.Event()

    def publish():
        while not over.is_set():
            data.publish(loud, "x")
            data.publish(OWN, "x")

    browser = client_for(viewer)
    plain = browser.get(PAGE).content.decode()
    thread = threading.Thread(target=publish)
    thread.start()
    try:
        answer = browser.get(f"{PAGE}?measure=on")
    finally:
        over.set()
        thread.join()
    data.execute_command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+@all", "resetchannels")
    server.username = "deaf"
    server.set_secret("password", "pw")
    server.save()
    refused = browser.get(f"{PAGE}?measure=on")

    assert "Measure rates for 1 s" in plain and "Measured just now" not in plain
    page = answer.content.decode()
    assert "on 1 channel in" in page and "&lt;i&gt;loud\\xff" in page
    assert settings.HOME_PREFIX not in page
    assert_valid_html(answer)
    assert refused.status_code == 200 and "Nothing was measured." in refused.content.decode()
