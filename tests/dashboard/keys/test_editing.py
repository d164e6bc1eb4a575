"""Changing single keys through the console: every type, every step, as forms without a script."""

from __future__ import annotations

import json
import re
import zlib
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from dashboard.audit.models import Entry
from dashboard.undo.models import Removal
from redisops.keys import printable
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import key_path, text_of
from tests.hostile import NAMES

pytestmark = pytest.mark.django_db(transaction=True)
NEW = "/servers/shop/new-key/"
BYTES = bytes(range(256))


def fields_of(response):
    """What a browser would send of the page's form: its inputs, text areas and chosen options."""
    text = text_of(response)
    text = text[text.index('id="value"') :] if 'id="value"' in text else text
    found = {}
    for tag in re.findall(r"<input\b[^>]*>", text):
        told = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if "name" in told and told.get("type") != "checkbox":
            found[told["name"]] = unescape(told.get("value", ""))
    for name, inside in re.findall(
        r'<textarea\b[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', text, re.S
    ):
        found[name] = unescape(inside.removeprefix("\r\n").removeprefix("\n"))
    for name, inside in re.findall(r'<select\b[^>]*name="(\w+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'value="([^"]*)" selected', inside) or re.search(
            r'value="([^"]*)"', inside
        )
        found[name] = unescape(chosen[1])
    found.pop("csrfmiddlewaretoken", None)
    return found


def opened(browser, key, do, **told):
    """The form of one edit, as it is opened."""
    return browser.get(key_path(key, "edit/"), {"do": do, **told})


def save(browser, key, do, step="save", *, which=None, **typed):
    """Open the form, type, and send it."""
    page = opened(browser, key, do, **(which or {}))
    assert page.status_code == 200, text_of(page)[-3000:]
    assert_valid_html(page)
    return browser.post(key_path(key, "edit/"), fields_of(page) | typed | {"step": step})


def undone(browser):
    removal = Removal.objects.latest("pk")
    return browser.post(f"/servers/shop/recycle-bin/{removal.pk}/restore/", {"which": "all"})


EDITS = [
    # do, which element, what is typed, the command that looks, what it says then
    ("value", {}, {"value": "new", "spelled": "text"}, ("GET", "greeting"), b"new"),
    ("append", {}, {"value": "!"}, ("GET", "greeting"), b"Hello <b>you</b>!"),
    ("bit", {}, {"offset": "7", "bit": "1"}, ("GETBIT", "greeting", 7), 1),
    ("add-field", {}, {"field": r"\xff\x00", "value": "v"}, ("HGET", "sess:eu:1", b"\xff\0"), b"v"),
    ("field", {"field": "user"}, {"value": "9007199254740993"}, ("HGET", "sess:eu:1", "user"),
     b"9007199254740993"),
    ("remove-field", {"field": "seen"}, {}, ("HGET", "sess:eu:1", "seen"), None),
    ("push", {}, {"value": "first", "end": "head"}, ("LINDEX", "queue:mail", 0), b"first"),
    ("element", {"index": "3"}, {"value": "third"}, ("LINDEX", "queue:mail", 3), b"third"),
    ("insert", {"index": "1"}, {"value": "half"}, ("LINDEX", "queue:mail", 1), b"half"),
    ("remove-element", {"index": "0"}, {}, ("LINDEX", "queue:mail", 0), b"mail 1"),
    ("add-member", {}, {"member": "blue"}, ("SISMEMBER", "tags", "blue"), 1),
    ("remove-member", {"member": "red"}, {}, ("SISMEMBER", "tags", "red"), 0),
    ("add-score", {}, {"member": "new", "score": "1.5"}, ("ZSCORE", "board:week", "new"), 1.5),
    ("score", {"member": "player 7"}, {"score": "inf"}, ("ZSCORE", "board:week", "player 7"),
     float("inf")),
    ("remove-score", {"member": "player 7"}, {}, ("ZSCORE", "board:week", "player 7"), None),
    ("add-place", {}, {"member": "Rome", "longitude": "12.5", "latitude": "41.9"},
     ("ZCARD", "geo:shops"), 3),
    ("add-entry", {}, {"pairs": "order = 9\r\nnote = a\\x3db", "id": "*"},
     ("XLEN", "stream:orders"), 4),
    ("remove-entry", {"id": "1700000000000-0"}, {}, ("XLEN", "stream:orders"), 2),
    ("count", {}, {"elements": "one more\r\nand another"}, ("PFCOUNT", "uniques"), ...),
    ("expiry", {}, {"when": "2h 30m"}, ("EXISTS", "greeting"), 1),
    ("persist", {}, {}, ("TTL", "sess:eu:1"), -1),
    ("rename", {}, {"to": "renamed"}, ("EXISTS", "greeting"), 0),
    ("copy", {}, {"to": "copied"}, ("GET", "copied"), b"Hello <b>you</b>"),
]  # fmt: skip

ADDING = {
    "add-field", "push", "insert", "add-member", "add-score", "add-place",
    "add-entry", "copy",
}  # fmt: skip
# An entry of a stream cannot come back at its place; its page says so before.
FOR_GOOD = {"remove-entry"}
GROUPS = sorted({edit[3][1] for edit in EDITS} - {"copied"})


@pytest.mark.parametrize("key", GROUPS)
def test_each_edit_is_written_audited_and_undone(browser, filled, key):
    for do, which, typed, look, now in EDITS:
        if (look[1] if do != "copy" else "greeting") != key:
            continue
        before, dump, left = seen(filled, key), filled.dump(key), max(filled.pttl(key), 0)
        Entry.objects.filter(action__startswith="key.").delete()

        answer = save(browser, key.encode(), do, which=which, **typed)

        assert answer.status_code == 302, f"{do}: {text_of(answer)[-2000:]}"
        if now is not ...:
            assert filled.execute_command(*look) == now, do
        entries = Entry.objects.filter(action__startswith="key.").order_by("number")
        assert [entry.result for entry in entries] == ["intent", "ok"], do
        assert bytes(entries[0].target_bytes) == key.encode()
        assert ("undo=" in answer.url) == (do not in ADDING | FOR_GOOD), do
        if "undo=" in answer.url:
            back = undone(browser)
            assert back.status_code == 302, text_of(back)[-2000:]
            assert seen(filled, key) == before, do
        filled.restore(key, left, dump, replace=True)
    assert_valid_html(browser.get(answer.url))


def seen(client, key):
    """What a key holds, without what a server may arrange another way, and whether it expires."""
    kind = client.type(key).decode()
    read = {
        "string": client.get, "hash": client.hgetall, "set": client.smembers,
        "list": lambda key: client.lrange(key, 0, -1),
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": lambda key: client.xrange(key),
        "none": lambda key: None,
    }  # fmt: skip
    value = client.pfcount(key) if key == "uniques" else read[kind](key)
    return kind, value, client.ttl(key) > 0


def test_a_decoded_value_is_written_back_as_it_was_stored_with_its_integers(browser, filled):
    page = opened(browser, b"sess:eu:1", "field", field="cart")
    form = fields_of(page)
    assert form["spelled"] == "zlib,json" and "9007199254740993" in form["value"]

    typed = {"value": form["value"].replace("KB-87", "KB-88"), "step": "review"}
    review = browser.post(key_path(b"sess:eu:1", "edit/"), form | typed)
    assert_valid_html(review)
    assert "<mark>&quot;KB-87&quot;</mark>" in text_of(review)
    assert b"KB-87" in zlib.decompress(filled.hget("sess:eu:1", "cart")), "nothing is saved yet"

    # What a browser makes of the line ends of the hidden text area must not count.
    carried = fields_of(review)
    carried["value"] = carried["value"].replace("\n", "\r\n")
    answer = browser.post(key_path(b"sess:eu:1", "edit/"), carried | {"step": "save"})

    assert answer.status_code == 302, text_of(answer)[-2000:]
    stored = json.loads(zlib.decompress(filled.hget("sess:eu:1", "cart")))
    assert stored == {"sku": "KB-88", "id": 9007199254740993}
    after = text_of(browser.get(answer["Location"]))
    assert after.count('class="note"') == 1, "one strip, with Undo"


@pytest.mark.parametrize("spelled", ["escapes", "hex"])
def test_bytes_of_any_kind_survive_their_own_form(browser, filled, spelled):
    filled.set(BYTES, BYTES)
    page = opened(browser, BYTES, "value", **{"as": spelled})
    form = fields_of(page)
    assert form["spelled"] == spelled

    again = browser.post(key_path(BYTES, "edit/"), form | {"step": "review"})
    assert "Nothing to save" in text_of(again)
    more = " 2a" if spelled == "hex" else "*"
    answer = browser.post(
        key_path(BYTES, "edit/"), form | {"value": form["value"] + more, "step": "save"}
    )

    assert answer.status_code == 302
    assert filled.get(BYTES) == BYTES + b"*"


def test_what_cannot_be_written_back_says_why_and_offers_what_can(browser, filled):
    filled.set("pickled", pickle_of_a_dict())
    filled.set("large", b"x" * 1_048_577)

    pickled = opened(browser, b"pickled", "value")
    large = opened(browser, b"large", "value")

    assert 'title="A pickle is a program that its reader runs.' in text_of(pickled)
    assert fields_of(pickled)["spelled"] in ("escapes", "hex")
    assert large.status_code == 409
    assert "at most 1 MiB can be edited" in text_of(large)
    assert "do=upload" in text_of(large) and "/download/" in text_of(large)
    form = fields_of(opened(browser, b"large", "upload"))
    file = SimpleUploadedFile("new.bin", BYTES)
    answer = browser.post(key_path(b"large", "edit/"), form | {"file": file, "step": "save"})
    assert answer.status_code == 302, text_of(answer)[-2000:]
    assert filled.get("large") == BYTES
    undone(browser)
    assert filled.strlen("large") == 1_048_577


def pickle_of_a_dict():
    return b"\x80\x04\x95\x0d\0\0\0\0\0\0\0}\x94\x8c\x03sku\x94K\x01s."


def test_a_conflict_writes_nothing_shows_both_and_offers_the_choice(browser, filled):
    form = fields_of(opened(browser, b"greeting", "value"))
    filled.set("greeting", "theirs <i>")

    answer = browser.post(
        key_path(b"greeting", "edit/"), form | {"value": "mine <u>", "step": "save"}
    )

    assert answer.status_code == 409
    assert_valid_html(answer)
    text = text_of(answer)
    assert "theirs" in text and "mine" in text and "<i>" not in text.split('class="body"')[1]
    assert filled.get("greeting") == b"theirs <i>"
    assert Entry.objects.get(action="key.update").result == "refused"

    review = browser.post(key_path(b"greeting", "edit/"), fields_of(answer) | {"step": "review"})
    done = browser.post(key_path(b"greeting", "edit/"), fields_of(review) | {"step": "save"})

    assert done.status_code == 302
    assert filled.get("greeting") == b"mine <u>"


def test_deleting_goes_to_the_recycle_bin_and_comes_back_with_its_expiry(browser, filled):
    for key in (b"sess:eu:1", b"stream:orders"):
        before, left = filled.dump(key), filled.pttl(key)
        page = browser.get(key_path(key, "delete/"))
        assert_valid_html(page)
        assert filled.exists(key)

        answer = browser.post(key_path(key, "delete/"), {"step": "save", "reason": "OPS-1"})
        after = browser.get(answer.url)

        assert answer.status_code == 302 and not filled.exists(key)
        assert "Deleted" in text_of(after) and "Undo" in text_of(after)
        assert_valid_html(after)
        undone(browser)
        assert filled.dump(key) == before
        assert abs(filled.pttl(key) - left) < 60_000
    kinds = Entry.objects.filter(action="key.delete").values_list("result", "reason")
    assert set(kinds) == {("intent", "OPS-1"), ("ok", "OPS-1")}


CREATED = [
    ("string", {"value": "a\r\nb", "spelled": "text"}, lambda c, k: c.get(k), b"a\nb"),
    ("hash", {"rows": "a = 1\r\nb\\x3d = \\xff"}, lambda c, k: c.hgetall(k),
     {b"a": b"1", b"b=": b"\xff"}),
    ("list", {"rows": "x\r\ny"}, lambda c, k: c.lrange(k, 0, -1), [b"x", b"y"]),
    ("set", {"rows": "x\r\ny"}, lambda c, k: c.smembers(k), {b"x", b"y"}),
    ("zset", {"rows": "1.5 a b\r\n-inf c"}, lambda c, k: c.zrange(k, 0, -1, withscores=True),
     [(b"c", float("-inf")), (b"a b", 1.5)]),
    ("geo", {"rows": "10.75 59.91 Oslo"}, lambda c, k: c.zcard(k), 1),
    ("hyperloglog", {"rows": "a\r\nb"}, lambda c, k: c.pfcount(k), 2),
    ("stream", {"rows": "order = 1"}, lambda c, k: [f for _, f in c.xrange(k)], [{b"order": b"1"}]),
]  # fmt: skip


def test_a_key_of_every_type_is_created_and_never_over_another(browser, data, server):
    for kind, typed, read, value in CREATED:
        name = f"new {kind}".encode() + NAMES[0]
        page = browser.get(NEW, {"kind": kind})
        assert_valid_html(page)
        form = fields_of(page) | {"name": printable(name), "when": "2h 30m"} | typed

        answer = browser.post(NEW, form)
        again = browser.post(NEW, form)

        assert answer.status_code == 302, f"{kind}: {text_of(answer)[-2000:]}"
        assert read(data, name) == value, kind
        assert 8_900 < data.ttl(name) <= 9_000
        assert again.status_code == 409 and "there already" in text_of(again)
        assert Entry.objects.filter(action="key.create", result="ok").count() > 0


def test_what_the_server_has_not_is_greyed_with_the_reason(browser, data, server):
    text = text_of(browser.get(NEW, {"kind": "json"}))

    assert "JSON: needs the module ReJSON" in text
    assert 'aria-disabled="true"' in text and "disabled>" in text
