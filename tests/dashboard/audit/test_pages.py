"""Reading the audit: who sees what, how it is searched, and what leaves it as a file."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard.audit import exporting, record, recording
from dashboard.audit.models import Entry
from dashboard.audit.verifying import verify
from tests.dashboard.conftest import assert_valid_html

INDEX = reverse("audit:index")
FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def rows(db):
    record("ines", "keys.delete", server="shop", target=b"cart:1", after=0)
    record("mara", "servers.update", server="vault", target="Vault", result="refused", reason="no")
    record("mara", "accounts.create", target="ines")


@pytest.fixture
def browser(owner, client_for):
    return client_for(owner)


def text(response):
    assert response.status_code == 200, response.content[:500]
    assert_valid_html(response)
    return response.content.decode()


def test_the_page_lists_the_newest_first(rows, browser):
    html = text(browser.get(INDEX, headers=FRAGMENT))

    assert html.index("accounts.create") < html.index("servers.update") < html.index("keys.delete")


def test_htmx_gets_the_list_alone(rows, browser):
    html = text(browser.get(INDEX, headers=FRAGMENT))

    assert "<html" not in html and "keys.delete" in html


def test_an_admin_sees_all_others_their_servers_a_stranger_nothing(
    rows, browser, viewer, stranger, client_for
):
    seen = text(client_for(viewer).get(INDEX))

    assert "servers.update" in text(browser.get(INDEX))
    assert "keys.delete" in seen and "servers.update" not in seen and "accounts.create" not in seen
    assert "Nothing has happened yet" in text(client_for(stranger).get(INDEX))


def test_one_entry_is_as_hidden_as_the_list(rows, viewer, stranger, client_for, browser):
    mine = reverse("audit:show", args=[1])
    other = reverse("audit:show", args=[2])

    assert client_for(viewer).get(mine).status_code == 200
    assert client_for(viewer).get(other).status_code == 404
    assert client_for(stranger).get(mine).status_code == 404
    assert browser.get(other).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [({"who": "ines"}, {"keys.delete"}), ({"server": "vault"}, {"servers.update"}),
     ({"action": "accounts"}, {"accounts.create"}), ({"result": "refused"}, {"servers.update"}),
     ({"q": "cart"}, {"keys.delete"}), ({"q": "%"}, set()), ({"who": "nobody"}, set()),
     ({"since": "2020-01-01T00:00"}, {"keys.delete", "servers.update", "accounts.create"}),
     ({"until": "2020-01-01T00:00"}, set()), ({"since": "2999-01-01"}, set())],
)  # fmt: skip
def test_a_filter_narrows_and_stays_in_the_address(rows, browser, query, found):
    html = text(browser.get(INDEX, query, headers=FRAGMENT))

    shown = {name for name in ("keys.delete", "servers.update", "accounts.create") if name in html}
    assert shown == found
    assert found or "No entry matches" in html


@pytest.mark.parametrize(
    "query",
    [{"result": "what"}, {"since": "yesterday"}, {"q": "x" * 201}, {"who": "\x00"}],
)
def test_a_filter_that_is_not_right_is_said(rows, browser, query):
    response = browser.get(INDEX, query, headers=FRAGMENT)

    assert response.status_code == 422
    assert b'role="alert"' in response.content
    assert browser.get(INDEX, query).status_code == 422


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "", "²"])
def test_a_position_that_is_none_is_no_error(rows, browser, before):
    assert browser.get(INDEX, {"before": before}).status_code == 200


def test_older_entries_are_one_link_away_and_cost_the_same(browser):
    for number in range(120):
        record("test", "keys.change", target=f"key {number}")

    first = text(browser.get(INDEX, {"who": "test"}))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        second = text(browser.get(INDEX, {"who": "test", "before": 71}))

    assert "?who=test&amp;before=71" in first
    assert "key 69<" in second and "key 70<" not in second
    assert len(queries) < 16


def test_an_intention_is_told_by_its_outcome_and_stays_when_it_has_none(browser):
    with recording("mara", "keys.delete", server="shop", target=b"cart:1"):
        pass
    record("mara", "keys.rename", server="shop", result="intent")

    html = text(browser.get(INDEX, headers=FRAGMENT))

    assert html.count("keys.delete") == 1
    assert "Begun, no outcome" in html


def test_an_entry_shows_each_field_before_and_after(browser):
    with recording("mara", "servers.update", before={"note": "old", "password": "x"}) as entry:
        entry.after = {"note": "new", "password": "y"}

    html = text(browser.get(reverse("audit:show", args=[2])))

    assert "old" in html and "new" in html
    assert html.count("•••") == 2
    assert reverse("audit:show", args=[1]) in html


@pytest.mark.parametrize("number", [99, 2**80])
def test_an_unknown_entry_is_not_there(rows, browser, number):
    assert browser.get(f"{INDEX}{number}/").status_code == 404


@pytest.mark.parametrize("key", [b"<script>alert(1)</script>", b"\xff\r\n", b"{{ 7|add:7 }}", b""])
def test_a_hostile_target_is_only_text(browser, key):
    record("<script>", "keys.delete", server="shop", target=key, reason="<img src=x>")

    for html in (text(browser.get(INDEX)), text(browser.get(reverse("audit:show", args=[1])))):
        assert "<script>alert" not in html and "<img" not in html


def test_tampering_is_said_on_the_page(rows, browser):
    Entry.objects.filter(number=3).delete()

    assert "changed outside the console" in text(browser.get(INDEX))


def test_the_page_answers_only_reading(rows, browser):
    assert browser.post(INDEX).status_code == 405
    assert browser.get(reverse("audit:export")).status_code == 405


# --- Export ---------------------------------------------------------------------------------


def exported(browser, **data):
    response = browser.post(reverse("audit:export"), data)
    assert response.status_code == 200
    return response, b"".join(response.streaming_content).decode()


def test_csv_holds_every_row_and_the_export_itself(rows, browser):
    response, body = exported(browser, format="csv")

    lines = list(csv.DictReader(io.StringIO(body)))
    assert [line["action"] for line in lines] == [
        "audit.export", "accounts.create", "servers.update", "keys.delete",
    ]  # fmt: skip
    assert response["Content-Disposition"].endswith('.csv"')


def test_json_lines_are_one_object_each(rows, browser):
    _, body = exported(browser, format="jsonl")

    assert [json.loads(line)["number"] for line in body.splitlines()] == [4, 3, 2, 1]


def test_the_filter_holds_for_the_file_too(rows, browser):
    _, body = exported(browser, format="jsonl", who="ines")

    assert [json.loads(line)["actor"] for line in body.splitlines()] == ["ines"]


def test_a_file_has_no_more_than_its_reader_may_see(rows, viewer, client_for):
    _, body = exported(client_for(viewer), format="jsonl")

    assert {json.loads(line)["server"] for line in body.splitlines()} == {"shop"}


def test_exporting_is_an_entry(rows, browser):
    exported(browser, format="csv", who="ines")

    entry = Entry.objects.get(action="audit.export")
    assert (entry.actor, entry.after) == ("owner", {"who": "ines"})
    assert verify().number is None


@pytest.mark.parametrize(
    "value",
    ["=cmd()", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "＝1", "|x", "%x"],
)
def test_no_cell_is_a_formula(value):
    assert exporting.cell(value).startswith("'")


def test_a_formula_as_a_key_is_text_in_the_file(browser):
    record("=cmd()", "keys.delete", server="shop", target=b'=HYPERLINK("http://x","y")')

    _, body = exported(browser, format="csv")

    cells = [cell for line in csv.reader(io.StringIO(body)) for cell in line]
    assert not [cell for cell in cells if cell.startswith(exporting.FORMULA)]


def test_a_filter_that_is_not_right_exports_nothing(rows, browser):
    response = browser.post(reverse("audit:export"), {"result": "what"})

    assert response.status_code == 400
    assert not Entry.objects.filter(action="audit.export").exists()


def test_a_long_file_is_made_in_batches(rows, monkeypatch):
    monkeypatch.setattr(exporting, "BATCH", 2)

    response = exporting.response(RequestFactory().post("/"), Entry.objects.all(), "jsonl", "audit")

    parts = list(response.streaming_content)
    assert [len(part.splitlines()) for part in parts] == [0, 2, 1]


async def test_a_file_is_streamed_to_asynchronous_servers_too(monkeypatch):
    monkeypatch.setattr(exporting, "BATCH", 2)
    batches = [[Entry(number=2)], [Entry(number=1)], []]
    monkeypatch.setattr(exporting, "_batch", lambda entries, after: batches.pop(0))
    monkeypatch.setattr(exporting, "json_rows", lambda batch: f"{batch[0].number}\n")

    parts = [
        part async for part in exporting._awaited(Entry.objects.none(), "", exporting.json_rows)
    ]

    assert parts == ["", "2\n", "1\n"]


# --- Fail closed ----------------------------------------------------------------------------


def test_a_change_that_cannot_be_recorded_is_refused_in_words(rows, browser):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit_entry"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )

    response = browser.post(reverse("audit:export"), {"format": "csv"})

    assert response.status_code == 503
    assert_valid_html(response)
    assert b"The change was not made" in response.content
    assert b"not changed unrecorded" in response.content or b"unrecorded" in response.content
