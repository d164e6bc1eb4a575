"""The list of streams, one stream, one entry: what they say, and to whom."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import User
from dashboard.servers.models import Server
from dashboard.streams.reading import filtering, listing, rows, showing
from redisops.errors import InvalidArgument
from redisops.keys import to_url
from tests.dashboard.conftest import assert_valid_html
from tests.servers import RedisProcess

pytestmark = pytest.mark.django_db
LIST = "/servers/shop/streams/"
HOSTILE = b"st:\xff<script>:\xe2\x80\xae"


def place(key: bytes, rest: str = "") -> str:
    return f"{LIST}{to_url(key)}/{rest}"


@pytest.fixture
def browser(viewer: User, client_for: Callable[..., Client]) -> Client:
    return client_for(viewer)


@pytest.fixture
def orders(data: redis.Redis) -> list[str]:
    """Sixty entries of the last minute, two groups of which one is behind."""
    now = int(time.time() * 1000)
    ids = [
        data.xadd("orders", {"n": n, "via": "web" if n % 2 else "pos"}, id=f"{now - 60_000 + n}-0")
        for n in range(60)
    ]
    data.xgroup_create("orders", "mail", "0")
    data.xreadgroup("mail", "one", {"orders": ">"}, count=5)
    return [one.decode() for one in ids]


def test_the_list_tells_each_stream_and_the_troubled_first(
    browser: Client, data: redis.Redis, orders: list[str], server: Server
) -> None:
    data.xadd(HOSTILE, {"a": "1"})
    data.xadd(b"too long: " + b"\xff" * 2_500, {"a": "1"})
    [data.xadd("stuck", {"n": n}) for n in range(3)]
    data.xgroup_create("stuck", HOSTILE, "0")
    ids = [one for one, _ in data.xreadgroup(HOSTILE, "one", {"stuck": ">"})[0][1]]
    data.execute_command("XCLAIM", "stuck", HOSTILE, "one", 0, *ids, "IDLE", 3_600_000)
    data.set("text", "x")
    old = int(time.time() * 1000) - 3_600_000
    for n in range(20):
        for name in ("silent", "svc:{mail}:events", "redisops:x"):
            data.xadd(name, {"n": n}, id=f"{old + n * 100}-0")

    answer = browser.get(LIST)

    text = answer.content.decode()
    assert_valid_html(answer)
    assert [row.key for row in answer.context["listing"].rows[:2]] == [b"stuck", b"silent"]
    states = {row.key: row.state for row in answer.context["listing"].rows}
    assert states[b"svc:{mail}:events"] == states[b"redisops:x"] == "ok"
    group = place(b"stuck", f"groups/{to_url(HOSTILE)}/")
    assert group in text and "name too long for an address" in text
    assert group in browser.get(place(b"stuck")).content.decode()
    assert "silent for 59 min" in text or "silent for 1 h" in text
    assert "&lt;script&gt;" in text and "\u202e" not in text
    assert answer.wsgi_request.cost.round_trips <= 8
    assert [row.key for row in listing.read(server, match="ord").rows] == [b"orders"]
    assert_valid_html(browser.get(LIST, {"match": "zzz"}, headers={"HX-Request": "true"}))


def test_the_empty_list_says_what_a_stream_is(browser: Client, server: Server) -> None:
    answer = browser.get(LIST)

    assert_valid_html(answer)
    assert "No stream yet" in answer.content.decode()


def test_an_entry_in_hand_for_long_is_the_worst(
    server: Server, data: redis.Redis, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "STUCK", 0.0)
    data.xadd("other", {"a": "1"})
    time.sleep(0.01)

    rows_ = listing.read(server).rows

    assert (rows_[0].key, rows_[0].state) == (b"orders", "bad")
    assert "mail has had an entry in hand" in rows_[0].words


def test_a_rate_is_what_was_added_between_two_looks(
    server: Server, data: redis.Redis, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = time.time()
    monkeypatch.setattr(listing.time, "time", lambda: at)
    assert listing.read(server).rows[0].rate is None
    for n in range(10):
        data.xadd("orders", {"n": n})
    monkeypatch.setattr(listing.time, "time", lambda: at + 5)

    assert listing.read(server).rows[0].rate == pytest.approx(2.0, rel=0.1)


def test_a_stream_shows_its_newest_entries_and_where_to_follow(
    browser: Client, orders: list[str]
) -> None:
    answer = browser.get(place(b"orders"))

    text = answer.content.decode()
    screen = answer.context["screen"]
    assert_valid_html(answer)
    assert [row.id for row in screen.rows] == orders[:-51:-1]
    assert f'data-last="{orders[-1]}"' in text and "ws/servers/shop/streams/" in text
    assert "mail" in text and answer.wsgi_request.cost.round_trips <= 4


def test_browsing_goes_both_ways_from_an_id_or_a_time(browser: Client, orders: list[str]) -> None:
    def ids(query: dict[str, str]) -> list[str]:
        answer = browser.get(place(b"orders"), {"view": "browse"} | query)
        assert_valid_html(answer)
        return [row.id for row in answer.context["screen"].rows]

    assert ids({"from": orders[10]}) == orders[10::-1]
    assert ids({"from": orders[10], "order": "asc"}) == orders[10:60]
    first = browser.get(place(b"orders"), {"view": "browse"}).context["screen"]
    older = browser.get(first.next_url).context["screen"]
    assert [row.id for row in older.rows] == orders[9::-1]
    assert [r.id for r in browser.get(older.previous_url).context["screen"].rows] == [
        row.id for row in first.rows
    ]
    wrong = browser.get(place(b"orders"), {"view": "browse", "from": "yesterday"})
    assert "neither an id" in wrong.content.decode()
    assert browser.get(place(b"orders"), {"view": "browse", "at": "rubbish"}).status_code == 400


def test_a_filter_narrows_the_entries_and_a_wrong_one_is_told(
    browser: Client, orders: list[str]
) -> None:
    shown = browser.get(place(b"orders"), {"filter": "via=pos n!=58"}).context["screen"]
    wrong = browser.get(place(b"orders"), {"filter": 'via="pos'})

    assert len(shown.rows) == 24 and shown.looked == 50
    assert "Not understood from column 1" in wrong.content.decode()
    assert "data-socket" not in wrong.content.decode()


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("", True), ("via=pos", True), ("via=web", False), ("via!=web", True), ("gone!=1", False),
        ("note~lo", True), ('note="hello you" via=pos', True), ("contains you", True),
        ("$.id = 7", True), ("$.id = 8", False), ("field via = pos", True), ("matches ^hel", True),
        ("bin=\\xff\\x00", True),
    ],
)  # fmt: skip
def test_the_grammar(line: str, holds: bool) -> None:
    fields = [
        (b"via", b"pos"),
        (b"note", b"hello you"),
        (b"doc", b'{"id": 7}'),
        (b"bin", b"\xff\x00"),
    ]

    assert filtering.read(line).matches(fields) is holds


@pytest.mark.parametrize("line", ["via", "a=1 b", "x" * 301, "member x", "matches (", "= 1",
                                  " ".join(f"a{n}=1" for n in range(9))])  # fmt: skip
def test_what_is_no_filter_is_refused_in_words(line: str) -> None:
    with pytest.raises(InvalidArgument):
        filtering.read(line)


def test_an_entry_is_shown_whole_with_its_decoders(browser: Client, data: redis.Redis) -> None:
    key = HOSTILE
    new = data.xadd(key, {b"\xff<b>": b"\x00<i>", "doc": '{"a": [1, 2]}', "empty": ""}).decode()
    big = data.xadd(key, {f"f{n}": "x" * 50 for n in range(10_000)}).decode()
    huge = data.xadd(key, {"blob": b"\xfe" * 1_100_000}).decode()

    small = browser.get(place(key, f"entries/{new}/"))

    text = small.content.decode()
    assert_valid_html(small)
    assert "\\xff&lt;b&gt;" in text and "<i>" not in text and "XADD" in text
    assert "JSON" in text
    assert '"\\xff<b>"' in small.context["detail"].as_xadd
    assert "hex" in browser.get(place(key, f"entries/{new}/?decode=hex")).content.decode()
    for one in (big, huge):
        answer = browser.get(place(key, f"entries/{one}/"))
        assert_valid_html(answer)
        assert len(answer.content) < 1_000_000 and "Copy as XADD" not in answer.content.decode()
    assert_valid_html(browser.get(place(key)))
    assert browser.get(place(key, "entries/1-1/")).status_code == 404
    assert browser.get(place(key, "entries/x/")).status_code == 404


def test_what_is_no_stream_is_told(
    browser: Client, data: redis.Redis, settings: Any, server: Server
) -> None:
    data.set("text", "x")
    data.xadd(f"{settings.HOME_PREFIX}own", {"a": "1"})

    gone, text = browser.get(place(b"gone")), browser.get(place(b"text"))
    own = browser.get(place(f"{settings.HOME_PREFIX}own".encode()))

    assert (gone.status_code, text.status_code, own.status_code) == (404, 409, 403)
    for answer in (gone, text, own):
        assert_valid_html(answer)
    assert "of type string" in text.content.decode()


def test_an_emptied_stream_says_so(browser: Client, data: redis.Redis) -> None:
    last = data.xadd("orders", {"a": "1"}).decode()
    data.xtrim("orders", 0, approximate=False)

    answer = browser.get(place(b"orders"))

    assert_valid_html(answer)
    assert f'data-last="{last}"' in answer.content.decode()
    assert "every entry was trimmed" in answer.content.decode()


def test_strangers_and_a_server_away(
    client_for: Callable[..., Client], stranger: User, viewer: User, server: Server,
    data: redis.Redis,
) -> None:  # fmt: skip
    data.xadd("orders", {"a": "1"})
    assert client_for(stranger).get(LIST).status_code == 404
    assert client_for(viewer).post(LIST).status_code == 405
    server.nodes = "127.0.0.1:1"
    server.save()

    for path in (LIST, place(b"orders"), place(b"orders", "entries/1-1/")):
        answer = client_for(viewer).get(path)
        assert answer.status_code == 503
        assert_valid_html(answer)


def test_a_narrow_user_sees_it_all(
    browser: Client, data: redis.Redis, target: RedisProcess, server: Server, orders: list[str]
) -> None:
    rules = ("on", ">secret", "~*", "+@read", "-@dangerous", "+ping")
    data.execute_command("ACL", "SETUSER", "narrow", *rules)
    server.username = "narrow"
    server.set_secret("password", "secret")
    server.save()
    try:
        for path in (LIST, place(b"orders"), place(b"orders", f"entries/{orders[0]}/")):
            answer = browser.get(path)
            assert answer.status_code == 200
            assert_valid_html(answer)
        assert "evalsha" in browser.get(LIST).content.decode()
    finally:
        data.execute_command("ACL", "DELUSER", "narrow")


def test_places_are_ids_or_times() -> None:
    assert showing.read_place("1700000000000-3") == "1700000000000-3"
    assert showing.read_place("2023-11-14 22:13:20") == "1700000000000"
    assert showing.read_place("") == "" and showing.read_place("01:47").isdigit()
    with pytest.raises(InvalidArgument):
        showing.read_place("<b>")


def test_a_row_is_bounded_whatever_an_entry_holds() -> None:
    told = rows.told([(b"\xff" * 5000, b"\x00" * 1_000_000)] * 500)

    assert sum(len(part) for field in told for part in field) < 4_000
    assert told[-1][0] == "…"
