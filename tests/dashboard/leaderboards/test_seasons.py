"""Seasons: ended by hand and by beat, archived, undone; the top over time."""

from __future__ import annotations

import datetime
import json
import re
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from dashboard import undo
from dashboard.audit.models import Entry
from dashboard.leaderboards.boards.models import Board, Import
from dashboard.leaderboards.models import Moment, Season
from dashboard.leaderboards.seasons import looking
from dashboard.servers.models import Server
from dashboard.undo import marks
from dashboard.undo.models import Removal
from redisops import keys
from redisops.connection import connect
from redisops.edits import Edits
from redisops.errors import UnknownResult
from redisops.leaderboards import Leaderboard
from tests.dashboard.conftest import assert_valid_html
from tests.redisops.windows import far_from_midnight
from tests.servers import Cluster

midnight = pytest.fixture(far_from_midnight, autouse=True)
KEY = b"game:scores"


@pytest.fixture
def board(server, data):
    data.zadd(KEY, {"ann": 30, "bob": 20, b"<b>\xff": 10, "dan": 5})
    return Board.objects.create(
        server=server, name="Arena", key=KEY, top=3, next_look=timezone.now()
    )


def page(name: str, board: str = "Arena") -> str:
    return reverse(f"leaderboards:{name}", args=["shop", board])


def test_a_season_ends_in_an_archive_and_comes_back(board, data, operator, viewer, client_for):
    browser = client_for(operator)
    asked = browser.get(page("end"))
    assert_valid_html(asked)
    assert b"4 members go to a key of their own" in asked.content
    assert client_for(viewer).post(page("end")).status_code == 403

    ended = browser.post(page("end"), {"reason": "The month is over"})

    season = Season.objects.get()
    assert ended.status_code == 302 and not data.exists(KEY)
    assert data.zscore(season.archive_key, "ann") == 30
    assert [(row[1], row[2], row[3]) for row in season.top] == [
        ("30", 1, "ann"), ("20", 2, "bob"), ("10", 3, r"<b>\xff"),
    ]  # fmt: skip
    assert Entry.objects.filter(action="leaderboards.end", result="ok").count() == 1
    history = client_for(viewer).get(page("history"))
    assert_valid_html(history)
    assert b"The month is over" in history.content and b"<b>\\xff" not in history.content
    empty = browser.post(page("end"))
    assert empty.status_code == 409 and b"there is nothing to end" in empty.content
    data.zadd(KEY, {"eve": 1})
    undo.restore(ended.wsgi_request, Removal.objects.get(offered=1))
    assert data.zscore(KEY, "ann") == 30 and not data.exists(season.archive_key)
    assert data.zrange(season.since_key, 0, -1) == [b"eve"], "not lost, and not mixed in"


@pytest.mark.parametrize("scored_since", [True, False])
def test_an_undo_whose_reply_was_lost_says_what_is_so_when_pressed_again(
    scored_since, board, data, operator, client_for, monkeypatch
):
    browser = client_for(operator)
    browser.post(page("end"))
    season = Season.objects.get()
    if scored_since:
        data.zadd(KEY, {"eve": 1})
    address = reverse("undo:restore", args=["shop", season.removal])
    apply = Edits.apply

    def cut(edits, edit):
        apply(edits, edit)
        raise UnknownResult("the reply was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Edits, "apply", cut)
        assert "nobody knows" in body(browser.post(address, {"which": "all"}, follow=True))

    told = body(browser.post(address, {"which": "all"}, follow=True))

    assert data.zscore(KEY, "ann") == 30 and "is gone" not in told
    [chunk] = Removal.objects.get(pk=season.removal).chunks.all()
    if scored_since:  # what was put aside shows that it was done
        assert "The change is taken back" in told and bytes(chunk.marks)[0] == marks.BACK
    else:
        assert "Nobody knows whether it came back" in told
        assert bytes(chunk.marks)[0] == marks.TRYING


def test_beat_keeps_the_top_and_ends_what_is_due_once(board, data, client_for, viewer):
    now = timezone.now()
    Board.objects.update(every="day", next_end=now - datetime.timedelta(minutes=5))

    assert (looking.look(), looking.look()) == (1, 0)

    board.refresh_from_db()
    assert Season.objects.get().by == "the schedule" and not data.exists(KEY)
    assert board.next_end > now and board.next_end.hour == 0 and board.trouble == ""
    assert Moment.objects.get().top[0][3] == "ann"
    for score in (50, 60):
        data.zadd(KEY, {"bob": score, "ann": 55})
        Board.objects.update(next_look=now)
        looking.look()
    assert Season.objects.count() == 1, "the next day is not over"
    history = client_for(viewer).get(page("history"))
    assert_valid_html(history)
    assert b'<bdi class="mono">bob</bdi>' in history.content and b"data-history" in history.content


def test_a_board_is_compared_with_an_hour_ago_and_with_midnight(board, data, viewer, client_for):
    now = timezone.now()
    kept = [["m.x", "7", 1, "x"]]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    at = {"hour": now - datetime.timedelta(hours=1), "midnight": midnight}
    for one in at.values():
        Moment.objects.create(board=board, at=one, window="all", members=2, top=kept)
    Moment.objects.create(board=board, at=now - datetime.timedelta(hours=30), window="all")

    shown = body(client_for(viewer).get(page("declared")))

    pasts = json.loads(unescape(re.search(r'data-points="([^"]+)"', shown)[1]))["pasts"]
    assert {name: one["at"] for name, one in pasts.items()} == {
        name: int(one.timestamp() * 1000) for name, one in at.items()
    }
    assert pasts["hour"]["rows"] == [["m.x", 1, "7"]] and not pasts["hour"]["whole"]
    assert 'data-against="midnight"' in shown
    Season.objects.create(board=board, number=1, ended=now, by="ann")
    over = body(client_for(viewer).get(page("declared")))
    assert 'data-against="hour"' not in over, "another season is nothing to compare with"


def test_a_server_in_trouble_is_looked_at_again_and_said_to_be(board, server, target, data):
    data.delete(KEY)
    data.set(KEY, "no board")

    assert looking.look() == 1

    board.refresh_from_db()
    assert board.trouble and board.next_look < timezone.now() + looking.BETWEEN / 2
    assert not Moment.objects.exists()


def test_a_season_of_a_board_with_books_comes_back_beside_what_was_scored_since(
    server, data, operator, client_for
):
    race = Leaderboard(data, "race", first_wins=True, window="week")
    race.set("zoe", 5), race.set("bob", 5)
    key, before = race.key(race.current()), race.page()
    lives = data.expiretime(key)
    Board.objects.create(
        server=server, name="Race", key=b"leaderboard:{race}:<window>", window="week",
        ties="unique", first_wins=True,
    )  # fmt: skip
    browser = client_for(operator)

    done = browser.post(page("end", "Race"))

    season = Season.objects.get()
    assert [row[3] for row in season.top] == ["zoe", "bob"]
    assert race.count() == 0 and data.zcard(season.archive_key) == 2
    race.set("eve", 1)
    assert "Undo" in body(browser.get(done["Location"]))
    address = reverse("undo:restore", args=["shop", season.removal])
    back = browser.post(address, {"which": "all"})
    assert back["Location"] == page("history", "Race")
    assert race.page() == before and abs(data.expiretime(key) - lives) <= 1
    assert race.add("bob", 0).rank == 2, "who was first is known again"
    told = browser.get(back["Location"])
    assert_valid_html(told)
    assert b"taken back;" in told.content
    since = reverse("leaderboards:show", args=["shop", season.since_key])
    assert kept_names(browser, since) == ["eve"] and since in told.content.decode()


def test_a_declaration_is_taken_back_by_admins_alone(board, data, owner, operator, client_for):
    assert client_for(operator).post(page("delete")).status_code == 403

    answer = client_for(owner).post(page("delete"), {"reason": "over"})

    assert answer.status_code == 302 and not Board.objects.exists() and data.zcard(KEY) == 4
    assert Entry.objects.filter(action="leaderboards.forget").get().before["key"] == "game:scores"


def test_boards_of_a_cluster_are_read_imported_into_and_ended(server, operator, client_for):
    race = b"leaderboard:{race}:all"
    with Cluster() as cluster:
        server.kind = Server.Kind.CLUSTER
        server.nodes = ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes)
        server.save()
        with connect(cluster.url) as plain:
            kept = Leaderboard(plain, "race", first_wins=True)
            kept.update_many([("ann", 5), ("bob", 5)])
            plain.zadd("plain", {"ann": 1, "bob": 2})
        told = {"server": server, "top": 3}
        Board.objects.create(
            name="Race", key=race, ties="unique", first_wins=True, details=b"names", **told
        )
        Board.objects.create(name="Plain", key=b"plain", **told)
        browser = client_for(operator)

        for name in ("Race", "Plain"):
            found = browser.get(page("declared", name), {"find": "ann"})
            assert b"has rank <b>" in found.content
            assert browser.get(page("end", name)).status_code == 200
        own = reverse("leaderboards:import", args=["shop", race])
        browser.post(own, {"text": "cid,9"})
        done = browser.post(own, {"import": str(Import.objects.get().pk)})
        assert kept_names(browser, page("declared", "Race")) == ["cid", "ann", "bob"]
        undo.restore(done.wsgi_request, Removal.objects.get())
        assert kept_names(browser, page("declared", "Race")) == ["ann", "bob"]

        ended = [browser.post(page("end", name)).status_code for name in ("Race", "Plain")]

        # An archive is in the slot of its board, whether its key has a hash tag or not.
        archives = {one.board.name: one.archive_key for one in Season.objects.all()}
        assert ended == [302, 302], ended
        assert archives["Plain"].startswith(b"{plain}:season:")
        assert archives["Race"].startswith(b"leaderboard:{race}:archive:")
        old = reverse("leaderboards:show", args=["shop", archives["Race"]])
        assert kept_names(browser, old) == ["ann", "bob"]
        told = {"do": "set", "encoded": keys.to_url(b"bob"), "value": "7", "seen": "5"}
        change = reverse("leaderboards:change", args=["shop", archives["Race"]])
        assert browser.post(change, told).status_code == 302
        assert kept_names(browser, old) == ["bob", "ann"]
        for season in Season.objects.all():
            undo.restore(done.wsgi_request, Removal.objects.get(pk=season.removal))
        assert kept_names(browser, page("declared", "Race")) == ["bob", "ann"]
        assert kept_names(browser, page("declared", "Plain")) == ["bob", "ann"]


def body(answer) -> str:
    assert_valid_html(answer)
    return answer.content.decode()


def kept_names(browser, address: str) -> list[str]:
    shown = browser.get(address).content.decode()
    ids = re.findall(r'<tr data-id="([^"]+)"', shown)
    return [keys.from_url(one).decode() for one in ids]
