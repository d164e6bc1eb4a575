"""Boards: found, declared, read, changed with undo, imported and exported."""

from __future__ import annotations

import json
import re

import pytest
from django.urls import reverse

from dashboard import undo
from dashboard.audit.models import Entry
from dashboard.jobs.models import Job
from dashboard.leaderboards.boards.models import Board, Import
from dashboard.undo.models import Removal
from redisops import keys
from redisops.leaderboards import Leaderboard
from tests.dashboard.conftest import assert_valid_html

KEY = b"game:scores"
HOSTILE = b"<img src=x onerror=alert(1)>\xff\x00"
FORM = {"name": "Arena", "key": "game:scores", "window": "all", "order": "high",
        "ties": "competition", "top": "3", "details": "", "every": ""}  # fmt: skip


@pytest.fixture
def scores(data):
    data.zadd(KEY, {f"player:{n:03}": 1000 - 10 * n for n in range(150)})
    data.zadd(KEY, {HOSTILE: 995, b"x" * 3000: 993, b"top": float("inf"), b"": 991})
    return data


def page(name: str, *args, key: bytes | None = KEY) -> str:
    return reverse(f"leaderboards:{name}", args=["shop", *([key] if key else []), *args])


def body(answer) -> str:
    assert_valid_html(answer)
    assert "<img src=x" not in answer.content.decode()
    return answer.content.decode()


def cost(shown: str) -> tuple[int, int]:
    """Commands and round trips, as the page says of itself."""
    told = re.search(r"<b>(\d+) commands?</b>, <b>(\d+) round trips?</b>", shown)
    return int(told[1]), int(told[2])


def declared(**more) -> Board:
    from dashboard.servers.models import Server

    told = {"name": "Arena", "key": KEY, "top": 3} | more
    return Board.objects.create(server=Server.objects.get(slug="shop"), **told)


# --- Reading ------------------------------------------------------------------------------


def test_every_sorted_set_is_listed_and_opens_as_a_board(scores, viewer, client_for):
    scores.set("game:none", "x")
    browser = client_for(viewer)

    listed = body(browser.get(page("index", key=None)))
    shown = body(browser.get(page("show")))

    assert page("show") in listed and "game:none" not in listed
    assert "154</td>" in listed
    rows = re.findall(r'<tr data-id="([^"]+)"', shown)
    assert len(rows) == 20 and rows[0] == keys.to_url(b"top")
    assert rows[2] == keys.to_url(HOSTILE) and rows[3].startswith("sha1.")
    assert "∞" in shown and "Not drawn: 1 at ∞." in shown
    assert "Change the score" not in shown and "Import CSV" not in shown, "a viewer may not"
    told = json.loads(_unescaped(re.search(r'data-points="([^"]+)"', shown)[1]))
    assert len(told["base"]) == 110 and told["about"] == {"state": "ok", "size": 154, "words": ""}


def test_a_member_is_found_with_its_neighbours_and_a_rank_jumped_to(scores, viewer, client_for):
    browser = client_for(viewer)

    found = body(browser.get(page("show"), {"find": "player:010"}))
    around = body(browser.get(page("show"), {"at": keys.to_url(b"player:010")}))
    jumped = body(browser.get(page("show"), {"rank": "100"}))
    nobody = body(browser.get(page("show"), {"find": r"\xff<b>"}))
    far = body(browser.get(page("show"), {"start": "5000"}))

    # top, player:000 and the four strange ones come before player:001.
    assert "has rank <b>15</b> of 154, score" in found and "10 behind player:009." in found
    rows = re.findall(r'<tr data-id="([^"]+)"', around)
    assert len(rows) == 21 and rows[10] == keys.to_url(b"player:010")
    assert "81 to 100" in jumped and "player:094" in jumped
    assert "is not on this board." in nobody and "<b>" not in nobody.split("data-found")[1][:120]
    assert "No member is so far down" in far
    percents = body(browser.get(page("scores")))
    assert "top 50%" in percents and "data-distribution" in percents
    assert [cost(one) for one in (found, around, percents)] == [(5, 1), (4, 1), (11, 1)]


@pytest.mark.parametrize("state", ["none", "type", "narrow"])
def test_what_is_no_board_says_so(state, server, viewer, data, client_for):
    if state == "type":
        data.set(KEY, "x")
    if state == "narrow":
        data.zadd(KEY, {"ann": 1, "bob": 2})
        data.execute_command("ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@read",
                             "-@dangerous", "+ping")  # fmt: skip
        server.username = "narrow"
        server.set_secret("password", "pw")
        server.save()
    browser = client_for(viewer)

    shown = body(browser.get(page("show"), {"find": "ann"}))
    spread = body(browser.get(page("scores")))
    listed = browser.get(page("index", key=None))

    assert listed.status_code == 200
    assert {"none": "the key is not there", "type": "another type", "narrow": "has rank"}[
        state
    ] in shown
    assert ("Score by share" in spread) == (state == "narrow")
    if state == "narrow":
        data.execute_command("ACL", "DELUSER", "narrow")


def test_a_declared_board_has_windows_names_and_first_to_reach_wins(
    server, data, operator, client_for
):
    browser = client_for(operator)
    windowed = FORM | {"name": "Race", "key": "leaderboard:{race}:<window>", "window": "week",
                       "ties": "unique", "first_wins": "on", "details": "race:names"}  # fmt: skip
    board = Leaderboard(data, "race", window="week", first_wins=True)
    board.set("ann", 5), board.set("bob", 5)
    data.hset("race:names", mapping={"ann": '{"name": "Ann <b>"}', "bob": "Bob"})

    wrong = browser.post(page("create", key=None), windowed | {"key": "race:all"})
    made = browser.post(page("create", key=None), windowed)

    assert wrong.status_code == 422 and "Write &lt;window&gt; once" in body(wrong)
    assert made.status_code == 302
    shown = body(browser.get(made["Location"]))
    assert re.findall(r'<tr data-id="([^"]+)"', shown) == [keys.to_url(b"ann"), keys.to_url(b"bob")]
    assert "<b>Ann &lt;b&gt;</b>" in shown and board.current().label in shown
    assert "members.</span> Highest" in shown and 'aria-label="Window"' in shown
    assert browser.get(made["Location"], {"window": "nonsense"}).status_code == 404
    old = browser.get(made["Location"], {"window": board.current().step(-1).label})
    assert "the key is not there" in body(old)
    edit = page("change", key=board.key(board.current()))
    ann = {"do": "increment", "encoded": keys.to_url(b"bob"), "value": "1", "seen": "5"}
    assert browser.post(edit, ann).status_code == 302
    assert [one.member for one in board.page()] == [b"bob", b"ann"], "its own books are kept"
    assert Entry.objects.filter(action="leaderboards.create", result="ok").count() == 1


def test_the_boards_of_the_demo_are_declared_once_and_read_as_they_are_kept(
    data, settings, operator, client_for
):
    from dashboard.leaderboards.boards.seeding import seed
    from dashboard.servers.models import Server
    from demo.boards import BOARDS

    shop = Server.objects.get(slug="shop")
    assert seed(shop, BOARDS, "first start") == ["Race", "Sprint", "Tower"]
    Board.objects.get(name="Race").delete()
    assert seed(shop, BOARDS, "first start") == [], "what people took back stays so"
    tower = Leaderboard(data, "tower", window="week", first_wins=True, prefix="shop:board:")
    sprint = Leaderboard(data, "sprint", window="day", ties="dense", prefix="shop:board:")
    tower.set("zoe", 5), tower.set("bob", 5), sprint.set("ann", 7)
    tower.at(tower.current().step(-1)).set("old", 1)
    tower.at(tower.current().step(-1)).reset("spring")

    listed = body(client_for(operator).get(page("index", key=None)))

    assert '<bdi class="mono">zoe</bdi>' in listed and "\\x" not in listed, "no marks of bytes"
    assert "0 other sorted sets known" in listed, "books are no boards"


# --- Changing -----------------------------------------------------------------------------


def test_a_score_is_set_added_to_and_removed_each_undone(scores, operator, client_for):
    browser = client_for(operator)
    ann = {"encoded": keys.to_url(b"player:001")}
    assert "It has 990" in body(browser.get(page("change"), {"do": "set", "at": ann["encoded"]}))

    steps = [
        ({**ann, "do": "set", "value": "2,500.5", "seen": "990"}, 2500.5, 990),
        ({**ann, "do": "increment", "value": "-40", "seen": "990"}, 950, 990),
        ({**ann, "do": "remove", "seen": "990", "value": ""}, None, 990),
        ({"do": "add", "member": r"new\xff", "value": "-inf"}, float("-inf"), None),
    ]
    for told, after, before in steps:
        member = b"new\xff" if "member" in told else b"player:001"
        answer = browser.post(page("change"), told)
        assert answer.status_code == 302, answer.content.decode()[-3000:]
        assert scores.zscore(KEY, member) == after
        assert "Undo" in body(browser.get(answer["Location"]))
        removal = Removal.objects.first()
        entry = Entry.objects.filter(action=f"leaderboards.{told['do']}", result="ok").get()
        assert entry.target == "game:scores" and entry.server == "shop"

        undo.restore(answer.wsgi_request, removal)

        assert scores.zscore(KEY, member) == before


def test_nobody_writes_over_what_they_did_not_see(scores, operator, viewer, client_for):
    browser, ann = client_for(operator), {"encoded": keys.to_url(b"player:001")}

    raced = browser.post(page("change"), {**ann, "do": "set", "value": "1", "seen": "980"})
    doubled = browser.post(page("change"), {"do": "add", "member": "player:001", "value": "1"})
    nan = browser.post(page("change"), {**ann, "do": "set", "value": "nan", "seen": "990"})
    scores.delete(KEY)
    gone = browser.post(page("change"), {**ann, "do": "remove", "seen": "990"})

    assert raced.status_code == 409 and "It has 990 now" in body(raced)
    assert doubled.status_code == 409 and 'value="set" checked' in body(doubled)
    assert nan.status_code == 422 and "NaN is no score" in body(nan)
    assert gone.status_code == 409 and not scores.exists(KEY)
    told = {**ann, "do": "set", "value": "1", "seen": "990"}
    assert client_for(viewer).post(page("change"), told).status_code == 403


def test_production_is_changed_by_who_types_its_name(server, scores, operator, client_for):
    server.environment = "production"
    server.save()
    told = {"encoded": keys.to_url(b"player:001"), "do": "set", "value": "1", "seen": "990"}
    browser = client_for(operator)

    refused = browser.post(page("change"), told)
    done = browser.post(page("change"), told | {"confirm": "Shop", "reason": "OPS-1"})

    assert refused.status_code == 422 and "Type Shop" in body(refused)
    assert done.status_code == 302 and scores.zscore(KEY, "player:001") == 1


@pytest.mark.parametrize("rule", [{"first_wins": True, "ties": "unique"}, {"ties": "dense"}])
def test_a_score_of_a_board_with_books_is_guarded_and_comes_back_to_its_place(
    server, data, operator, client_for, rule
):
    race, key = Leaderboard(data, "race", **rule), b"leaderboard:{race}:all"
    race.set("zoe", 5), race.set("bob", 5), race.set("ann", 9)
    before = race.page()
    declared(name="Race", key=key, **rule)
    browser, zoe = client_for(operator), {"encoded": keys.to_url(b"zoe")}

    assert "It can be undone." in body(browser.get(page("change", key=key), zoe | {"do": "set"}))
    raced = browser.post(page("change", key=key), {**zoe, "do": "set", "value": "1", "seen": "4"})
    assert raced.status_code == 409 and "It has 5 now" in body(raced) and race.page() == before
    for told, score in (
        ({**zoe, "do": "set", "value": "9", "seen": "5"}, 9),
        ({**zoe, "do": "increment", "value": "2", "seen": "5"}, 7),
        ({**zoe, "do": "remove", "seen": "5", "value": ""}, None),
        ({"do": "add", "member": "new", "value": "5"}, 5),
    ):
        done = browser.post(page("change", key=key), told)
        assert done.status_code == 302, done.content.decode()[-2000:]
        changed = race.rank(told.get("member", "zoe"))
        assert (changed and changed.score) == score
        back = browser.post(
            reverse("undo:restore", args=["shop", Removal.objects.first().pk]), {"which": "all"}
        )
        assert race.page() == before and back["Location"] == page("show", key=key)


# --- CSV ----------------------------------------------------------------------------------


def test_what_is_exported_can_be_imported_after_a_look(scores, operator, client_for):
    browser = client_for(operator)
    sheet = b"".join(browser.get(page("export")).streaming_content).decode()
    assert sheet.splitlines()[0] == "rank,member,score" and len(sheet.splitlines()) == 155
    before = scores.zrange(KEY, 0, -1, withscores=True)
    scores.zadd(KEY, {"player:001": 1, "later": 5})
    scores.zrem(KEY, "player:002")

    looked = browser.post(page("import"), {"text": sheet + "no score\n=cmd,nan\n", "how": "set"})
    shown = body(looked)

    # The empty member is a line that cannot be told from a slip.
    assert "153 scores for" in shown and "1 new, 1 changed, 151 as they are." in shown
    assert "3 lines could not be read" in shown and scores.zscore(KEY, "player:001") == 1
    told = {"import": str(Import.objects.get().pk)}
    done = browser.post(page("import"), told)
    assert done.status_code == 302
    scores.zrem(KEY, "later")
    assert scores.zrange(KEY, 0, -1, withscores=True) == before
    assert browser.post(page("import"), told).status_code == 409, "once is enough"
    undo.restore(done.wsgi_request, Removal.objects.first(), replace=True)
    assert scores.zscore(KEY, "player:001") == 1 and scores.zscore(KEY, "later") == 5


def test_a_large_import_is_a_job_that_can_be_undone(scores, operator, client_for):
    from dashboard.jobs.testing import run

    browser = client_for(operator)
    text = "".join(f"many:{n},{n}\n" for n in range(2_500))
    assert "It runs as a job." in body(browser.post(page("import"), {"text": text, "how": "best"}))

    answer = browser.post(page("import"), {"import": str(Import.objects.get().pk), "reason": "x"})
    job = Job.objects.get()
    run(job)

    job.refresh_from_db()
    assert answer["Location"] == job.get_absolute_url() and job.done == 2_500
    assert scores.zcard(KEY) == 2_654
    undo.restore(answer.wsgi_request, Removal.objects.get(), replace=True)
    assert scores.zcard(KEY) == 154


@pytest.mark.parametrize("when", ["before", "after", "bare"])
def test_an_import_that_was_killed_goes_on_and_adds_each_row_once(
    server, data, operator, client_for, monkeypatch, when
):
    from dashboard.jobs.testing import run

    if when == "bare":  # a receipt's name is out of this account's reach
        data.execute_command("ACL", "SETUSER", "scorer", "reset", "on", ">pw", "~game:scores",
                             "&*", "+@all")  # fmt: skip
        server.username = "scorer"
        server.set_secret("password", "pw")
        server.save()
    data.zadd(KEY, {"ann": 1})
    browser = client_for(operator)
    text = "".join(f"many:{n},1\n" for n in range(2_500))
    browser.post(page("import"), {"text": text, "how": "add"})
    browser.post(page("import"), {"import": str(Import.objects.get().pk)})
    job = run(Job.objects.get(), steps=2)
    assert job.checkpoint["at"] == 1_000 and data.zcard(KEY) == 1_001
    name = "update_many" if when == "bare" else "update_once"
    write = getattr(Leaderboard, name)

    def killed(board):
        def send(*args, **options):
            if when != "before":
                write.__get__(board, Leaderboard)(*args, **options)
            raise Killed

        return send

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Leaderboard, name, property(killed))
        run(job)
    Job.objects.filter(pk=job.pk).update(lease_until=None)

    job = run(job)

    left_out = 1_000 if when == "bare" else 0
    assert job.state == "done" and (job.done, job.skipped) == (2_500 - left_out, left_out)
    assert data.zcard(KEY) == 2_501 and set(data.zrange(KEY, 0, -1, withscores=True)) >= {
        (b"many:%d" % n, 1.0) for n in range(2_500)
    }
    assert data.keys("game:scores:import:*") == [], "the receipt goes when all is written"
    assert Removal.objects.count() == 1, "the board of before is kept once"
    if when == "bare":
        data.execute_command("ACL", "DELUSER", "scorer")


class Killed(BaseException):
    """kill -9, as far as a test in its own process can have it: nothing that follows happens."""


@pytest.mark.parametrize("is_done", [True, False])
def test_a_lost_reply_is_unknown_until_somebody_looks(
    scores, operator, client_for, monkeypatch, is_done
):
    from redisops.edits import Edits
    from redisops.errors import UnknownResult

    apply = Edits.apply

    def lose(edits):
        def send(edit, *, dry=False):
            if dry or is_done:
                told = apply.__get__(edits, Edits)(edit, dry=dry)
            if not dry:
                raise UnknownResult("the reply was lost")
            return told

        return send

    monkeypatch.setattr(Edits, "apply", property(lose))
    browser = client_for(operator)
    told = {"do": "set", "encoded": keys.to_url(b"player:001"), "value": "7", "seen": "990"}

    answer = browser.post(page("change"), told)

    assert answer.status_code == 503 and "Result unknown." in body(answer)
    assert Entry.objects.first().result == "unknown"
    assert Removal.objects.get().offered == 1, "it may have happened: it can be taken back"
    checked = body(browser.post(page("change"), told | {"step": "check"}))
    assert ("It was done." if is_done else "It was not done") in checked
    assert scores.zscore(KEY, "player:001") == (7 if is_done else 990)
    again = {"text": "ann,1", "how": "add"}
    browser.post(page("import"), again)
    monkeypatch.setattr(Leaderboard, "update_many", property(lambda self: _lost))
    lost = browser.post(page("import"), {"import": str(Import.objects.get().pk)})
    assert lost.status_code == 503 and "Result unknown" in body(lost)
    assert browser.post(page("import"), {"import": str(Import.objects.get().pk)}).status_code == 409


def _lost(*args, **options):
    from redisops.errors import UnknownResult

    raise UnknownResult("the reply was lost")


@pytest.mark.parametrize("rule", [{"first_wins": True, "ties": "unique"}, {"ties": "dense"}])
def test_boards_with_books_are_imported_into_undone_and_read_in_their_archive(
    server, data, operator, client_for, rule
):
    race = Leaderboard(data, "race", **rule)
    race.update_many([("zoe", 5), ("bob", 5), ("ann", 9)])
    before = race.page()
    declared(name="Race", key=b"leaderboard:{race}:all", **rule)
    browser, key = client_for(operator), b"leaderboard:{race}:all"

    shown = body(browser.post(page("import", key=key), {"text": "bob,20\nnew,5\n"}))
    assert "cannot be undone" not in shown
    done = browser.post(page("import", key=key), {"import": str(Import.objects.get().pk)})
    assert race.rank("bob").rank == 1 and race.count() == 4
    undo.restore(done.wsgi_request, Removal.objects.get())
    assert race.page() == before and race.add("zoe", 0).rank == before[1].rank
    data.delete(*(b"leaderboard:{race}:all" + end for end in (b":order", b":scores")))
    browser.post(page("import", key=key), {"text": "bob,20"})
    refused = browser.post(page("import", key=key), {"import": str(Import.objects.latest("pk").pk)})
    assert refused.status_code == 409 and "This import cannot be undone." in body(refused)

    race.reset("autumn")
    archive = b"leaderboard:{race}:archive:autumn"
    old = body(browser.get(page("show", key=archive)))
    assert '<h1 class="wrap-any">Race, season of autumn</h1>' in old
    race.update_many([("zoe", 5), ("bob", 5)]), race.reset("winter")
    told = body(browser.get(page("show", key=archive.replace(b"autumn", b"winter"))))
    assert re.findall(r'<tr data-id="([^"]+)"', told) == [
        keys.to_url(name) for name in ([b"zoe", b"bob"])
    ]


def _unescaped(text: str) -> str:
    from html import unescape

    return unescape(text)
