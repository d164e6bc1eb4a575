"""A board while it is watched: rows as parts, what a look costs, what is said when it is gone."""

from __future__ import annotations

import asyncio

import pytest
from channels.db import database_sync_to_async
from django.urls import reverse

from dashboard.leaderboards.boards.models import Board
from dashboard.routing import sockets
from redisops import keys
from redisops.connection import measure
from tests.dashboard.servers.conftest import hub  # noqa: F401 - a fixture
from tests.dashboard.servers.sockets import Socket

KEY = b"game:scores"
HOSTILE = b"<img src=x>\xff"
pytestmark = [pytest.mark.django_db(transaction=True)]


def address(view: str = "0", key: bytes = KEY) -> str:
    return f"/ws/servers/shop/leaderboards/{keys.to_url(key)}/high/{view}/"


async def opened(client_for, person, view: str = "0") -> Socket:
    browser = await database_sync_to_async(client_for)(person)
    cookie = "; ".join(f"{name}={one.value}" for name, one in browser.cookies.items())
    headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"),
               (b"cookie", cookie.encode())]  # fmt: skip
    socket = Socket(sockets, address(view), headers)
    assert await socket.connect() == (True, None)
    return socket


async def told(socket: Socket, wanted) -> dict:
    """The parts as they are once ``wanted(parts)`` is so, each newest one over the older."""
    parts: dict = {}
    async with asyncio.timeout(20):
        while not wanted(parts):
            parts |= (await socket.message("state", 20))["parts"]
    return parts


@pytest.mark.asyncio
async def test_rows_come_as_they_change_and_only_those(server, data, viewer, client_for, hub):  # noqa: F811
    data.zadd(KEY, {f"p{n:02}": 100 - n for n in range(40)} | {HOSTILE: 99.5, "best": "inf"})
    socket = await opened(client_for, viewer)
    first = await told(socket, lambda parts: "r19" in parts)
    assert first["about"] == {"state": "ok", "size": 42, "words": ""}
    assert first["r0"][:5] == [keys.to_url(b"best"), "best", 1, "∞", "inf"]
    assert first["r2"][0] == keys.to_url(HOSTILE) and first["r20"] is None

    data.zincrby(KEY, 0.25, b"p01")
    change = (await socket.message("state", 20))["parts"]

    assert list(change) == ["r3"] and change["r3"][3] == "99.25"
    data.zincrby(KEY, 16.75, b"p17")
    moved = await told(socket, lambda parts: "r2" in parts)
    assert moved["r2"][1] == "p17" and not {"r0", "r1", "r20", "about"} & set(moved)
    data.zadd(KEY, {"far": -5})
    assert list((await socket.message("state", 20))["parts"]) == ["about"]
    await socket.leave()


@pytest.mark.asyncio
async def test_a_board_that_is_flushed_or_replaced_is_said_to_be(
    server, data, viewer, client_for, hub  # noqa: F811
):  # fmt: skip
    data.zadd(KEY, {"ann": 1})
    socket = await opened(client_for, viewer)
    await told(socket, lambda parts: "r0" in parts)

    data.flushall()
    gone = (await socket.message("state", 20))["parts"]
    data.set(KEY, "x")
    other = (await socket.message("state", 20))["parts"]
    data.delete(KEY)
    data.zadd(KEY, {"bob": 2})
    back = await told(socket, lambda parts: "r0" in parts)

    assert list(gone) == ["about"] and gone["about"]["state"] == "none"
    assert "flushed" in gone["about"]["words"]
    assert other["about"]["state"] == "type" and "another type" in other["about"]["words"]
    assert back["about"]["state"] == "ok" and back["r0"][1] == "bob"
    await socket.leave()


@pytest.mark.asyncio
async def test_a_member_is_watched_with_its_neighbours(server, data, viewer, client_for, hub):  # noqa: F811
    data.zadd(KEY, {f"p{n:02}": 100 - n for n in range(40)})
    socket = await opened(client_for, viewer, f"around.{keys.to_url(b'p20')}")
    first = await told(socket, lambda parts: "r20" in parts)
    assert (first["r0"][1], first["r10"][1], first["r20"][1]) == ("p10", "p20", "p30")

    data.zrem(KEY, "p20")

    assert (await told(socket, lambda parts: "about" in parts))["about"]["state"] == "away"
    await socket.leave()


@pytest.mark.asyncio
async def test_a_look_costs_one_trip_of_two_commands(server, data, hub):  # noqa: F811
    from dashboard.leaderboards.boards.live import BoardTopic
    from dashboard.leaderboards.boards.places import Place
    from dashboard.leaderboards.boards.reading import View

    data.zadd(KEY, {f"p{n}": n for n in range(3_000)})
    data.hset("names", mapping={"p2999": "Ann"})
    board = Board(name="Arena", key=KEY, details=b"names", pk=1)
    board.changed = board.created = __import__("datetime").datetime.now()
    topic = BoardTopic(Place(server, KEY, board), View())
    first = await topic._look()

    with measure() as cost:
        quiet = await topic._look()

    assert first["r0"][5] == "Ann" and quiet == {}
    assert (cost.commands, cost.round_trips) == (2, 1)
    around = BoardTopic(Place(server, KEY), View(around=b"p1500"))
    assert (await around._look())["r10"][1] == "p1500"
    with measure() as cost:
        assert await around._look() == {}
    assert (cost.commands, cost.round_trips) == (1, 1)


@pytest.mark.asyncio
async def test_strangers_and_odd_addresses_get_no_socket(server, stranger, viewer, client_for, hub):  # noqa: F811
    for person, view, code in ((stranger, "0", 4404), (viewer, "!", 1011)):
        browser = await database_sync_to_async(client_for)(person)
        cookie = "; ".join(f"{name}={one.value}" for name, one in browser.cookies.items())
        headers = [(b"host", b"testserver"), (b"origin", b"http://testserver"),
                   (b"cookie", cookie.encode())]  # fmt: skip
        socket = Socket(sockets, address(view), headers)

        assert await socket.connect() == (False, code)
    assert reverse("leaderboards:index", args=["shop"])
