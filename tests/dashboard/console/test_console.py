"""The console's page and what it runs, by role, with its audit and its history."""

import re

import pytest
import redis
from django.db import connection
from django.utils import timezone

from dashboard.audit.models import Entry, Result
from dashboard.console import rate
from dashboard.console.models import KEPT, Line
from dashboard.servers.models import Server
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.console.conftest import PAGE, RUN
from tests.servers import restricted


def entries():
    return list(
        Entry.objects.filter(action__startswith="console.").order_by("number")
    )  # fmt: skip


def test_the_page_says_what_one_may_run(client_for, viewer):
    answer = client_for(viewer).get(PAGE)

    assert answer.status_code == 200
    assert_valid_html(answer)
    assert "As viewer you may run" in answer.content.decode()
    assert "Nothing has been run yet" in answer.content.decode()


@pytest.mark.parametrize("method", ["put", "delete"])
def test_other_methods_are_refused(client_for, owner, server, method):
    assert getattr(client_for(owner), method)(RUN).status_code == 405
    assert client_for(owner).get(RUN).status_code == 405
    assert client_for(owner).post(PAGE).status_code == 405


def test_a_viewer_reads_and_does_not_write(outcome, viewer, data):
    data.set("cart:1", '{"sku": "KB-87"}')

    outcome(viewer, "PING")
    read = outcome(viewer, "GET cart:1")
    refused = outcome(viewer, "SET cart:1 x")

    assert read.kind == "reply"
    assert read.shown.decoded.chain == ("json",)
    assert read.round_trips == 2  # its length, and itself
    assert refused.kind == "refused"
    assert "operator" in refused.reason
    assert data.get("cart:1") == b'{"sku": "KB-87"}'
    (entry,) = entries()
    assert (entry.result, entry.action) == (Result.REFUSED, "console.write")
    assert entry.target == "SET cart:1 x"


def test_an_operators_write_is_audited_before_and_after(outcome, operator, data):
    done = outcome(operator, "SET cart:1 x EX 100")

    assert done.shown.kind == "simple"
    assert data.get("cart:1") == b"x"
    intent, told = entries()
    assert [intent.result, told.result] == [Result.INTENT, Result.OK]
    assert told.intent == intent.number


def test_a_servers_error_is_shown_verbatim_and_audited_as_failed(outcome, operator, data):
    data.lpush("queue", "a")

    failed = outcome(operator, "INCR queue")

    assert failed.kind == "error"
    assert failed.answer.reply.text.startswith("WRONGTYPE Operation against a key")
    assert entries()[-1].result == Result.FAILED


def test_lines_run_one_by_one_and_stop_at_the_first_error(typing, operator, data):
    run = typing(operator, "SET a 1\n\nINCR a\nLPUSH a x\nSET b 1\nSET c 1").context["run"]

    assert [one.kind for one in run.outcomes] == ["reply", "reply", "error"]
    assert run.left == 2
    assert data.keys() == [b"a"]
    assert data.get("a") == b"2"


def test_a_value_with_an_odd_end_of_line_stays_one_value(outcome, operator, data):
    outcome(operator, 'SET a "x\u2028FLUSHALL\x0bGET b"')

    assert data.get("a") == "x\u2028FLUSHALL\x0bGET b".encode()


def test_a_form_that_is_sent_twice_runs_once(typing, operator, data):
    token = "8f2f4a38-6a0b-4a3b-9d39-3e0b8f7a1c11"

    typing(operator, "INCR visits", once=token)
    again = typing(operator, "INCR visits", once=token).context["run"].outcomes[-1]

    assert again.kind == "again"
    assert data.get("visits") == b"1"


def test_a_broken_line_is_pointed_at(typing, viewer):
    answer = typing(viewer, 'GET "cart:1')

    one = answer.context["run"].outcomes[0]
    assert (one.kind, one.column) == ("bad", 5)
    assert_valid_html(answer)
    assert not Line.objects.exists()  # nobody knows which part of it is a password


def test_a_dangerous_command_is_typed_again_with_the_servers_name(outcome, admin, data):
    data.set("a", "1")

    asked = outcome(admin, "FLUSHDB")
    wrong = outcome(admin, "FLUSHDB", confirm="FLUSHDB")
    kept = data.exists("a")
    done = outcome(admin, "FLUSHDB", confirm="FLUSHDB Shop")

    assert [asked.kind, wrong.kind, done.kind] == ["confirm", "confirm", "reply"]
    assert asked.phrase == "FLUSHDB Shop"
    assert kept
    assert not data.exists("a")


def test_production_asks_for_its_name_before_each_write(typing, outcome, operator, server, data):
    Server.objects.update(environment="production")
    data.set("a", "1")

    page = typing(operator, "SET a 2\nSET a 3")
    read = outcome(operator, "GET a")
    wrong = outcome(operator, "SET a 2", confirm="shop")
    kept = data.get("a")
    done = outcome(operator, "SET a 2", confirm="Shop")

    (asked,) = page.context["run"].outcomes
    assert [asked.kind, read.kind, wrong.kind, done.kind] == [
        "confirm",
        "reply",
        "confirm",
        "reply",
    ]
    assert asked.phrase == "Shop"
    assert_valid_html(page)
    assert kept == b"1"
    assert data.get("a") == b"2"


def test_a_pasted_loop_is_held_back_for_each_person(
    typing, outcome, operator, owner, data, monkeypatch
):
    monkeypatch.setattr(rate, "MOST", 3)
    monkeypatch.setattr(rate, "clock", lambda: 1_000_000_001.0)

    page = typing(operator, "INCR a\n" * 5)
    others = outcome(owner, "INCR a")
    monkeypatch.setattr(rate, "clock", lambda: 1_000_000_011.0)  # 9/10 of before still count
    soon = outcome(operator, "INCR a")
    monkeypatch.setattr(rate, "clock", lambda: 1_000_000_018.0)
    later = outcome(operator, "INCR a")

    run = page.context["run"]
    assert [one.kind for one in run.outcomes] == ["reply", "reply", "reply", "refused"]
    assert run.left == 1
    assert "3 commands in 10 s on Shop" in run.outcomes[-1].reason
    assert_valid_html(page)
    assert [others.kind, soon.kind, later.kind] == ["reply", "refused", "reply"]
    assert data.get("a") == b"5"


@pytest.mark.parametrize(
    "line, secret",
    [
        ("AUTH anna hunter22", "hunter22"),
        ("HELLO 3 AUTH anna hunter22", "hunter22"),
        ("CONFIG SET masterauth hunter22", "hunter22"),
        ("CONFIG SET maxmemory 0 requirepass hunter22", "hunter22"),
        ("ACL SETUSER bob on >hunter22 ~* +@all", "hunter22"),
        ("MIGRATE 127.0.0.1 1 a 0 10 AUTH2 anna hunter22", "hunter22"),
        ("MIGRATE 127.0.0.1 1 a 0 10 AUTH hunter22", "hunter22"),
    ],
)
def test_secrets_are_in_neither_history_nor_audit(outcome, admin, line, secret):
    one = outcome(admin, line)

    assert secret not in one.line
    kept = [one.text for one in Line.objects.all()]
    assert len(kept) == 1
    assert secret not in kept[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT target, reason, before, after FROM audit_entry")
        assert secret not in str(cursor.fetchall())


def test_what_a_server_quotes_of_a_secret_is_not_kept(outcome, admin, data):
    wrong = outcome(admin, "ACL SETUSER bob <hunter22", confirm="ACL SETUSER Shop")

    assert wrong.kind == "error"
    assert "hunter22" not in entries()[-1].reason
    assert "modifier '(secret)'" in entries()[-1].reason


def test_config_get_hides_passwords(outcome, admin, data):
    data.config_set("masterauth", "hunter22")
    try:
        shown = outcome(admin, "CONFIG GET m*").shown
    finally:
        data.config_set("masterauth", "")

    assert "hunter22" not in shown.plain
    assert "hunter22" not in shown.packed
    assert '"maxmemory"' in shown.plain


def test_history_is_ones_own_bounded_and_searched(client_for, typing, viewer, operator, server):
    Line.objects.bulk_create(
        Line(user=viewer, server=server, text=f"GET cart:{n}") for n in range(KEPT)
    )
    typing(operator, "GET theirs")

    typing(viewer, "GET mine")

    browser = client_for(viewer)
    told = browser.get(PAGE + "history/").json()["lines"]
    assert len(told) == KEPT
    assert told[0] == "GET mine"
    assert "GET cart:0" not in told
    assert browser.get(PAGE + "history/", {"q": "cart:17"}).json()["lines"] == [
        *(f"GET cart:{n}" for n in range(179, 169, -1)), "GET cart:17",
    ]  # fmt: skip
    page = browser.get(PAGE, {"history": "mine"})
    again = re.search(r"\?again=(\d+)", page.content.decode())
    assert browser.get(PAGE, {"again": again[1]}).context["typed"] == "GET mine"
    theirs = Line.objects.get(text="GET theirs").pk
    assert browser.get(PAGE, {"again": theirs}).context["typed"] == ""
    browser.post(PAGE + "history/forget/")
    assert browser.get(PAGE + "history/").json()["lines"] == []
    assert Line.objects.count() == 1


def test_a_search_in_history_takes_any_text(client_for, typing, viewer, data):
    typing(viewer, "PING")

    told = client_for(viewer).get(PAGE + "history/", {"q": "PI\0NG"})

    assert told.json() == {"lines": ["PING"]}


def test_help_comes_from_the_server(client_for, viewer, server):
    told = client_for(viewer).get(PAGE + "commands/").json()

    assert "Sets the string value" in told["commands"]["SET"]["summary"]
    assert told["commands"]["SET"]["syntax"].startswith("SET key value [NX")
    assert told["commands"]["SET"]["may"] is False
    assert told["commands"]["GET"]["may"] is True
    assert "Not run here" in told["commands"]["MONITOR"]["who"]
    page = client_for(viewer).get(PAGE, {"help": "config set"})
    assert page.context["guide"].found.name == "CONFIG SET"
    assert_valid_html(page)


def test_an_answer_is_exported(client_for, typing, viewer, data):
    data.hset("h", mapping={"a": "=1+1", "b": b"\xff"})
    answer = typing(viewer, "HGETALL h")
    assert_valid_html(answer)
    reply = answer.context["run"].outcomes[0].shown.packed
    browser = client_for(viewer)

    made = {
        kind: browser.post(PAGE + "export/", {"reply": reply, "format": kind})
        for kind in ("json", "csv", "txt")
    }

    assert made["json"].json() == {"a": "=1+1", "b": {"base64": "/w=="}}
    assert made["csv"].content == b'"a","\'=1+1"\r\n"b","\\xff"\r\n'
    assert made["txt"].content.decode().splitlines()[1] == '2# "b" => "\\xff"'
    assert made["csv"]["Content-Disposition"] == 'attachment; filename="shop-answer.csv"'
    for bad in ({"reply": "[", "format": "csv"}, {"reply": reply, "format": "exe"}, {}):
        assert browser.post(PAGE + "export/", bad).status_code == 400


def test_many_long_answers_still_make_a_page(typing, viewer, data):
    data.rpush("long", *range(1000))
    data.set("large", "<" * 120_000)

    page = typing(viewer, "\n".join(["LRANGE long 0 999", "GET large"] * 25))
    outcomes = page.context["run"].outcomes

    assert len(outcomes) == 50
    assert [one.answer.cut for one in outcomes[:2]] == [False, False]
    assert sum(one.answer.reply.count for one in outcomes) < 5_000
    assert sum(one.answer.received for one in outcomes) < 5_000_000
    assert len(page.content) < 4_000_000


def test_hostile_answers_are_escaped(typing, viewer, data):
    evil = b"<script>alert(1)</script>\xe2\x80\xae\x00"
    data.rpush("l", evil)
    data.hset("h", evil, evil)
    data.set("s", evil)

    for line in ("LRANGE l 0 9", "HGETALL h", "GET s", 'ECHO "<script>alert(1)</script>"'):
        answer = typing(viewer, line)
        assert_valid_html(answer)
        assert b"<script>alert" not in answer.content
        assert "\u202e" not in answer.content.decode()


def test_htmx_gets_the_new_part_alone(client_for, viewer, server):
    answer = client_for(viewer).post(RUN, {"line": "PING"}, headers={"HX-Request": "true"})

    body = answer.content.decode()
    assert "PONG" in body
    assert "<html" not in body
    assert 'hx-swap-oob="true"' in body


def test_nothing_typed_is_said(typing, viewer):
    assert "Nothing was typed" not in typing(viewer, " ").context["run"].outcomes


def test_a_narrow_user_reads_what_it_may(client_for, typing, viewer, server, target, data):
    data.set("cart:1", "x")
    restricted(target, "~*", "+@read", "-@dangerous", "+ping")
    server.username = "narrow"
    server.set_secret("password", "secret-42")
    server.save()

    page = client_for(viewer).get(PAGE)
    read = typing(viewer, "GET cart:1").context["run"].outcomes[0]
    info = typing(viewer, "INFO server").context["run"].outcomes[0]

    assert page.status_code == 200
    assert "+command" in page.content.decode()
    assert read.kind == "reply"
    assert info.kind == "error"
    assert info.answer.reply.text.startswith("NOPERM")


def test_a_server_that_is_down_keeps_what_was_typed(client_for, typing, viewer, server, target):
    target.pause()
    try:
        page = client_for(viewer).get(PAGE)
        run = client_for(viewer).post(
            RUN, {"line": "GET cart:1"}, headers={"HX-Request": "true"}
        )  # fmt: skip
    finally:
        target.resume()

    assert page.status_code == 503
    assert run.status_code == 200
    assert "There is no answer" in run.content.decode()


def test_homes_own_keys_are_reached_by_nobody(outcome, owner, server, home_process, data):
    """By a script, by emptying it, and by another name of the same Redis."""
    Server.objects.create(name="Mirror", slug="mirror", nodes=f"127.0.0.1:{home_process.port}")
    run = "/servers/mirror/console/run/"

    for line in ("EVAL \"return redis.call('get', ARGV[1])\" 0 x", "FLUSHALL", "SLOWLOG GET 10"):
        one = outcome(owner, line, to=run, confirm="FLUSHALL Mirror")
        assert one.kind == "refused", line
        assert "console's own keys" in one.reason
    assert outcome(owner, "GET redisops:console:x", to=run).kind == "refused"
    assert outcome(owner, 'EVAL "return 1" 0').kind == "reply"


def test_nothing_is_run_while_work_on_the_server_is_stopped(client_for, viewer, server, data):
    Server.objects.filter(pk=server.pk).update(
        stopped_at=timezone.now(), stopped_by="anna", stopped_why="night run"
    )

    page = client_for(viewer).get(PAGE)
    run = client_for(viewer).post(RUN, {"line": "PING"}, headers={"HX-Request": "true"})

    for answer in (page, run):
        assert answer.status_code < 600
        assert "anna" in answer.content.decode()
    assert "PONG" not in run.content.decode()


def test_an_answer_that_is_none_leaves_a_write_unknown(outcome, operator, monkeypatch):
    def garbage(self, data):
        raise redis.InvalidResponse("the answer begins with b'H'")

    outcome(operator, "PING")
    monkeypatch.setattr("redisops.commands.replies.Reader.feed", garbage)

    assert outcome(operator, "SET cart:1 x").kind == "unknown"
    assert outcome(operator, "TTL cart:1").kind == "trouble"


def test_a_lost_answer_is_unknown_with_a_way_to_check(outcome, operator, server):
    from tests.faults.proxy import Proxy

    with Proxy(int(server.nodes.rpartition(":")[2])) as proxy:
        server.nodes = f"127.0.0.1:{proxy.port}"
        server.save()
        outcome(operator, "PING")
        proxy.mode("lose_reply", match=b"SET")
        one = outcome(operator, "SET cart:1 x")

    assert one.kind == "unknown"
    assert one.check == "GET cart:1"
    assert entries()[-1].result == Result.UNKNOWN
