"""Who may change a key, and what happens when the server cannot or does not answer."""

from __future__ import annotations

import contextlib

import pytest
from django.conf import settings

from dashboard.audit.models import Entry
from dashboard.undo import marks
from dashboard.undo.models import Removal
from redisops.keys import to_url
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import VALUE, key_path, text_of
from tests.dashboard.keys.test_editing import NEW, fields_of, opened
from tests.faults.proxy import Proxy
from tests.servers import full, replica_of, restricted

pytestmark = pytest.mark.django_db(transaction=True)
EDIT = key_path(b"greeting", "edit/")
DELETE = key_path(b"greeting", "delete/")


@pytest.fixture
def proxy(server, target):
    """What the console reaches ``server`` through."""
    with Proxy(target.port) as between:
        server.nodes = f"127.0.0.1:{between.port}"
        server.save()
        yield between


@pytest.fixture
def stack():
    with contextlib.ExitStack() as opened_here:
        yield opened_here


@pytest.fixture
def production(server):
    server.environment = "production"
    server.save()
    return server


def test_a_viewer_sees_no_control_and_is_refused_a_stranger_finds_nothing(
    viewer, stranger, operator, client_for, filled
):
    looking, strange = client_for(viewer), client_for(stranger)
    may = text_of(client_for(operator).get(key_path(b"greeting")))
    page = text_of(looking.get(key_path(b"greeting")))

    assert f'href="{DELETE}"' in may and "New key" in text_of(
        client_for(operator).get("/servers/shop/keys/")
    )
    assert "delete/" not in page and "edit/" not in page
    for path in (EDIT, DELETE, NEW, "/servers/shop/long-name/edit/"):
        for send in ("get", "post"):
            if send == "get" and "long-name" in path:
                continue
            assert getattr(looking, send)(path).status_code == 403
            assert getattr(strange, send)(path).status_code == 404
    assert looking.put(EDIT).status_code == 405
    assert client_for(operator).get("/servers/shop/long-name/edit/").status_code == 405
    assert filled.get("greeting") == b"Hello <b>you</b>"
    assert Entry.objects.filter(result="refused").count() == 4


def test_bad_input_is_told_and_writes_nothing(browser, filled):
    for path, told, status in (
        (EDIT, {"do": "nothing"}, 404),
        (key_path(b"queue:mail", "edit/"), {"do": "element", "index": "one"}, 400),
        (key_path(b"greeting", "edit/"), {"do": "field", "field": "a"}, 409),
        (key_path(b"absent", "edit/"), {"do": "value"}, 404),
        (key_path(b"sess:eu:1", "edit/"), {"do": "remove-field", "field": "none"}, 409),
        (key_path(b"absent", "delete/"), {}, 404),
    ):
        answer = browser.get(path, told)
        assert answer.status_code == status, told
        assert_valid_html(answer)
    before = filled.dump("greeting")
    for typed, words in (
        ({"do": "value", "seen": "1.2", "value": "x", "spelled": "text"}, "open it again"),
        ({"do": "value", "seen": "0.0.0.x", "value": "zz", "spelled": "hex"}, "Hex has only"),
        ({"do": "value", "value": "x", "spelled": "no,such"}, "is no chain"),
        ({"do": "expiry", "when": "yesterday"}, "is no time"),
        ({"do": "expiry", "when": "2001-01-01"}, "That time has passed"),
        ({"do": "rename", "to": ""}, "This is needed"),
        ({"do": "rename", "to": f"{settings.HOME_PREFIX}mine"}, "belong to the console itself"),
        ({"do": "bit", "offset": "-1", "bit": "1"}, "greater than or equal to 0"),
    ):
        answer = browser.post(EDIT, typed | {"step": "save"})
        assert answer.status_code in (400, 422), f"{typed}: {answer.status_code}"
        assert words in text_of(answer), f"{typed}: {text_of(answer)[-1500:]}"
        assert_valid_html(answer)
    scores = browser.post(
        key_path(b"board:week", "edit/"),
        {"do": "add-score", "member": "m", "score": "9007199254740993", "step": "save"},
    )
    assert "a double, which cannot hold 9007199254740993" in text_of(scores)
    assert filled.dump("greeting") == before


def test_production_asks_for_its_name_and_a_reason(browser, filled, production):
    page = browser.get(DELETE)
    assert "Delete it from Shop" in text_of(page)

    bare = browser.post(DELETE, {"step": "save"})
    wrong = browser.post(DELETE, {"step": "save", "confirm": "shop", "reason": "x"})
    form = fields_of(opened(browser, b"greeting", "value")) | {"value": "x", "step": "save"}
    edited = browser.post(EDIT, form)
    assert [one.status_code for one in (bare, wrong, edited)] == [422, 422, 422]
    assert "The name is Shop" in text_of(wrong) and "Save the value on Shop" in text_of(edited)
    assert filled.get("greeting") == b"Hello <b>you</b>"

    saved = browser.post(EDIT, form | {"confirm": "Shop", "reason": "OPS-2"})
    done = browser.post(DELETE, {"step": "save", "confirm": "Shop", "reason": "OPS-1"})

    assert (saved.status_code, done.status_code) == (302, 302)
    assert not filled.exists("greeting")
    reasons = Entry.objects.filter(action__in=["key.delete", "key.update"], result="ok")
    assert set(reasons.values_list("reason", flat=True)) == {"OPS-1", "OPS-2"}


def test_the_consoles_own_keys_are_never_written(browser, filled):
    own = f"{settings.HOME_PREFIX}session:1".encode()
    filled.set(own, "secret")

    for path in (key_path(own, "edit/"), key_path(own, "delete/")):
        assert browser.get(path).status_code == 403
        answer = browser.post(path, {"step": "save", "do": "value", "value": "x"})
        assert answer.status_code == 403 and "secret" not in text_of(answer)
    form = fields_of(browser.get(NEW)) | {"name": f"{settings.HOME_PREFIX}new", "value": "x"}
    assert browser.post(NEW, form).status_code == 422

    assert filled.get(own) == b"secret"
    assert Entry.objects.filter(result="refused").count() == 2


def test_a_name_that_fits_no_address_travels_in_the_form(browser, filled):
    long = b"\xff<" * 3_500
    filled.set(long, "v")
    name = to_url(long)

    listed = text_of(browser.get("/servers/shop/keys/", {"view": "flat"}))
    assert f'form="long-edit" name="key" value="{name}"' in listed
    page = browser.post(
        "/servers/shop/long-name/edit/", {"key": name, "do": "rename", "step": "form"}
    )
    assert_valid_html(page)
    answer = browser.post(
        "/servers/shop/long-name/edit/", fields_of(page) | {"to": "short", "step": "save"}
    )
    assert answer.status_code == 302 and answer.url.startswith(key_path(b"short"))
    filled.rename("short", long)

    asked = browser.post("/servers/shop/long-name/delete/", {"key": name, "step": "form"})
    assert filled.exists(long)
    browser.post("/servers/shop/long-name/delete/", fields_of(asked) | {"step": "save"})
    assert not filled.exists(long)


@pytest.mark.parametrize("fault", ["down", "noperm", "readonly", "oom"])
def test_a_server_that_cannot_changes_nothing_and_keeps_what_was_typed(
    browser,
    filled,
    proxy,
    server,
    target,
    fault,
    stack,
):
    form = fields_of(opened(browser, b"greeting", "append")) | {"value": "typed by hand"}
    if fault == "down":
        proxy.mode("down")
        proxy.drop()
    elif fault == "readonly":
        replica = stack.enter_context(replica_of(target))
        server.nodes = f"127.0.0.1:{replica.port}"
        server.save()
    elif fault == "oom":
        full(target)
    else:
        restricted(target, "+@all", "-append", "%R~*", "%RW~other")
        act_as(server)

    answer = browser.post(EDIT, form | {"step": "save"})
    text = text_of(answer)

    assert answer.status_code in (409, 503), text[-2000:]
    assert "Nothing was changed." in text and "typed by hand" in text
    assert_valid_html(answer)
    if fault == "oom":
        filled.config_set("maxmemory", 0)
    assert not Entry.objects.filter(action="key.update", result="ok").exists()


def act_as(server):
    server.username = "restricted"
    server.set_secret("password", "secret-42")
    server.save()


def test_a_lost_reply_is_unknown_and_the_check_says_which(
    browser,
    filled,
    proxy,
):
    form = fields_of(opened(browser, b"greeting", "value")) | {"value": "new", "step": "save"}
    proxy.mode("lose_reply", match=b"greeting\r\n$1\r\n0\r\n", times=1)

    answer = browser.post(EDIT, form)

    assert answer.status_code == 503 and "Result unknown." in text_of(answer)
    assert_valid_html(answer)
    assert filled.get("greeting") == b"new", "it was written, once"
    assert [e.result for e in Entry.objects.filter(action="key.update").order_by("number")] == [
        "intent", "unknown",
    ]  # fmt: skip
    checked = browser.post(EDIT, fields_of(answer) | {"step": "check"})
    assert "It was made." in text_of(checked)
    filled.set("greeting", "Hello <b>you</b>")
    checked = browser.post(EDIT, fields_of(answer) | {"step": "check"})
    assert "It was not made." in text_of(checked)
    filled.set("greeting", "something else")
    checked = browser.post(EDIT, fields_of(answer) | {"step": "check"})
    assert "Nobody can tell." in text_of(checked)
    assert_valid_html(checked)


def test_a_lost_reply_to_a_duration_a_deletion_and_a_creation(
    browser,
    filled,
    proxy,
):
    proxy.mode("lose_reply", match=b"greeting\r\n$1\r\n0\r\n", times=1)
    form = fields_of(opened(browser, b"greeting", "expiry")) | {"when": "2h", "step": "save"}
    answer = browser.post(EDIT, form)
    checked = browser.post(EDIT, fields_of(answer) | {"step": "check"})
    assert "It was made." in text_of(checked), text_of(checked)[-1500:]

    proxy.mode("lose_reply", match=b"EVAL", times=1)
    answer = browser.post(DELETE, {"step": "save"})
    made = text_of(browser.post(DELETE, {"step": "check"}))
    assert ("It was made." in made) == (not filled.exists("greeting")), text_of(answer)[-900:]

    proxy.mode("lose_reply", match=b"brand:new\r\n$1\r\n0\r\n", times=1)
    form = fields_of(browser.get(NEW)) | {"name": "brand:new", "value": "v", "when": "1h"}
    answer = browser.post(NEW, form)
    assert "Result unknown." in text_of(answer)
    checked = browser.post(NEW, fields_of(answer) | {"step": "check"})
    assert "It was made." in text_of(checked), text_of(checked)[-1500:]


@pytest.mark.parametrize("was_made", [True, False])
def test_the_check_of_a_deletion_tells_the_recycle_bin(browser, filled, proxy, was_made):
    dumped = filled.dump("greeting")
    proxy.mode("lose_reply", match=b"UNLINK", times=1)
    answer = browser.post(DELETE, {"step": "save"})
    assert answer.status_code == 503 and "Result unknown." in text_of(answer)
    assert_valid_html(answer)
    assert not filled.exists("greeting")
    if not was_made:
        filled.restore("greeting", 0, dumped)
    removal = Removal.objects.get()
    form = fields_of(answer) | {"step": "check"}
    assert form["removal"] == str(removal.pk)

    # Neither another key's check nor a number that is none says anything of it.
    filled.set("other", "1")
    browser.post(key_path(b"other", "delete/"), form)
    for number in ("", "x", "9" * 30, str(removal.pk + 1)):
        browser.post(DELETE, form | {"removal": number})
    assert bytes(removal.chunks.get().marks) == bytes([marks.KEPT])

    checked = browser.post(DELETE, form)

    assert ("It was made." if was_made else "It was not made.") in text_of(checked)
    assert "removal" not in fields_of(checked)
    mark = marks.REMOVED if was_made else marks.STAYED
    assert bytes(removal.chunks.get().marks) == bytes([mark])
    removal.refresh_from_db()
    assert removal.offered == was_made


def test_deleting_for_good_leaves_the_recycle_bin_alone(browser, filled):
    browser.post(DELETE, {"step": "save", "without_undo": "on"})

    assert not filled.exists("greeting") and not Removal.objects.exists()


def test_in_the_pane_an_edit_is_a_fragment_and_ends_in_the_key(browser, filled):
    page = browser.get(EDIT, {"do": "value", "view": "flat", "match": "g*"}, headers=VALUE)
    text = text_of(page)
    assert "<html" not in text and "Edit the value" in text
    assert_valid_html(page)

    form = fields_of(page) | {"value": "new", "step": "save"}
    answer = browser.post(f"{EDIT}?view=flat&match=g*", form, headers=VALUE)

    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith(key_path(b"greeting", "?match=g%2A&view=flat&undo="))
    assert_valid_html(browser.get(answer["HX-Redirect"]))
