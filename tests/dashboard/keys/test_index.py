"""The list of keys and the tree: what is listed, what it costs, what it says when it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.accounts.models import User
from dashboard.jobs import marks
from dashboard.keys.browsing import tree
from dashboard.servers.models import Server
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import (
    BROWSE,
    LIST,
    SAMPLES,
    VALUE,
    cost_of,
    key_path,
    text_of,
)
from tests.servers import RedisProcess


def listed(page: str) -> list[str]:
    """The names in the list, markup taken out."""
    names = re.findall(r'<a class="open"[^>]*><bdi class="key">(.*?)</bdi>', page)
    return [re.sub(r"</?b>", "", name) for name in names]


def test_every_key_is_listed_with_its_facts(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(LIST, {"view": "flat"}))

    assert len(listed(page)) == 8
    assert "sess:eu:<b>1</b>" in page
    assert re.search(r">(10|9) min<", page)  # 600 s, less what has passed since
    assert "8 keys on this server" in page


def test_a_name_too_long_for_an_address_has_no_link(visitor: Client, data: redis.Redis) -> None:
    data.set(b"k" * 5_999, "")
    data.set(b"l" * 6_001, "")

    page = text_of(visitor.get(LIST, {"view": "flat"}))

    assert len(re.findall(r'<a class="open"', page)) == 1
    assert "Its name is too long for an address: 5.86 KiB." in page


def test_the_page_and_its_fragment_are_valid_html(visitor: Client, filled: redis.Redis) -> None:
    assert_valid_html(visitor.get(LIST))
    assert_valid_html(visitor.get(LIST, headers=BROWSE))


def test_htmx_gets_the_panes_alone(visitor: Client, filled: redis.Redis) -> None:
    response = visitor.get(LIST, headers=BROWSE)

    page = text_of(response)
    assert "<html" not in page
    assert 'id="tree"' in page
    assert 'id="value"' in page and 'hx-swap-oob="outerHTML"' in page
    assert "HX-Request" in response["Vary"] and "HX-Target" in response["Vary"]
    assert response["Cache-Control"] == "no-store"


def test_a_page_costs_two_round_trips(visitor: Client, data: redis.Redis) -> None:
    data.mset({f"cart:{n}": n for n in range(400)})

    cost = cost_of(visitor.get(LIST, {"view": "flat"}))

    assert cost.round_trips == 2


def test_the_remembered_tree_costs_nothing(visitor: Client, data: redis.Redis) -> None:
    data.mset({f"cart:{n}": n for n in range(400)})
    visitor.get(LIST)

    cost = cost_of(visitor.get(LIST))

    assert cost.round_trips == 2


def test_one_request_makes_twenty_scans_at_most(visitor: Client, data: redis.Redis) -> None:
    pipe = data.pipeline(transaction=False)
    for n in range(60_000):
        pipe.set(f"cart:{n}", "")
    pipe.execute()
    data.config_resetstat()

    response = visitor.get(LIST, {"match": "nothing*", "tree": "again"})

    assert data.info("commandstats")["cmdstat_scan"]["calls"] <= 20
    assert "Nothing found yet" in text_of(response)
    assert "Continue" in text_of(response)


def test_the_walk_goes_on_to_the_last_key(visitor: Client, data: redis.Redis) -> None:
    data.mset({f"cart:{n:04}": n for n in range(700)})
    url: str | None = f"{LIST}?view=flat&match=cart:*"
    seen: list[str] = []
    pages = 0
    while url and pages < 40:
        page = text_of(visitor.get(url))
        seen += listed(page)
        more = re.search(r'href="([^"]*)"[^>]*rel="next">Continue', page)
        url = more[1].replace("&amp;", "&") if more else None
        pages += 1

    assert sorted(set(seen)) == [f"cart:{n:04}" for n in range(700)]
    assert pages > 2


def test_pattern_type_and_expiry_narrow_the_list(visitor: Client, filled: redis.Redis) -> None:
    def names(**query: str) -> list[str]:
        return listed(text_of(visitor.get(LIST, {"view": "flat", **query})))

    assert names(match="*:*", type="zset") == ["board:week", "geo:shops"]
    assert names(ttl="any") == ["sess:eu:1"]
    assert names(ttl="<60") == []
    assert len(names(ttl="none")) == 7


def test_an_exact_name_opens_without_a_scan(visitor: Client, filled: redis.Redis) -> None:
    filled.config_resetstat()

    page = text_of(visitor.get(LIST, {"match": "greeting", "view": "flat"}))

    assert "Hello &lt;b&gt;you&lt;/b&gt;" in page
    assert "without a scan" in page
    assert "cmdstat_scan" not in filled.info("commandstats")


def test_an_exact_name_that_is_not_there_says_so(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(LIST, {"match": "greetin", "view": "flat"}))

    assert "No key is named" in page
    assert "match=greetin%2A" in page


def test_a_name_with_glob_characters_can_be_typed(visitor: Client, data: redis.Redis) -> None:
    data.set("what*ever", "found it")
    data.set("whatXever", "not this")

    page = text_of(visitor.get(LIST, {"match": r"what\*ever", "view": "flat"}))

    assert "found it" in page
    assert "not this" not in page


def test_the_tree_shows_folders_with_counts(visitor: Client, data: redis.Redis) -> None:
    data.mset({f"cart:{n}": n for n in range(30)})
    data.mset({"sess:eu:1": "", "sess:eu:2": "", "sess:us:1": "", "plain": ""})

    page = text_of(visitor.get(LIST, {"prefix": "sess:"}))

    lines = re.findall(r'<bdi>([^<]*)</bdi></span><span class="n">(.*?)</span>', page)
    assert lines == [("cart:", "30"), ("sess:", "3"), ("eu:", "2"), ("us:", "1")]
    assert listed(page) == ["sess:eu:1", "sess:eu:2", "sess:us:1"]
    assert "Counted at <time" in page  # two passes: the folders around, and this one


def figures(page: str) -> dict[str, str]:
    """The count beside each folder of the tree."""
    return dict(re.findall(r'<bdi>([^<]*)</bdi></span><span class="n">(.*?)</span>', page))


def test_counts_of_one_pass_are_exact(visitor: Client, data: redis.Redis) -> None:
    data.mset({"shop:a:1": "", "shop:b:1": "", "plain": ""})

    page = text_of(visitor.get(LIST))

    assert "Counts are exact as of <time" in page


def test_an_open_folder_has_the_newer_count_of_what_is_below_it(
    visitor: Client, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mset({"shop:a:x:1": "", "shop:b:1": "", "other:1": ""})
    clock = [1_795_000_000.0]
    monkeypatch.setattr(tree.time, "time", lambda: clock[0])
    visitor.get(LIST)
    clock[0] += 102
    data.mset({f"shop:a:x:{n}": "" for n in range(2, 12)})
    data.set("shop:loose", "")

    page = text_of(visitor.get(LIST, {"prefix": "shop:"}))

    assert figures(page) == {"other:": "1", "shop:": "13", "a:": "11", "b:": "1"}
    assert "exact" not in foot(page)
    assert re.fullmatch(r"Counted between \S+ .* and \S+ .*\.", foot(page))

    clock[0] += 60
    data.delete("shop:a:x:1")
    deeper = text_of(visitor.get(LIST, {"prefix": "shop:a:"}))
    assert figures(deeper) == {"other:": "1", "shop:": "12", "a:": "10", "x:": "10", "b:": "1"}


def test_an_open_folder_counted_before_those_around_keeps_their_count(
    visitor: Client, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mset({"shop:a:1": "", "other:1": ""})
    clock = [1_795_000_000.0]
    monkeypatch.setattr(tree.time, "time", lambda: clock[0])
    visitor.get(LIST, {"prefix": "shop:"})
    clock[0] += 102
    data.set("shop:a:2", "")
    visitor.get(LIST, {"tree": "again"})

    page = text_of(visitor.get(LIST, {"prefix": "shop:"}))

    assert figures(page) == {"other:": "1", "shop:": "2", "a:": "1"}
    assert foot(page).startswith("Counted between")


def test_a_folder_that_is_empty_by_now_can_be_drawn(visitor: Client, data: redis.Redis) -> None:
    data.set("shop:a:1", "")
    visitor.get(LIST)
    data.delete("shop:a:1")

    page = text_of(visitor.get(LIST, {"prefix": "shop:"}))

    assert figures(page) == {"shop:": "0"}


def foot(page: str) -> str:
    """What the tree says about its counts."""
    found = re.search(r'<div class="p-foot">(.*?)</div>\s*</nav>', page)
    assert found
    return found[1]


def test_folders_may_be_cut_elsewhere(visitor: Client, data: redis.Redis) -> None:
    data.mset({"a/b/1": "", "a/b/2": ""})

    page = text_of(visitor.get(LIST, {"delimiter": "/"}))

    assert '<bdi>a/</bdi></span><span class="n">2</span>' in page


def test_a_partly_counted_tree_goes_on(visitor: Client, data: redis.Redis) -> None:
    pipe = data.pipeline(transaction=False)
    for n in range(60_000):
        pipe.set(f"folder{n % 7}:{n}", "")
    pipe.execute()
    first = text_of(visitor.get(LIST))
    assert "Counted so far" in first

    for _ in range(60):
        page = text_of(visitor.get(LIST, {"tree": "more"}))
        if "Counted so far" not in page:
            break

    counts = re.findall(r'folder\d:</bdi></span><span class="n">([\d,]+)</span>', page)
    assert sum(int(count.replace(",", "")) for count in counts) == 60_000


@pytest.mark.parametrize(
    ("sort", "first"), [("name", "a"), ("-name", "c"), ("-memory", "b"), ("ttl", "c")]
)
def test_the_page_can_be_sorted(visitor: Client, data: redis.Redis, sort: str, first: str) -> None:
    data.set("a", "1")
    data.set("b", "x" * 5000)
    data.set("c", "1", ex=100)

    page = text_of(visitor.get(LIST, {"view": "flat", "sort": sort}))

    assert listed(page)[0] == first


def test_the_typed_pattern_wins_over_the_open_folder(visitor: Client, data: redis.Redis) -> None:
    data.mset({"sess:1": "", "cart:1": ""})

    page = text_of(visitor.get(LIST, {"prefix": "sess:", "match": "cart:*"}))

    assert listed(page) == ["cart:1"]


def test_an_empty_server_says_so(visitor: Client) -> None:
    assert "No keys on this server" in text_of(visitor.get(LIST))


def test_a_filter_that_hides_all_can_be_cleared(visitor: Client, filled: redis.Redis) -> None:
    page = text_of(visitor.get(LIST, {"match": "zz*", "view": "flat"}))

    assert "None of 8 keys match" in page
    assert "Clear the filter" in page


@pytest.mark.parametrize(
    "query",
    [
        {"count": "9999"}, {"count": "x"}, {"sort": "evil"}, {"view": "3d"}, {"ttl": "soon"},
        {"type": "a b"}, {"cursor": "made-up"}, {"match": "*a" * 60}, {"delimiter": "x" * 40},
        {"tree": "down"}, {"match": "x" * 9000},
    ],
)  # fmt: skip
def test_an_address_that_breaks_a_rule_is_refused(
    visitor: Client, filled: redis.Redis, query: dict[str, str]
) -> None:
    response = visitor.get(LIST, query)

    assert response.status_code == 400
    assert "This address cannot be followed" in text_of(response)
    assert_valid_html(response)


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_only_reading_is_answered(visitor: Client, method: str) -> None:
    assert getattr(visitor, method)(LIST).status_code == 405


def test_a_stranger_finds_nothing(
    stranger: User, server: Server, client_for: Callable[..., Client]
) -> None:
    assert client_for(stranger).get(LIST).status_code == 404


@pytest.mark.parametrize("who", ["viewer", "operator", "owner"])
def test_every_role_may_look(
    who: str, filled: redis.Redis, request: pytest.FixtureRequest,
    client_for: Callable[..., Client], server: Server,
) -> None:  # fmt: skip
    assert client_for(request.getfixturevalue(who)).get(LIST).status_code == 200


def test_nobody_is_sent_to_sign_in(server: Server, client_for: Callable[..., Client]) -> None:
    response = client_for(None).get(LIST)

    assert response.status_code == 302
    assert "/account/login/" in response["Location"]


def test_a_server_that_is_down_gives_the_designed_page(
    owner: User, client_for: Callable[..., Client]
) -> None:
    with RedisProcess() as process:
        Server.objects.create(name="Gone", slug="gone", nodes=f"127.0.0.1:{process.port}")
    visitor = client_for(owner)

    page = visitor.get("/servers/gone/keys/")
    fragment = visitor.get("/servers/gone/keys/", headers=BROWSE)

    assert page.status_code == fragment.status_code == 503
    assert "Gone" in text_of(page)
    assert "<html" not in text_of(fragment)


def test_missing_rights_are_named(
    owner: User, data: redis.Redis, client_for: Callable[..., Client], target: RedisProcess
) -> None:
    data.set("visible:1", "x")
    data.set("hidden:1", "x")
    data.execute_command(
        "ACL", "SETUSER", "narrow", "on", ">pw", "resetchannels", "~visible:*",
        "+@read", "+@connection", "+ping", "-memory",
    )  # fmt: skip
    row = Server(name="Narrow", slug="narrow", nodes=f"127.0.0.1:{target.port}", username="narrow")
    row.set_secret("password", "pw")
    row.save()

    page = text_of(client_for(owner).get("/servers/narrow/keys/", {"view": "flat"}))
    data.execute_command("ACL", "DELUSER", "narrow")

    assert "visible:<b>1</b>" in page
    assert "<code>+memory|usage</code>" in page
    assert "out of reach" in page


@pytest.fixture
def jobs_looked_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mark beside Jobs asks SQL once a second for all pages of a server: not in this test."""
    monkeypatch.setattr(marks, "FRESH", 3600.0)
    marks.forget()
    yield
    marks.forget()


def questions(visitor: Client, *address: Any, **options: Any) -> int:
    """SQL queries of a page, those left out that the session engine makes once in a while."""
    with CaptureQueriesContext(connection) as asked:
        visitor.get(*address, **options)
    return sum('"accounts_session"' not in query["sql"] for query in asked.captured_queries)


@pytest.mark.parametrize("view", ["tree", "flat"])
@pytest.mark.usefixtures("jobs_looked_at")
def test_a_list_asks_sql_three_times(visitor: Client, data: redis.Redis, view: str) -> None:
    data.mset({f"cart:{n}": n for n in range(400)})
    visitor.get(LIST)

    # The person, the server with the role on it, the servers of the switch; the newest pass.
    assert questions(visitor, LIST, {"view": view}) == 3 + (view == "tree")


@pytest.mark.usefixtures("jobs_looked_at")
def test_a_part_of_the_page_does_not_ask_for_the_frame(
    visitor: Client, filled: redis.Redis
) -> None:
    assert questions(visitor, LIST, headers=BROWSE) == 3
    assert questions(visitor, key_path(b"tags"), headers=VALUE) == 2


@pytest.mark.usefixtures("jobs_looked_at")
def test_an_opened_key_costs_two_round_trips_and_three_queries(
    visitor: Client, filled: redis.Redis
) -> None:
    assert questions(visitor, key_path(b"tags")) == 4  # with the mark beside Jobs
    for key in SAMPLES:
        assert questions(visitor, key_path(key)) == 3
        assert cost_of(visitor.get(key_path(key))).round_trips == 2


def test_size_and_rest_narrow_the_list_and_travel_with_it(
    visitor: Client, data: redis.Redis
) -> None:
    data.mset({"small": "x", "large": "x" * 5000})
    query = {"view": "flat", "size": "4097-16385", "idle": "<3600"}

    page = text_of(visitor.get(LIST, query))

    assert listed(page) == ["large"]
    assert '<option value="4097-16385" selected>4 KiB to 16 KiB</option>' in page
    assert '<option value="&lt;3600" selected>Used this hour</option>' in page
    assert "size=4097-16385&amp;idle=%3C3600" in page  # links keep it
    assert visitor.get(LIST, {"size": "9-1"}).status_code == 400
    assert_valid_html(visitor.get(LIST, query))
