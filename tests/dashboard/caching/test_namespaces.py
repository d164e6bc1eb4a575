"""What caches do is seen; how they cache is decided, published, obeyed; entries are ended."""

from __future__ import annotations

import html
import pickle
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.caching.namespaces import publishing
from dashboard.caching.namespaces.models import CachePolicy, CachePublication
from dashboard.caching.namespaces.tasks import compare, reconcile
from dashboard.servers import clients
from dashboard.servers.models import Server
from redisops import keys, scripts
from redisops.cache import Cache, Document, Policy, Publishing
from redisops.cache.declared import telling_code
from redisops.connection import connect
from tests.dashboard.conftest import assert_valid_html
from tests.servers import RedisProcess

ClientFor = Callable[[User | None], Client]
HERE = "/servers/shop/caching/"
CATALOG = f"{HERE}namespaces/catalog/"
FORM = {
    "ttl": "2 min", "jitter": "5%", "stale": "30 s", "negative_ttl": "10 s", "max_bytes": "64 KiB",
    "compress": "4 KiB", "early": "1", "lease": "10 s", "wait": "10 s", "local_ttl": "1 min",
    "when_down": "load",
}  # fmt: skip


@pytest.fixture
def cache(target: RedisProcess) -> Iterator[Cache]:
    """A service's cache on the server."""
    client = connect(f"redis://127.0.0.1:{target.port}/0")
    with Cache(client, "catalog", ttl=300, negative_ttl=10) as made:
        yield made
    client.close()


def fill(cache: Cache) -> None:
    """Three shoes, a hat, six hits, a value that the source does not have."""
    for number in (1, 2, 3):
        cache.get_or_load(f"product:{number}", lambda: slow({"name": "shoe"}), tags=["shoes"])
    cache.get_or_load("hat:1", lambda: slow({"name": "hat"}), tags=["hats"])
    for _ in range(6):
        assert cache.get("product:1") == {"name": "shoe"}
    cache.flush()


def slow(value: object) -> object:
    time.sleep(0.01)
    return value


def text(browser: Client, url: str, status: int = 200) -> str:
    """The page's HTML, valid, its white space folded."""
    answer = browser.get(url)
    assert answer.status_code == status, answer.content.decode()[:3000]
    assert_valid_html(answer)
    return text_of(answer)


def look(server: Server, home: RedisProcess) -> str:
    """What beat has done every five seconds; the lease of the look before is over."""
    with home.client() as plain:
        plain.flushall()
    found: str = compare(server.pk)
    return found


def test_use_is_listed_and_plotted(server, viewer, client_for: ClientFor, cache: Cache, data):
    fill(cache)
    data.zadd("redisops:cache:namespaces", {"<b>not ours": 1, b"\xff": 2})
    browser = client_for(viewer)

    listed = text(browser, HERE)
    assert "60% of 10 reads in the last 15 min were served" in listed
    assert "catalog used " in listed and " 60% 10 4 " in listed
    assert "the code's own" in listed and "no cache can be called this" in listed
    for name in ("1h", "24h", "30d"):
        page = text(browser, f"{CATALOG}?range={name}")
        assert "60% of 10 reads in the last 15 min were served at once; 4 loads took " in page
        assert "Hit ratio Served at once" in page and "Invalidate…" not in page
    live = browser.get(f"{CATALOG}live/")
    assert b"&quot;ratio&quot;:[null" in live.content and b"<html" not in live.content

    assert "No namespace holds" in text(browser, f"{HERE}?q=nothing")
    assert "Nobody used it in this time" in text(browser, f"{HERE}namespaces/other/")
    assert browser.get(f"{HERE}namespaces/a%20b/").status_code == 404
    rows = browser.get(HERE, headers={"HX-Request": "true"})
    assert b"<html" not in rows.content and b"catalog" in rows.content


def test_a_policy_is_written_obeyed_rolled_back_and_given_back(
    server, operator, viewer, client_for: ClientFor, cache: Cache, data
):
    browser = client_for(operator)
    unknown = text(browser, f"{CATALOG}policy/")
    assert "none of them has told it here" in unknown and "library's defaults" in unknown
    assert "fresh for" not in unknown  # nothing is claimed that nobody knows
    data.set("redisops:cache:{catalog}:stats:code", '{"at": 1, "policy": {"namespace": 7}}')
    assert "none of them has told it here" in text(browser, f"{CATALOG}policy/")
    fill(cache)
    known = browser.get(f"{CATALOG}policy/").content.decode()
    assert re.search(r'name="negative_ttl" value="10 s"', known), "the form begins with the code's"
    known = text(browser, f"{CATALOG}policy/")
    assert "is what the services' code says" in known and "library's defaults" not in known
    same = {"negative_ttl": "10 s", "jitter": "10%", "ttl": "5 min", "stale": "0 s"}
    same |= {"max_bytes": "1 MiB", "compress": "never"}
    said = text(browser, f"{CATALOG}policy/sentence/?{urlencode(FORM | same)}")
    assert "No field differs from what the code says" in said
    said = text(browser, f"{CATALOG}policy/sentence/?{urlencode(FORM | same | {'ttl': '1 h'})}")
    assert "Fresh for 5 min 1 h" in said and "“The source" not in said
    said = text(browser, f"{CATALOG}policy/sentence/?{urlencode(FORM)}")
    assert "fresh for 2 min , up to 5% less at random, then served stale for 30 s" in said

    assert "different things" not in known
    for process in ("web-2:7", "web-3:7", "<b>4:7"):
        name, there, args = telling_code(Policy("catalog", ttl=9), time.time(), 4, "")
        data.eval(scripts.source(name), 3, *there, *args[:2], process, *args[3:])
    known = text(browser, f"{CATALOG}policy/")
    assert "code says different things 4 processes told in the last 3 min" in known
    assert "Fresh for 9 s 5 min" in known and "3 processes <b>4:7, web-2:7, web-3:7" in known
    assert "That is what 3 of 4 processes say" in known and "Shards 4 1" in known

    for wrong, words in (
        ({"ttl": "soon"}, "“soon” is no time"), ({"ttl": "31 d"}, "10 ms to 30 days"),
        ({"jitter": "95%"}, "0 to 90%"), ({"max_bytes": "1 GiB"}, "no size"),
        ({"when_down": "x"}, "Select a valid choice"),
    ):  # fmt: skip
        answer = browser.post(f"{CATALOG}policy/save/", FORM | wrong)
        assert answer.status_code == 422 and words in answer.content.decode(), wrong
        assert_valid_html(answer)
    assert not CachePolicy.objects.exists() and data.get("redisops:cache") is None

    done = browser.post(f"{CATALOG}policy/save/", FORM | {"seen": 0, "reason": "shorter"})
    assert done.status_code == 302
    obeyed(cache, 120)
    assert cache.policy == Policy(
        "catalog", 120, 0.05, 30, 10, 1.0, 4096, 65_536, 10, 10, "load", 60
    )
    later = browser.post(f"{CATALOG}policy/save/", FORM | {"seen": 0, "ttl": "1 h"})
    assert later.status_code == 409 and "somebody else was quicker" in later.content.decode()
    assert_valid_html(later)
    live = text(browser, f"{CATALOG}policy/sentence/?{urlencode(FORM | {'ttl': '1 s'})}")
    assert "Fresh for 2 min 1 s" in live
    browser.post(f"{CATALOG}policy/save/", FORM | {"seen": 1, "ttl": "1 s"})
    obeyed(cache, 1)

    listed = text(browser, f"{CATALOG}versions/?from=1")
    assert "Version 2 now" in listed and "Fresh for: 2 min 1 s" in listed
    assert "Roll back to" not in text(client_for(viewer), f"{CATALOG}versions/")
    again = browser.post(f"{CATALOG}policy/save/", FORM | {"seen": 2, "ttl": "1 s"}, follow=True)
    assert "Nothing changed: version 2 holds." in text_of(again)
    late = browser.post(f"{CATALOG}policy/save/", FORM | {"seen": 1, "ttl": "1 s"})
    assert late.status_code == 409, "also for the same: it was made from another version"
    asked = text(browser, f"{CATALOG}versions/1/")
    assert "Fresh for 1 s 2 min" in asked and "Roll back to version 1" in asked
    assert client_for(viewer).get(f"{CATALOG}versions/1/").status_code == 403
    assert CachePolicy.objects.get().version == 2, "asking changes nothing"
    browser.post(f"{CATALOG}versions/1/", {"seen": 2})
    obeyed(cache, 120)
    assert "Nothing was changed" in text_of(browser.post(
        f"{CATALOG}versions/2/", {"seen": 2}, follow=True))  # fmt: skip
    asks = text(browser, f"{CATALOG}policy/give-back/")
    assert "back to its code on Shop" in asks
    assert "Then as the code says: An entry is fresh for 9 s" in asks, "as 3 of 4 processes told"
    browser.post(f"{CATALOG}policy/give-back/", {"seen": 3, "reason": "enough"})
    obeyed(cache, 300)
    assert "It was given back" in text(browser, f"{CATALOG}policy/")
    assert "Fresh for — 1 s" in text(browser, f"{CATALOG}versions/2/")
    browser.post(f"{CATALOG}versions/2/", {"seen": 4})
    obeyed(cache, 1)

    live = client_for(viewer).get(f"{CATALOG}live/").content.decode()
    assert live.count("&quot;word&quot;:&quot;policy&quot;") == 5
    whats = [one.what for one in CachePolicy.objects.get().versions.all()]
    assert whats == ["restore", "archive", "roll_back", "change", "create"]
    told = Entry.objects.filter(action__startswith="caching.").exclude(action="caching.publish")
    assert [one.action for one in told.order_by("number")] == [
        "caching.create", "caching.policy", "caching.roll_back", "caching.archive",
        "caching.restore",
    ]  # fmt: skip
    refused = client_for(viewer).post(f"{CATALOG}policy/save/", FORM | {"seen": 5})
    assert refused.status_code == 403


def test_redis_that_lost_or_has_other_policies_is_mended(
    server, operator, client_for: ClientFor, target: RedisProcess, home_process, data
):
    browser = client_for(operator)
    browser.post(f"{CATALOG}policy/save/", FORM)
    there = data.get("redisops:cache")
    assert reconcile() == 1 and look(server, home_process) == "published"

    other = Document(9, (Policy("other"),)).dumps()
    for kind, found, version in (
        ("missing", None, 1), ("newer", other, 10), ("differs", Document(10).dumps(), 11),
        ("unreadable", b'{"format":1,"version":50,', 51), ("waiting", there, 51),
    ):  # fmt: skip
        data.delete("redisops:cache") if found is None else data.set("redisops:cache", found)
        assert "What is published differs" in text(browser, HERE), kind
        assert look(server, home_process) == kind
        document = Publishing(data).published()
        assert document is not None and document.version == version, kind
        assert document.of("catalog") == CachePolicy.objects.get().as_policy()
        assert publishing.state(server).kind == "published"
    row = CachePublication.objects.get()
    assert row.mended and row.mended_why == "Redis had an older version"

    target.kill()
    try:
        saved = browser.post(
            f"{CATALOG}policy/save/", FORM | {"seen": 1, "ttl": "9 s"}, follow=True
        )
        assert "It is not published yet" in text_of(saved)
        for page in (HERE, CATALOG, f"{CATALOG}entries/", f"{CATALOG}policy/"):
            assert "Redis could not be asked" in text(browser, page)
        assert "Result unknown" not in text(browser, f"{CATALOG}invalidate/?what=tag&name=shoes")
        failed = browser.post(f"{CATALOG}invalidate/", {"what": "tag", "name": "shoes"})
        assert failed.status_code == 503 and "Nothing is known" in failed.content.decode()
    finally:
        target.start()
    clients.forget_all()
    CachePublication.objects.update(failures=0)
    assert look(server, home_process) == "missing"
    document = Publishing(data).published()
    assert document is not None and document.policies[0].ttl == 9


def test_a_tag_a_prefix_a_key_and_all_are_looked_at_then_ended(
    server, operator, client_for: ClientFor, cache: Cache
):
    fill(cache)
    browser = client_for(operator)
    page = f"{CATALOG}invalidate/"
    assert "nothing ends before you have seen" in text(browser, page)
    looked = text(browser, f"{page}?what=tag&name=shoes")
    assert "3 entries would end" in looked
    assert "About" not in looked.partition("would end")[0]  # it was counted
    assert re.search(r"Cost to the source [\d.]+ m?s 3 loads", looked)
    assert "3 entries would end" in text(browser, f"{page}?what=prefix&name=product:")
    assert "1 entry would end" in text(browser, f"{page}?what=key&name=hat:1")
    assert "4 entries would end" in text(browser, f"{page}?what=namespace")
    assert "Nothing that is cached now" in text(browser, f"{page}?what=tag&name=boots")
    for query in ("what=tag&name=", "what=prefix&name=product", "what=x&name=y"):
        text(browser, f"{page}?{query}", 422)
    assert cache.get("product:1") is not None, "looking ends nothing"

    ended(browser, "tag", "shoes")
    assert cache.get("product:1") is None and cache.get("hat:1") is not None
    ended(browser, "key", "hat:1")
    assert cache.get("hat:1") is None
    fill_again = [cache.put(f"product:{number}", number) for number in (1, 2)]
    assert all(fill_again)
    ended(browser, "prefix", "product:")
    assert cache.get("product:2") is None
    assert cache.put("hat:1", 1)
    server.environment = "production"
    server.save()
    for data in ({}, {"confirm": "Shop"}, {"reason": "old", "confirm": "shop"}):
        answer = browser.post(page, {"what": "namespace", "name": "", **data})
        assert answer.status_code == 422
        assert_valid_html(answer)
    assert cache.get("hat:1") == 1
    ended(browser, "namespace", "", reason="all is old", confirm="Shop")
    assert cache.get("hat:1") is None
    told = Entry.objects.filter(action="caching.invalidate", result="ok").order_by("number")
    assert [one.target for one in told] == [
        "catalog tag shoes", "catalog key hat:1", "catalog prefix product:", "catalog",
    ]  # fmt: skip
    assert told.last().reason == "all is old"


def test_a_namespace_of_shards_is_ended_whole_and_a_shard_that_was_not_is_named(
    server, operator, client_for: ClientFor, target: RedisProcess, data
):
    client = connect(f"redis://127.0.0.1:{target.port}/0")
    with Cache(client, "wide", shards=4, place="app[1]:") as cache:
        there = [f"key:{number}" for number in range(24)]

        def fill_again() -> None:
            for key in there:
                cache.put(key, 1, tags=["all"])

        def left() -> set[int]:
            return {cache.keys.shard(key.encode()) for key in there if cache.get(key) is not None}

        fill_again()
        assert left() == {0, 1, 2, 3}
        cache.flush()
        browser = client_for(operator)
        page = f"{HERE}namespaces/wide/invalidate/"
        assert "24 entries would end" in text(browser, f"{page}?what=namespace")
        looked = browser.get(f"{page}?what=prefix&name=key:").content.decode()
        assert "4 commands, one for each shard" in looked
        assert "24 entries: all there are" in text(browser, f"{HERE}namespaces/wide/entries/")
        assert browser.post(page, {"what": "key", "name": "key:7"}).status_code == 302
        assert cache.get("key:7") is None
        for what, name in (("namespace", ""), ("tag", "all"), ("prefix", "key:")):
            fill_again()
            assert browser.post(page, {"what": what, "name": name}).status_code == 302
            assert left() == set(), what

        # The old version of the service still runs, and keeps its entries elsewhere.
        with Cache(client, "wide", follow=False, place="old:") as older:
            name, where, args = telling_code(older.policy, time.time() - 60, 1, "old:")
            data.eval(scripts.source(name), 3, *where, *args[:2], "web-2:7", *args[3:])
            for what, name in (("namespace", ""), ("tag", "all"), ("key", "key:7")):
                fill_again()
                assert older.put("key:7", 1, tags=["all"])
                looked = text(browser, f"{page}?what={what}&name={name}")
                assert f"{2 if what == 'key' else 25} entries would end" in looked
                assert "of 2 places" in looked and "in all of them" in looked
                assert "4 shards behind app[1]:" in looked and "1 shard behind old:" in looked
                assert browser.post(page, {"what": what, "name": name}).status_code == 302
                assert older.get("key:7") is None and cache.get("key:7") is None, what
            assert older.put("only:1", 1) and cache.put("key:1", 1)
            found = text(browser, f"{HERE}namespaces/wide/entries/")
            assert "these are of the newest, " in found and "all there are" not in found
            there = f"{HERE}namespaces/wide/entries/{keys.to_url(b'only:1')}/"
            assert "It is served for" in text(browser, there)
        data.delete("redisops:cache:{wide}:stats:tellers")  # nobody runs it any more
        name, where, args = telling_code(cache.policy, time.time(), 4, "app[1]:")
        data.eval(scripts.source(name), 3, *where, *args)

        fill_again()
        data.execute_command(
            "ACL", "SETUSER", "narrow", "on", ">pw", "+@all", "&*", "%R~*",
            "~app\\[1\\]:redisops:cache:{wide#[013]}*",
        )  # fmt: skip
        server.username = "narrow"
        server.set_secret("password", "pw")
        server.save()
        partly = browser.post(page, {"what": "namespace", "name": ""})
        assert partly.status_code == 503 and "3 of 4 shards did it; shard #2 not" in text_of(partly)
        assert left() == {2}
        told = Entry.objects.filter(action="caching.invalidate").order_by("number").last()
        assert told.result == "failed" and told.after["not reached"] == 1
        data.execute_command("ACL", "DELUSER", "narrow")
    client.close()


def ended(browser: Client, what: str, name: str, **more: str) -> None:
    done = browser.post(f"{CATALOG}invalidate/", {"what": what, "name": name, **more})
    assert done.status_code == 302, done.content.decode()[:2000]


def test_entries_are_shown_with_their_state_and_never_run(
    server, viewer, operator, client_for: ClientFor, cache: Cache, data
):
    fill(cache)
    evil = b"\xff<script>:x"
    cache.put(evil, "z" * 2000, tags=[b"<b>\xfe", *(f"t{number}" for number in range(9))])
    cache.get_or_load("none", lambda: None)
    data.set("cache:{catalog}:foreign", pickle.dumps({"a": 1}), ex=60)
    data.lpush("cache:{catalog}:list", "x")
    cache.invalidate_tag("hats")
    browser = client_for(viewer)

    listed = text(browser, f"{CATALOG}entries/")
    assert "7 entries: all there are." in listed and "\\xff" in listed
    assert "Ended by the tag hats" in listed and "the source has none" in listed
    assert "and 4 more" in listed and "shorter than any entry" in listed
    assert "3 entries: all there are that match" in text(
        browser, f"{CATALOG}entries/?match=product"
    )
    assert "No entry matches" in text(browser, f"{CATALOG}entries/?match=nothing*")
    assert "cannot be used" in text(browser, f"{CATALOG}entries/?match={'*a' * 20}", 422)
    text(browser, f"{CATALOG}entries/?cursor=hostile", 422)

    def entry(key: bytes, query: str = "", status: int = 200) -> str:
        return text(browser, f"{CATALOG}entries/{keys.to_url(key)}/{query}", status)

    shown = entry(b"product:1")
    assert '"name": "shoe"' in shown and "It is served for" in shown
    assert "Tags shoes" in shown and "Prefixes product:" in shown
    assert re.search(r"Load took [\d.]+ m?s", shown)
    assert "Invalidate it" not in shown
    assert "81 a4" in entry(b"product:1", "?decode=hex") and "MessagePack" in shown
    assert "It ended by the tag hats" in entry(b"hat:1")
    assert "The cache did not write it" in entry(b"foreign")
    assert "never unpickled" in entry(b"foreign") and "another type" in entry(b"list")
    assert "zzz" in entry(evil) and "<b>\\xfe" in entry(evil)
    assert "Nothing is cached under this key" in entry(b"gone", status=404)
    offered = client_for(operator).get(f"{CATALOG}entries/{keys.to_url(evil)}/").content.decode()
    link = re.search(r'href="([^"]*what=key[^"]*)"', offered)
    assert link is not None
    assert "1 entry would end" in text(client_for(operator), link[1].replace("&amp;", "&"))


def test_a_narrow_user_reads_and_is_told_what_is_missing(
    server, operator, client_for: ClientFor, cache: Cache, target: RedisProcess, data
):
    fill(cache)
    browser = client_for(operator)
    rights = ["~*", "+@read", "+@connection", "+info", "+config|get", "-@scripting"]
    data.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">pw", "&*", *rights)
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()
    clients.forget_all()
    try:
        assert "60% of 10 reads" in text(browser, HERE)
        assert "60% of 10 reads" in text(browser, CATALOG)
        assert "4 entries: all there are" in text(browser, f"{CATALOG}entries/")
        assert "shoe" in text(browser, f"{CATALOG}entries/{keys.to_url(b'product:1')}/")
        assert "3 entries" in text(browser, f"{CATALOG}invalidate/?what=tag&name=shoes")
        refused = browser.post(f"{CATALOG}invalidate/", {"what": "tag", "name": "shoes"})
        assert refused.status_code == 503 and "eval" in refused.content.decode().lower()
        saved = browser.post(f"{CATALOG}policy/save/", FORM, follow=True)
        assert "It is not published yet" in text_of(saved)
        data.execute_command("ACL", "SETUSER", "narrow", "-hmget", "-scan")
        assert "Redis could not be asked" in text(browser, HERE)
        assert "hmget" in text(browser, HERE).lower()
        assert "scan" in text(browser, f"{CATALOG}entries/").lower()
    finally:
        data.execute_command("ACL", "DELUSER", "narrow")


def text_of(answer: Any) -> str:
    """What the page says, without its frame."""
    whole = answer.content.decode()
    inside = whole[whole.find("<main") :].partition("</main>")[0] if "<main" in whole else whole
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", inside)).split())


def obeyed(cache: Cache, ttl: float) -> None:
    """Wait until the service holds a policy with this TTL."""
    ends = time.monotonic() + 20
    while cache.policy.ttl != ttl:
        assert time.monotonic() < ends, cache.policy
        time.sleep(0.02)
