"""Forms of edits as nobody's browser sends them: a page each time, and nothing half done."""

from __future__ import annotations

import pytest

from tests.dashboard.keys.conftest import key_path, text_of
from tests.dashboard.keys.test_editing import EDITS, fields_of, opened

pytestmark = pytest.mark.django_db(transaction=True)

# For any field: what it is not, what no number holds, what no page may show as it is.
GARBAGE = [
    "", "\x00", "\\xff", "\\", "\\x", "<script>window.pwned=1</script>", "{{ 7|add:7 }}",
    "nan", "-inf", "1e400", "9" * 30, "-1", "0x10", "٣", "*", "$..*", "99999999999999999999-0",
    "json,gzip", "pickle", "redisops", "text,text", "a" * 2000, "\u202egnp.exe\u200b",
]  # fmt: skip
POSSIBLE = {200, 302, 303, 400, 404, 409, 413, 422}


def key_of(edit):
    return edit[3][1].encode() if edit[3][1] != "copied" else b"greeting"


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit[0])
def test_no_field_breaks_a_page(browser, filled, edit):
    do, which, typed, *_ = edit
    key = key_of(edit)
    form = fields_of(opened(browser, key, do, **which)) | which | typed
    dump = filled.dump(key)
    names = {"seen", "spelled", *which, *typed} & form.keys()
    for number, name in enumerate(sorted(names), EDITS.index(edit)):
        bad = GARBAGE[number * 5 % len(GARBAGE)]
        step = ("save", "review", "check")[number % 3]

        answer = browser.post(key_path(key, "edit/"), form | {"step": step} | {name: bad})

        assert answer.status_code in POSSIBLE, (name, bad, step)
        assert "<script>window.pwned" not in text_of(answer)
        if answer.status_code not in (302, 303) and do != "count":  # counting updates its cache
            assert filled.dump(key) == dump, (name, bad, step)
        filled.restore(key, 0, dump, replace=True)  # some garbage is a value


@pytest.mark.parametrize(
    "seen", ["", "x", "0" * 500, "-1:0:" + "0" * 40, "3:3:" + "0" * 40, "1e9:3:" + "f" * 40]
)
def test_a_forged_guard_writes_nothing(browser, filled, seen):
    form = fields_of(opened(browser, b"greeting", "value"))

    for step in ("review", "save"):
        answer = browser.post(
            key_path(b"greeting", "edit/"),
            form | {"value": "taken over", "seen": seen, "step": step},
        )
        assert answer.status_code in {400, 409, 422}, (step, text_of(answer)[-800:])

    assert filled.get("greeting") == b"Hello <b>you</b>"


def test_an_edit_meant_for_another_type_writes_nothing(browser, filled):
    keys = {key_of(edit) for edit in EDITS}
    before = {key: filled.dump(key) for key in keys}

    for do, which, typed, *_ in EDITS:
        if do in ("rename", "copy", "expiry", "persist"):
            continue
        for key in (b"tags", b"greeting"):
            own = next(key_of(edit) for edit in EDITS if edit[0] == do)
            if own == key or filled.type(own) == filled.type(key):
                continue
            answer = browser.post(
                key_path(key, "edit/"),
                {"do": do, "step": "save", "seen": "", "spelled": "text", **which, **typed},
            )
            assert answer.status_code in {400, 404, 409, 422}, (do, key)

    assert {key: filled.dump(key) for key in keys} == before
