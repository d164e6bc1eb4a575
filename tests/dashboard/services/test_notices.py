"""Who is told of a service in trouble: once, in order, signed, at least once, and never inwards."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import http.server
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from dashboard.audit.models import Entry
from dashboard.home import networks
from dashboard.servers.models import Server
from dashboard.services.checks import targets
from dashboard.services.history.models import Change
from dashboard.services.notices import beyond, delivering, sending, settling, weighing
from dashboard.services.notices.considering import consider, look_at_once
from dashboard.services.notices.models import Delivery, Mute, Rule, Standing, State, Tally
from redisops.connection import connect
from redisops.services import Registration, Registry
from tests.dashboard.conftest import assert_valid_html

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
SECRET = sending.new_secret()


class Listener:
    """A receiver on loopback: answers as it is told, keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers.items()), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 204)
                self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?team=a"

    @property
    def told(self) -> list[str]:
        return [json.loads(body)["title"] for _, body in self.got]


@pytest.fixture
def listener(settings: Any) -> Iterator[Listener]:
    settings.CHECK_NETWORKS = networks(["127.0.0.0/8"])
    targets.look(again=True)
    made = Listener()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def rule(server, listener) -> Rule:
    return made_rule(server, listener.url)


def made_rule(server: Any, address: str, **options: Any) -> Rule:
    made = Rule(server=server, name=options.pop("name", "On call"), place="127.0.0.1", **options)
    made.seal(address, SECRET)
    made.save()
    return made


_versions = itertools.count(1)


def at(minutes: float) -> datetime.datetime:
    return NOW + datetime.timedelta(minutes=minutes)


def change(server: Any, instance: str, state: str, minutes: float = 0, **options: Any) -> None:
    """A row of the history with its listener told, in one transaction, as the collector does."""
    fields = {"service": "orders", "epoch": "e1", "from_state": "passing", **options}
    with transaction.atomic():
        made = Change.objects.create(
            server=server, instance=instance, state=state, version=next(_versions),
            event="service_down" if state == "gone" else "service_changed", at=at(minutes),
            **fields,
        )  # fmt: skip
        consider([made], at(minutes))


def settle(minutes: float) -> list[str]:
    """The titles that were written as of so many minutes after NOW, oldest first."""
    known = set(Delivery.objects.values_list("pk", flat=True))
    settling.settle(at(minutes))
    made = Delivery.objects.exclude(pk__in=known).order_by("created", "title")
    return [one.title for one in made]


def test_trouble_is_told_once_grouped_and_signed_and_so_is_its_end(server, data, rule, listener):
    with connect(f"redis://{server.nodes}/0") as redis:
        for number in range(4):
            Registry(redis).register(Registration("orders", f"o{number}", "10.0.0.1", 80))
    change(server, "o1", "critical", why="connection refused <!channel>")
    change(server, "o2", "gone", 0.05, why="lease over")
    change(server, "o3", "warning", 0.05)
    change(server, "o4", "maintenance", 0.05, from_state="critical")
    change(server, "o5", "gone", 0.05, why="deregistered")
    assert settle(0.1) == []  # it is still gathered
    assert settle(0.2) == ["orders: 1 of 4 critical, 1 gone"]
    change(server, "o6", "critical", 0.3)
    assert settle(2) == []  # no worse than was told

    listener.answers = [503]
    assert delivering.deliver(at(2)) == 0
    assert delivering.deliver(at(2.05)) == 0  # not yet
    change(server, "o1", "passing", 3)
    change(server, "o6", "passing", 3)
    change(server, "o2", "starting", 3)
    assert settle(4) == []
    change(server, "o2", "passing", 4)
    assert settle(5) == ["orders recovered after 5 min"]
    assert [delivering.deliver(at(5)), delivering.deliver(at(5)), delivering.deliver(at(5))] == [
        1,
        1,
        0,
    ]

    assert listener.told == [
        "orders: 1 of 4 critical, 1 gone", "orders: 1 of 4 critical, 1 gone",
        "orders recovered after 5 min",
    ]  # fmt: skip
    heads = [head for head, _ in listener.got]
    assert heads[0]["webhook-id"] == heads[1]["webhook-id"] != heads[2]["webhook-id"]
    for head, body in listener.got:
        told = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        sum_ = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
        assert head["webhook-signature"] == f"v1,{sum_}"
    body = json.loads(listener.got[0][1])
    assert body["counts"] == {"critical": 1, "gone": 1, "total": 4}
    assert [one["id"] for one in body["instances"]] == ["o1", "o2"]
    assert body["server"]["slug"] == "shop"


def test_quiet_hours_hold_reminders_repeat_and_flapping_is_told_once(server, listener):
    night = {"quiet_from": datetime.time(22), "quiet_to": datetime.time(7),
             "time_zone": "Asia/Tokyo"}  # fmt: skip
    made_rule(server, listener.url, name="a", wait=0, remind=30, severity="warning", **night)
    assert Rule.objects.get().quiet_until(at(0)) is None  # 21:00 in Tokyo
    assert Rule.objects.get().quiet_until(at(60)) == at(10 * 60)
    assert Rule.objects.get().quiet_until(at(9 * 60)) == at(10 * 60)  # after midnight
    assert Rule.objects.get().quiet_until(at(10 * 60)) is None

    change(server, "o1", "warning", 1)
    assert settle(1) == ["orders: 1 of 1 warning"]
    assert settle(30.9) == []
    assert settle(31.1) == ["orders still: 1 of 1 warning, for 30 min 6 s"]
    change(server, "o1", "passing", 61)
    assert settle(62) == []  # night began
    change(server, "o1", "critical", 70)
    assert settle(70) == ["orders got worse: 1 of 1 critical"]  # critical comes through
    change(server, "o1", "passing", 71)
    assert settle(71) == ["orders recovered after 1 h 10 min"]
    change(server, "o1", "warning", 72)
    assert settle(73) == []
    assert settle(10 * 60) == ["orders: 1 of 1 warning"]  # what is still so in the morning

    begin = 11 * 60
    change(server, "o1", "passing", begin)
    settle(begin)
    told = []
    for turn in range(6):
        change(server, "o1", "critical", begin + 2 * turn)
        told += settle(begin + 2 * turn)
        change(server, "o1", "passing", begin + 2 * turn + 1)
        told += settle(begin + 2 * turn + 1)
    assert [one.split(":")[0] for one in told if "recovered" not in one] == [
        "orders", "orders", "orders", "orders flaps",
    ]  # fmt: skip
    assert settle(begin + 20.5) == []
    assert settle(begin + 21.5) == ["orders is steady: all well"]


def test_an_instance_that_is_gone_is_not_waited_for_for_ever_and_a_gap_is_looked_into(
    server, data, listener
):
    made_rule(server, listener.url, wait=0)
    change(server, "o1", "gone", why="silent for too long")
    assert settle(1) == ["orders: 1 of 1 gone"]
    assert settle(4.9) == []
    assert settle(5.1) == ["orders: 1 gone did not come back within 5 min, all others are well"]

    with connect(f"redis://{server.nodes}/0") as redis:
        Registry(redis).register(Registration("pay", "p1", "10.0.0.1", 80))
        Registry(redis).register(Registration("pay", "p2", "10.0.0.1", 80))
        for _ in range(3):
            Registry(redis).judge("pay", "p2", "fail")
    change(server, "p1", "critical", 20, service="pay")
    change(server, "p2", "critical", 20, service="pay")
    assert settle(20) == ["pay: 2 of 2 critical"]
    gap = Change(server=server, service="pay", epoch="e1", version=99_999, event="gap",
                 state="missed", at=at(21))  # fmt: skip
    consider([gap], at(21))
    assert Tally.objects.get(service="pay").entries["p1"][2] > 0  # nobody knows
    look_at_once(Rule.objects.get())
    Standing.objects.update(due=at(22))
    settle(22)
    assert Standing.objects.get(service="pay").told == "critical"  # p2 still is, Redis says so


def test_many_services_at_once_are_one_notification_and_their_ends_another(server, rule, listener):
    other = made_rule(server, listener.url, name="Warned", pattern="s1*", severity="warning")
    Mute.objects.create(server=server, service="s7", until=at(60), why="x", author="ann")
    for number in range(12):
        state = "warning" if number == 11 else "critical"
        change(server, "i<1>", state, service=f"s{number}")
    change(server, "i2", "critical", service="s4")

    assert settle(1) == [
        "10 services in trouble: s4, s0, s1, s10, s2, and 5 others",
"s10: 1 of 1 critical", "s11: 1 of 1 warning", "s1: 1 of 1 critical",
    ]  # fmt: skip
    one = Delivery.objects.get(rule=rule)
    assert (one.what, one.severity, one.service) == ("problem", "critical", "")
    assert one.body["counts"] == {"critical": 11, "services": 10} and one.body["more"] == 0
    assert one.body["services"][0] == {"service": "s4", "words": "2 critical"}
    assert b"- s4: 2 critical" in sending.body_of(Rule(kind="slack"), one)
    assert settle(2) == [], "each is told of"
    other.delete()
    for number in range(12):
        for instance in ("i<1>", "i2"):
            change(server, instance, "passing", 3, service=f"s{number}", from_state="critical")
    assert settle(4) == ["10 services are well again: s0, s1, s10, s2, s3, and 5 others"]
    assert not Standing.objects.exclude(told="").exists()

    for number in range(11):
        change(server, "i1", "passing", 5, service=f"s{number}", suspect=True)
    Rule.objects.update(severity="warning")
    assert settle(6) == ["self-preservation: 10 services silent: s0, s1, s10, s2, s3, and 5 others"]


def test_a_service_of_which_everybody_is_silent_is_critical(server, data, rule, listener):
    with connect(f"redis://{server.nodes}/0") as redis:
        registry = Registry(redis)
        for number in range(3):
            registry.register(Registration("orders", f"o{number}", "10.0.0.1", 80))

        def silent(*numbers: int) -> None:
            for number in numbers:
                packed = data.hget("svc:{orders}:rec", f"o{number}").split(b" ")
                data.hset(
                    "svc:{orders}:rec", f"o{number}", b" ".join([*packed[:4], b"1", *packed[5:]])
                )
                change(server, f"o{number}", "passing", suspect=True)
            data.incr("svc:{orders}:ver")

        silent(0, 1)
        assert settle(1) == [], "critical only: one still gets calls"
        silent(2)
        assert settle(2) == ["orders: self-preservation: 3 of 3 silent"]
        assert Delivery.objects.get().severity == "critical"


def test_while_work_is_stopped_what_was_noticed_goes_out_and_what_nobody_knows_waits(
    server, data, listener, operator, client_for
):
    made_rule(server, listener.url, wait=10, remind=30)
    change(server, "o1", "critical", -40)
    assert settle(-39) == ["orders: 1 of 1 critical"]
    change(server, "p1", "gone", -0.1, service="pay", why="lease over")
    Server.objects.update(stopped_at=at(0), stopped_by="anna", stopped_why="Black Friday")
    assert settle(0.5) == ["pay: 1 gone"]  # it was noticed before, and without asking the server
    for minutes in (2, 16, 40, 600):  # reminders, and who did not come back: nobody knows
        assert settle(minutes) == []
    assert [delivering.deliver(at(600)), delivering.deliver(at(600))] == [1, 1]
    page = client_for(operator).get(reverse("services:notices", args=["shop"]))
    assert_valid_html(page)
    assert b"reminders wait" in page.content and b"held: work is stopped" in page.content

    Server.objects.update(stopped_at=None)

    assert sorted(settle(601.5)) == [
        "orders still: 1 of 1 critical, for 10 h 41 min",
        "pay: 1 gone did not come back within 5 min, all others are well",
    ]


def test_who_is_muted_is_not_told_of_and_what_is_still_so_at_the_end_is(
    server, data, listener, operator, viewer, client_for
):
    made_rule(server, listener.url, wait=0)
    mute = reverse("services:notice_mute", args=["shop"])
    page = reverse("services:notices", args=["shop"])
    ann, eve = client_for(operator), client_for(viewer)
    form = {"service": "orders", "instance": "o<1>", "minutes": "60", "why": "disk <b> swap"}
    assert eve.post(mute, form).status_code == 403
    wrong = ann.post(mute, form | {"service": "a b", "minutes": "1", "why": ""})
    assert wrong.status_code == 422 and wrong.content.count(b"form-error") == 3
    assert_valid_html(wrong)
    ann.post(mute, form)
    ann.post(mute, form | {"service": "pay", "instance": ""})
    Mute.objects.update(until=at(60))
    change(server, "o<1>", "critical", 1)
    change(server, "p1", "critical", 1, service="pay")
    assert settle(1) == []
    change(server, "o2", "critical", 2)
    assert settle(2) == ["orders: 1 of 2 critical"]
    change(server, "o2", "passing", 3)
    assert settle(3) == []  # it is not over: of the other one nobody is told
    assert settle(59) == []
    assert settle(60.1) == ["pay: 1 of 1 critical"]
    Mute.objects.update(until=timezone.now() + datetime.timedelta(hours=1))
    shown = eve.get(page)
    assert_valid_html(shown)
    assert b"o&lt;1&gt;" in shown.content and b"disk &lt;b&gt; swap" in shown.content
    muted = Mute.objects.get(service="orders")
    end = reverse("services:notice_unmute", args=["shop", muted.pk])
    assert eve.post(end).status_code == 403
    ann.post(end)
    change(server, "o<1>", "passing", 70)
    assert settle(90) == ["orders recovered after 1 h 28 min"]
    ann.post(mute, form | {"service": "pay", "instance": "", "why": "longer"})
    told = list(
        Entry.objects.filter(action__contains="mute")
        .order_by("number")
        .values_list("action", "target")
    )
    assert told == [
        ("services.notice.mute", "orders o<1>"), ("services.notice.mute", "pay"),
        ("services.notice.unmute", "orders o<1>"), ("services.notice.mute", "pay"),
    ]  # fmt: skip
    assert Mute.objects.get().why == "longer"


def test_nothing_is_lost_between_a_change_and_its_notification(server, rule, listener, data):
    with pytest.raises(RuntimeError), transaction.atomic():
        consider([Change(server=server, service="orders", instance="o1", epoch="e1", version=1,
                         event="service_changed", state="critical", at=NOW)], NOW)  # fmt: skip
        raise RuntimeError("the collector died")
    assert not Tally.objects.exists()
    assert not Standing.objects.exists()

    change(server, "o1", "critical")
    [seen] = Standing.objects.select_related("rule__server")  # by another beat's worker, too
    assert settle(1) == ["orders: 1 of 1 critical"]
    assert not settling._settle(seen, at(1), settling.Readings())
    # A worker claimed it, sent it, and was killed before it could say so.
    one = Delivery.objects.get()
    assert delivering._claimed(one, at(1))
    assert delivering.deliver(at(1.5)) == 0  # it is that worker's
    assert delivering.deliver(at(2.1)) == 1
    assert not delivering._claimed(one, at(3))

    change(server, "o2", "critical", 4, service="pay")
    settle(5)
    listener.answers = [302, 410]
    delivering.deliver(at(5))
    refused = Delivery.objects.get(service="pay")
    assert (refused.state, refused.answer) == (State.GIVEN_UP, "Answered 302 Found")
    assert len(listener.got) == 2  # nobody went where it pointed


def test_rules_that_cannot_be_served_keep_nobody_else_back(server, listener, monkeypatch):
    """More dead receivers than one turn takes, and a server whose password does not open."""
    monkeypatch.setattr(delivering, "AT_ONCE", 2)
    for number in range(4):
        dead = made_rule(server, listener.url, name=f"dead {number}")
        for minutes in (60, 0):  # the older one waits for its next try
            waits = settling.enqueue(dead, "problem", f"dead {number}", {}, at(-minutes))
            if minutes:
                Delivery.objects.filter(pk=waits.pk).update(next_try=at(60))
    alive = made_rule(server, listener.url, name="alive")
    settling.enqueue(alive, "problem", "first", {}, at(-2))
    settling.enqueue(alive, "recovered", "then", {}, at(-1))
    assert [delivering.deliver(at(0)), delivering.deliver(at(0))] == [1, 1]
    assert listener.told == ["first", "then"]

    change(server, "o1", "critical")
    server.sealed = {"password": "not what was sealed"}
    server.save()
    assert "orders: 1 critical" in settle(1)[0]


@pytest.mark.parametrize("private", [False, True], ids=["public only", "loopback allowed"])
def test_a_webhook_reaches_nothing_inside(server, listener, settings, private, home_process):
    if not private:
        settings.CHECK_NETWORKS = []
        targets.look(again=True)
    inward = [f"http://{host}/" for host in (
        "169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe",
        "[fd00:ec2::254]",
        "[fe80::1]", "0.0.0.0", "224.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "[::]",
        f"127.0.0.1:{home_process.port}", f"localhost:{home_process.port}", server.nodes,
    )]  # fmt: skip
    if not private:
        port = listener.port
        inward += [listener.url, f"http://localhost:{port}/", f"https://2130706433:{port}/",
                   f"https://[::ffff:127.0.0.1]:{port}/", f"http://127.1:{port}/"]  # fmt: skip
    for number, address in enumerate(inward):
        rule = made_rule(server, address, name=str(number))
        settling.enqueue(rule, "test", "x", {}, NOW)
    for bad in ("ftp://example.org", "https://u:p@example.org", "https://", "https://a b", "/x",
                "https://example.org:6379/", "https://example.org\\@x", "http://[::1"):  # fmt: skip
        with pytest.raises(ValueError):
            sending.parse(bad)

    assert delivering.deliver(at(1)) == 0

    left = Delivery.objects.exclude(state=State.GIVEN_UP)
    assert [one.answer for one in left] == []
    assert not listener.got


def test_mail_and_chat_say_the_same_and_mention_nobody(server, listener, settings):
    settings.EMAIL_IS_SET = True
    settings.CONSOLE_URL = "https://redisops.example/"
    made_rule(server, "ann@example.org,bo@example.org", kind="mail", name="mail", wait=0)
    made_rule(server, listener.url, kind="slack", name="chat", wait=0)
    change(server, "o1", "critical", why="<!channel> & <http://evil|here>\r\nBcc: x@example.org")
    settle(1)

    assert delivering.deliver(at(1)) == 2

    (letter,) = mail.outbox
    assert letter.subject == "[Shop] orders: 1 of 1 critical"
    assert letter.to == ["ann@example.org", "bo@example.org"]
    assert "https://redisops.example/servers/shop/services/orders/" in letter.body
    text = json.loads(listener.got[0][1])["text"]
    assert "&lt;!channel&gt; &amp; &lt;http://evil|here&gt; Bcc" in text
    assert "webhook-signature" not in {name.lower() for name in listener.got[0][0]}


def test_the_pages_decide_seal_audit_and_show_what_became_of_it(
    server, operator, viewer, client_for, listener
):
    page = reverse("services:notices", args=["shop"])
    new = reverse("services:notice_create", args=["shop"])
    ann, eve = client_for(operator), client_for(viewer)
    assert b"Nobody is told yet" in eve.get(page).content
    assert eve.get(new).status_code == 403
    change(server, "<b>o1", "critical")
    form = {"name": "<i>Night", "pattern": "or*", "severity": "critical", "kind": "webhook",
            "address": listener.url, "secret": SECRET, "wait": "0", "remind": "0",
            "time_zone": "Europe/Oslo", "quiet_from": "22:00", "quiet_to": "07:00",
            "critical_passes": "on"}  # fmt: skip
    wrong = ann.post(new, form | {"secret": "whsec_x", "pattern": "or ders", "time_zone": "Mars",
                                  "quiet_to": "", "address": "http://u@x"})  # fmt: skip
    assert wrong.status_code == 422
    assert wrong.content.count(b"form-error") == 5
    assert_valid_html(wrong)
    assert ann.post(new, form).status_code == 302
    rule = Rule.objects.get()
    assert listener.url not in rule.sealed
    assert rule.place == "127.0.0.1"
    assert b"nothing was to be told in 24 h" in eve.get(page).content

    change_page = reverse("services:notice_update", args=["shop", rule.pk])
    shown = ann.get(change_page)
    assert SECRET.encode() not in shown.content
    assert b"hook?team" not in shown.content
    assert_valid_html(shown)
    assert (
        ann.post(change_page, form | {"address": "", "secret": "", "wait": "60"}).status_code == 302
    )
    rule.refresh_from_db()
    assert (rule.wait, rule.secret()) == (60, {"address": listener.url, "secret": SECRET})
    assert ann.post(new, form).status_code == 422  # the name is taken

    assert b"Messages will have no links" in shown.content
    test = reverse("services:notice_test", args=["shop", rule.pk])
    told = ann.post(test, follow=True)
    assert b"It has no link: CONSOLE_URL is not set." in told.content
    assert b'hx-trigger="every 3s"' in told.content and "url" not in Delivery.objects.get().body
    listener.answers = [400]
    delivering.deliver()
    settling.settle()  # what was in trouble before the rule was there
    delivering.deliver()
    log = ann.get(page)
    moves = ann.get(page, headers={"HX-Request": "true"}).content
    assert b"Answered 400" in moves and b"Who is told" not in moves
    assert_valid_html(log)
    for text in (b"given up", b"Answered 400", b"delivered", b"orders: 1 of 1 critical",
                 b"&lt;i&gt;Night"):  # fmt: skip
        assert text in log.content
    failed = Delivery.objects.get(state=State.GIVEN_UP)
    again = reverse("services:notice_again", args=["shop", failed.pk])
    assert eve.post(again).status_code == 403
    ann.post(again)
    assert delivering.deliver() == 1
    assert listener.got[0][0]["webhook-id"] == listener.got[-1][0]["webhook-id"]
    assert b"No delivery fits" in ann.get(page + "?state=waiting").content

    remove = reverse("services:notice_delete", args=["shop", rule.pk])
    assert_valid_html(ann.get(remove))
    assert ann.post(remove, {"reason": "moved"}).status_code == 302
    assert not Rule.objects.exists()
    kept = str(list(Entry.objects.values_list("action", "before", "after", "reason")))
    assert "services.notice.create" in kept
    assert "services.notice.delete" in kept
    assert SECRET not in kept
    assert "hook?team" not in kept


def test_those_that_are_counted_are_back_after_they_started(monkeypatch):
    monkeypatch.setattr(beyond, "MOST", 1)
    entries = {}

    def fold(instance, origin, state, why=""):
        at_ = NOW - datetime.timedelta(hours=1)
        weighing.fold(entries, Change(
            service="orders", instance=instance, from_state=origin, state=state, why=why, at=at_
        ))  # fmt: skip

    for name in ("a", "b", "c"):
        fold(name, "passing", "gone", "lease over")
    assert entries[" gone"][4] == 2

    for name in ("b", "c"):
        fold(name, "none", "starting")
        fold(name, "starting", "passing")

    assert list(entries) == ["a"]


def test_a_tally_names_so_many_and_counts_the_others(server, data, rule, listener, monkeypatch):
    monkeypatch.setattr(beyond, "MOST", 3)
    registry = Registry(data)
    for n in range(8):
        registry.register(Registration("orders", f"i{n}", "10.0.0.1", 8000))
        change(server, f"i{n}", "critical", why="refused")
        for _ in range(2):
            registry.judge("orders", f"i{n}", "refused")
    change(server, "far", "gone", why="lease over")
    tally = Tally.objects.get()
    assert len(tally.entries) == 5
    assert [tally.entries[name][4] for name in (" critical", " gone")] == [5, 1]

    assert settle(1) == ["orders: 8 of 9 critical, 1 gone"]
    body = Delivery.objects.get().body
    assert [one["id"] for one in body["instances"]] == [f"i{n}" for n in range(8)]
    assert (body["more"], body["counts"]["total"]) == (1, 9)
    assert list(weighing.lines(body))[-1] == "- and 1 more"
    monkeypatch.setattr(settling.Readings, "of", lambda *_: None)  # it does not answer
    rule.remind = 1
    rule.save()
    Standing.objects.update(due=at(2.1))
    assert settle(2.2)[0].startswith("orders still: 8 critical, 1 gone")
    body = Delivery.objects.order_by("-created")[0].body
    assert len(body["instances"]) == 3 and body["more"] == 6
    rule.remind = 0
    rule.save()
    change(server, "i7", "gone", 3, from_state="critical", why="its check fails")
    assert Tally.objects.get().entries[" gone"][4] == 2
    for n in range(7):
        change(server, f"i{n}", "passing", 3.1, from_state="critical")
    assert settle(3.5) == []
    change(server, "i7", "passing", 3.6, from_state="none")
    change(server, "far", "passing", 3.7, from_state="none")
    assert Tally.objects.get().entries == {}
    assert settle(4)[0].startswith("orders recovered after")
