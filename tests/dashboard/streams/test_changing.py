"""Adding an entry and trimming: once, audited, with a way back, and never the console's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.servers.models import Server
from dashboard.streams.changing import trimming
from dashboard.undo.models import Removal
from redisops.errors import UnknownResult
from redisops.keys import to_url
from tests.dashboard.conftest import assert_valid_html

pytestmark = pytest.mark.django_db


def last(action: str) -> Any:
    """What the audit says of it in the end; the intent was written before."""
    return Entry.objects.filter(action=action).order_by("number").last()


def place(key: bytes, rest: str) -> str:
    return f"/servers/shop/streams/{to_url(key)}/{rest}/"


@pytest.fixture
def browser(operator: User, client_for: Callable[..., Client]) -> Client:
    return client_for(operator)


@pytest.fixture
def orders(data: redis.Redis) -> list[str]:
    ids = [data.xadd("orders", {"n": n}, id=f"{1000 + n}-0").decode() for n in range(10)]
    data.xgroup_create("orders", "<mail>", "0")
    data.xreadgroup("<mail>", "one", {"orders": ">"}, count=3)
    return ids


def test_an_entry_is_added_once_with_all_its_fields(
    browser: Client, data: redis.Redis, orders: list[str]
) -> None:
    assert_valid_html(browser.get(place(b"orders", "add")))

    answer = browser.post(
        place(b"orders", "add"),
        {"fields_text": "via = pos\r\nvia = a=b\r\n\\xff\\n = \\x00\r\n", "reason": "a try"},
    )

    [[new, _]] = data.xrevrange("orders", count=1)
    raw = data.execute_command("XRANGE", "orders", new, new, NEVER_DECODE=True)
    assert answer.status_code == 302 and "undo=" in answer["Location"]
    assert data.xlen("orders") == 11 and raw
    kept = last("streams.add")
    assert kept.result == "ok" and kept.reason == "a try"
    assert_valid_html(browser.get(answer["Location"]))
    removal = Removal.objects.get()
    browser.post(f"/servers/shop/recycle-bin/{removal.pk}/restore/", {"which": "all"})
    assert data.xlen("orders") == 10


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"fields_text": "nothing"}, 422, "Line 1 has no ="),
        ({"fields_text": "  "}, 422, ""),
        ({"fields_text": "a = 1", "entry_id": "later"}, 422, "no stream id"),
        ({"fields_text": "a = 1", "entry_id": "5-0"}, 409, "not above"),
    ],
)
def test_what_cannot_be_added_is_said_and_kept_in_the_form(
    browser: Client, data: redis.Redis, orders: list[str], form: dict[str, str], status: int,
    words: str,
) -> None:  # fmt: skip
    answer = browser.post(place(b"orders", "add"), form)

    assert answer.status_code == status and words in answer.content.decode()
    assert data.xlen("orders") == 10
    assert_valid_html(answer)


def test_a_trim_is_previewed_then_done_and_can_come_back(
    browser: Client, data: redis.Redis, orders: list[str]
) -> None:
    path = place(b"orders", "trim")
    preview = browser.get(path, {"by": "length", "value": "4"})

    text = preview.content.decode()
    assert_valid_html(preview)
    assert "Trim 6 entries" in text and "&lt;mail&gt;" in text and "1006-0" in text
    [loss] = preview.context["preview"].groups
    assert (loss.pending, loss.unread) == (3, 3) and data.xlen("orders") == 10

    answer = browser.post(path, {"by": "length", "value": "4", "reason": "full"})

    assert answer.status_code == 302 and data.xlen("orders") == 4
    kept = last("streams.trim")
    assert kept.after["removed"] == 6
    assert Removal.objects.get().offered == 1
    assert_valid_html(browser.get(answer["Location"]))
    nothing = browser.get(path, {"by": "id", "value": "1006"})
    assert "Nothing would go" in nothing.content.decode()
    assert_valid_html(nothing)


def test_what_is_added_after_the_preview_pushes_nothing_more_out(
    browser: Client, data: redis.Redis, orders: list[str]
) -> None:
    path = place(b"orders", "trim")
    preview = browser.get(path, {"by": "length", "value": "4"})
    [kept] = re.findall(r'name="kept" value="([^"]+)"', preview.content.decode())
    [data.xadd("orders", {"n": n}) for n in range(3)]

    form = {"by": "length", "value": "4", "kept": kept, "reason": "full"}
    answer = browser.post(path, form)
    wrong = browser.post(path, {**form, "kept": "<b>"})

    assert answer.status_code == 302 and data.xlen("orders") == 7
    assert data.xrange("orders", count=1)[0][0] == kept.encode()
    assert last("streams.trim").after["removed"] == 6
    assert wrong.status_code == 422 and data.xlen("orders") == 7
    assert_valid_html(wrong)


def test_a_wrong_rule_is_refused_in_words(
    browser: Client, data: redis.Redis, orders: list[str]
) -> None:
    for form in ({"by": "length", "value": "-1"}, {"by": "id", "value": "soon"}, {"by": "length"}):
        answer = browser.post(place(b"orders", "trim"), form)
        assert answer.status_code == 422
        assert_valid_html(answer)
    assert data.xlen("orders") == 10


def test_a_lost_reply_is_told_as_unknown(
    browser: Client, data: redis.Redis, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: Any, rule: Any) -> int:
        data.xtrim("orders", 4, approximate=False)
        raise UnknownResult("XTRIM")

    monkeypatch.setattr(trimming.Trimming, "trim", lost)

    answer = browser.post(place(b"orders", "trim"), {"by": "length", "value": "4"})

    assert answer.status_code == 503 and "Result unknown" in answer.content.decode()
    assert last("streams.trim").result == "unknown"
    assert Removal.objects.get().offered == 1
    assert_valid_html(answer)


def test_production_asks_twice_and_others_may_not(
    browser: Client, viewer: User, client_for: Callable[..., Client], server: Server,
    data: redis.Redis, orders: list[str], settings: Any,
) -> None:  # fmt: skip
    server.environment = "production"
    server.save()
    for rest, form in (
        ("trim", {"by": "length", "value": "4"}),
        ("add", {"fields_text": "a = 1"}),
    ):
        bare = browser.post(place(b"orders", rest), form)
        assert bare.status_code == 422 and "The name is Shop" in bare.content.decode()
        assert client_for(viewer).post(place(b"orders", rest), form).status_code == 403
        own = f"{settings.HOME_PREFIX}x".encode()
        assert browser.post(place(own, rest), form).status_code == 403
    assert data.xlen("orders") == 10
    said = {"by": "length", "value": "4", "confirm": "Shop", "reason": "full"}
    assert browser.post(place(b"orders", "trim"), said).status_code == 302
    assert browser.get(place(b"gone", "trim")).status_code == 404
    data.set("text", "x")
    assert browser.get(place(b"text", "trim")).status_code == 409
