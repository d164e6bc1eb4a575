"""The analysis page: what it says, where its figures lead, and what it says when it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import Client

from dashboard.accounts.models import User
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.survey import passes, reading, words
from dashboard.keys.survey.models import Pass
from dashboard.keys.survey.treemap import places
from dashboard.servers.models import Server
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.conftest import cost_of, text_of
from tests.servers import RedisProcess, restricted

PAGE = "/servers/shop/analysis/"


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    reading.forget()
    yield
    reading.forget()


def counted(server: Server) -> Pass:
    made = passes.begin("tests", server)
    run(made.job)
    made.refresh_from_db()
    assert made.is_done
    return made


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))


def test_it_says_what_takes_the_memory(visitor: Client, server: Server, data: redis.Redis) -> None:
    data.mset({f"cart:{n}": "x" * 2000 for n in range(50)} | {f"s:{n}": 1 for n in range(50)})
    for n in range(50):
        data.expire(f"s:{n}", 600)
    counted(server)

    answer = visitor.get(PAGE)
    page = plain(text_of(answer))

    assert "100 keys hold" in page and "cart: has 9" in page
    assert "50% of the keys never expire" in page
    assert "All 100 keys were measured." in page
    assert cost_of(answer).commands == 0
    assert_valid_html(answer)


def test_every_figure_leads_to_its_keys(visitor: Client, server: Server, data: redis.Redis) -> None:
    data.mset({f"cart:eu:{n}": "x" * n for n in range(50)} | {"cart:us:1": 1})
    data.rpush("queue:1", 1, 2)
    counted(server)

    page = text_of(visitor.get(PAGE, {"prefix": "cart:"}))
    links = {
        link.replace("&amp;", "&") for link in re.findall(r'href="(/servers/shop/[^"]+)"', page)
    }
    lists = {link for link in links if link.startswith("/servers/shop/keys/")}

    assert any("ttl=none" in link for link in lists)
    assert any("type=string" in link for link in lists)
    assert any("sort=-memory" in link for link in lists)
    assert f"{PAGE}?prefix=cart%3Aeu%3A" in links
    assert "queue:" not in page[page.index("<main") :]
    for link in sorted(lists):
        assert visitor.get(link).status_code == 200, link


def test_growth_is_told_against_an_earlier_pass(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    data.mset({f"cart:{n}": n for n in range(10)})
    first = counted(server)
    data.mset({f"cart:{n}": n for n in range(30)})
    counted(server)
    data.mset({f"new:{n}": n for n in range(5)})
    counted(server)

    last = plain(text_of(visitor.get(PAGE)))
    longer = plain(text_of(visitor.get(PAGE, {"against": first.pk})))

    assert "5 keys more" in last and "25 keys more" in longer
    assert "+20" in longer and "+5" in longer
    assert visitor.get(PAGE, {"against": 99999}).status_code == 404


def test_before_the_first_count_it_asks_for_one(visitor: Client, server: Server) -> None:
    page = text_of(visitor.get(PAGE))
    assert "analysis/visit/" in page and "No figures yet" in page

    visitor.post("/servers/shop/analysis/visit/")
    running = visitor.get(PAGE)

    assert "Counting every key" in text_of(running)
    assert "analysis/visit/" not in text_of(running)
    assert_valid_html(running)


def test_an_empty_server_is_said_to_be_empty(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    counted(server)

    answer = visitor.get(PAGE)

    assert "There are no keys here." in text_of(answer)
    assert_valid_html(answer)


def test_a_failed_count_is_told_and_keeps_the_figures(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    data.set("cart:1", 1)
    counted(server)
    made = passes.begin("tests", server)
    Job.objects.filter(pk=made.job.pk).update(state=Job.State.FAILED, error="ERR <b>no</b>")

    answer = visitor.get(PAGE)

    assert "The last count came to no end." in text_of(answer)
    assert "ERR &lt;b&gt;no" in text_of(answer)
    assert "1 key holds" in text_of(answer)
    assert_valid_html(answer)


def test_a_narrow_user_still_gets_figures_and_missing_rights_are_named(
    visitor: Client, server: Server, target: RedisProcess, data: redis.Redis
) -> None:
    data.mset({f"cart:{n}": n for n in range(20)})
    restricted(target, "~*", "+@read", "-@dangerous", "-memory|usage", "+ping")
    server.username = "narrow"
    server.set_secret("password", "secret-42")
    server.save()
    counted(server)

    answer = visitor.get(PAGE)
    page = text_of(answer)

    assert "+memory|usage" in page and "20 keys" in plain(page)
    assert_valid_html(answer)
    assert visitor.get("/servers/shop/keys/").status_code == 200


def test_a_folder_that_was_not_told_apart_leads_to_its_keys(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    counted(server)

    page = text_of(visitor.get(PAGE, {"prefix": "nowhere:"}))

    assert "did not tell this folder apart" in page
    assert "prefix=nowhere%3A" in page


def test_the_page_is_there_while_the_server_is_not(
    viewer: User, client_for: Callable[..., Client], server: Server, data: redis.Redis
) -> None:
    data.set("cart:1", 1)
    counted(server)
    Server.objects.filter(pk=server.pk).update(nodes="127.0.0.1:1")
    moved = Server.objects.get(pk=server.pk)
    Pass.objects.update(address=moved.digest)

    assert "1 key" in text_of(client_for(viewer).get(PAGE))


def test_a_row_that_leads_elsewhere_shows_no_old_figures(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    data.set("cart:1", 1)
    counted(server)
    Server.objects.filter(pk=server.pk).update(db=3)

    assert "No figures yet" in text_of(visitor.get(PAGE))


def test_the_map_fills_its_frame_and_overlaps_nowhere() -> None:
    found = places([40, 30, 12, 9, 5, 3, 1])

    assert abs(sum(one.width * one.height for one in found) - 10_000) < 1
    for number, one in enumerate(found):
        assert one.x + one.width <= 100.01 and one.y + one.height <= 100.01
        for other in found[number + 1 :]:
            apart_x = one.x + one.width <= other.x + 0.01 or other.x + other.width <= one.x + 0.01
            apart_y = one.y + one.height <= other.y + 0.01 or other.y + other.height <= one.y + 0.01
            assert apart_x or apart_y
    assert places([]) == []


def test_a_bar_links_to_exactly_the_keys_that_it_counts(
    visitor: Client, server: Server, data: redis.Redis
) -> None:
    for n, (size, seconds) in enumerate([(1, None), (1, 30), (300, 900), (5000, 90_000)]):
        data.set(f"k:{n}", "x" * size, ex=seconds)
    counted(server)
    page = text_of(visitor.get(PAGE))

    link, figure = r'<a href="([^"]*(?:ttl|size|idle)=[^"]*)">([^<]+)</a>', r'title="(\d+)"'
    bars = re.findall(rf'{link}</td><td class="bar-c">.*?{figure}', page)
    assert len(bars) == 7 + 10 + 6
    for url, label, keys in bars:
        found = text_of(visitor.get(url.replace("&amp;", "&")))
        assert len(re.findall(r'<a class="open"', found)) == int(keys), label


def test_folders_can_be_told_apart_by_another_delimiter(
    operator: User, client_for: Callable[..., Client], server: Server, data: redis.Redis
) -> None:
    data.mset({"a/b/1": "x", "a/b/2": "x", "c:1": "x"})
    browser = client_for(operator)
    page = text_of(browser.get("/servers/shop/keys/", {"delimiter": "/"}))
    assert 'name="delimiter" value="/" maxlength' in page

    nothing = browser.get(PAGE, {"delimiter": "/"})
    assert "No figures yet" in text_of(nothing)
    assert '<input type="hidden" name="delimiter" value="/">' in text_of(nothing)
    browser.post("/servers/shop/analysis/count/", {"delimiter": "/"})
    run(Pass.objects.get().job)
    told = browser.get(PAGE, {"delimiter": "/"})

    assert 'name="delimiter" value="/"' in text_of(told)
    assert "?prefix=a%2F&amp;delimiter=%2F" in text_of(told)
    assert "No figures yet" in text_of(browser.get(PAGE))
    deeper = browser.get(PAGE, {"delimiter": "/", "prefix": "a/"})
    assert ">b/</a>" in text_of(deeper)
    assert_valid_html(deeper)
    assert_valid_html(browser.get("/servers/shop/keys/", {"delimiter": "/"}))


def test_a_sample_is_told_as_estimates_where_no_range_stands_beside_it() -> None:
    assert words.how(50, 200) == "From 50 of 200 keys (1 in 4); ± holds 19 times in 20."
    assert words.how(50, 200, ranged=False) == "Estimates, from 50 of 200 keys (1 in 4)."
    assert words.how(200, 200, ranged=False) == "All 200 keys were measured."
