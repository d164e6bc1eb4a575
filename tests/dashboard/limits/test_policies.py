"""Policies in the browser: written, explained, versioned, owned, tested, taken in and out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import Team, User
from dashboard.audit.models import Entry
from dashboard.limits.policies import current
from dashboard.limits.policies.models import LimitPolicy
from dashboard.servers.models import Server
from redisops.limits.policies import Document
from redisops.limits.recorder import Recorder
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.limits.policies import HERE, kept, typed
from tests.hostile import NAMES
from tests.servers import RedisProcess

ClientFor = Callable[[User | None], Client]


@pytest.fixture
def admin(owner: User, client_for: ClientFor, server: Server) -> Client:
    return client_for(owner)


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined]


def test_a_policy_is_written_published_changed_and_rolled_back(
    admin: Client, server: Server, data: redis.Redis
) -> None:
    first = admin.get(HERE)
    assert_valid_html(first)
    assert "No rate limits on this server" in text(first) and "Begin with it" in text(first)
    assert_valid_html(admin.get(f"{HERE}new/?example=orders"))

    made = admin.post(f"{HERE}new/", typed(reason="Stolen cards"), follow=True)

    assert_valid_html(made)
    assert "saved as version 1. Published as document 1" in text(made)
    said = "Each <b>user</b> may make <b>120 POST requests</b> to <b>/orders/**</b>"
    assert said in text(made)
    row = LimitPolicy.objects.get(server=server)
    document = Document.loads(data.get("redisops:limits"))
    assert (document.version, document.policies) == (1, (row.as_policy(),))

    page = f"{HERE}orders/"
    admin.post(f"{page}edit/", typed(limit="1,200", period="5 min", seen="1", reason="Sale"))
    admin.post(f"{page}mode/", {"mode": "enforce", "seen": "2"})
    versions = admin.get(f"{page}versions/?from=1&to=3")
    assert_valid_html(versions)
    assert "<del>120</del> <ins>1,200</ins>" in text(versions) and "Sale" in text(versions)
    asked = admin.get(f"{page}versions/1/")
    assert_valid_html(asked)
    assert "<td>1,200</td><td><b>120</b></td>" in text(asked)
    assert "Roll back to version 1<" in text(asked) and 'name="seen" value="3"' in text(asked)
    same = admin.post(f"{page}versions/3/", follow=True)
    assert "Nothing changed: version 3 holds." in text(same)
    back = admin.post(f"{page}versions/1/", {"seen": "3"}, follow=True)
    assert "saved as version 4" in text(back)
    row.refresh_from_db()
    assert [row.as_policy().limit, row.mode, row.version] == [120, "shadow", 4]
    assert Document.loads(data.get("redisops:limits")).version == 4
    told = Entry.objects.exclude(result="intent").order_by("number").values_list("action", "reason")
    assert list(told)[::2] == [
        ("limits.create", "Stolen cards"), ("limits.change", "Sale"),
        ("limits.change", "shadow to enforce"), ("limits.roll_back", "back to version 1"),
    ]  # fmt: skip
    assert {action for action, _ in list(told)[1::2]} == {"limits.publish"}


def test_deleting_leaves_the_versions_and_restoring_brings_it_back(
    admin: Client, server: Server, data: redis.Redis
) -> None:
    kept(server)
    assert_valid_html(admin.get(f"{HERE}orders/delete/"))
    admin.post(f"{HERE}orders/delete/", {"seen": "1", "reason": "Not needed"})
    assert current(server) == [] and Document.loads(data.get("redisops:limits")).policies == ()
    gone = admin.get(f"{HERE}orders/")
    assert_valid_html(gone)
    assert "no service uses it" in text(gone) and "Restore orders" in text(gone)
    assert "restore that one" in text(admin.post(f"{HERE}new/", typed()))
    assert "orders</a>" in text(admin.get(HERE))
    admin.post(f"{HERE}orders/restore/", {"seen": "2"})
    assert [row.version for row in current(server)] == [3]
    assert len(Document.loads(data.get("redisops:limits")).policies) == 1


def test_each_problem_stands_at_its_field_and_nothing_is_saved(
    admin: Client, server: Server
) -> None:
    wrong = {
        "name": ("a b", "not made of letters"),
        "limit": ("NaN", "&quot;NaN&quot; is not a whole number such as 120."),
        "period": ("soon", "write it like 60 s, 5 min"),
        "path": ("orders", "does not begin with"),
        "burst": ("1e9", "is not a whole number"),
        "shares": ("vip 20%", "is not one of critical"),
    }
    for field, (value, said) in wrong.items():
        more = {"algorithm": "concurrency"} if field == "shares" else {}
        answer = admin.post(f"{HERE}new/", typed(**{field: value}, **more))
        assert answer.status_code == 422
        at = re.search(rf'name="{field}".*?</div>', text(answer), re.S)
        assert at and said in at[0], (field, at and at[0])
        assert f'value="{value}"' in text(answer)  # what was typed is kept
    assert_valid_html(answer)
    for name in NAMES:
        shown = admin.post(f"{HERE}new/", typed(name="<" + name.decode("latin-1"), note="<script>"))
        assert shown.status_code == 422 and b"<script>" not in shown.content
    for limit in ("-1", "0", "9" * 30, "99999999999"):
        assert admin.post(f"{HERE}new/", typed(limit=limit)).status_code == 422
    for name in ("subjects", "new", "import"):
        assert "is an address" in text(admin.post(f"{HERE}new/", typed(name=name)))
    assert not LimitPolicy.objects.exists()


def test_the_sentence_is_live_and_saves_nothing(viewer: User, client_for: ClientFor) -> None:
    browser = client_for(viewer)
    said = browser.get(f"{HERE}sentence/", typed(subject=["ip"], limit="7", period="1 h"))
    assert "Each <b>address</b> may make <b>7 POST requests</b>" in text(said)
    assert "<b>an hour</b>" in text(said)
    assert_valid_html(said)
    wrong = browser.get(f"{HERE}sentence/", typed(cost="50"))
    assert "The cost 50 is above 20: every request would be denied." in text(wrong)
    assert not LimitPolicy.objects.exists() and not Entry.objects.exists()


def test_the_tester_says_which_policies_take_a_request_and_why_not(
    viewer: User, server: Server, client_for: ClientFor
) -> None:
    kept(server, "per-user", subject=("user",), path="/orders/**", order=2)
    kept(server, "per-net", subject=("ip",), methods=("POST",), order=1)
    kept(server, "payments", service="payments")
    kept(server, "off", mode="off")
    asked = {"method": "post", "path": "/orders/7", "user": "<b>", "ip": "2001:db8::1"}
    page = client_for(viewer).post(f"{HERE}match/", asked)
    assert_valid_html(page)
    answer = text(page)
    assert "2 of 4" in answer and "&lt;b&gt;" in answer and "2001:db8::/64" in answer
    assert answer.index(">per-net<") < answer.index(">per-user<")
    assert "It is for the service payments." in answer and "It is off." in answer
    part = client_for(viewer).post(f"{HERE}match/", asked, headers={"HX-Request": "true"})
    assert "<main" not in text(part)


def test_two_editors_at_once_see_both_sides(admin: Client, server: Server) -> None:
    kept(server, limit=60)
    admin.post(f"{HERE}orders/edit/", typed(limit="100", seen="1"))

    late = admin.post(f"{HERE}orders/edit/", typed(limit="80", seen="1"))

    assert late.status_code == 409
    assert_valid_html(late)
    line = re.search(r"<tr><td>Requests</td>(.*?)</tr>", text(late))
    assert line and re.findall(r"\d+", re.sub("<[^>]+>", " ", line[1])) == ["60", "100", "80"]
    assert 'value="80"' in text(late) and 'name="seen" value="2"' in text(late)
    button = admin.post(f"{HERE}orders/mode/", {"mode": "off", "seen": "1"}, follow=True)
    assert "Nothing was changed: orders is at version 2 by now" in text(button)
    assert LimitPolicy.objects.get().as_policy().limit == 100


def test_people_change_what_their_teams_own(
    server: Server, operator: User, viewer: User, stranger: User, client_for: ClientFor
) -> None:
    ours, theirs = Team.objects.create(name="Orders"), Team.objects.create(name="Payments")
    ours.members.add(operator)
    kept(server, "ours", team=ours)
    kept(server, "theirs", team=theirs)
    kept(server, "nobodys")
    browser = client_for(operator)
    assert browser.post(f"{HERE}ours/mode/", {"mode": "off"}).status_code == 302
    for name in ("theirs", "nobodys"):
        assert browser.post(f"{HERE}{name}/mode/", {"mode": "off"}).status_code == 403
        assert browser.get(f"{HERE}{name}/delete/").status_code == 403
        assert browser.get(f"{HERE}{name}/versions/1/").status_code == 403
        page = browser.get(f"{HERE}{name}/")
        assert page.status_code == 200 and "Save on Shop" not in text(page)
    given = browser.post(f"{HERE}ours/edit/", typed(team=theirs.pk, seen="2"))
    assert given.status_code == 422  # not one of theirs to give it to
    assert browser.post(f"{HERE}new/", typed(team="")).status_code == 403
    assert browser.post(f"{HERE}new/", typed(team=ours.pk)).status_code == 302
    looking = client_for(viewer)
    shown = looking.get(f"{HERE}ours/")
    assert_valid_html(shown)
    assert "Changing policies needs the role Operator" in text(shown)
    assert looking.post(f"{HERE}ours/mode/", {"mode": "off"}).status_code == 403
    for page in ("", "new/", "ours/", "match/", "export/"):
        assert client_for(stranger).get(f"{HERE}{page}").status_code == 404
    modes = LimitPolicy.objects.order_by("name").values_list("name", "body__mode")
    assert dict(modes) == {
        "nobodys": "enforce", "orders": "shadow", "ours": "off", "theirs": "enforce",
    }  # fmt: skip
    assert Entry.objects.filter(result="refused", actor="operator").count() == 3


def test_the_list_shows_state_and_use_in_few_round_trips(
    admin: Client, server: Server, data: redis.Redis
) -> None:
    for number in range(12):
        kept(server, f"p{number}", mode=("off", "shadow", "enforce")[number % 3])
    recorder = Recorder(server.client())
    recorder.add("p2", "ann", "allowed", 40)
    recorder.add("p2", "bob", "denied", 9)
    recorder.add("p2", "bob", "shadow", 5)  # before it was enforced: they were let through
    recorder.add("p1", "ann", "allowed", 30)
    recorder.add("p1", "bob", "shadow", 7)
    recorder.flush()
    page = admin.get(HERE)
    assert_valid_html(page)
    row = re.search(r">p2<.*?</tr>", text(page), re.S)
    assert row and ">45<" in row[0] and ">9<" in row[0] and "published" in row[0]
    tried = re.search(r">p1<.*?</tr>", text(page), re.S)
    assert tried and ">37<" in tried[0] and ">7 <" in tried[0] and "would be" in tried[0]
    assert "12 policies: 4 enforced, 4 in shadow, 4 off. Published at version 12." in text(page)
    cost = re.search(r"<b>(\d+) round trips?</b>", text(page))
    assert cost and int(cost[1]) <= 3  # the document, the clock, the counts of all rows
    found = admin.get(f"{HERE}?q=P11&mode=enforce", headers={"HX-Request": "true"})
    assert text(found).count("<tr>") == 2 and "<main" not in text(found)
    nothing = admin.get(f"{HERE}?q=<b>")
    assert_valid_html(nothing)
    assert "None of 12 policies holds “&lt;b&gt;”" in text(nothing)


def test_policies_go_out_and_in_as_json(admin: Client, server: Server, data: redis.Redis) -> None:
    kept(server, "one", limit=5)
    kept(server, "two")
    told = json.loads(admin.get(f"{HERE}export/").content)
    assert [one["name"] for one in told["policies"]] == ["one", "two"]
    told["policies"][0]["limit"] = 9
    told["policies"].append({"name": "three", "limit": 1, "period": 1, "mode": "shadow"})
    assert_valid_html(admin.get(f"{HERE}import/"))
    done = admin.post(f"{HERE}import/", {"text": json.dumps(told)}, follow=True)
    assert "one changed, two the same, three created. Published as document 4" in text(done)
    bad = [{"name": "four", "limit": -1, "period": 1}, {"name": "five", "limit": 1, "period": 1}]
    half = admin.post(f"{HERE}import/", {"text": json.dumps(bad)})
    assert half.status_code == 422
    assert_valid_html(half)
    assert "five" in text(half) and Document.loads(data.get("redisops:limits")).version == 5
    for junk in ("", "[]", "{", '{"a": 1}', "1", "[" * 100_000, '"<b>"', "[null]"):
        answer = admin.post(f"{HERE}import/", {"text": junk})
        assert answer.status_code == 422 and b"Nothing was taken in" in answer.content


def test_pages_say_what_is_known_while_redis_is_away(
    admin: Client, server: Server, target: RedisProcess
) -> None:
    kept(server)
    server.nodes = "127.0.0.1:1"
    server.save()
    for page in ("", "orders/", "orders/versions/", "match/"):
        answer = admin.get(f"{HERE}{page}")
        assert answer.status_code == 200
        assert_valid_html(answer)
    assert "Redis could not be asked" in text(admin.get(HERE))
    saved = admin.post(f"{HERE}orders/edit/", typed(limit="7", seen="1"), follow=True)
    assert "saved as version 2. It is not published yet" in text(saved)
    assert LimitPolicy.objects.get().as_policy().limit == 7
