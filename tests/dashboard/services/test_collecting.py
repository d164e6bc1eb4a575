"""Thousands of services, and floods of them: few round trips and statements, and a bounded SQL."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.accounts.models import User
from dashboard.servers import clients
from dashboard.servers.models import Server
from dashboard.services import history
from dashboard.services.history import bounds, collecting, loading, uptime
from dashboard.services.history.models import Change, Collecting, Followed
from dashboard.services.notices import settling
from dashboard.services.notices.models import Delivery, Kind, Rule
from redisops.connection import connect, measure
from redisops.connection.cost import Cost
from redisops.services import Keys, Registration, Registry, Sweeper, Terms
from redisops.services.naming import SERVICES
from tests.dashboard.conftest import assert_valid_html
from tests.redisops.windows import far_from_midnight
from tests.servers import RedisProcess

pytestmark = pytest.mark.django_db

MANY = int(os.environ.get("MANY_SERVICES", "300"))
"""Set it to 10,000 to see how long a storm over so many takes to be in SQL."""


@pytest.fixture(autouse=True)
def _no_places() -> None:
    collecting._places.clear()


@pytest.fixture
def registry(target: RedisProcess) -> Iterator[Registry]:
    with connect(target.url) as client:
        yield Registry(client)


def collect(server: Server) -> tuple[int, Cost]:
    """Once, in a loop of its own, every service listed; how many rows, and the server's cost."""

    for place in collecting._places.values():
        place.services = Registry(server.client()).services(10_000)
        place.listed = time.monotonic() + 60

    async def once() -> tuple[int, Cost]:
        client = server.async_client()
        try:
            with measure() as cost:
                return await collecting.collect(server, client), cost
        finally:
            await client.aclose()
            clients.forget_all()

    return async_to_sync(once)()


def named(number: int, service: str = "", **options: Any) -> Registration:
    return Registration(service or f"s{number:05}", f"i{number}", "10.0.0.1", 80, **options)


def test_a_storm_over_many_services_takes_few_round_trips_and_statements(
    server: Server, registry: Registry, target: RedisProcess
) -> None:
    for number in range(MANY):
        registry.register(named(number))
    assert collect(server)[0] == MANY
    for number in range(MANY):
        registry.drain(f"s{number:05}", f"i{number}")

    began = time.monotonic()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        count, cost = collect(server)
    took = time.monotonic() - began

    assert count == MANY
    parts = -(-MANY // collecting.READ_AT_ONCE)
    assert cost.round_trips == 1 + parts
    print(f"{count} changes kept in {took:.2f} s, {len(asked)} statements, {cost}")
    kinds = [one["sql"].split()[0] for one in asked]
    rows = connection.ops.bulk_batch_size(Change._meta.concrete_fields[1:], [None] * MANY)
    assert kinds.count("INSERT") <= -(-MANY // rows) * 2 + parts
    assert len(asked) - kinds.count("INSERT") <= 12 * parts
    quiet = CaptureQueriesContext(connection)
    with quiet:
        assert collect(server)[0] == 0
    assert len(quiet) == 0


def test_who_takes_turns_to_be_asked_was_watched_in_between(
    server: Server, registry: Registry, data: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With thousands of services their sweeps are asked in turns: that is no time unwatched."""
    monkeypatch.setattr(collecting, "SWEPT_AT_ONCE", 1)
    for number in range(2):
        registry.register(named(number))
    Sweeper(registry.client).look()
    collect(server)
    collect(server)
    [place] = collecting._places.values()
    keys = Keys("s00000").swept
    at = int(data.hget(keys, "at") or 0)

    data.hset(keys, "at", at + 25_000)  # it was swept all the time, and not asked for 20 s
    place.swept["s00000"] = (at / 1000, place.swept["s00000"][1] - 20)
    place.unbroken_since -= 60
    collect(server)

    assert not Change.objects.filter(state="unwatched").exists()
    data.hset(keys, "at", at + 60_000)  # and then by nobody
    collect(server)
    collect(server)
    assert [row.service for row in Change.objects.filter(state="unwatched")] == ["s00000"]


def test_names_and_registrations_without_end_do_not_fill_the_disk(
    server: Server, registry: Registry, data: redis.Redis, monkeypatch: pytest.MonkeyPatch,
    client_for: Callable[..., Client], viewer: User,
) -> None:  # fmt: skip
    far_from_midnight()
    monkeypatch.setattr(bounds, "MOST_FOLLOWED", 4)
    monkeypatch.setattr(bounds, "A_DAY", 10)
    monkeypatch.setattr(bounds, "A_DAY_OF_NEW", 6)
    told: list[int] = []
    monkeypatch.setattr(history, "listeners", [lambda rows: told.append(len(rows))])
    for name in ("old", "shop"):
        registry.register(named(1, name))
        collect(server)
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    Followed.objects.update(known_from=yesterday)
    collecting._places.clear()
    registry.deregister("old", "i1")
    for number in range(2):
        registry.register(named(number))
    assert collect(server)[0] == 3
    for name in ("old", "s00000", "s00001"):
        data.srem(SERVICES, name)  # gone, and their names with them
    for number in range(2, 4):
        registry.register(named(number))

    collect(server)  # 5 rows of services of today, and room for one row more

    assert set(Followed.objects.values_list("service", flat=True)) == {
        "old", "shop", "s00002", "s00003",
    }  # fmt: skip
    assert not Change.objects.filter(service__in=["s00000", "s00001"]).exists()
    for number in range(4, 7):
        registry.register(named(number))
    collect(server)  # one of them takes the place of "old"; there is none for the others
    book = Collecting.objects.get()
    assert (book.forgotten, book.beyond, Followed.objects.count()) == (3, 2, 4)
    assert not Change.objects.filter(service="old").exists()

    kept = Change.objects.count()
    for _ in range(3):
        registry.drain("s00002", "i2", "flood")
        registry.resume("s00002", "i2")
        collect(server)
    gaps = Change.objects.filter(service="s00002", event=Change.GAP)
    assert [row.why for row in gaps] == [
        "6 changes are left out: of one day a server's history takes 10."
    ]
    assert Change.objects.count() == kept + 1
    assert sum(told[-3:]) == 6  # who tells of trouble hears of each
    registry.drain("shop", "i1")
    collect(server)
    assert Change.objects.filter(service="shop", state="draining").count() == 1
    page = client_for(viewer).get("/servers/shop/services/changes/")
    assert_valid_html(page)
    text = page.content.decode()
    assert "left out today: a day takes 10" in text and "2 other services are not followed" in text
    assert "3 services are forgotten with all changes" in text
    Collecting.objects.update(day=yesterday.date())
    registry.drain("s00003", "i3")
    collect(server)  # another day begins
    assert Change.objects.filter(service="s00003", state="draining").exists()


def test_a_whole_service_that_leaves_at_once_is_one_incident_and_one_notification(
    server: Server, registry: Registry, target: RedisProcess
) -> None:
    """A third beats no more and dies, the others go silent and are kept: each is told once."""
    rule = Rule(server=server, name="All", severity="warning", wait=0, kind=Kind.WEBHOOK)
    rule.seal("http://127.0.0.1:1/", "")
    rule.save()
    many = 60
    registry.set_terms("big", Terms(share=0.5, floor=2))
    held = [registry.register(named(n, "big", ttl=300)) for n in range(many)]
    collect(server)
    assert len(held) == many
    with target.client() as plain:
        over = int(time.time() * 1000) - 1_000
        plain.zadd(Keys("big").lease, {f"i{n}": over for n in range(20)})
        sweeper = Sweeper(registry.client, ["big"], gap=1e6, hold=0)
        sweeper.look()
        plain.zadd(Keys("big").lease, {f"i{n}": over for n in range(20, many)})
        sweeper.look()
    collect(server)

    settling.settle()
    settling.settle()

    assert list(Delivery.objects.values_list("title", flat=True)) == [
        "big: 20 of 60 gone, self-preservation: 40 silent"
    ]
    body = Delivery.objects.get().body
    assert (body["counts"], len(body["instances"]), body["more"]) == (
        {"gone": 20, "silent": 40, "total": 60}, 20, 40,
    )  # fmt: skip
    assert not _record(registry, server).incidents  # nobody knows whether the silent ones live

    with target.client() as plain:
        plain.zadd(Keys("big").lease, {f"i{n}": 1 for n in range(20, many)})
        Sweeper(registry.client, ["big"], gap=1e6, hold=0).look()
    collect(server)
    settling.settle()

    assert Delivery.objects.count() == 1  # it is no worse than was told
    [incident] = _record(registry, server).incidents
    assert incident.end is None and incident.is_down and len(incident.instances) >= 40
    rows = Change.objects.filter(service="big")
    assert rows.count() == 3 * many - 20 and not rows.filter(event=Change.GAP).exists()


def _record(registry: Registry, server: Server) -> uptime.Record:
    now = time.time() + 1
    loaded = loading.load(server, "big", now)
    states = {one.id: (one.state, one.suspect) for one in registry.read("big").instances}
    return uptime.of_service(loaded.rows, loaded.known_from, now, states)
