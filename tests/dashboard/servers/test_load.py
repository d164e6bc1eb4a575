"""Ceilings for the console's own work, and the switch that stops all of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
import redis
from django.test import Client
from django.urls import reverse

from dashboard.accounts.models import User
from dashboard.audit.models import Entry
from dashboard.servers import home, load, tasks
from dashboard.servers.live.topics import StreamTopic
from dashboard.servers.load import WorkStopped, watching
from dashboard.servers.models import Server
from dashboard.servers.sampling import sampler
from tests.dashboard.conftest import assert_valid_html
from tests.servers import RedisProcess

ClientFor = Callable[[User | None], Client]
STOP, RESUME, KEYS = "/servers/shop/stop/", "/servers/shop/resume/", "/servers/shop/keys/"


@pytest.fixture
def stopped(server: Server, operator: User, client_for: ClientFor) -> Client:
    """The operator's browser, who has just stopped all work."""
    browser = client_for(operator)
    browser.post(STOP, {"reason": "Black Friday <b>"})
    return browser


def commands(process: RedisProcess) -> int:
    """What clients of the console sent so far: everything but this question."""
    with process.client() as plain:
        stats = plain.info("commandstats")
    known = {name: found["calls"] for name, found in stats.items() if name.startswith("cmdstat_")}
    return sum(calls for name, calls in known.items() if not re.search("info|client|hello", name))


def test_a_server_has_its_ceilings(server: Server) -> None:
    assert load.share_of(server) == (None, 0.05)
    assert load.share_of(server, 500, at_once=2) == (500, 0.025)
    server.load_share, server.load_commands = 100, 1000
    assert load.share_of(server, 2000, at_once=2) == (500, None)
    assert load.pace(server, 100).ceiling == "100 commands/s"


def test_nothing_is_handed_out_and_every_page_says_why(
    stopped: Client, server: Server, target: RedisProcess
) -> None:
    row = Server.objects.get(pk=server.pk)
    with pytest.raises(
        WorkStopped, match=r"Console work on Shop is stopped by operator since .*Black"
    ):
        row.client()
    before = commands(target)
    answer = stopped.get(KEYS)
    assert answer.status_code == 503
    assert_valid_html(answer)
    text = answer.content.decode()
    assert "Console work on Shop is stopped" in text and "Black Friday &lt;b&gt;" in text
    assert "Resume console work" in text and "<b>nothing</b>" in text
    strip = stopped.get(KEYS, headers={"HX-Request": "true"})
    assert strip["HX-Retarget"] == "#strip" and "Black Friday" in strip.content.decode()
    as_json = stopped.get(KEYS, headers={"Accept": "application/json"}).json()
    assert as_json["error"] == "stopped"
    overview = stopped.get("/servers/shop/")
    assert overview.status_code == 200 and "Work stopped" in overview.content.decode()
    assert_valid_html(overview)
    assert "Work stopped" in stopped.get("/servers/").content.decode()
    assert commands(target) == before


def test_the_sampler_leaves_it_alone(stopped: Client, server: Server, target: RedisProcess) -> None:
    home.ensure()
    assert [one.slug for one in tasks.watched()] == ["home"]
    before = commands(target)
    sampler.current([Server.objects.get(pk=server.pk)])
    assert commands(target) == before


@pytest.mark.django_db(transaction=True)
async def test_a_live_reader_that_has_its_client_stops_too(
    server: Server, data: redis.Redis
) -> None:
    data.xadd("s", {"a": "1"})
    reading = StreamTopic(server, b"s").read(None)
    await anext(reading)
    await Server.objects.filter(pk=server.pk).aupdate(stopped_by="anna", stopped_at=server.created)
    await watching.look()  # as the guard of open sockets does
    with pytest.raises(WorkStopped, match="anna"):
        await asyncio.wait_for(anext(reading), 10)
    await Server.objects.filter(pk=server.pk).aupdate(stopped_at=None)
    await watching.look()
    await anext(StreamTopic(server, b"s").read(None))


def test_work_is_resumed_by_whoever_may(
    stopped: Client, server: Server, viewer: User, client_for: ClientFor
) -> None:
    looking = client_for(viewer)
    assert "Resume console work" not in looking.get(KEYS).content.decode()
    assert looking.post(RESUME).status_code == 403
    back = stopped.post(RESUME, {"back": KEYS})
    assert back["Location"] == KEYS
    assert stopped.get(KEYS).status_code == 200
    told = Entry.objects.filter(actor="operator").order_by("number")
    assert [(one.action, one.reason) for one in told] == [
        ("servers.stop", "Black Friday <b>"), ("servers.resume", ""),
    ]  # fmt: skip
    assert stopped.post(RESUME, {"back": "//evil.example/"})["Location"] == "/servers/shop/"


def test_it_is_not_stopped_without_a_reason_nor_home_at_all(
    server: Server, owner: User, client_for: ClientFor
) -> None:
    browser = client_for(owner)
    assert browser.get(STOP).status_code == 200
    assert browser.post(STOP, {"reason": "  "}).status_code == 422
    server.refresh_from_db()
    assert not server.is_stopped
    home.ensure()
    assert browser.post("/servers/home/stop/", {"reason": "why"}).status_code == 409
    assert not Server.objects.get(slug="home").is_stopped


def test_ceilings_are_set_with_the_server(
    server: Server, owner: User, client_for: ClientFor
) -> None:
    browser = client_for(owner)
    url = reverse("servers:update", args=["shop"])
    form = {"name": "Shop", "kind": "standalone", "nodes": server.nodes, "watched": "on"}
    browser.post(url, {**form, "load_share": "2.5", "load_commands": "800"})
    server.refresh_from_db()
    assert (server.load_share, server.load_commands) == (2.5, 800)
    assert browser.post(url, {**form, "load_share": "0"}).status_code == 422
    assert browser.post(url, {**form, "load_commands": "5"}).status_code == 422
    browser.post(url, form)
    server.refresh_from_db()
    assert (server.load_share, server.load_commands) == (5.0, None)
