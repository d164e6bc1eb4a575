"""Advice that computes: each rule on real keys, its cost, its evidence, and the link to its fix."""

from __future__ import annotations

import html
import random
import re
import time
from urllib.parse import parse_qs, urlsplit

import html5lib
import pytest
from django.utils import timezone

from dashboard.accounts.roles import Role
from dashboard.caching.advice import knowing, rules
from dashboard.caching.advice.rules import expiry
from dashboard.caching.models import CachePolicy
from dashboard.jobs import testing
from dashboard.jobs.models import Job
from dashboard.keys.bulk.models import KeyList
from dashboard.keys.survey import passes, reading
from dashboard.keys.survey.models import Pass
from dashboard.servers.models import Grant
from dashboard.servers.sampling import samples
from redisops.cache import Cache
from redisops.series import Point
from redisops.survey import Survey
from redisops.survey.samples import Facts
from tests.dashboard.caching.test_eviction import text

PAGE = "/servers/shop/caching/advice/"


@pytest.fixture
def tidy(data):
    yield data
    data.config_set("maxmemory", 0)
    data.config_set("maxmemory-policy", "noeviction")
    reading.forget()


def count(server):
    """A count of all keys, as the job makes it."""
    figures = Survey(server.client())
    while not figures.advance(1).is_done:
        pass
    Pass.objects.create(
        server=server, address=server.digest, delimiter=passes.DELIMITER, ended=timezone.now(),
        figures=figures.figures().packed(),
    )  # fmt: skip


def told(server):
    return {one.rule: one for one in rules.apply(knowing.look(server))}


def query(advice):
    return {name: value for name, [value] in parse_qs(urlsplit(advice.fix.url).query).items()}


def test_each_rule_finds_what_it_is_about_and_nothing_else(client_for, operator, server, tidy):
    chance = random.Random(1)
    with tidy.pipeline() as pipe:
        for number in range(300):
            pipe.set(f"cart:{number}", b"c" * 100, ex=chance.randrange(60, 90_000))
        for number in range(40):
            pipe.set(f"cart:left{number}", b"c" * 100)
        for number in range(120):
            pipe.set(f"price:{number}", b"p", ex=7200 + number % 20)
            pipe.set(f"session:{number}", b"s", ex=1200)
        for number in range(60):
            pipe.set(
                f"page:{number}", b"<li>the same words again</li>" * 600, ex=3600 * (number + 1)
            )
            pipe.set(f"image:{number}", chance.randbytes(3_000), ex=3600 * (number + 1))
        pipe.set("blob:1", chance.randbytes(400_000), ex=9_000)
        pipe.execute()
    count(server)

    found = told(server)

    assert found.keys() == {"without", "together", "large", "compressible"}
    without = found["without"]
    assert without.prefix == b"cart:" and "40 of 340 keys" in without.sentence
    assert query(without) == {"do": "expire", "prefix": "cart:", "ttl": "none"}
    together = found["together"]
    assert together.prefix == b"price:" and query(together)["do"] == "expire"
    asked = query(together)
    assert int(asked["jitter"]) >= 600 and int(asked["after"]) >= 7000
    assert "100%" in together.sentence
    assert found["large"].prefix == b"blob:" and query(found["large"])["size"] == ">=262144"
    compressible = found["compressible"]
    assert compressible.prefix == b"page:" and compressible.weight > 500_000

    browser = client_for(operator)
    page = text(browser.get(PAGE))
    assert page.count("<details") >= 4 and "Set their expiry" in page
    assert "Costs memory or loads:" in page and ">Off<" not in page
    spread = text(browser.get(together.fix.url))
    assert f"jitter={asked['jitter']}" in spread  # goes on to the form of what is done
    listed = browser.post(together.fix.url, {"do": "expire", "prefix": "price:", "ttl": "any"})
    assert listed.status_code == 302 and f"&jitter={asked['jitter']}" in listed["Location"]
    form = text(browser.get(without.fix.url))  # the form it leads to is filled
    assert 'value="cart:"' in form and "Set expiry" in form


def sent(page, field):
    """What a browser would send of the form that has ``field``, as it is filled."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    form = next(
        form for form in tree.iter("form")
        if any(one.get("name") == field for one in form.iter() if form.get("method") == "post")
    )  # fmt: skip
    told = {}
    for one in form.iter():
        name, kind = one.get("name"), one.get("type", "text")
        is_off = kind in ("checkbox", "radio") and one.get("checked") is None
        if one.tag == "input" and name and not is_off:
            told[name] = one.get("value", "on" if kind == "checkbox" else "")
        elif one.tag == "select" and name:
            options = list(one.iter("option"))
            chosen = [one for one in options if one.get("selected") is not None] or options[:1]
            told[name] = chosen[0].get("value", chosen[0].text)
    return told


@pytest.fixture
def ripe(server, tidy):
    """A server on which each rule but that of compression finds something."""
    chance = random.Random(2)
    tidy.config_set("maxmemory-policy", "allkeys-random")
    tidy.config_set("maxmemory", tidy.info("memory")["used_memory"] + 2_000_000)
    for _ in range(100):
        tidy.set(chance.randbytes(8), b"x" * 100_000)
    assert tidy.info("stats")["evicted_keys"]
    tidy.flushall()
    tidy.config_set("maxmemory", 10**9)
    tidy.config_set("maxmemory-policy", "allkeys-lru")
    tidy.set("old:0", chance.randbytes(60_000))
    dumped = tidy.dump("old:0")
    with tidy.pipeline() as pipe:
        for number in range(200):
            pipe.rpush(f"basket:{number}", b"b" * 400)
            pipe.set(f"cart:{number}", b"c" * 100, ex=9_000 + 601 * number if number % 4 else None)
            pipe.set(f"price:{number}", b"p", ex=7200 + number % 20)
        pipe.set("blob:1", chance.randbytes(400_000), ex=9_000)
        for number in range(30):
            pipe.restore(
                f"old:{number}", 40_000_000 + 999_999 * number, dumped, replace=True,
                idletime=31 * 86_400,
            )  # fmt: skip
        pipe.execute()
    with Cache(server.client(), "prices") as prices, Cache(server.client(), "once") as once:
        for number in range(120):
            prices.get_or_load(f"{number}", lambda: "x")
            once.get_or_load(f"{number}", lambda: "y")
        prices.get("1")
        prices.flush()
        once.flush()
    count(server)
    kept, at = samples.series(), int(time.time()) - 300
    figures = dict.fromkeys(samples.FIELDS, 0.0) | {"hits": 100.0, "misses": 900.0}
    kept.record([Point(samples.name(server), at, figures)])
    kept.fold([samples.name(server)], time.time())
    return tidy


def test_each_advice_leads_to_a_form_that_is_filled_and_does_it(client_for, operator, server, ripe):
    Grant.objects.filter(user=operator).update(role=Role.ADMIN)
    browser = client_for(operator)
    found = told(server)
    assert found.keys() == {
        "policy", "without", "together", "large", "seldom", "server_wide", "unread", "at_rest",
    }  # fmt: skip
    page = text(browser.get(PAGE))
    assert all(html.escape(one.fix.url) in page for one in found.values())
    assert "54k lookups in vain" in found["server_wide"].cost
    assert found["at_rest"].weight > 1_500_000

    def acted(rule):
        """The list is counted, then its form is sent as it is filled; a worker does the rest."""
        url = found[rule].fix.url
        assert browser.post(url, sent(text(browser.get(url)), "prefix")).status_code == 302
        listed = KeyList.objects.latest("pk")
        testing.run(Job.objects.get(pk=listed.job_id))
        there = f"/servers/shop/bulk/{listed.pk}/"
        form = sent(text(browser.get(f"{there}?{urlsplit(url).query}")), "confirm")
        begun = browser.post(there, form | {"confirm": found[rule].prefix.decode() + "*"})
        assert begun.status_code == 302, re.findall("form-error.{0,400}", begun.content.decode())
        done = testing.run(Job.objects.exclude(kind="keys.list").latest("pk"))
        assert done.state == Job.State.DONE, done.error

    acted("at_rest")
    assert not ripe.exists("old:1") and ripe.exists("cart:1")
    acted("large")
    assert not ripe.exists("blob:1")
    acted("together")
    assert len({ripe.ttl(f"price:{number}") // 60 for number in range(200)}) > 10

    for rule, namespace in (("seldom", "prices"), ("unread", "once")):
        form = text(browser.get(found[rule].fix.url))
        assert "filled as advised" in form and "a TTL four times as long" in form
        saved = browser.post(f"/servers/shop/caching/namespaces/{namespace}/policy/save/",
                             sent(form, "ttl"))  # fmt: skip
        assert saved.status_code == 302
        assert CachePolicy.objects.get(namespace=namespace).as_policy().ttl == 1200

    for rule in ("policy", "server_wide"):
        form = sent(text(browser.get(found[rule].fix.url)), "seen_policy")
        done = browser.post(found[rule].fix.url.partition("?")[0], form | {"confirm": "Shop"})
        assert done.status_code == 302, done.content.decode()[:3000]
    assert ripe.config_get("maxmemory")["maxmemory"] == str(1431 * 1024**2)


def test_live_configuration_and_boards_are_never_advised_on(server, tidy):
    with tidy.pipeline() as pipe:
        for number in range(60):
            lives = None if number < 15 else 90_000 + 997 * number
            pipe.set(f"redisops:limits:instances:{number}", b"x", ex=lives)
            pipe.set(f"redisops:cache:{{catalog}}:{number}", b"x", ex=lives)
            pipe.set(f"cache:{{catalog}}:{number}", b"x", ex=lives)
            pipe.set(f"svc:{{web}}:{number}", b"x", ex=lives)
            pipe.set(f"shop:redisops:cache:{{a}}:{number}", b"x", ex=lives)
            pipe.zadd(f"board:{number}", {"ann": 1})
            pipe.xadd(f"orders:{number}", {"a": 1})
            if lives:
                pipe.expire(f"board:{number}", lives)
                pipe.expire(f"orders:{number}", lives)
        pipe.set("redisops:limits", b"x" * 400_000)
        pipe.execute()
    count(server)

    assert told(server) == {}


def test_what_each_use_refreshes_does_not_expire_together():
    def row(idle, left):
        return Facts(b"basket:1", "string", round(left * 1000), 100, idle, None)

    by_use = [row(at * 9, 1200 - at * 9) for at in range(30)]
    at_once = [row(at * 9, 1200 + at % 3) for at in range(30)]

    assert expiry._is_refreshed(by_use) and not expiry._is_refreshed(at_once)
    assert not expiry._is_refreshed([row(0, 1200) for _ in range(30)])  # nobody can tell


def test_caches_of_the_library_are_judged_by_their_use(server, tidy):
    with Cache(server.client(), "prices") as cache, Cache(server.client(), "once") as once:
        for number in range(150):
            cache.get_or_load(f"{number}", lambda: "x")
            once.get_or_load(f"{number}", lambda: "y" * 50)
        cache.get("1")
        for one in (cache, once):
            one.flush()

    found = rules.apply(knowing.look(server))
    by_title = {one.title: one for one in found}

    seldom = by_title["The cache prices seldom has what is asked for"]
    assert seldom.cost.startswith("150 loads") and "/namespaces/prices/policy/" in seldom.fix.url
    unread = by_title["Nobody reads what the cache once keeps"]
    assert dict(unread.evidence)["Served from it"] == "0"


@pytest.mark.parametrize(
    ("policy", "limit", "expiring", "title", "wanted"),
    [
        ("volatile-ttl", 10**8, 2, "finds next to nothing", "allkeys-lru"),
        ("allkeys-lfu", 10**8, 60, "meant to stay", "volatile-lfu"),
        ("allkeys-lru", 0, 100, "there is no limit", "allkeys-lru"),
        ("volatile-lru", 10**8, 60, "", ""),
    ],
    ids=["few-expire", "mixed", "no-limit", "fits"],
)
def test_a_policy_that_does_not_fit_is_told(server, tidy, policy, limit, expiring, title, wanted):
    for number in range(100):
        ttl = 3600 + 997 * number if number < expiring else None
        tidy.set(f"k:{number}", b"v" * 50, ex=ttl)
    tidy.config_set("maxmemory-policy", policy)
    tidy.config_set("maxmemory", limit)

    found = told(server).get("policy")

    assert (found is None) == (not title)
    if found is not None:
        assert title in found.title and query(found)["policy"] == wanted


def test_the_page_of_an_empty_server_and_of_a_narrow_user(client_for, viewer, server, tidy):
    page = text(client_for(viewer).get(PAGE))
    assert "have not been counted yet" in page and "4 of 9 rules could not look" in page
    assert "Nothing stands out" not in page and "No rule found keys without expiry" not in page
    assert 'class="st ok"' not in page.partition("<h1>")[2] and "5 of 9 rules looked" in page
    count(server)
    kept = samples.series()
    figures = dict.fromkeys(samples.FIELDS, 0.0)
    kept.record([Point(samples.name(server), int(time.time()) - 300, figures)])
    kept.fold([samples.name(server)], time.time())
    page = text(client_for(viewer).get(PAGE))
    assert "Nothing stands out" in page and "could not look" not in page

    tidy.set("page:1", b"x" * 5000)
    tidy.execute_command("ACL", "SETUSER", "little", "on", ">secret", "~page:*", "+ping",
                         "+randomkey", "+type", "+memory", "+hello", "+client")  # fmt: skip
    server.username = "little"
    server.set_secret("password", "secret")
    server.save()
    page = text(client_for(viewer).get(PAGE))
    assert "+info" in page and "+strlen +getrange" in page and "Some rules were not asked" in page
    tidy.execute_command("ACL", "DELUSER", "little")


def test_a_server_that_is_away_has_the_page_for_it(client_for, viewer, server):
    server.nodes = "127.0.0.1:1"
    server.save()

    for page in (PAGE, "/servers/shop/caching/eviction/"):
        answer = client_for(viewer).get(page)
        assert answer.status_code == 503 and "does not accept connections" in text(answer, 503)
