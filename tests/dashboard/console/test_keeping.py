"""What a typed command deletes or replaces is in the recycle bin before it is sent."""

from __future__ import annotations

import os

import pytest

from dashboard.audit.models import Entry
from dashboard.undo.models import Removal
from tests.dashboard.conftest import assert_valid_html


def test_what_is_deleted_comes_back_with_its_expiry(typing, client_for, operator, server, data):
    data.rpush("cart:1", "a", b"\xff")
    data.pexpireat("cart:1", 4_000_000_000_000)
    data.set("cart:2", "x")

    answer = typing(operator, "DEL cart:1 cart:2 none")

    (one,) = answer.context["run"].outcomes
    assert one.answer.reply.value == 2
    assert one.removal.offered == 2
    assert_valid_html(answer)
    assert "Ran DEL cart:1 cart:2 on Shop." in " ".join(answer.content.decode().split())
    entry = Entry.objects.filter(action="console.write").order_by("number").last()
    assert entry.after == {"undo": one.removal.pk}
    assert not data.exists("cart:1", "cart:2")
    url = f"/servers/shop/recycle-bin/{one.removal.pk}/restore/"
    client_for(operator).post(url, {"which": "all"})
    assert data.lrange("cart:1", 0, -1) == [b"a", b"\xff"]
    assert data.pexpiretime("cart:1") == 4_000_000_000_000
    assert data.get("cart:2") == b"x"


@pytest.mark.parametrize(
    "line, key, state",
    [
        ("SET a 2", "a", "overwritten"),
        ("MSET z 1 a 2", "a", "overwritten"),
        ("GETDEL a", "a", "removed"),
        ("RENAME b a", "a", "overwritten"),
        ("COPY b a REPLACE", "a", "overwritten"),
        ("SORT l STORE a", "a", "overwritten"),
        ("SINTERSTORE a none none", "a", "removed"),
        ("EXPIRE a -1", "a", "removed"),
    ],
)
def test_each_way_to_lose_a_value(outcome, client_for, operator, data, line, key, state):
    data.mset({"a": "old", "b": "other"})
    data.rpush("l", "2", "1")

    one = outcome(operator, line)

    assert one.kind == "reply"
    assert one.removal.offered == 1
    assert bool(data.exists(key)) == (state == "overwritten")
    url = f"/servers/shop/recycle-bin/{one.removal.pk}/restore/"
    client_for(operator).post(url, {"which": "all"})
    assert data.get("a") == b"old"


@pytest.mark.parametrize("line", ["SET a 2 NX", "COPY none a REPLACE"])
def test_what_took_nothing_away_offers_nothing(outcome, operator, data, line):
    data.set("a", "old")

    one = outcome(operator, line)

    assert one.kind == "reply"
    assert one.removal.offered == 0


def test_what_the_server_refuses_offers_nothing(outcome, operator, data):
    data.set("a", "old")

    one = outcome(operator, "LTRIM a 0 0")

    assert one.kind == "error"
    assert one.removal.offered == 0
    assert data.get("a") == b"old"


def test_what_cannot_be_kept_is_asked_about(typing, operator, data, settings):
    settings.UNDO_VALUE_BYTES = 100
    data.set("big", os.urandom(200))

    answer = typing(operator, "DEL big")
    (asked,) = answer.context["run"].outcomes
    (still,) = typing(operator, "DEL big", confirm="DEL Shop").context["run"].outcomes
    kept = data.exists("big")
    (done,) = typing(
        operator, "DEL big", confirm="DEL Shop", without_undo="on"
    ).context["run"].outcomes  # fmt: skip

    assert [asked.kind, still.kind, done.kind] == ["confirm", "confirm", "reply"]
    assert "big is too big" in asked.unkept
    assert b"Type DEL Shop to go on" in answer.content
    assert_valid_html(answer)
    assert kept
    assert not data.exists("big")
    assert "too big" in done.unkept


def test_a_full_bin_is_asked_about(outcome, operator, data, settings):
    settings.UNDO_BYTES = 10
    data.set("a", "1")

    asked = outcome(operator, "UNLINK a")

    assert asked.kind == "confirm"
    assert "UNDO_BYTES" in asked.unkept
    assert data.exists("a")


def test_a_part_of_a_value_is_said_not_to_be_kept(typing, operator, data):
    data.hset("h", "f", "1")

    answer = typing(operator, "HDEL h f")

    assert "changes a part of a value" in answer.context["run"].outcomes[0].unkept
    assert b"changes a part of a value" in answer.content
    assert not Removal.objects.exists()


def test_a_lost_answer_leaves_what_was_there_in_the_bin(typing, operator, server, data):
    from tests.faults.proxy import Proxy

    data.set("a", "old")
    with Proxy(int(server.nodes.rpartition(":")[2])) as proxy:
        server.nodes = f"127.0.0.1:{proxy.port}"
        server.save()
        typing(operator, "SET a 1")
        proxy.mode("lose_reply", match=b"GETDEL")
        answer = typing(operator, "GETDEL a")

    (one,) = answer.context["run"].outcomes
    assert one.kind == "unknown"
    assert one.removal.offered == 1
    assert b"is in the recycle bin" in answer.content
