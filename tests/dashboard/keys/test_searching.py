"""The search in values: who starts it, what it finds once, what it says and what nobody records."""

from __future__ import annotations

import html
import json
import re
import zlib
from collections.abc import Iterator

import pytest
import redis
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.jobs import leases
from dashboard.jobs.kinds import kind_of
from dashboard.jobs.models import Job
from dashboard.jobs.testing import run
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.searching import kind as searching
from dashboard.keys.searching.scope import Scope
from dashboard.keys.survey import passes, reading
from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.ui import palette
from redisops.connection import parse_url
from redisops.keys import to_url
from redisops.searching import Bounds
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.keys.bulk import names_of, run_now
from tests.dashboard.keys.conftest import LIST, text_of
from tests.hostile import NAMES, SCRIPT
from tests.servers import RedisProcess, restricted

SEARCH = "/servers/shop/search/"
SECRET = "anna@example.org"


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    reading.forget()
    yield
    reading.forget()


@pytest.fixture
def people(data: redis.Redis) -> redis.Redis:
    """Sixty carts, half of them Anna's, packed as services do."""
    pipe = data.pipeline(transaction=False)
    for n in range(60):
        who = SECRET if n % 2 else "otto"
        pipe.set(f"cart:{n}", zlib.compress(json.dumps({"who": who, "n": n}).encode()))
    pipe.execute()
    return data


ANNAS = {b"cart:%d" % n for n in range(1, 60, 2)}


def asked(browser: Client, query: str, **told: str) -> HttpResponse:
    """Post the form as the page would: with what it said of these very keys."""
    scope = Scope(
        told.get("prefix", "").encode(), told.get("match", "").encode(),
        told.get("type", ""), told.get("ttl", ""), told.get("size", ""), told.get("idle", ""),
    )  # fmt: skip
    form = {"do": "start", "q": query, "how": "auto", "told": scope.digest, **told}
    answer: HttpResponse = browser.post(SEARCH, form)
    return answer


def begun(browser: Client, query: str, **told: str) -> Job:
    answer = asked(browser, query, **told)
    assert answer.status_code == 302, text_of(answer)
    return Job.objects.get(kind="keys.search", state="queued")


def list_of(job: Job) -> KeyList:
    return KeyList.objects.select_related("server").get(pk=job.params["list"])


def result(browser: Client, job: Job, query: str = "") -> HttpResponse:
    answer: HttpResponse = browser.get(f"{SEARCH}{job.params['list']}/{query}")
    return answer


def words(response: HttpResponse) -> str:
    text = re.sub(r"<[^>]+>", "", text_of(response))
    return " ".join(html.unescape(text).split())


def test_a_search_finds_its_keys_and_shows_where(visitor, people, server):
    people.set("note", b"x" * 100 + SCRIPT + b" anna@example.org \xe2\x80\xae")
    people.set(server.protected_prefix + b"own", SECRET)
    job = run(begun(visitor, f"contains {SECRET}"))

    assert names_of(list_of(job)) == ANNAS | {b"note"}
    assert (job.state, job.done, job.skipped) == ("done", 61, 1)
    page = result(visitor, job)
    assert_valid_html(page)
    first, rest = text_of(page), text_of(result(visitor, job, "?from=25"))
    assert "31 keys found" in first and "26 to 31 of 31" in rest
    # Which key is on which page is the server's: SCAN has no order.
    text = first + rest
    assert f"<mark>{SECRET}</mark>" in text and f"/keys/{to_url(b'cart:1')}/" in text
    assert "zlib, then JSON" in text
    assert "window.pwned=1" in text and SCRIPT.decode() not in text and "\u202e" not in text


def test_what_is_looked_for_is_in_no_title_and_no_record(visitor, people):
    job = run(begun(visitor, f"contains {SECRET}", prefix="cart:"))

    told = [entry for entry in Entry.objects.all() if entry.action == "keys.search"]
    assert {entry.result for entry in told} == {"intent", "ok"}
    for row in (*Entry.objects.values(), *job.lines.values(), {"title": job.title}):
        assert "anna" not in str(row)
    assert job.title == "Search cart:* for a text inside"
    page = visitor.get(job.get_absolute_url())
    assert SECRET not in text_of(page) and "30 keys found" in words(page)
    assert b"anna" not in visitor.get("/audit/").content


def test_filters_and_decoders_are_kept_to(visitor, people):
    people.hset("cart:h", mapping={"who": SECRET})
    people.set("cart:t", SECRET, ex=600)
    people.set("cart*:1", SECRET)
    for told, found in (
        ({"type": "hash"}, {b"cart:h"}),
        ({"ttl": "any"}, {b"cart:t"}),
        ({"prefix": "cart*"}, {b"cart*:1"}),
        ({"match": "cart:t"}, {b"cart:t"}),
        ({"match": "cart:?", "how": "hex"}, {b"cart:h", b"cart:t"}),
    ):
        assert names_of(list_of(run(begun(visitor, f"contains {SECRET}", **told)))) == found


def test_the_form_says_what_it_costs_before_it_starts(visitor, people, server):
    page = visitor.get(f"{SEARCH}?match=cart:*&type=string")
    assert_valid_html(page)
    assert "were not counted yet" in words(page)
    run(passes.begin("tests", server).job)
    page = visitor.get(f"{SEARCH}?match=cart:*&type=string")
    assert "Every key of Shop that matches cart:*, of type string, is searched." in words(page)
    assert "about 60 keys" in words(page) and "5% of Shop's time" in words(page)
    assert "at most about 60 keys" in words(visitor.get(f"{SEARCH}?match=cart:*7"))
    link = f'href="{SEARCH}?match=cart%3A%2A"'
    assert link in text_of(visitor.get(f"{LIST}?match=cart:*"))

    before = Job.objects.count()
    answer = visitor.post(SEARCH, {"do": "start", "q": "contains a", "told": "", "match": "x*"})
    assert "Nothing has started yet" in words(answer) and Job.objects.count() == before
    part = visitor.post(
        SEARCH, {"do": "check", "q": "", "match": "x*"},
        headers={"HX-Request": "true", "HX-Target": "search-cost"},
    )  # fmt: skip
    assert "matches x* is searched" in words(part) and "<html" not in text_of(part)


@pytest.mark.parametrize(
    ("query", "told", "sentence"),
    [
        ("contain x", {}, "At column 1: a query begins with"),
        ("$.a = {", {}, "At column 7: only a number"),
        ("matches (", {}, "At column 9: this expression cannot be read: missing )"),
        ("contains x", {"match": "*a*b*c*d*e*f*g*h*i*"}, "can stall a server"),
        ("contains x", {"type": "no type"}, "A type is one word"),
        ("contains x", {"how": "nothing"}, "is no decoder"),
    ],
)
def test_a_bad_form_starts_nothing_and_says_why(visitor, server, query, told, sentence):
    answer = asked(visitor, query, **told)

    assert answer.status_code == 422 and sentence in words(answer)
    assert_valid_html(answer)
    assert not Job.objects.exists()


def test_only_who_searched_sees_the_matches(
    visitor, operator, stranger, client_for, people, server
):
    job = begun(visitor, "contains otto")
    path = f"{SEARCH}{job.params['list']}/"
    for person in (operator, stranger):
        other = client_for(person)
        assert other.get(path).status_code == other.post(f"{path}stop/").status_code == 404
    assert client_for(stranger).get(SEARCH).status_code == 404
    assert visitor.get(f"{path}stop/").status_code == visitor.post(path).status_code == 405
    second = asked(client_for(operator), "contains otto", prefix="cart:")
    assert second.status_code == 409 and "Another search is under way" in words(second)
    assert_valid_html(visitor.get(path))
    run(job)
    assert "Delete…" not in text_of(visitor.get(path))


def test_bulk_acts_on_what_was_found(operator, client_for, people):
    browser = client_for(operator)
    job = run(begun(browser, f"$.who = {SECRET}"))
    assert "Delete…" in text_of(result(browser, job))

    answer = browser.post(f"/servers/shop/bulk/{job.params['list']}/again/", {"do": "delete"})
    run(Job.objects.get(kind="keys.list"))
    page = browser.get(answer["Location"])
    assert "30 keys" in words(page) and "matches in every key" in words(page)
    browser.post(answer["Location"], {"do": "delete", "keep": "on", "confirm": "30 keys"})
    run(Job.objects.get(kind="keys.delete"))
    assert people.dbsize() == 30 and not people.exists(*ANNAS)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that look into ten values each."""
    monkeypatch.setattr(searching, "BATCH", 50)
    monkeypatch.setattr(searching, "Clock", lambda: type("Over", (), {"is_over": True}))


def test_a_search_that_is_killed_finds_each_key_once(visitor, people, small_steps):
    job = begun(visitor, f"contains {SECRET}")
    for _ in range(3):
        run(job, steps=1)
        # Its worker ends without a word in the middle of a step; the next one knows nothing.
        kind_of("keys.search")._writers.clear()  # type: ignore[attr-defined]
        leases.claim(job.pk)
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
    job.refresh_from_db()
    half = result(visitor, job)
    assert "keys found so far" in words(half) and job.is_unfinished
    assert_valid_html(half)
    job = run(job)
    assert (job.state, job.done) == ("done", 60)
    assert names_of(list_of(job)) == ANNAS


def test_a_search_is_cancelled_and_keeps_what_it_found(visitor, people, small_steps):
    job = begun(visitor, f"contains {SECRET}")
    for _ in range(4):
        run(job, steps=1)
    visitor.post(f"{SEARCH}{job.params['list']}/stop/")
    job.refresh_from_db()
    assert job.state == "cancelled" and 0 < job.done < 60
    page = result(visitor, job)
    assert "was stopped after" in words(page) and "these matches are not all" in words(page)
    assert_valid_html(page)


def test_it_waits_while_redis_is_away(visitor, people, target: RedisProcess, small_steps):
    job = begun(visitor, f"contains {SECRET}")
    run(job, steps=2)
    target.kill()
    try:
        clients.forget_all()
        job = run(job)
        assert job.is_unfinished and job.waits.startswith("Waiting for Shop")
        page = result(visitor, job)
        assert page.status_code == 200 and "Waiting for Shop" in words(page)
    finally:
        target.start()
        clients.forget_all()
    with target.client() as plain:
        plain.mset(dict.fromkeys(ANNAS, SECRET))  # it kept nothing on disk
    job = run_now(job)
    assert (job.state, names_of(list_of(job))) == ("done", ANNAS)


def test_bounds_rights_and_changes_are_said(
    visitor, people, server: Server, target, monkeypatch: pytest.MonkeyPatch
):
    kind = type(kind_of("keys.search"))
    monkeypatch.setattr(kind, "bounds", Bounds(value=1000, elements=10))
    people.set("long", b"x" * 5000)
    people.rpush("many", *range(50))
    people.hset("h", mapping={"who": SECRET})
    url = restricted(target, "~*", "+@read", "-@dangerous", "+ping", "-hscan")
    server.username = str(parse_url(url).username)
    server.set_secret("password", "secret-42")
    server.save()
    clients.forget_all()
    job = run(begun(visitor, f"contains {SECRET}"))
    assert job.state == "done" and names_of(list_of(job)) == ANNAS
    people.delete("cart:1")
    people.set("cart:3", "otto")
    text = words(result(visitor, job)) + words(result(visitor, job, "?from=25"))
    assert "Of 1 value only the first 1 MiB was looked at." in text
    assert "because a right is missing: 1 value." in text and "lacks +hscan." in text
    assert "the key is gone since" in text and "it does not match any more" in text


def test_hostile_names_are_searched_and_shown(visitor, data):
    for name in NAMES:
        data.set(name, SECRET)
    job = run(begun(visitor, f"equals {SECRET}"))
    assert names_of(list_of(job)) == set(NAMES)
    shown = ""
    for start in range(0, len(set(NAMES)), 25):
        page = result(visitor, job, f"?from={start}")
        assert_valid_html(page)
        shown += text_of(page)
    assert "window.pwned" in shown and "<script>window.pwned" not in shown


def test_the_palette_leads_there(visitor, viewer: User, server, rf):
    request = rf.get("/")
    request.user, request.server = viewer, server
    found = palette.search(request, "search val")
    assert [hit.url for hit in found["Go to"] if hit.label == "Search in values"] == [SEARCH]
