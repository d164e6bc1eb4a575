"""The pages of a service and of an instance, in every state; each action once, said and audited."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.servers.sampling import samples
from dashboard.services.history import collecting, latency, loading, uptime, views
from dashboard.services.history.latency import Timing
from dashboard.services.history.models import Change
from dashboard.services.instances import acting, reading
from dashboard.services.wall import saying as wall_saying
from redisops.connection import connect
from redisops.errors import UnknownResult
from redisops.fast import Fast
from redisops.services import Keys, Registration, Registry, Sweeper
from redisops.services.overview import Overview
from redisops.services.readers import Saw, Told
from redisops.services.results import Result, Results
from tests.dashboard.conftest import assert_valid_html
from tests.servers import RedisProcess, restricted

pytestmark = pytest.mark.django_db

KEYS = Keys("pay")
ROOT = "/servers/shop/services/"
EVIL = "<script>/../a?b#c%2F"


@pytest.fixture(autouse=True)
def _no_places() -> None:
    collecting._places.clear()
    latency._plotted.clear()


@pytest.fixture
def registry(target: RedisProcess) -> Iterator[Registry]:
    client = connect(target.url)
    found = Registry(client)
    found.register(Registration("pay", "p1", "10.0.0.1", 8000, version="1.4", zone="a"))
    found.register(
        Registration("pay", "p2", "10.0.0.2", 8000, version="1.5", zone="b", weight=50,
                     check={"kind": "http"}, tags=("<b>",), metadata={"<i>": "\u202e\x00"})
    )  # fmt: skip
    found.register(Registration("pay", EVIL, "::1", 1))
    yield found
    client.close()


def collect(server: Server, *then: Any) -> None:
    """What happened is kept, and these checks are."""

    async def once() -> None:
        client = server.async_client()
        await collecting.collect(server, client)
        if then:
            await latency.record(server, "pay", then)
            await samples.home().async_client().aclose()
        await client.aclose()
        clients.forget_all()

    async_to_sync(once)()


def get(browser: Client, path: str, status: int = 200, **headers: str) -> str:
    answer = browser.get(path, headers=headers)
    assert answer.status_code == status, answer.content.decode()[-400:]
    assert_valid_html(answer)
    return answer.content.decode()


def last(action: str) -> Any:
    return Entry.objects.filter(action=action).order_by("number").last()


def test_a_service_says_who_is_in_service_and_why_the_others_are_not(
    client_for: Callable[..., Client], viewer: User, server: Server, registry: Registry,
    data: redis.Redis,
) -> None:  # fmt: skip
    registry.judge("pay", "p1", "refused", "nobody <b>listens")
    registry.judge("pay", "p1", "refused", "nobody <b>listens")
    refused = Result(1.7e9, "refused", None, "nobody <b>listens")
    data.hset(KEYS.chk, mapping={"p1": refused.packed, "p2": b"\xffno"})
    Sweeper(registry.client, ["pay"]).look()
    browser = client_for(viewer)
    before = get(browser, ROOT + "pay/")
    assert "not collected yet" in before
    collect(server, Timing("p1", 3.5, failed=False), Timing("p2", None, failed=True))

    text = get(browser, ROOT + "pay/")
    again = get(browser, ROOT + "pay/?range=nonsense&page=99999")
    one = get(browser, ROOT + "pay/p2/")
    evil = get(browser, ROOT + "pay/~PHNjcmlwdD4vLi4vYT9iI2MlMkY/")

    assert "1 of 3 up: p1 critical, 1 starting." in text
    assert "nobody &lt;b&gt;listens" in text and "<b>listens" not in text
    assert "Its check fails (nobody &lt;b&gt;listens)" in text and "Latency of its checks" in text
    assert text.index(">p1<") < text.index(">p2<") and 'data-points="{' in text
    assert "Degraded" in text and "Nobody is registered now" not in again
    assert "Latency of all checks of pay" in one and "not known yet" in one
    zones = {part.name: part.share for part in reading.look(server, "pay").zones}
    assert zones == {"a": 0, "b": 0, "": 1}
    assert "is starting" in one and "&lt;b&gt;" in one and "Deregister" not in one
    assert "&lt;script&gt;" in evil and "<script>/.." not in evil
    for path in ("pay/", "pay/p2/"):  # what moves, each part to its place
        part = get(browser, ROOT + path, **{"HX-Request": "true"})
        assert 'id="service-figs" hx-get=' in part and part.count("hx-swap-oob") >= 5
        assert "data-points" not in part and "<html" not in part
    assert browser.get(ROOT + "pay/no/", headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    cost = browser.get(ROOT + "pay/").context["frame"].cost
    assert cost.round_trips <= 5


def test_an_uptime_is_computed_when_something_happened_and_once_a_minute(
    server: Server, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading._records.clear()
    computed, of_service = [], uptime.of_service

    def counted(*args: Any) -> uptime.Record:
        computed.append(args[2])
        return of_service(*args)

    monkeypatch.setattr(uptime, "of_service", counted)
    collect(server)

    def looked(later: float = 0.0) -> uptime.Record:
        seen = reading.look(server, "pay")
        return dataclasses.replace(seen, now=seen.now + later).record

    first = looked()
    assert looked() is first and looked(30) is first and len(computed) == 1
    assert looked(90) is not first and len(computed) == 2
    registry.drain("pay", "p1")
    known = looked(90)
    assert len(computed) == 3, "its state is another one"
    collect(server)
    assert looked(90) is not known, "what happened is kept now"
    monkeypatch.setattr(reading, "MOST_SPELLS", 0)
    looked(200)
    assert not reading._records


def test_readers_and_what_they_saw_are_shown_and_bounded(
    client_for: Callable[..., Client], viewer: User, server: Server, registry: Registry,
    data: redis.Redis,
) -> None:  # fmt: skip
    browser = client_for(viewer)
    assert "Nobody tells that it reads" in get(browser, ROOT + "pay/")
    assert "nobody tells" in get(browser, ROOT + "pay/p1/")
    saws = [("p1", Saw(80, 2)), ("p2", Saw(9, 0)), (EVIL, Saw(4, 4, 30))]
    for n in range(3):
        told = Told(f"r{n}", "<b>front\u202e", "redisops 9", 60_000, 2, n < 2, 120, 60.0, saws)
        Fast.of(registry.client).script(*told.script(KEYS))
    data.zadd(KEYS.readers, {"odd": 9e12})
    data.hset(KEYS.told, "odd", b"\xff")
    at = float(data.time()[0])
    for n, ms in enumerate([3.0, 500.0, None, 4.0]):
        state = "fail" if ms is None else "pass"
        one = Result(at - 96 + 32 * n, state, ms, "late <b>", {"every": 5})
        Results(registry.client).record({"pay": {"p1": one}})
    with registry.client.pubsub() as heard:
        heard.subscribe(KEYS.channel)
        assert heard.get_message(timeout=10)
        text = get(browser, ROOT + "pay/")
    one, other = get(browser, ROOT + "pay/p1/"), get(browser, ROOT + "pay/p2/")

    assert "&lt;b&gt;front\\xe2\\x80\\xae" in text and "<b>front" not in text
    assert "3 of it" in text and "1 change ago" in text and "at least 3" in text
    assert "6/s" in text and "18 of 279 failed" in text and "asks twice a second" in text
    assert "1 said what nobody can read" in text
    assert "6 of 240 calls failed" in text and "27 calls, none failed" in text
    assert "12 of 12 calls failed" in text and "told by 3 readers; 3 leave it alone" in text
    assert "6 of 240 calls failed" in one and "of the last minute" in one
    assert "Latency of its own checks" in one and one.count("data-points") == 1
    assert "In 1 of these spans a check failed" in one and '"word":"failed"' in unescape(one)
    assert "None is kept yet" in other
    data.delete(KEYS.readers, KEYS.told)
    data.set(KEYS.readers, "no set")
    assert "Not known: the console" not in text
    assert "Not known: the console" in get(browser, ROOT + "pay/")


def test_watchers_share_a_plot_and_changes_are_read_once(
    server: Server, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "slot", lambda: 1_700_000_000)
    collect(server)
    collect(server, Timing("p1", 1.0, failed=False), Timing("p2", None, failed=True))
    collect(server, *[Timing(f"q{n}", 7.0, failed=False) for n in range(6)])

    (row,) = (
        latency.series().read(latency.name_of(server, "pay"), 1_699_999_990, 1_700_000_010, 2).rows
    )
    assert dict(zip(latency.FIELDS, row.values, strict=True)) == {
        "median": 5.5, "worst": 7.0, "failed": 50.0, "checks": 8.0,
    }  # fmt: skip

    for n in range(40):
        registry.reweigh("pay", "p1", n)
    collect(server)

    def loaded() -> tuple[int, list[Any]]:
        """How many rows of changes SQL gave, and what came of it."""
        read: list[int] = []

        def counting(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if sql.startswith("SELECT") and Change._meta.db_table in sql:
                cursor = connection.cursor().cursor
                read.append(len(cursor.execute(sql, params).fetchall()))
            return execute(sql, params, many, context)

        now = registry.read("pay").now
        with connection.execute_wrapper(counting):
            found = loading.load(server, "pay", now)
        return sum(read), found.rows

    loading._kept.clear()
    whole, rows = loaded()
    again, same = loaded()
    registry.drain("pay", "p1", "deploy")
    collect(server)
    more, then = loaded()
    Change.objects.order_by("-pk")[:1].get().delete()
    anew, _ = loaded()

    assert (whole, again, more) == (43, 1, 2) and same == rows and anew > 40
    assert [row.why for row in then[len(rows) :]] == ["deploy"]


def test_pages_of_what_is_not_there_of_what_was_and_of_a_blind_time(
    client_for: Callable[..., Client], viewer: User, stranger: User, server: Server,
    registry: Registry, data: redis.Redis,
) -> None:  # fmt: skip
    browser = client_for(viewer)
    assert "No such service" in get(browser, ROOT + "nobody/", 404)
    assert "Nothing is kept of it" in get(browser, ROOT + "pay/nobody/", 404)
    get(client_for(stranger), ROOT + "pay/", 404)
    get(browser, ROOT + "pay%20x/", 404)
    assert "Nobody ever swept it" in get(browser, ROOT + "pay/")
    data.hset(KEYS.swept, "at", 1_700_000_000_000)
    data.zadd(KEYS.lease, {"p1": 1})
    blind = get(browser, ROOT + "pay/")
    assert "Nobody has swept since" in blind and "late" in blind
    data.hset(KEYS.rec, "zz", b"\x00")
    assert "Records that nobody can read: 1." in get(browser, ROOT + "pay/")
    for id in ("p1", "p2", EVIL):
        registry.deregister("pay", id, "bye")
    collect(server)
    assert "Gone in the last 24 h" in get(browser, ROOT + "pay/")
    assert "It is not registered." in get(browser, ROOT + "pay/p1/")
    data.delete(KEYS.rec)
    data.set(KEYS.rec, "no hash")
    wrong = browser.get(ROOT + "pay/")
    assert wrong.status_code in (409, 503) and "WRONGTYPE" in wrong.content.decode()


def test_each_action_is_done_once_guarded_and_audited(
    client_for: Callable[..., Client], operator: User, server: Server, registry: Registry,
    data: redis.Redis,
) -> None:  # fmt: skip
    browser = client_for(operator)

    def state(id: str = "p1") -> tuple[str, int]:
        [one] = [each for each in registry.read("pay").instances if each.id == id]
        return one.state, one.weight

    collect(server)  # from here on what is kept lags: the reasons come from Redis
    for name in ("drain", "maintain", "resume", "weight", "deregister"):
        get(browser, f"{ROOT}pay/p1/{name}/")
        get(browser, f"{ROOT}pay/nobody/{name}/", 404)
    page = get(browser, ROOT + "pay/p1/")
    assert "Deregister" in page and "notifications/?service=pay&amp;instance=p1#mutes" in page
    mute = get(browser, ROOT + "notifications/?service=pay&instance=p1")
    assert 'value="pay"' in mute and 'value="p1"' in mute and "?service=pay#mutes" not in mute
    assert "notifications/?service=pay#mutes" in get(browser, ROOT + "pay/")

    assert browser.post(ROOT + "pay/p1/drain/", {"reason": "deploy"}).status_code == 302
    assert state()[0] == "draining" and last("services.drain").after == {"state": "draining"}
    assert last("services.drain").target == "pay p1" and last("services.drain").reason == "deploy"
    assert "It is draining (deploy): it ends" in get(browser, ROOT + "pay/p1/")
    browser.post(ROOT + "pay/p1/resume/")
    assert state()[0] == "passing"
    answer = browser.post(ROOT + "pay/p1/maintain/", {"minutes": "10"})
    assert answer.status_code == 422 and state()[0] == "passing"
    assert_valid_html(answer)
    browser.post(ROOT + "pay/p1/maintain/", {"minutes": "10", "reason": "disk\n<x>"})
    assert state()[0] == "maintenance"
    until = data.zscore(KEYS.until, "p1") / 1000 - data.time()[0]
    page = get(browser, ROOT + "pay/p1/")
    assert 590 < until < 610 and "Maintenance ends" in page and "disk &lt;x&gt;" in page
    assert 'hx-trigger="every 3s"' in page and "zone a" in page and "It gets no calls." in page
    assert browser.post(ROOT + "pay/p1/weight/", {"weight": "70000"}).status_code == 422
    browser.post(ROOT + "pay/p1/weight/", {"weight": "7"})
    assert state()[1] == 7
    assert ": disk &lt;x&gt;. It gets no calls." in get(browser, ROOT + "pay/p1/")
    browser.post(ROOT + "pay/p1/weight/", {"weight": ""})
    assert state()[1] == 100

    other = browser.post(ROOT + "pay/p1/deregister/", {"seen": "12345"})
    assert other.status_code == 409 and "Another process" in other.content.decode()
    assert_valid_html(other)
    fence = data.hget(KEYS.own, "p1").decode()
    browser.post(ROOT + "pay/p1/deregister/", {"seen": fence})
    assert "p1" not in [one.id for one in registry.read("pay").instances]
    assert last("services.deregister").result == "ok"


def test_a_lost_reply_production_and_a_viewer(
    client_for: Callable[..., Client], operator: User, viewer: User, server: Server,
    registry: Registry, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    browser = client_for(operator)
    assert client_for(viewer).post(ROOT + "pay/p1/drain/").status_code == 403
    assert last("services.act").result == "refused"

    def lost(self: Any, *args: Any, **options: Any) -> bool:
        raise UnknownResult("EVALSHA")

    with monkeypatch.context() as patch:
        patch.setattr(acting.Registry, "drain", lost)
        answer = browser.post(ROOT + "pay/p1/drain/", follow=True)
    assert "Result unknown" in answer.content.decode()
    assert last("services.drain").result == "unknown"
    server.environment = Server.Environment.PRODUCTION
    server.save()
    form = {"reason": "", "confirm": "Shop"}
    assert browser.post(ROOT + "pay/p1/drain/", form).status_code == 422
    form = {"reason": "why", "confirm": "shop?"}
    assert browser.post(ROOT + "pay/p1/drain/", form).status_code == 422
    assert registry.read("pay").instances[1].state == "passing"
    get(browser, ROOT + "pay/p1/drain/")
    form["confirm"] = "Shop"
    assert browser.post(ROOT + "pay/p1/drain/", form).status_code == 302


def test_zombies_are_looked_at_then_removed(
    client_for: Callable[..., Client], operator: User, registry: Registry, data: redis.Redis
) -> None:
    browser = client_for(operator)
    assert "Nothing is left over" in get(browser, ROOT + "pay/zombies/")
    data.zrem(KEYS.lease, "p1")
    data.zadd(KEYS.lease, {"<gho st>": 1e15})
    data.hset(KEYS.rec, b"\xff\x00", b"rubbish")

    text = get(browser, ROOT + "pay/zombies/")

    assert "3 are of no instance" in text and "&lt;gho st&gt;" in text and "\\x00" in text
    assert data.hlen(KEYS.rec) == 4 and data.zcard(KEYS.lease) == 3
    less = browser.post(ROOT + "pay/zombies/", {"reason": "old", "seen": "2"})
    assert less.status_code == 409 and data.hlen(KEYS.rec) == 4
    form = {"reason": "old", "seen": "3"}
    assert browser.post(ROOT + "pay/zombies/", form).status_code == 302
    assert data.hlen(KEYS.rec) == 2 and data.zcard(KEYS.lease) == 2
    entry = last("services.repair")
    assert entry.result == "ok" and "p1" in json.dumps(entry.after)


def test_a_narrow_user_still_reads_with_the_missing_right_named(
    client_for: Callable[..., Client], viewer: User, server: Server, registry: Registry,
    target: RedisProcess,
) -> None:  # fmt: skip
    rules = "~* -@all +ping +mget +get +hvals +hgetall +hmget +client|setinfo +hello +select"
    restricted(target, *rules.split())
    server.username = "narrow"
    server.set_secret("password", "secret-42")
    server.save()

    text = get(client_for(viewer), ROOT + "pay/")

    assert "may not read all of it" in text and "zmscore" in text.lower()
    assert "of 3 up" in text and "the server does not say" in text


def test_the_journal_filters_pages_and_reads_without_the_server(
    client_for: Callable[..., Client], viewer: User, server: Server, registry: Registry,
    target: RedisProcess, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    browser = client_for(viewer)
    assert "Nothing has changed yet" in get(browser, ROOT + "changes/")
    registry.drain("pay", "p1", "deploy <7>")
    collect(server)
    first = Change.objects.first()
    assert first is not None
    rows = [
        Change(server=server, service="pay", instance="x", epoch="e", version=n, state="passing",
               event="service_changed", from_state="critical", at=first.at)
        for n in range(1, 61)
    ]  # fmt: skip
    Change.objects.bulk_create(rows)

    text = get(browser, ROOT + "changes/?service=pay&kind=decided&q=deploy")
    page = get(browser, ROOT + "changes/?kind=recovery")
    part = get(browser, ROOT + "changes/?instance=p1", **{"HX-Request": "true"})
    older = browser.get(ROOT + "changes/?kind=recovery").context["next"]
    rest = get(browser, f"{ROOT}changes/?kind=recovery&before={older}")
    get(browser, ROOT + "changes/?before=9.9.9&kind=gaps")
    get(browser, ROOT + "changes/?kind=no", 422)
    get(browser, ROOT + "changes/?since=never", 422)

    assert "deploy &lt;7&gt;" in text and "1 change" in text
    assert page.count("is passing again") == 50 and rest.count("is passing again") == 10
    assert part.lstrip().startswith('<div id="lines">') and "p1" in part
    assert "No change matches" in get(browser, ROOT + "changes/?service=other")
    monkeypatch.setattr(views, "LOOKED", 60)
    far = browser.get(ROOT + "changes/?q=deploy")
    assert "No change matches so far" in far.content.decode()
    further = f"{ROOT}changes/?q=deploy&before={far.context['further']}"
    assert "deploy &lt;7&gt;" in get(browser, further)


def test_the_head_of_a_service_counts_who_is_gone_like_the_wall(
    client_for: Callable[..., Client], viewer: User, server: Server, registry: Registry,
    data: redis.Redis,
) -> None:  # fmt: skip
    sweeper = Sweeper(registry.client, ["pay"])
    collect(server)
    data.zadd(KEYS.lease, {"p2": 1})
    sweeper.look()
    data.hset("svc:{pay}:swept", "hold", 0)
    assert sweeper.look()[0].gone == ("p2",)
    collect(server)

    text = get(client_for(viewer), ROOT + "pay/")

    assert "of 3 up: p2 gone" in text
    registry.register(Registration("pay", "p2", "10.0.0.2", 8000))
    collect(server)
    text = get(client_for(viewer), ROOT + "pay/")
    assert "3 of 3 up." in text and "was gone " in text and "back since" in text
    assert "is back after " in text and "Incidents of instances" in text
    events = Overview(data).look().services["pay"].events
    assert "is back after " in wall_saying.change(events[0], events).words
    assert "Gone" in get(client_for(viewer), ROOT + "pay/p2/")

    registry.drain("pay", "p2", "at once")  # and nobody has kept it yet
    lines = client_for(viewer).get(ROOT + "pay/p2/").context["lines"]
    assert (lines[0].words, lines[0].why) == ("is draining, it was passing", "at once")
    collect(server)
    again = client_for(viewer).get(ROOT + "pay/p2/").context["lines"]
    assert [one.words for one in again] == [one.words for one in lines]
