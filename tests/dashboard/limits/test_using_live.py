"""The socket of a policy in use: each second once, gaps told, strangers refused."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
from channels.db import database_sync_to_async

from dashboard.accounts.models import User
from dashboard.limits import policies
from dashboard.limits.using import showing
from dashboard.routing import sockets
from dashboard.servers.live.hub import Hub
from redisops.limits.policies import Ban
from tests.dashboard.limits.using import CHECKOUT, request_of
from tests.dashboard.servers.conftest import hub  # noqa: F401 - a fixture
from tests.dashboard.servers.sockets import Socket


def _ban_ann(row):
    ban = Ban("ann", time.time() + 900, "scraping")
    new = dataclasses.replace(CHECKOUT, mode="shadow", banned=(ban,))
    policies.change(request_of(User.objects.create_superuser("admin")), row, new)


SOCKET = "/ws/servers/shop/limits/checkout/use/"


@pytest.fixture
def dial(settings, client_for):
    settings.ALLOWED_HOSTS = ["testserver"]

    async def make(user, address=SOCKET):
        return Socket(sockets, address, await _headers(user))

    @database_sync_to_async
    def _headers(user):
        client = client_for(user)
        name = settings.SESSION_COOKIE_NAME
        cookie = f"{name}={client.cookies[name].value}".encode()
        return [(b"host", b"testserver"), (b"cookie", cookie), (b"origin", b"http://testserver")]

    return make


@pytest.mark.django_db(transaction=True)
async def test_the_socket_tells_each_second_and_what_was_missed(row, hub, dial, viewer, told):  # noqa: F811
    await database_sync_to_async(told)(b"ann", "denied", 3)
    socket, second = await dial(viewer), await dial(viewer)
    assert (await socket.connect())[0] and (await second.connect())[0]

    state = await socket.message("state", 20)
    rows = (await socket.message("rows", 20))["rows"]
    assert set(state["parts"]) == {*showing.PARTS, "recent"}
    assert "enforced" in state["parts"]["mode"]
    await database_sync_to_async(_ban_ann)(row)
    while "mode" not in (changed := (await socket.message("state", 20))["parts"]):
        pass
    assert "shadow" in changed["mode"] and "v2" in changed["mode"]
    assert "Banned" in changed["exceptions"]
    assert "ann" in state["parts"]["tops"]
    assert [name for name, _ in rows] == [str(data[0]) for _, data in rows]
    assert len(Hub.here().readers) == 1, "one reader for both"
    since = int(rows[-1][0]) - 200
    resumed = await dial(viewer, f"{SOCKET}?after={since}")
    await resumed.connect()
    missed = (await resumed.message("rows", 20))["rows"]
    assert int(missed[0][0]) == since + 1, "no second is left out"
    ids = [int(name) for name, _ in missed]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    old = await dial(viewer, f"{SOCKET}?after={since - 3000}")
    await old.connect()
    gap = await old.message("gap", 20)
    assert gap["missed"] > 1000
    for one in (socket, second, resumed, old):
        await one.leave()


@pytest.mark.django_db(transaction=True)
async def test_the_socket_says_when_redis_is_away_and_catches_up(row, hub, dial, viewer, target):  # noqa: F811
    socket = await dial(viewer)
    await socket.connect()
    ids = [int(name) for name, _ in (await socket.message("rows", 20))["rows"]]
    target.pause()
    try:
        lost = await _until_source(socket, ids)
    finally:
        target.resume()
    back = await _until_source(socket, ids)
    ids += [int(name) for name, _ in (await socket.message("rows", 20))["rows"]]

    assert lost["ok"] is False and lost["sentence"]
    assert back["ok"] is True
    assert ids == list(range(ids[0], ids[0] + len(ids))), "every second came, once"
    await socket.leave()


async def _until_source(socket, ids):
    """The next word about the source; the seconds that come before it are added to ``ids``."""
    while True:
        output = await socket.receive_output(20)
        heard = json.loads(output["text"])
        for message in heard if isinstance(heard, list) else [heard]:
            if message["t"] == "source":
                return message
            ids += [int(name) for name, _ in message.get("rows", [])]


@pytest.mark.django_db(transaction=True)
async def test_strangers_and_unknown_policies_are_refused(row, hub, dial, stranger, viewer):  # noqa: F811
    assert await (await dial(stranger)).connect() == (False, 4404)
    unknown = "/ws/servers/shop/limits/none/use/"
    assert (await (await dial(viewer, unknown)).connect())[0] is False
    assert Hub.here().readers == {}
