"""Sessions: found, shown by role, ended by one path, counted over time."""

import base64
import math
import re

import msgpack
import pytest
from django.urls import reverse

from dashboard.audit.models import Entry
from dashboard.servers.models import Server
from dashboard.sessions.listing import figures, finding
from redisops import keys
from redisops.connection import connect
from redisops.sessions import Seal, Sessions
from tests.dashboard.conftest import assert_valid_html
from tests.redisops.sessions.test_browsing import CACHED, DJANGO, UUID, plant

KEY = b"k" * 32
EVIL = "<img src=x onerror=alert(1)>"
FLASK = b"session:" + b"e" * 43


def page(name, *args):
    return reverse(f"redis_sessions:{name}", args=["shop", *args])


def body(answer):
    assert_valid_html(answer)
    text = answer.content.decode()
    assert "<img src=x" not in text
    return text


@pytest.fixture
def shop(server, target, settings):
    """A server with sessions of every layout; the console has the key of the library's."""
    settings.SESSION_KEYS = [KEY]
    with target.client() as plain:
        plant(plain)
    client = connect(target.url)
    sessions = Sessions(client, Seal([KEY]), prefix="shop:")
    sessions.mine = [sessions.new(EVIL, address="10.0.0.7", agent=EVIL) for _ in range(3)]
    for one in sessions.mine:
        one["cart"] = ["KB-87"]
        sessions.save(one)
    yield sessions
    client.close()


def name_of(session):
    return f"shop:session:{{{session.handle}}}".encode()


def test_every_session_is_listed_with_whose_it_is(shop, viewer, client_for):
    browser = client_for(viewer)
    shown = body(browser.get(page("index")))
    for word in ("mara", "sofia", "liv", "41", "10.0.0.7", "Spring Session", "Flask-Session",
                 "connect-redis", "cached_db", "pickled", "never", "&lt;img"):  # fmt: skip
        assert word in shown or word == "mara", word
    assert "1 session never expires." in shown
    assert "End these" not in shown
    assert DJANGO not in shown.replace(keys.to_url(b":1:django.contrib.sessions.cache" +
                                                   DJANGO.encode()), "")  # fmt: skip
    found = body(browser.get(page("index"), {"who": EVIL}))
    assert "3 sessions" in found
    assert "1 session<" in body(browser.get(page("index"), {"left": "none"}))
    assert "No such session" in body(browser.get(page("index"), {"who": "nobody"}))
    assert body(browser.get(page("index"), {"page": "99", "key": "%%%"}))


def test_values_are_for_operators_alone(shop, viewer, operator, client_for):
    for name in (name_of(shop.mine[0]), FLASK, f"spring:session:sessions:{UUID}".encode()):
        masked = body(client_for(viewer).get(page("show", name)))
        seen = body(client_for(operator).get(page("show", name)))
        assert "masked" in masked and "••••" in masked
        assert "masked" not in seen
        assert "KB-87" not in masked and ("KB-87" in seen or name == FLASK)
    pickled = b":1:django.contrib.sessions.cache" + DJANGO.encode()
    assert "never opened here" in body(client_for(operator).get(page("show", pickled)))
    gone = client_for(viewer).get(page("show", b"shop:none"))
    assert gone.status_code == 404 and b"Show the sessions" in gone.content


def ended(browser, **asked):
    """The dry list, and what came of its button."""
    dry = body(browser.get(page("end"), asked))
    word = re.search(r'name="word" value="([^"]+)"', dry)
    return dry, browser.post(page("end"), asked | {"word": word[1], "reason": "left us"})


def test_all_of_a_person_but_one_end_and_the_audit_has_it(shop, operator, client_for):
    browser = client_for(operator)
    kept = shop.mine[1]
    assert len(shop.of(EVIL)) == 3
    dry, done = ended(browser, who=EVIL, keep=keys.to_url(name_of(kept)))
    assert "Nothing has been done yet" in dry and "2 sessions: 2 of Redisops" in dry
    assert done.status_code == 302
    assert [one.handle for one in shop.of(EVIL)] == [kept.handle]
    rows = Entry.objects.filter(action="sessions.revoke").order_by("number")
    assert [row.result for row in rows] == ["intent", "ok"]
    assert rows[0].reason == "left us" and rows[1].after == {"ended": 2, "gone before": 0}


def test_only_what_was_listed_ends_and_only_once(shop, operator, client_for):
    browser = client_for(operator)
    asked = {"who": EVIL}
    dry = body(browser.get(page("end"), asked))
    word = re.search(r'name="word" value="([^"]+)"', dry)[1]
    late = shop.new(EVIL)
    shop.save(late)
    other = browser.post(page("end"), {"who": "liv", "word": word})
    assert other.status_code == 422 and len(shop.of(EVIL)) == 4, "the audit would say another name"
    browser.post(page("end"), asked | {"word": word})
    assert [one.handle for one in shop.of(EVIL)] == [late.handle]
    again = browser.post(page("end"), asked | {"word": word})
    assert again.status_code == 422 and "done already" in body(again)
    assert shop.load(late.id) is not None


def test_hostile_values_of_other_frameworks_are_shown_and_break_no_page(
    shop, operator, client_for, target
):
    deep = {"deep": [], "user_id": "deep"}
    for _ in range(400):
        deep["deep"] = [deep["deep"]]
    odd = {
        "times": b'{"cookie":{"expires":1800000000,"originalMaxAge":%b},"created":%b,"seen":1e999}'
        % (b"9" * 400, b"9" * 400),
        "halves": rb'{"cookie":{},"user_id":"\ud800","ip":"\udfff","\ud801":"\ud802"}',
        "keys": msgpack.packb({"cookie": {}, "user_id": "7", "x": {b"k": 1, (1, 2): 2}}),
        "deep": msgpack.packb({"cookie": {}, **deep}),
    }
    names = {word: b"sess:" + word.encode() + b"x" * 16 for word in odd}
    spring = b"spring:session:sessions:" + b"a" * 8 + b"-aaaa" * 3 + b"-" + b"a" * 12
    with target.client() as plain:
        for word, value in odd.items():
            plain.set(names[word], value)
        plain.hset(spring, mapping={"creationTime": b"9" * 19, "lastAccessedTime": b"1"})
    browser = client_for(operator)
    assert "deep" in body(browser.get(page("index")))
    for name in (*names.values(), spring):
        body(browser.get(page("show", name)))
    assert "7 sessions never" not in body(browser.get(page("index")))


def test_one_path_for_every_layout_and_no_promise_that_cannot_be_kept(
    shop, operator, viewer, client_for, target
):
    browser = client_for(operator)
    spring = f"spring:session:sessions:{UUID}".encode()
    _, done = ended(browser, key=keys.to_url(spring))
    assert done.status_code == 302
    ended(browser, left="none")
    with target.client() as plain:
        assert not plain.exists(FLASK, spring)
        assert "1 session never expires." not in body(browser.get(page("index")))
        cached = b"app:1:django.contrib.sessions.cached_db" + CACHED.encode()
        dry = body(browser.get(page("end"), {"key": keys.to_url(cached)}))
        assert "signs nobody out" in dry and 'name="word"' not in dry
        assert plain.exists(cached)
    assert browser.get(page("end")).status_code == 400
    assert client_for(viewer).get(page("end"), {"who": "liv"}).status_code == 403


def test_a_sealed_session_is_found_by_its_persons_index(shop, operator, client_for, settings):
    settings.SESSION_KEYS = []
    browser = client_for(operator)
    assert "sealed" in body(browser.get(page("index")))
    dry, _ = ended(browser, who=EVIL)
    assert "3 sessions" in dry
    assert shop.of(EVIL) == []
    assert shop.redis.zcard(f"shop:sessions:{{{EVIL}}}") == 0


def test_a_server_has_session_keys_of_its_own_that_nobody_sees(
    shop, owner, operator, client_for, settings
):
    other = base64.b64encode(b"o" * 32).decode()
    mine = base64.b64encode(KEY).decode()
    settings.SESSION_KEYS = [other]  # another service's
    form = reverse("servers:update", args=["shop"])
    admin, browser = client_for(owner), client_for(operator)
    assert "10.0.0.7" not in body(browser.get(page("index")))
    row = Server.objects.get(slug="shop")
    fields = {"name": "Shop", "nodes": row.nodes, "kind": "standalone", "tls_verify": "on"}

    wrong = admin.post(form, fields | {"session_keys": "much too short"})
    assert wrong.status_code == 422 and "much too" not in body(wrong)
    assert browser.get(form).status_code == 403
    assert admin.post(form, fields | {"session_keys": f"{other}, {mine}"}).status_code == 302
    row.refresh_from_db()
    assert "10.0.0.7" in body(browser.get(page("index")))
    shown = body(admin.get(form))
    assert mine not in shown and "stored, encrypted" in shown
    told = Entry.objects.filter(action="servers.update").latest("number")
    assert told.after["stored"] == ["session_keys"] and mine not in str(vars(told))
    assert mine not in str(row.sealed) and row.digest == Server(nodes=row.nodes, slug="shop").digest

    settings.SESSION_KEYS = [mine]
    row.set_secret("session_keys", other)
    row.save()
    assert "10.0.0.7" not in body(browser.get(page("index"))), "its own keys hold alone"
    row.sealed = {"session_keys": "v1.00000000.x"}
    row.save()
    broken = body(browser.get(page("index")))
    assert "cannot be used" in broken and "10.0.0.7" not in broken
    admin.post(form, fields | {"forget": "session_keys"})
    assert "10.0.0.7" in body(browser.get(page("index"))), "the setting is the fallback"


def test_production_asks_for_its_name(shop, operator, client_for):
    Server.objects.filter(slug="shop").update(environment="production")
    browser = client_for(operator)
    _, refused = ended(browser, who=EVIL)
    assert refused.status_code == 422 and len(shop.of(EVIL)) == 3
    word = re.search(r'name="word" value="([^"]+)"', body(refused))[1]
    browser.post(page("end"), {"who": EVIL, "word": word, "confirm": "Shop"})
    assert shop.of(EVIL) == []


def test_walks_are_counted_and_plotted(shop, viewer, client_for):
    browser = client_for(viewer)
    assert figures.count() == 0  # nobody has opened the page
    assert "Nothing is counted" in body(browser.get(page("index")))
    assert figures.count() == 1
    drawn = body(browser.get(page("index")))
    assert "data-plot" in drawn and "js/plots.js" in drawn and "uPlot" in drawn
    points = re.search(r"&quot;sessions&quot;:\[([^\]]*)\]", drawn)[1]
    assert re.search(r"\d", points) and "." not in points  # half a session is none
    assert "just now" in drawn and "about a minute ago" not in drawn  # they began just now
    assert finding.recall(Server.objects.get(slug="shop")).counts["redisops"] == 3


def test_an_hour_is_plotted_whole_where_a_walk_takes_many_looks(
    shop, viewer, client_for, target, monkeypatch
):
    monkeypatch.setattr(finding, "SCANS", 1)
    with target.client() as plain:
        plain.mset({f"product:{number}": "" for number in range(3_000)})
    client_for(viewer).get(page("index"))
    row, begin = Server.objects.get(slug="shop"), 1_800_000_000
    monkeypatch.setattr(finding, "FOLLOWED", math.inf)
    ends = [figures.count(begin + at) for at in range(-600, 3600, 60)]
    assert 1 < sum(ends) < len(ends) / 2, "a walk takes several looks"
    drawn = figures.plotted(row, "1h", begin + 3600 - 1)["drawing"]
    assert drawn.columns["sessions"] == [drawn.columns["sessions"][0]] * 60
    assert drawn.columns["sessions"][0] > 3
    day = figures.plotted(row, "24h", begin + 3600 - 1)["drawing"]
    assert [one is not None for one in day.columns["sessions"][-7:]] == [True] * 7


def test_the_consoles_own_sessions_are_counted_and_left_alone(owner, client_for):
    home = Server.objects.filter(slug="home").first()
    if home is None:
        home = Server.objects.create(slug="home", name="Home")
    browser = client_for(owner)
    shown = body(browser.get(reverse("redis_sessions:index", args=["home"])))
    assert "of the console itself" in shown
    assert re.search(r"\d sessions?(?: so far)?, \d+ of them the console", shown)
    assert "without the console" in shown  # the smaller total says what is not in it
    name = next(
        name for name in home.client().scan_iter(match="*session:{*") if home.protects(name)
    )
    asked = {"key": keys.to_url(name)}
    assert browser.get(reverse("redis_sessions:show", args=["home", name])).status_code == 403
    assert browser.post(reverse("redis_sessions:end", args=["home"]), asked).status_code == 403
    assert home.client().exists(name)


@pytest.mark.parametrize("lacks", ["getrange", "scan"])
def test_a_narrow_account_reads_which_right_is_missing(lacks, shop, viewer, client_for, target):
    with target.client() as plain:
        plain.execute_command(
            "ACL", "SETUSER", "narrow", "on", ">pw", "~*", "&*", "+@read", "+@connection",
            "+info", f"-{lacks}",
        )  # fmt: skip
        row = Server.objects.get(slug="shop")
        row.username = "narrow"
        row.set_secret("password", "pw")
        row.save()
        answer = client_for(viewer).get(page("index"))
        assert answer.status_code in (403, 502, 503)
        assert lacks in body(answer).lower()
        plain.execute_command("ACL", "DELUSER", "narrow")
