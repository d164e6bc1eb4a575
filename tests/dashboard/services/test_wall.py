"""The wall: what it calls things, what the page shows, what the socket tells, what that costs."""

from __future__ import annotations

import asyncio
import re

import pytest
from channels.db import database_sync_to_async
from django.urls import reverse

from dashboard.routing import sockets
from dashboard.servers.clients import NAME
from dashboard.services.wall import asking, known, picture
from dashboard.services.wall.live import WallTopic
from dashboard.services.wall.picture import CARDS, drawn
from redisops import keys
from redisops.connection import measure
from redisops.services import Registration, Registry, Sweeper, looking
from redisops.services.overview import Overview
from redisops.services.results import Result, Results
from tests.dashboard.conftest import assert_valid_html
from tests.dashboard.servers.conftest import hub  # noqa: F401 - a fixture
from tests.dashboard.servers.sockets import Socket

pytestmark = [pytest.mark.django_db(transaction=True)]
CHECK = {"kind": "http", "path": "/"}


@pytest.fixture(autouse=True)
def _nothing_is_known():
    known.forget_all()
    yield
    known.forget_all()


@pytest.fixture
def registry(data) -> Registry:
    return Registry(data)


def who(service: str, id: str, **said) -> Registration:
    return Registration(service, id, "10.0.0.7", 8000, **{"zone": "a", "version": "1.4.2", **said})


def kinds(server, text: str = "", group: str = "") -> dict[str, dict[str, str]]:
    """By card and instance what the wall calls its state; {} for a service in one line."""
    picture = drawn(known.look(server), asking.understood(text, group))
    cards = {
        card.key: {row.id: row.kind for row in card.rows}
        for one in picture.groups
        for card in one.cards
    }
    return cards | {line.key: {} for one in picture.groups for line in one.calm}


def address(server, text: str = "", group: str = "worst") -> str:
    return f"/ws/servers/{server.slug}/services/{group}/{keys.to_url(text.encode())}/"


async def opened(client_for, person, path: str) -> Socket:
    browser = await database_sync_to_async(client_for)(person)
    cookie = "; ".join(f"{name}={one.value}" for name, one in browser.cookies.items())
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"),
               (b"cookie", cookie.encode())]  # fmt: skip
    socket = Socket(sockets, path, headers)
    assert await socket.connect() == (True, None)
    return socket


async def told(socket: Socket, wanted) -> dict:
    """The parts as they are once ``wanted(parts)`` is so, each newest one over the older."""
    parts: dict = {}
    async with asyncio.timeout(20):
        while not wanted(parts):
            parts |= (await socket.message("state", 20))["parts"]
    return parts


def test_every_state_is_named_and_the_worst_comes_first(server, data, registry):
    for id in ("up", "down", "turns", "drained", "kept", "new"):
        registry.register(who("shop", id, check=CHECK if id == "new" else None))
    for _ in range(2):
        registry.judge("shop", "down", "refused", "connection refused")
    for _ in range(4):
        for _ in range(2):
            registry.judge("shop", "turns", "refused")
        for _ in range(30):
            registry.judge("shop", "turns", "pass")
    registry.drain("shop", "drained", "a new release")
    registry.maintain("shop", "kept", "new disk", seconds=600)
    late = registry.register(who("mail", "slow", ttl=30))
    data.zadd("svc:{mail}:lease", {"slow": data.zscore("svc:{mail}:lease", "slow") - 25_000})
    for id in ("a", "b"):
        registry.register(who("calm", id))
    registry.register(who("died", "d"))
    for _ in range(2):
        registry.judge("died", "d", "refused", "connection refused")
    data.zadd("svc:{died}:lease", {"d": data.time()[0] * 1000 - 60_000})
    sweeper = Sweeper(data, ["died"])
    sweeper.look()
    data.hset("svc:{died}:swept", "hold", 0)
    assert sweeper.look()[0].gone == ("d",)

    found = kinds(server)

    assert late.id == "slow" and list(found) == ["died", "shop", "mail", "calm"]
    assert found["died"] == {"d": "gone"}
    assert found["shop"] == {
        "down": "critical", "turns": "flapping", "new": "starting", "drained": "draining",
        "kept": "maintenance", "up": "passing",
    }  # fmt: skip
    assert found["mail"] == {"slow": "late"} and found["calm"] == {"a": "passing", "b": "passing"}
    picture = drawn(known.look(server), asking.understood("", ""))
    cards = picture.groups[0].cards
    notes = {row.id: row.note for card in cards for row in card.rows}
    assert notes["d"].endswith(
        "its check fails (connection refused), nobody listens there any more."
    )
    assert "Went up and down several times" in notes["turns"]
    assert re.fullmatch(r"In maintenance since .+, until [^:]+:.+: new disk\.", notes["kept"])
    words = ", ".join(words for _, words in picture.verdict)
    assert words == (
        "4 services, 10 instances, nobody is up of 1 service, 1 critical, 1 gone, 1 flapping, "
        "1 late, 1 starting, 1 draining, 1 in maintenance, 3 passing"
    )
    assert known.in_trouble(server) == "3"


def test_who_was_drained_before_its_lease_ended_left_on_purpose(server, data, registry):
    registry.register(who("shop", "old"))
    registry.drain("shop", "old", "a new release")
    data.zadd("svc:{shop}:lease", {"old": data.time()[0] * 1000 - 60_000})
    sweeper = Sweeper(data, ["shop"])
    sweeper.look()
    data.hset("svc:{shop}:swept", "hold", 0)
    assert sweeper.look()[0].gone == ("old",)

    picture = drawn(known.look(server), asking.understood("", ""))
    (calm,) = picture.groups[0].calm
    assert (calm.mark, calm.words) == ("off", "nobody registered")
    assert not any(level for level, _ in picture.verdict)
    assert known.in_trouble(server) == ""


def test_suspects_a_missing_watcher_and_what_may_not_be_read_are_told(server, data, registry):
    for n in range(5):
        registry.register(who("shop", f"i{n}"))
        data.zincrby("svc:{shop}:lease", -40_000, f"i{n}")
    sweeper = Sweeper(data, ["shop"])
    sweeper.look()
    data.hset("svc:{shop}:swept", "hold", 0)
    assert len(sweeper.look()[0].suspects) == 5
    data.execute_command("HSET", "svc:{shop}:rec", "odd", "nonsense")
    data.execute_command("SADD", "svc:services", "evil")
    data.execute_command("SET", "svc:{evil}:rec", "x")
    data.incr("svc:{shop}:ver")
    now = data.time()[0]
    data.hset("svc:{shop}:swept", mapping={"at": (now - 60) * 1000, "hold": (now + 9) * 1000})
    aged = data.hgetall("svc:{shop}:rec")
    for id, record in aged.items():
        head, _, rest = record.partition(b"\n")
        parts = head.split(b" ")
        parts[3:4] = [b"1000"] if parts[3:4] else []
        data.hset("svc:{shop}:rec", id, b" ".join(parts) + b"\n" + rest)

    picture = drawn(known.look(server), asking.understood("", ""))

    titles = [one.title for one in picture.banners]
    assert titles[0].startswith("No watcher since ") and picture.banners[0].level == "bad"
    assert titles[1].startswith("Self-preservation is on since ")
    assert "5 of 5 instances" in picture.banners[1].words
    assert titles[2].startswith("Nobody is judged until ")
    assert titles[3:] == ["Not everything may be read here.", "1 record cannot be read."]
    assert "WRONGTYPE" in picture.banners[3].words
    assert picture.verdict[1] == ("bad", "5 silent")


def test_words_narrow_and_groups_split(server, data, registry):
    registry.register(who("shop", "s1", tags=("eu",), metadata={"team": "Core"}))
    registry.register(who("shop", "s2", zone="b", version="1.5.0", tags=("us",)))
    registry.register(who("mail", "m1", zone="b", version="2.0"))

    assert kinds(server, "zone:b") == {"mail": {"m1": "passing"}, "shop": {"s2": "passing"}}
    assert kinds(server, "zone:a zone:b version:1.4") == {"shop": {"s1": "passing"}}
    assert kinds(server, "version:1.*") == {"shop": {"s1": "passing", "s2": "passing"}}
    assert kinds(server, "tag:us state:up") == {"shop": {"s2": "passing"}}
    assert kinds(server, "team:core") == {"shop": {"s1": "passing"}}
    assert kinds(server, "service:mail 10.0.0") == {"mail": {"m1": "passing"}}
    assert kinds(server, "state:critical") == {}
    assert asking.understood("state:broken", "").trouble.startswith('"broken" is no state')
    assert list(kinds(server, group="zone")) == ["zone a shop", "zone b mail", "zone b shop"]
    assert kinds(server, group="name") == {"mail": {}, "shop": {}}


def test_the_page_reads_without_script_and_escapes_what_was_registered(
    server, data, registry, viewer, client_for
):
    browser = client_for(viewer)
    url = reverse("services:wall", args=["shop"])
    empty = browser.get(url)
    assert "Nobody is registered" in empty.content.decode()
    assert "from redisops.services import Agent" in empty.content.decode()
    assert_valid_html(empty)
    known.forget_all()
    evil = "<img/src=x>'\""
    registry.register(who("shop", evil, zone=evil, version=evil, metadata={"team": evil}))
    registry.judge("shop", evil, "refused", evil)
    registry.judge("shop", evil, "refused", evil)
    Results(data).record({"shop": {evil: Result(1.0, "fail", 5.0, evil)}})

    for query in ("", "?group=zone", "?group=version&mode=wall", "?q=%3Cimg", "?group=team"):
        page = browser.get(url + query)
        text = page.content.decode()
        assert page.status_code == 200 and "<img" not in text and "&lt;img/src" in text
        assert "0 of 1 up" in text
        assert_valid_html(page)
    assert "Nobody fits the filter" in browser.get(url + "?q=other").content.decode()


def test_a_page_costs_two_trips_and_nothing_once_it_is_known(server, data, registry):
    for n in range(30):
        registry.register(who(f"s{n}", "a"))
    with measure() as first:
        known.look(server)
    with measure() as again:
        known.look(server)
    assert (first.round_trips, again.round_trips) == (2, 0)


def test_one_change_among_many_is_read_and_drawn_alone(server, data, registry, monkeypatch):
    registry.register_all([(who(f"s{n:03}", "a", ttl=60), 0) for n in range(400)])
    shared, overview = known.of(server), Overview(data)
    topic = WallTopic(server, asking.understood("", ""))
    shared.take(overview.look())
    assert len(topic._parts(shared)) > 400
    registry.drain("s123", "a", "a new release")
    before = data.info("commandstats")
    with measure() as spent:
        shared.take(overview.look(shared.look, ["s123"], in_turn=False))
    after = data.info("commandstats")

    parts = topic._parts(shared)

    calls = {name: after[f"cmdstat_{name}"]["calls"] - before[f"cmdstat_{name}"]["calls"]
             for name in ("xrevrange", "hmget", "mget", "zrange")}  # fmt: skip
    assert spent.round_trips == 2 and shared.look.looked == ("s123",)
    assert calls == {"xrevrange": 1, "hmget": 1, "mget": 2, "zrange": 2}
    assert set(topic.rendered) == {"verdict", "changes", "l s123"}
    assert parts["shape"][0][2][0] == "s123"

    registry.resume("s123", "a")  # told by nobody: the versions say so
    monkeypatch.setattr(looking, "LEASES_AT_ONCE", 10)
    with measure() as spent:
        shared.take(overview.look(shared.look))
    assert spent.round_trips == 2 and len(shared.look.looked) == 11
    topic._parts(shared)
    assert set(topic.rendered) == {"verdict", "changes", "l s123"}


def test_a_storm_is_read_in_parts_and_a_page_stays_bounded(server, data, registry, monkeypatch):
    names = [f"s{n:02}" for n in range(30)]
    registry.register_all(
        [(who(name, id, zone=id, ttl=60), 0) for name in names for id in ("a", "b")]
    )
    monkeypatch.setattr(looking, "RECORDS_AT_ONCE", 20)
    monkeypatch.setattr(picture, "CALM", 20)
    overview = Overview(data)
    look = overview.look()
    for name in names:
        for _ in range(2):
            registry.judge(name, "a", "refused", "no")
    looks = []
    while not looks or not looks[-1].is_whole:
        looks.append(look := overview.look(look, names, in_turn=False) if not looks
                     else overview.look(look, in_turn=False))  # fmt: skip
    assert [len(one.stale) for one in looks] == [20, 10, 0]
    shared = known.of(server)
    shared.take(look)
    (group,) = drawn(shared, asking.understood("", "")).groups
    assert (len(group.cards), len(group.calm), group.more) == (CARDS, 30 - CARDS, 0)
    assert "ok" not in {line.level for line in group.calm}
    zones = drawn(shared, asking.understood("", "zone")).groups
    assert [len(one.cards) + len(one.calm) + one.more for one in zones] == [len(names)] * 2
    assert max(len(one.calm) for one in zones) <= max(picture.ROWS, 10)


@pytest.mark.asyncio
async def test_changes_come_by_the_part_and_once_for_all_walls(
    server, data, registry, viewer, client_for, hub  # noqa: F811
):  # fmt: skip
    for id in ("a", "b"):
        await asyncio.to_thread(registry.register, who("shop", id, ttl=60))
    await asyncio.to_thread(registry.register, who("mail", "m", ttl=60))
    wall = await opened(client_for, viewer, address(server))
    narrow = await opened(client_for, viewer, address(server, "service:mail"))
    first = await told(wall, lambda parts: "c shop" in parts)
    assert first["shape"] == [["worst", ["mail", "shop"], []]]
    assert {name for name in first if name.startswith("b shop ")} == {"b shop a", "b shop b"}
    assert first["b shop a"][1] == 60_000
    assert "c shop" not in await told(narrow, lambda parts: "c mail" in parts)

    await asyncio.to_thread(registry.register, who("shop", "c", ttl=60))
    change = await told(wall, lambda parts: "c shop" in parts)

    assert "b shop c" in change and not {"c mail", "b mail m", "banners"} & set(change)
    assert "shape" not in change
    for _ in range(2):
        await asyncio.to_thread(registry.judge, "shop", "c", "refused", "no")
    down = await told(wall, lambda parts: "Critical since" in parts.get("c shop", ""))
    assert down["shape"] == [["worst", ["shop", "mail"], []]]
    for id in ("a", "b", "c"):
        await asyncio.to_thread(registry.deregister, "shop", id)
    await asyncio.to_thread(registry.forget, "shop")
    gone = await told(wall, lambda parts: "c shop" in parts and parts["c shop"] is None)
    assert gone["b shop a"] is None
    names = [one["name"] for one in await asyncio.to_thread(data.client_list)]
    assert names.count(NAME) <= 3
    await wall.leave()
    await narrow.leave()


def test_a_narrow_user_sees_what_it_may_and_which_right_is_missing(
    server, data, registry, viewer, client_for
):
    registry.register(who("shop", "s1"))
    data.execute_command(
        "ACL", "SETUSER", "narrow", "on", ">pw", "~*", "+ping", "+hello", "+sscan", "+zrange",
        "+hscan", "+hmget", "+client|setinfo", "+client|setname",
    )  # fmt: skip
    server.username = "narrow"
    server.set_secret("password", "pw")
    server.save()
    url = reverse("services:wall", args=["shop"])

    some = client_for(viewer).get(url).content.decode()
    data.execute_command("ACL", "SETUSER", "narrow", "-sscan")
    known.forget_all()
    nothing = client_for(viewer).get(url).content.decode()

    data.execute_command("ACL", "DELUSER", "narrow")
    assert "s1" in some and "Not everything may be read here." in some and "xrevrange" in some
    assert "Which services there are may not be read" in nothing and "sscan" in nothing
