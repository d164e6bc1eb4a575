"""Changes collected once, gaps told, uptime and incidents out of every change."""

from __future__ import annotations

import copy
import datetime
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.test import Client

from dashboard.accounts.models import User
from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.services import history
from dashboard.services.history import collecting, keeping, loading
from dashboard.services.history.models import Change, Collecting, Followed
from dashboard.services.history.names import InstanceName, ServiceName
from dashboard.services.history.spells import ABSENT, DOWN, UNKNOWN, UP, Row, spells
from dashboard.services.history.uptime import DAY, of_instance, of_service
from redisops.connection import connect
from redisops.services import Keys, Registration, Registry, Sweeper
from tests.servers import RedisProcess

PAY = Registration("pay", "p1", "10.0.0.1", 8000)
KEYS = Keys("pay")


def collect(server: Server) -> int:
    """Once, in a loop of its own, whose clients end with it."""

    async def once() -> int:
        client = server.async_client()
        try:
            return await collecting.collect(server, client)
        finally:
            await client.aclose()
            clients.forget_all()

    for place in collecting._places.values():
        place.listed = float("-inf")
    return async_to_sync(once)()


@pytest.fixture(autouse=True)
def _no_places() -> None:
    collecting._places.clear()


@pytest.fixture
def registry(target: RedisProcess) -> Any:
    client = connect(target.url)
    yield Registry(client)
    client.close()


def kept() -> list[tuple[str, str, str, int]]:
    return [
        (row.instance, row.event, row.state, row.version) for row in Change.objects.order_by("pk")
    ]


@pytest.mark.django_db
def test_each_change_is_kept_once_and_told_in_its_transaction(
    server: Server, registry: Registry, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Sequence[Change]] = []
    monkeypatch.setattr(history, "listeners", [told.append])
    registry.register(PAY, why="a\x00b <i>")
    registry.drain("pay", "p1", "deploy")
    data.sadd("svc:services", b"\xff\x00", "nobody")

    assert collect(server) == 2
    assert collect(server) == 0
    collecting._places.clear()  # another process, which begins with what SQL holds
    assert collect(server) == 0
    registry.resume("pay", "p1")
    assert collect(server) == 1

    assert [row[1:] for row in kept()] == [
        ("service_registered", "passing", 1), ("service_changed", "draining", 2),
        ("service_up", "passing", 3),
    ]  # fmt: skip
    assert [len(rows) for rows in told] == [2, 1] and all(row.pk for row in told[0])
    assert Change.objects.order_by("pk")[0].why == "ab <i>"
    follower = Followed.objects.get()
    assert (follower.version, follower.epoch) == (3, data.get(KEYS.epoch).decode())

    [stale] = [copy.deepcopy(place) for place in collecting._places.values()]
    registry.reweigh("pay", "p1", 3)
    assert collect(server) == 1
    [key] = collecting._places
    collecting._places[key] = stale  # another collector, which stood where this one did
    assert collect(server) == 0 and Change.objects.count() == 4

    def refuses(rows: Sequence[Change]) -> None:
        raise RuntimeError("not now")

    monkeypatch.setattr(history, "listeners", [refuses])
    registry.drain("pay", "p1")
    with pytest.raises(RuntimeError):
        collect(server)
    assert Change.objects.count() == 4
    monkeypatch.setattr(history, "listeners", [])
    assert collect(server) == 1 and Change.objects.count() == 5


@pytest.mark.django_db
def test_what_is_not_known_is_told(
    server: Server, registry: Registry, data: redis.Redis, target: RedisProcess
) -> None:
    registry.register(PAY)
    collect(server)
    registry.drain("pay", "p1")
    registry.resume("pay", "p1")
    [_, second, _] = data.xrange(KEYS.events)
    data.xdel(KEYS.events, second[0])
    collect(server)
    assert [row[1:] for row in kept()][1:] == [
        ("gap", "missed", 2),
        ("service_up", "passing", 3),
    ]
    gap = Change.objects.get(state="missed")
    assert gap.since is not None and gap.since <= gap.at

    data.delete(KEYS.events)
    data.set(KEYS.events, "no stream")
    registry.drain("pay", "p1")  # the registry goes on without its stream
    collect(server)
    assert (
        Change.objects.order_by("-pk")[0].version == 4
        and "WRONGTYPE" in Change.objects.order_by("-pk")[0].why
    )

    data.flushall()
    registry.register(PAY)
    collect(server)
    rows = list(Change.objects.order_by("pk"))
    assert [(one.state, one.version) for one in rows[-2:]] == [("lost", 0), ("passing", 1)]
    assert rows[-1].epoch != rows[0].epoch

    data.set(KEYS.ver, 0)  # a copy that knew less took over: versions come again
    data.delete(KEYS.events)
    registry.drain("pay", "p1")
    registry.resume("pay", "p1")
    collect(server)
    collect(server)
    rows = list(Change.objects.order_by("pk"))
    assert [(one.state, one.version) for one in rows[-3:]] == [
        ("lost", 0), ("draining", 1), ("passing", 2)
    ]  # fmt: skip
    assert len({(one.epoch, one.version) for one in rows}) == len(rows)


@pytest.mark.django_db
def test_a_time_without_a_sweep_is_not_known(
    server: Server, registry: Registry, data: redis.Redis
) -> None:
    registry.register(PAY)
    Sweeper(registry.client, ["pay"]).look()
    collect(server)
    at = int(data.hget(KEYS.swept, "at"))
    assert Collecting.objects.get().swept == datetime.datetime.fromtimestamp(
        at / 1000, datetime.UTC
    )
    collecting._places.clear()
    data.hset(KEYS.swept, "at", at + 30_000)

    assert collect(server) == 1
    assert collect(server) == 0

    gap = Change.objects.get(state="unwatched")
    assert gap.version == -(at + 30_000)
    assert gap.since is not None and (gap.at - gap.since).total_seconds() == 30


def change(
    at: float, who: str, origin: str, state: str, why: str = "", *, suspect: bool = False
) -> Row:
    return Row(at, who, origin, state, suspect, why)


def gap(since: float, at: float, kind: str) -> Row:
    return Row(at, "", "", kind, suspect=False, why="", since=since, event="gap")


def test_spells_know_what_was_and_what_nobody_knows() -> None:
    rows = [
        change(10, "a", "none", "passing"), change(20, "a", "passing", "critical"),
        change(30, "a", "critical", "gone", "its check fails"), change(40, "a", "none", "passing"),
        gap(45, 50, "missed"), change(60, "a", "warning", "passing"), gap(62, 66, "unwatched"),
        change(70, "a", "passing", "passing", suspect=True), gap(80, 90, "lost"),
        change(95, "a", "none", "passing"), change(97, "a", "passing", "gone", "deregistered"),
    ]  # fmt: skip

    found = [(one.start, one.end, one.kind) for one in spells(rows, 0, 100, None)]

    assert found == [
        (0, 10, ABSENT), (10, 20, UP), (20, 30, DOWN), (30, 40, DOWN), (40, 45, UP),
        (45, 50, UNKNOWN), (50, 62, UP), (62, 66, UNKNOWN), (66, 70, UP), (70, 95, UNKNOWN),
        (95, 97, UP), (97, 100, ABSENT),
    ]  # fmt: skip


def test_uptime_is_exact_and_leaves_out_what_is_not_known() -> None:
    now = 100 * DAY
    rows = [
        change(now - 3600, "a", "passing", "critical", "refused"),
        change(now - 1800, "a", "critical", "passing"),
        gap(now - 900, now - 600, "unwatched"),
    ]

    record = of_instance(rows, now - 7200, now, ("passing", False))
    day, week, month = record.uptimes

    assert (day.up, day.down, day.unknown) == (7200 - 1800 - 300, 1800, DAY - 7200 + 300)
    assert week.percent == day.percent == month.percent == pytest.approx(5100 / 6900 * 100)
    assert day.words == "73.91%" and day.told == "73.91% of 1 h 55 min"
    assert [one.is_repeat for one in record.uptimes] == [False, True, True]
    assert [kind for _, kind, _ in record.bars] == ["n"] * 22 + ["u", "x"]
    assert record.bars[0][2] == "24 h to 23 h ago: not known"
    assert sum((day.up, day.down, day.unknown, day.neither)) == DAY
    moment = of_instance([change(now - 9, "a", "critical", "passing"),
                          change(now - 10, "a", "passing", "critical")][::-1],
                         0, now, ("passing", False))  # fmt: skip
    assert moment.uptimes[0].told == "99.99%" and len(moment.bars) == 24
    blind = of_instance([], 0, now, ("passing", False), watched=now - 60)
    assert blind.uptimes[0].unknown == 60


def test_a_service_is_down_while_nobody_is_up_and_incidents_say_since_when() -> None:
    now = 100 * DAY
    rows = [
        change(now - 500, "a", "passing", "critical", "refused"),
        change(now - 400, "b", "passing", "gone", "lease over"),
        change(now - 300, "b", "none", "passing"),
        change(now - 200, "a", "critical", "passing"),
        change(now - 100, "b", "passing", "draining"),
        change(now - 90, "b", "draining", "gone", "deregistered"),
        change(now - 50, "a", "passing", "gone", "silent for too long"),
    ]

    record = of_service(rows, 0, now, {})

    assert record.uptimes[0].down == 100 + 50
    assert [(one.start, one.end, one.is_down, one.instances) for one in record.incidents] == [
        (now - 50, None, True, ("a",)), (now - 500, now - 200, True, ("a", "b")),
    ]  # fmt: skip
    assert record.incidents[1].cause == rows[0]
    many = [change(now - 99 + n / 100, f"m{n}", "passing", "gone", "lease over") for n in range(9)]
    [together] = of_service(many, 0, now, {}).incidents
    assert len(together.instances) == 9 and together.start == many[-1].at
    left = of_service([change(now - 10, "a", "draining", "gone", "bye")], 0, now, {})
    assert left.uptimes[0].down == 0 and not left.incidents


def test_an_instance_that_hung_is_an_incident_of_its_own() -> None:
    now = 100 * DAY
    rows = sorted([
        change(now - 1000, "hung", "passing", "gone", "lease over"),
        change(now - 507, "hung", "none", "passing"),
        *(change(now - 900 + 60 * n, "turns", "passing", "critical", "slow") for n in range(5)),
        *(change(now - 880 + 60 * n, "turns", "critical", "passing") for n in range(5)),
        change(now - 9_000, "turns", "passing", "critical", "slow"),
        change(now - 8_995, "turns", "critical", "gone", "its check fails"),
        change(now - 8_000, "turns", "none", "passing"),
        change(now - 7_000, "away", "passing", "gone", "lease over"),
        change(now - 6_000, "drained", "draining", "gone", "lease over"),
        change(now - 40, "fails", "passing", "critical", "refused"),
    ])  # fmt: skip
    up = ("passing", False)

    record = of_service(
        rows, 0, now, {"hung": up, "turns": up, "b": up, "fails": ("critical", False)}
    )

    found = {(one.instance, one.start): one for one in record.troubles}
    assert [one.instance for one in record.troubles] == ["fails", "hung", "turns", "away", "turns"]
    hung = found["hung", now - 1000]
    assert (hung.end, hung.down, hung.word, hung.shape) == (now - 507, 493, "Gone", "warn")
    assert hung.cause is not None and hung.cause.why == "lease over"
    turns = found["turns", now - 900]
    assert (turns.times, turns.down, turns.end, turns.word) == (5, 100, now - 640, "Critical")
    both = found["turns", now - 9_000]
    assert (both.times, both.down, both.word, both.end) == (1, 1000, "Gone", now - 8_000)
    assert found["fails", now - 40].is_missed and found["fails", now - 40].shape == "bad"
    away = found["away", now - 7_000]
    assert away.is_open and not away.is_missed, "nobody waits for it any more"
    assert not any("hung" in one.instances for one in record.incidents), "others were up"
    lost = of_instance([rows[3], gap(now - 6_500, now - 6_000, "lost")], 0, now, up)
    assert [(one.end, one.is_open, one.down) for one in lost.troubles] == [(None, False, 500)]


@pytest.mark.django_db
def test_a_change_tells_how_long_the_trouble_lasted(
    server: Server, client_for: Callable[..., Client], viewer: User
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    version = itertools.count(1)

    def add(ago: float, who: str, origin: str, state: str, why: str = "", event: str = "x") -> None:
        Change.objects.create(
            server=server, service="pay", instance=who, epoch="e", version=next(version),
            event=event, from_state=origin, state=state, why=why,
            at=now - datetime.timedelta(seconds=ago),
        )  # fmt: skip

    add(900, "p1", "passing", "critical", "refused")
    add(897, "p1", "critical", "critical", "another weight")
    add(895, "p1", "critical", "gone", "its check fails")
    add(402, "p1", "none", "passing")
    add(390, "p2", "passing", "critical", "slow")
    add(386, "p2", "critical", "passing")
    add(380, "p3", "passing", "gone", "lease over")
    add(370, "", "", "lost", event="gap")
    add(360, "p3", "none", "passing")
    add(350, "p4", "draining", "gone", "bye")
    add(340, "p4", "none", "passing")

    text = client_for(viewer).get("/servers/shop/services/changes/").content.decode()

    said = [" ".join(re.sub("<[^>]+>", " ", one).split()) for one in text.split("<tr>")[2:]]
    words = [re.sub(r"^.*?(p\d )", r"\1", one) for one in said if " p" in one]
    assert [one.split(" pay")[0] for one in words if one[0] == "p"] == [
        "p4 arrived and is passing", "p4 left", "p3 arrived and is passing", "p3 is gone",
        "p2 is passing again, after 4 s", "p2 is critical, for 4 s",
        "p1 is back after 8 min 13 s and is passing", "p1 is gone; back after 8 min 13 s",
        "p1 changed", "p1 is critical, for 5 s",
    ]  # fmt: skip


@pytest.mark.django_db
def test_old_rows_go_and_the_pages_know_from_when_on(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    Followed.objects.create(
        server=server, service="pay", epoch="e", known_from=now - datetime.timedelta(days=90)
    )
    Change.objects.bulk_create(
        Change(server=server, service="pay", instance="a", epoch="e", version=n, state="passing",
               event="service_changed", at=now - datetime.timedelta(days=n))
        for n in range(60)
    )  # fmt: skip

    assert keeping.tidy(now) == 60 - 36
    monkeypatch.setattr(keeping, "MOST", 9)
    assert keeping.tidy(now) == 26

    loaded = loading.load(server, "pay", now.timestamp())
    assert len(loaded.rows) == 10
    assert loaded.known_from == pytest.approx(now.timestamp() - 9 * DAY)


def test_every_name_is_one_part_of_an_address() -> None:
    for name in ("a/b", "..", "checks", "~x", "x?y#z%2F", "plain-1", "10.0.0.1:8000"):
        text = InstanceName().to_url(name)
        assert "/" not in text and InstanceName().to_python(text) == name
    assert ServiceName().to_url("changes") != "changes"
    for bad in ("~!", "~YQ", "a b", "~", "~4pyT"):
        if bad == "~YQ":
            assert InstanceName().to_python(bad) == "a"
            continue
        with pytest.raises(ValueError):
            InstanceName().to_python(bad)
