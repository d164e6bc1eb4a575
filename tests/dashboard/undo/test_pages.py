"""The recycle bin's pages: who sees what, in each state, and what pressing Restore does."""

from __future__ import annotations

import pytest
from django.template import loader
from django.urls import reverse
from django.utils import timezone

from dashboard import undo
from dashboard.undo import listing, marks, putting, restoring
from dashboard.undo.models import Chunk, Removal
from dashboard.undo.options import Options
from dashboard.undo.taking_back import take_back
from redisops.dumps import Dumps
from redisops.edits import Edits, Seen, SetField
from redisops.errors import UnknownResult
from tests.dashboard.conftest import assert_valid_html
from tests.hostile import NAMES, SCRIPT

INDEX = reverse("undo:index", args=["shop"])


@pytest.fixture
def removal(server, data):
    """Three keys of anna's, one with an expiry."""
    data.mset({"cart:1": "secret value", "cart:2": "b", "other": "c"})
    data.pexpire("cart:1", 3_600_000)
    made = undo.begin("anna", server, "keys.delete", why="old carts")
    made.remove(server.client(), [b"cart:1", b"cart:2", b"other"])
    return made


def show(removal, **query):
    return reverse("undo:show", args=["shop", removal.pk]) + (
        "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
    )


def restore_url(removal):
    return reverse("undo:restore", args=["shop", removal.pk])


def test_the_bin_says_who_what_why_and_until_when(client_for, viewer, removal):
    page = client_for(viewer).get(INDEX)

    assert_valid_html(page)
    text = page.content.decode()
    for part in ("3 keys", "anna", "old carts", f"{removal.until:%H:%M}"):
        assert part in text


def test_an_empty_bin_says_what_it_is_for(client_for, viewer, server):
    page = client_for(viewer).get(INDEX)

    assert_valid_html(page)
    assert b"The bin is empty" in page.content
    assert b"Nothing older" in client_for(viewer).get(INDEX + "?before=1").content


def test_a_removal_lists_names_never_values_and_a_viewer_cannot_restore(
    client_for, viewer, operator, removal
):
    seen = client_for(viewer).get(show(removal))
    own = client_for(operator).get(show(removal))

    for page in (seen, own):
        assert_valid_html(page)
        assert b"cart:" in page.content and b"secret value" not in page.content
    assert b"Restore all 3 keys" in own.content
    assert restore_url(removal).encode() not in seen.content


def test_an_edit_is_called_a_change_and_is_taken_back(client_for, operator, server, data):
    data.hset("h", "a", "1")
    outcome = Edits(server.client()).apply(SetField(b"h", b"a", b"2", seen=Seen.of(b"1")))
    changed = undo.begin("anna", server, "keys.update")
    changed.keep_edit(b"h", outcome.inverse.to_dict())
    browser = client_for(operator)

    page = browser.get(show(changed))
    browser.post(restore_url(changed), {"which": "all"})
    after = browser.get(show(changed))

    assert_valid_html(page)
    assert b"The change can be taken back until" in page.content
    assert b"Take the change back" in page.content and b"Restore" not in page.content
    assert b"The change is taken back." in after.content and data.hget("h", "a") == b"1"


def test_a_fault_of_ours_while_a_change_is_taken_back_leaves_it_unsure(server, data, monkeypatch):
    data.hset("h", "a", "1")
    outcome = Edits(server.client()).apply(SetField(b"h", b"a", b"2", seen=Seen.of(b"1")))
    changed = undo.begin("anna", server, "keys.update")
    changed.keep_edit(b"h", outcome.inverse.to_dict())
    chunk = Chunk.objects.get(removal=changed)
    apply = Edits(server.client()).apply

    def broken(edits, edit):
        apply(edit)
        raise KeyError("after the server did it")

    monkeypatch.setattr(Edits, "apply", broken)
    with pytest.raises(KeyError):
        take_back(server, server.client(), chunk, Options(), lambda: None)
    monkeypatch.undo()

    chunk.refresh_from_db()
    assert bytes(chunk.marks)[0] == marks.TRYING and data.hget("h", "a") == b"1"
    assert take_back(server, server.client(), chunk, Options(), lambda: changed)[1] == "restored"


def test_names_are_filtered_and_paged(client_for, viewer, server, data, monkeypatch):
    monkeypatch.setattr(listing, "ROWS", 10)
    keys = [b"k:%03d" % n for n in range(25)] + [b"x:1"]
    data.mset(dict.fromkeys(keys, b"v"))
    made = undo.begin("anna", server)
    made.remove(server.client(), keys[:13])
    made.remove(server.client(), keys[13:])
    browser = client_for(viewer)

    found, url = [], show(made, match="k%3A")
    while url:
        page = browser.get(url)
        found += [row.key for row in page.context["page"].rows]
        url = page.context["next_url"]

    assert found == keys[:25]
    nothing = browser.get(show(made, match="absent"))
    assert_valid_html(nothing)
    assert b"No name contains this" in nothing.content
    for odd in ("1.x", "9" * 30, "-1.2", "."):
        assert browser.get(show(made, after=odd)).status_code == 200


def test_hostile_names_are_shown_and_come_back_by_their_ticks(client_for, operator, server, data):
    data.mset(dict.fromkeys(NAMES, b"v"))
    made = undo.begin("anna", server, why=SCRIPT.decode(), what="<b>\x00")
    made.remove(server.client(), NAMES)
    browser = client_for(operator)

    page = browser.get(show(made))
    assert_valid_html(page)
    assert SCRIPT not in page.content and SCRIPT not in browser.get(INDEX).content

    places = [row.place for row in page.context["page"].rows]
    browser.post(restore_url(made), {"which": "picked", "entry": places})
    assert sorted(data.keys("*")) == sorted(NAMES)


def test_restoring_a_single_key_leads_to_it(client_for, operator, server, data):
    data.set("a", "x")
    made = undo.begin("anna", server)
    made.remove(server.client(), [b"a"])

    answer = client_for(operator).post(restore_url(made), {"which": "all"}, follow=True)

    assert answer.redirect_chain[-1][0] == reverse("keys:show", args=["shop", b"a"])
    assert b"Restored 1 key." in answer.content
    assert data.get("a") == b"x"


def test_what_did_not_come_back_is_said_with_what_to_do(client_for, operator, removal, data):
    data.set("cart:1", "new")

    answer = client_for(operator).post(restore_url(removal), {"which": "all"}, follow=True)

    assert_valid_html(answer)
    text = answer.content.decode()
    assert "Restored 2 keys." in text and "the name is taken by now" in text
    assert "Name is taken" in text
    assert data.get("cart:1") == b"new"


def test_other_names_and_overwriting_by_the_form(client_for, operator, removal, data):
    data.set("kept:1", "overwritten")
    client_for(operator).post(
        restore_url(removal),
        {"which": "all", "old": "cart:", "new": "kept:", "replace": "on", "reason": "try"},
    )

    assert data.mget("kept:1", "kept:2") == [b"secret value", b"b"]
    assert not data.exists("cart:1") and not data.exists("other")
    assert Removal.objects.filter(action="undo.overwrite", offered=1).exists()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 422),
        ({"which": "picked"}, 422),
        ({"which": "picked", "entry": ["999999.1", "x", ""]}, 422),
        ({"which": "all", "ttl": "-5"}, 422),
        ({"which": "all", "old": "x" * 9000}, 422),
    ],
)
def test_bad_input_restores_nothing_and_says_so(
    client_for, operator, removal, data, fields, status
):
    page = client_for(operator).post(restore_url(removal), fields)

    assert page.status_code == status
    assert_valid_html(page)
    assert b"Nothing was restored" in page.content
    assert data.dbsize() == 0


def test_what_is_over_is_gone_and_says_so(client_for, operator, removal, data):
    Removal.objects.update(until=timezone.now())
    browser = client_for(operator)

    page = browser.get(show(removal))
    assert_valid_html(page)
    assert b"Its time is over" in page.content and b"cart:1" not in page.content
    assert browser.post(restore_url(removal), {"which": "all"}).status_code == 410
    assert data.dbsize() == 0
    assert b"The bin is empty" in browser.get(INDEX).content


def test_a_removal_of_another_server_is_not_found(client_for, owner, removal, server):
    from dashboard.servers.models import Server

    Server.objects.create(name="Other", slug="other", nodes=server.nodes)

    for name, method in (("undo:show", "get"), ("undo:restore", "post")):
        url = reverse(name, args=["other", removal.pk])
        assert getattr(client_for(owner), method)(url).status_code == 404


def test_a_lost_reply_is_told_and_the_names_are_looked_at(
    client_for, operator, removal, data, monkeypatch
):
    class Cut(Dumps):
        def restore(self, *args, **options):
            super().restore(*args, **options)
            raise UnknownResult("the reply was lost")

    monkeypatch.setattr(putting, "Dumps", Cut)

    page = client_for(operator).post(restore_url(removal), {"which": "all"}, follow=True)

    assert_valid_html(page)
    text = page.content.decode()
    assert "nobody knows whether it was restored" in text
    assert "Perhaps restored" in text and "is there" in text


def test_much_leads_to_its_job(client_for, operator, removal, monkeypatch):
    monkeypatch.setattr(restoring, "AT_ONCE_KEYS", 2)

    answer = client_for(operator).post(restore_url(removal), {"which": "all"})

    assert "/servers/shop/jobs/" in answer["Location"]


def test_what_cannot_be_opened_says_which_key_is_missing(client_for, viewer, removal):
    Chunk.objects.update(facts=b"\x00" * 60)

    page = client_for(viewer).get(show(removal))

    assert_valid_html(page)
    assert b"It cannot be opened" in page.content and b"REDISOPS_ENCRYPTION_KEYS" in page.content


def test_a_full_bin_overwrites_nothing(client_for, operator, removal, data, settings):
    data.set("cart:1", "precious")
    settings.UNDO_BYTES = 10

    page = client_for(operator).post(restore_url(removal), {"which": "all", "replace": "on"})

    assert page.status_code == 409
    assert_valid_html(page)
    assert data.get("cart:1") == b"precious"


def test_a_server_that_is_away_leaves_the_bin_readable(client_for, operator, removal, server):
    server.nodes = "127.0.0.1:1"
    server.save()
    browser = client_for(operator)

    assert b"cart:1" in browser.get(show(removal)).content
    assert browser.post(restore_url(removal), {"which": "all"}).status_code == 503
    assert browser.get(show(removal, look=1)).status_code == 503


def test_the_strip_offers_undo_to_who_may(rf, operator, viewer, server, data):
    from dashboard.servers.access import server_for

    data.set("cart:eu:7", "x")
    made = undo.begin("anna", server, "keys.delete")
    made.remove(server.client(), [b"cart:eu:7"])

    shown = {}
    for person in (operator, viewer):
        request = rf.get("/")
        request.user = person
        request.server = server_for(person, "shop")
        context = {"removal": made, "server": server}
        shown[person] = loader.render_to_string("undo/_strip.html", context, request)
        assert_valid_html(shown[person])
        assert "cart:eu:7 from Shop." in shown[person]

    assert "Undo</button>" in shown[operator] and "Undo</button>" not in shown[viewer]
