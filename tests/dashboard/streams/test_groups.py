"""The pages of consumer groups: what they say, what they do, and what they leave alone."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.urls import reverse

from dashboard.audit.models import Entry
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.servers.models import Server
from dashboard.streams.groups import showing
from dashboard.streams.groups.remembering import Memory
from dashboard.streams.reading import listing
from redisops.errors import UnknownResult
from redisops.keys import printable, to_url
from redisops.streams.dead import dead_key
from redisops.streams.groups import Groups
from redisops.streams.pending import Pending, Seen
from redisops.streams.replaying import DeadLetters
from tests.dashboard.conftest import assert_valid_html
from tests.servers import until

KEY = b"orders:placed"
GROUP = b"mailer"
HOSTILE = b"<img src=x onerror=alert(1)>\xff\x00/../'"


def page(name, *arguments, slug="shop"):
    return reverse(f"streams:{name}", args=[slug, *arguments])


@pytest.fixture
def filled(data):
    """Twelve entries; one consumer holds four of which one is poison, another holds two."""
    for n in range(12):
        data.xadd(KEY, {"order": f"NO-{n}", "note": HOSTILE}, id=f"{1_700_000_000_000 + n}-0")
    data.xgroup_create(KEY, GROUP, "0")
    data.xreadgroup(GROUP, "one", {KEY: ">"}, count=4)
    data.xreadgroup(GROUP, HOSTILE, {KEY: ">"}, count=2)
    data.xclaim(KEY, GROUP, "one", 0, ["1700000000000-0"], idle=900_000, retrycount=9)
    data.xgroup_create(KEY, HOSTILE, "$")
    return data


@pytest.fixture
def browser(operator, client_for):
    return client_for(operator)


def seen(data, *places, group=GROUP):
    rows = Pending(data, KEY, group).window().rows
    return [str(Seen.of(row)) for n, row in enumerate(rows) if not places or n in places]


def act(browser, step="do", *, group=GROUP, **form):
    return browser.post(page("group_act", KEY, group), {"step": step, **form}, follow=True)


def pending(data, group=GROUP):
    return [(row.id[-3:], row.consumer) for row in Pending(data, KEY, group).window().rows]


def test_groups_are_listed_worst_first_with_what_is_unknown_said(filled, viewer, client_for):
    filled.xdel(KEY, "1700000000008-0")
    filled.xgroup_create(KEY, "odd", "1700000000003-0")

    answer = client_for(viewer).get(page("groups", KEY))

    text = answer.content.decode()
    assert_valid_html(answer)
    assert text.index(">mailer<") < text.index(">odd<")
    assert "holds 6 entries unacknowledged, the oldest for 15 min" in text
    assert "has a lag that the server does not know" in text and "unknown" in text
    assert "<img src=x" not in text and "New group" not in text
    assert answer.wsgi_request.cost.round_trips <= 4


def test_a_group_names_the_stuck_and_the_poison_and_says_what_to_do(filled, viewer, browser):
    answer = browser.get(page("group", KEY, GROUP))

    text = answer.content.decode()
    assert_valid_html(answer)
    assert "1 poison message" in text and "delivered 9 times" in text
    assert "Move to dead letters…" in text
    for only in ("?only=poison", f"?consumer={to_url(HOSTILE)}", "?after=1700000000001-0"):
        answer = browser.get(page("group", KEY, GROUP) + only)
        assert_valid_html(answer)
        assert answer.status_code == 200 and b"<img src=x" not in answer.content
    assert browser.get(page("group", KEY, GROUP) + "?after=<b>").status_code == 400


def test_rates_and_time_to_drain_come_with_the_second_look(filled, viewer, client_for):
    visitor = client_for(viewer)
    first = visitor.get(page("group", KEY, GROUP), headers={"HX-Request": "true"})
    again = re.search(r'hx-get="([^"]+was=[\w-]+)"', first.content.decode())
    filled.xreadgroup(GROUP, "one", {KEY: ">"}, count=3)

    def shown():
        return visitor.get(again[1], headers={"HX-Request": "true"}).content.decode()

    until(lambda: "shrinks" in shown(), "no rate was shown")
    assert "known after two looks" in first.content.decode()
    assert "known after two looks" not in shown()
    for forged in ("x", "a" * 9_000, "eJyLVkoyAgABpAEM", "eJyrBQAApgB8"):
        answer = visitor.get(page("group", KEY, GROUP) + f"?was={forged}")
        assert answer.status_code == 200 and Memory(forged).rates is not None


def test_each_act_shows_a_list_first_and_changes_nothing_by_it(filled, browser):
    before = pending(filled)

    for do, words in (("ack", "Acknowledge 2"), ("claim", "Claim 2"), ("bury", "Move 2")):
        answer = act(browser, "review", do=do, seen=seen(filled, 0, 5))
        assert_valid_html(answer)
        assert f"{words} entries" in answer.content.decode() and b"NO-5" in answer.content
        assert b"<img src=x" not in answer.content

    assert pending(filled) == before


def test_what_was_handed_out_meanwhile_is_left_alone(filled, browser):
    chosen = seen(filled)
    filled.xclaim(KEY, GROUP, "two", 0, ["1700000000002-0"])
    filled.xack(KEY, GROUP, "1700000000003-0")

    answer = act(browser, do="ack", seen=chosen, reason="OPS-7")

    text = answer.content.decode()
    assert "4 entries acknowledged." in text
    assert "1 handed out since you looked" in text and "1 no longer pending" in text
    assert pending(filled) == [("2-0", b"two")]
    entry = Entry.objects.filter(action="streams.ack").latest("number")
    assert (entry.result, entry.reason) == ("ok", "OPS-7")


def test_claiming_by_consumer_and_burying_the_poison(filled, browser):
    answer = act(browser, "review", do="claim", scope=f"consumer:{to_url(b'one')}")
    chosen = re.findall(r'name="seen" value="([^"]+)"', answer.content.decode())
    assert len(chosen) == 4
    refused = act(browser, do="claim", seen=chosen)
    assert refused.status_code == 422 and b"Choose the consumer" in refused.content

    act(browser, do="claim", seen=chosen, to_new="b\\xff<b>")

    assert {who for _, who in pending(filled)} == {b"b\xff<b>", HOSTILE}
    listed = act(browser, "review", do="bury", scope="poison").content.decode()
    [poison] = re.findall(r'name="seen" value="([^"]+)"', listed)
    act(browser, do="bury", seen=poison, reason="cannot be <parsed>")
    [letter] = DeadLetters(filled, KEY).page().letters
    assert (letter.origin, letter.cause) == ("1700000000000-0", "cannot be <parsed>")
    assert len(pending(filled)) == 5


def test_a_claim_makes_no_consumer_of_any_length(filled, browser):
    before = pending(filled)

    answer = act(browser, do="claim", seen=seen(filled), to_new="n" * 5_000)

    assert answer.status_code == 400 and "at most 1,000 bytes" in answer.content.decode()
    assert pending(filled) == before


def test_dead_letters_are_replayed_by_a_job_some_a_second(filled, browser, operator):
    for n in range(0, 6, 3):
        act(browser, do="bury", seen=seen(filled)[:3], reason=f"<b>{n}")
    listed = browser.get(page("dead_letters", KEY))
    assert_valid_html(listed)
    assert b"6 entries were" in listed.content and b"&lt;b&gt;3" in listed.content
    review = browser.post(page("dead_replay", KEY), {"scope": "all"})
    assert_valid_html(review)
    assert b"Every group gets them" in review.content and filled.xlen(KEY) == 12
    upto = re.search(r'name="until" value="([^"]+)"', review.content.decode())[1]
    wrong = browser.post(page("dead_replay", KEY), {"scope": "all", "step": "do", "rate": "0"})
    assert wrong.status_code == 422
    form = {"scope": "all", "step": "do", "rate": "10", "until": upto}
    assert browser.post(page("dead_replay", KEY), form).status_code == 302

    job = run(Job.objects.get(kind="streams.replay"), steps=1)
    assert 0 < job.done < 6, "some a second, not all at once"
    later = filled.execute_command("XADD", dead_key(KEY), "*", "x", "y")
    job = run(job)

    assert (job.state, job.done, job.failed) == ("done", 6, 0)
    assert filled.xlen(KEY) == 18
    assert [one[0] for one in filled.xrange(dead_key(KEY))] == [later]
    assert Entry.objects.filter(action="streams.replay", result="ok").exists()


def test_a_replay_that_was_cut_off_adds_nothing_twice(filled, browser):
    act(browser, do="bury", seen=seen(filled))
    ids = DeadLetters(filled, KEY).ids(None, "+")
    form = {"id": ids, "step": "do", "rate": "1000"}
    browser.post(page("dead_replay", KEY), form)
    job = Job.objects.get(kind="streams.replay")
    DeadLetters(filled, KEY).replay(ids[:4])
    Job.objects.filter(pk=job.pk).update(intent={"ids": ids})

    job = run(job)

    assert (job.state, job.done, filled.xlen(KEY)) == ("done", 6, 18)


def test_groups_are_made_moved_and_deleted_after_what_it_means_was_said(filled, browser):
    new = page("group_create", KEY)
    assert_valid_html(browser.get(new))
    assert browser.post(new, {"name": "mailer", "start": "$"}).status_code == 422
    assert browser.post(new, {"name": "", "start": "$"}).status_code == 422
    assert browser.post(new, {"name": "a\\xff", "start": "id", "id": "<b>"}).status_code == 422
    assert browser.post(new, {"name": "a\\xff", "start": "0"}).status_code == 302
    assert {g.name: g.lag for g in Groups(filled, KEY).look().groups}[b"a\xff"] == 12

    change = page("group_change", KEY, GROUP)
    review = browser.post(change, {"do": "move", "step": "review", "start": "0"})
    assert_valid_html(review)
    assert b"6 entries are delivered again" in review.content
    state = re.search(r'name="seen" value="([^"]+)"', review.content.decode())[1]
    skip = browser.post(change, {"do": "move", "start": "$", "step": "review"})
    assert b"6 entries are skipped" in skip.content
    filled.xgroup_setid(KEY, GROUP, "1700000000001-0")
    late = {"do": "move", "start": "0", "step": "do", "seen": state}
    assert b"It has changed since you looked" in browser.post(change, late).content
    now = re.search(r'name="seen" value="([^"]+)"', browser.post(change, late).content.decode())[1]
    assert browser.post(change, {**late, "seen": now}).status_code == 302
    assert {g.name: g.lag for g in Groups(filled, KEY).look().groups}[GROUP] == 12

    gone = {"do": "delete-consumer", "consumer": to_url(HOSTILE), "step": "do"}
    listed = browser.get(change, {k: v for k, v in gone.items() if k != "step"})
    assert b"2 entries that nobody would get" in listed.content
    assert browser.post(change, {**gone, "seen": "1"}).status_code == 422
    assert browser.post(change, {**gone, "seen": "2"}).status_code == 302
    ask = browser.get(change, {"do": "delete"})
    assert_valid_html(ask)
    state = re.search(r'name="seen" value="([^"]+)"', ask.content.decode())[1]
    assert browser.post(change, {"do": "delete", "step": "do", "seen": state}).status_code == 302
    assert GROUP not in {g.name for g in Groups(filled, KEY).look().groups}
    entry = Entry.objects.filter(action="streams.group.delete", result="ok").latest("number")
    assert "deleted" in str(entry.after)


def test_production_wants_the_servers_name(filled, browser, server):
    Server.objects.update(environment="production")
    change = page("group_change", KEY, GROUP)
    ask = browser.get(change, {"do": "delete"}).content.decode()
    form = {"do": "delete", "step": "do", "seen": re.search(r'"seen" value="([^"]+)"', ask)[1]}

    assert browser.post(change, form).status_code == 422
    assert browser.post(change, {**form, "place": "Shop"}).status_code == 302


def test_a_group_that_is_deleted_during_a_claim_is_said(filled, browser):
    chosen = seen(filled)
    filled.xgroup_destroy(KEY, GROUP)

    answer = act(browser, do="claim", seen=chosen, to_new="two")

    assert answer.status_code == 404 and b"The group mailer is gone" in answer.content
    assert page("groups", KEY) in answer.content.decode()
    assert_valid_html(answer)
    assert Entry.objects.filter(action="streams.claim", result="failed").exists()
    assert browser.get(page("group", KEY, GROUP)).status_code == 404


def test_a_stream_that_is_gone_or_something_else_is_said(filled, browser, settings):
    filled.delete(KEY)
    for name in ("groups", "group_create"):
        assert browser.get(page(name, KEY)).status_code == 404
    assert b"No dead letters" in browser.get(page("dead_letters", KEY)).content
    filled.set(KEY, "text")
    filled.set(dead_key(KEY), "text")
    for name in ("groups", "dead_letters"):
        answer = browser.get(page(name, KEY))
        assert answer.status_code == 409 and b"no stream" in answer.content
    own = f"{settings.HOME_PREFIX}x".encode()
    assert browser.get(page("groups", own)).status_code == 403
    assert browser.post(page("dead_replay", own)).status_code == 403
    assert Entry.objects.filter(result="refused", target_bytes=own).exists()


def test_a_lost_reply_is_unknown_until_somebody_looks(filled, browser, monkeypatch):
    chosen = seen(filled)

    ack = Pending.ack

    def lose(self):
        def send(rows):
            ack.__get__(self, Pending)(rows[:2])
            raise UnknownResult("the reply was lost")

        return send

    monkeypatch.setattr(Pending, "ack", property(lose))

    answer = act(browser, do="ack", seen=chosen)
    assert answer.status_code == 503 and b"Result unknown" in answer.content
    assert Entry.objects.filter(action="streams.ack", result="unknown").exists()
    checked = act(browser, "check", do="ack", seen=chosen)
    assert_valid_html(checked)
    assert b"4: nothing was done to these" in checked.content


def test_a_narrow_user_sees_everything_and_is_told_why_nothing_can_be_done(
    filled, server, operator, client_for
):
    filled.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@read",
                           "-@dangerous", "+ping")  # fmt: skip
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()
    browser = client_for(operator)
    try:
        for address in (
            page("groups", KEY), page("group", KEY, GROUP), page("dead_letters", KEY),
        ):  # fmt: skip
            answer = browser.get(address)
            assert answer.status_code == 200
            assert "dead" in address or b"may not run scripts" in answer.content
        assert b"+eval" in act(browser, "review", do="ack", seen=seen(filled)).content
        refused = act(browser, do="ack", seen=seen(filled))
        assert refused.status_code >= 400 and b"NOPERM" in refused.content
        assert len(pending(filled)) == 6
    finally:
        filled.execute_command("ACL", "DELUSER", "narrow")


def test_viewers_look_and_change_nothing(filled, viewer, client_for):
    visitor = client_for(viewer)
    text = visitor.get(page("group", KEY, GROUP)).content.decode()

    for act_of_others in ("Acknowledge…", "Delete…", "Delete group", "Move to dead letters…"):
        assert act_of_others not in text
    assert act(visitor, do="ack", seen=seen(filled)).status_code == 403
    assert visitor.get(page("group_create", KEY)).status_code == 403
    assert visitor.post(page("dead_replay", KEY)).status_code == 403
    assert len(pending(filled)) == 6


def test_a_server_that_only_reads_says_so(filled, browser):
    chosen = seen(filled)
    filled.replicaof("127.0.0.1", 1)
    try:
        answer = act(browser, do="bury", seen=chosen)
        assert answer.status_code >= 400 and b"READONLY" in answer.content
    finally:
        filled.replicaof("no", "one")
    assert isinstance(filled, redis.Redis) and len(pending(filled)) == 6


def test_a_group_that_does_nothing_while_entries_wait_looks_stuck_on_every_page(
    filled, viewer, client_for, monkeypatch, server
):
    key, group = b"letters", b"mail<er>"
    for n in range(9):
        filled.xadd(key, {"n": n})
    filled.xgroup_create(key, group, "0")
    filled.xreadgroup(group, HOSTILE, {key: ">"}, count=5)
    monkeypatch.setattr(showing, "STILL", 1e-6)
    monkeypatch.setattr(listing, "STILL", 1e-6)
    visitor = client_for(viewer)

    def shown(route, *arguments, was=""):
        answer = visitor.get(page(route, *arguments) + was)
        assert_valid_html(answer)
        return html.unescape(answer.content.decode())

    def of(key):
        return next(row.words for row in listing.read(server).rows if row.key == key)

    first = shown("group", key, group)
    was = "?" + re.search(r"was=[\w-]+", first)[0]
    assert "looks stuck" not in first and "looks stuck" not in of(key)
    assert "looks stuck: nothing read or acknowledged" in of(key)
    assert "looks stuck: 4 entries behind" in shown("groups", key, was=was)
    again = shown("group", key, group, was=was)
    assert f"{printable(HOSTILE)} looks stuck" in again and "holds 5 entries" in again

    filled.xack(key, group, filled.xpending_range(key, group, "-", "+", 1)[0]["message_id"])

    assert "looks stuck" not in shown("group", key, group, was=was)
    assert "looks stuck" not in of(key)


def test_ids_that_are_none_are_said_and_never_a_trouble_of_the_server(filled, browser):
    """Other digits than Redis knows, more than 64 bits, the two ends, and nothing at all."""
    stream, group = page("show", KEY), page("group", KEY, GROUP)
    change = page("group_change", KEY, GROUP)
    last = f"{2**64 - 1}-{2**64 - 1}"
    length = filled.xlen(KEY)

    for wrong in ("\u0661\u0662\u0663", str(2**64), f"1-{2**64}"):
        answers = [
            browser.get(stream, {"view": "browse", "from": wrong}),
            browser.get(page("trim", KEY), {"by": "id", "value": wrong}),
            browser.get(group, {"after": wrong}),
            browser.get(page("dead_letters", KEY), {"before": wrong}),
            browser.post(page("dead_replay", KEY), {"id": wrong}),
            browser.post(page("group_create", KEY), {"name": "n", "start": "id", "id": wrong}),
            browser.post(page("add", KEY), {"fields_text": "a = b", "entry_id": wrong}),
            browser.post(
                change, {"do": "move", "step": "do", "seen": "0-0", "start": "id", "id": wrong}
            ),
        ]
        assert {answer.status_code for answer in answers} <= {200, 400, 422}, answers
    assert browser.get(group, {"after": last}).status_code == 200
    assert browser.get(page("dead_letters", KEY), {"before": "0-0"}).status_code == 200
    ahead = browser.get(change, {"do": "move", "start": "id", "id": last})
    assert ahead.status_code == 200 and b"6 entries are skipped" in ahead.content
    nowhere = browser.post(change, {"do": "move", "step": "do", "seen": "0-0"})
    assert nowhere.status_code == 422 and b"Choose from where" in nowhere.content
    for query in ({"page": "\u00b2"}, {"cap": "\u00b2"}, {"cap": "9" * 5_000}):
        assert browser.get(page("index"), query).status_code == 200
        assert browser.get(stream, query).status_code == 200

    assert filled.xlen(KEY) == length and len(Groups(filled, KEY).look().groups) == 2


def test_many_who_bury_the_same_make_one_letter_of_each(filled, browser):
    """At once, and none gets lost where the dead letters cannot be written."""
    chosen = [Seen.parse(text) for text in seen(filled)]
    filled.set(dead_key(KEY), "something else")
    refused = act(browser, do="bury", seen=list(map(str, chosen)))
    assert b"WRONGTYPE" in refused.content or b"is no stream" in refused.content
    assert len(pending(filled)) == 6
    filled.delete(dead_key(KEY))

    with ThreadPoolExecutor(4) as people:
        told = list(people.map(lambda _: Pending(filled, KEY, GROUP).bury(chosen, "x"), range(8)))

    words = [word for one in told for word in one]
    assert (words.count("done"), words.count("gone")) == (6, 42)
    letters = DeadLetters(filled, KEY).page().letters
    assert sorted(one.origin for one in letters) == sorted(one.id for one in chosen)
    assert pending(filled) == []
