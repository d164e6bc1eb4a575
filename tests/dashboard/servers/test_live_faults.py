"""Floods, cut connections, sockets that do not read, killed workers: nothing goes in silence."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import threading

import pytest
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.conf import settings as django_settings
from django.urls import path

from dashboard.routing import SameOrigin, SignedIn
from dashboard.servers.clients import NAME
from dashboard.servers.live import guard
from dashboard.servers.live.consumer import LiveConsumer, StreamTopic
from dashboard.servers.live.hub import Hub
from dashboard.servers.live.queues import QUEUE_BYTES, QUEUE_ROWS
from tests.dashboard.servers.sockets import Socket

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]
TAIL = "/ws/servers/shop/tail/"
HERE = b"http://testserver"


class Tail(LiveConsumer):
    """A stream of the server."""

    permission = "servers.view"

    async def follow(self):
        return StreamTopic(self.server, b"events")


APP = SameOrigin(SignedIn(URLRouter([path("ws/servers/<slug:slug>/tail/", Tail.as_asgi())])))


@pytest.fixture
def headers(client_for, viewer, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    name = django_settings.SESSION_COOKIE_NAME
    value = client_for(viewer).cookies[name].value
    return [
        (b"host", b"testserver"),
        (b"origin", HERE),
        (b"cookie", f"{name}={value}".encode()),
    ]


async def opened(headers, after=""):
    socket = Socket(APP, f"{TAIL}?after={after}" if after else TAIL, headers)
    assert (await socket.connect())[0]
    return socket


async def said(socket, seconds=20.0):
    """The next message, whatever it is."""
    if not socket._heard:
        output = await socket.receive_output(seconds)
        assert output["type"] == "websocket.send", output
        heard = json.loads(output["text"])
        socket._heard += heard if isinstance(heard, list) else [heard]
    return socket._heard.pop(0)


async def started():
    async with asyncio.timeout(20):
        while not (readers := list(Hub.here().readers.values())):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await readers[0]._started.wait()


def added(data, count, first=0):
    """Entries in pieces, so that readers have their turn."""
    ids = []
    for start in range(first, first + count, 100):
        pipe = data.pipeline(transaction=False)
        for n in range(start, min(start + 100, first + count)):
            pipe.xadd("events", {"n": n})
        ids += [one.decode() for one in pipe.execute()]
    return ids


async def test_twenty_cut_connections_in_a_flood_double_nothing_and_lose_nothing_in_silence(
    headers, data
):
    """What came and what a gap declares are all entries; each entry came once."""
    chance = random.Random(7)
    socket = await opened(headers)
    await started()
    ids = await asyncio.to_thread(added, data, 1)
    seen, gaps = [], []

    async def hear(done):
        while not done():
            message = await said(socket)
            if message["t"] == "rows":
                seen.extend(row[0] for row in message["rows"])
            elif message["t"] == "gap":
                gaps.append((message["after"], len(seen), message["missed"]))

    is_over = threading.Event()

    def flood():
        found = []
        while not is_over.is_set():
            found += added(data, 100, len(found))
        return found

    async with asyncio.timeout(60):
        await hear(lambda: seen == ids)
        flooding = asyncio.create_task(asyncio.to_thread(flood))
        try:
            for _ in range(20):
                enough = len(seen) + chance.randrange(1, 200)
                await hear(lambda enough=enough: len(seen) >= enough)
                await socket.leave()
                socket = await opened(headers, seen[-1])
        finally:
            is_over.set()
        ids += await flooding
        await hear(lambda: seen[-1] == ids[-1])
    await socket.leave()

    place = {one: number for number, one in enumerate(ids)}
    places = [place[one] for one in seen]
    assert places == sorted(set(places))
    covered = set(seen)
    for after, at, missed in gaps:
        hidden = ids[place[seen[at - 1]] + 1 : place[seen[at]]]
        assert after == seen[at - 1]
        assert missed in (None, len(hidden))
        covered |= set(hidden)
    assert covered == set(ids)


async def test_a_socket_that_does_not_read_in_a_flood_is_bounded_closed_and_alone(
    headers, data, monkeypatch
):
    assert guard.SEND_SECONDS >= 10
    assert guard.SEND_SECONDS + guard.SENDING_SECONDS <= 11
    sent, hung, cut = [], asyncio.Event(), asyncio.Event()

    class Line:
        """What Uvicorn has: a transport, which is aborted, or waits for its other side for ever."""

        def __init__(self):
            self.transport = self

        def get_extra_info(self, name):
            return None

        def abort(self):
            cut.set()

        async def send(self, event):
            sent.append(event["type"])
            if event["type"] in ("websocket.send", "websocket.close"):
                hung.set()
                await asyncio.sleep(60)

    incoming = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": TAIL, "query_string": b"", "headers": headers}
    stuck = asyncio.create_task(APP(scope, incoming.get, Line().send))
    async with asyncio.timeout(20):
        while "websocket.accept" not in sent:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (consumer,) = guard.Guard.here().sockets
    other = await opened(headers)
    await started()

    def flood():
        pipe = data.pipeline(transaction=False)
        for _ in range(3000):
            pipe.xadd("events", {"x": "y" * 2000})
        pipe.execute()

    flooding = asyncio.create_task(asyncio.to_thread(flood))
    heard = 0
    while heard < 3000:
        message = await said(other)
        heard += len(message["rows"]) if message["t"] == "rows" else message.get("missed") or 0
        assert consumer._queue.bytes <= QUEUE_BYTES
        assert consumer._queue.rows <= QUEUE_ROWS
    await flooding

    assert heard == 3000
    assert hung.is_set()
    monkeypatch.setattr(guard, "SEND_SECONDS", 0.0)
    await asyncio.wait_for(stuck, 20)
    assert sent[-1] == "websocket.close"
    await asyncio.wait_for(cut.wait(), 20)
    assert guard.Guard.here().sockets
    await other.leave()


async def test_two_hundred_sockets_with_monstrous_entries_are_one_reader_and_small_frames(
    headers, data
):
    """1 MB in a value, 10,000 fields, bytes that are no text: each socket hears the beginnings."""
    sockets = await asyncio.gather(*(opened(headers) for _ in range(200)))
    await started()

    def write():
        found = [data.xadd("events", {"big": b"\xff\x00<b>" * 200_000})]
        found.append(data.xadd("events", {f"f{n}": "v" * 20 for n in range(10_000)}))
        return [one.decode() for one in found]

    ids = await asyncio.to_thread(write)
    for socket in sockets:
        rows = []
        while len(rows) < 2:
            rows += (await socket.message("rows", 20))["rows"]
        assert [row[0] for row in rows] == ids
        assert len(json.dumps(rows)) < 20_000

    def readers():
        named = [one for one in data.client_list() if one["name"] == NAME]
        return sum(one["cmd"] in ("xread", "xread|block") for one in named)

    assert len(Hub.here().readers) == 1
    async with asyncio.timeout(20):  # between two blocking reads it is none
        while await asyncio.to_thread(readers) != 1:  # noqa: ASYNC110 - a server's state
            await asyncio.sleep(0.02)
    await asyncio.gather(*(socket.leave() for socket in sockets))


async def test_a_worker_that_was_killed_leaves_no_hole(headers, data):
    """The page comes to another process, whose hub has seen nothing, and goes on by its id."""
    socket = await opened(headers)
    await started()
    ids = await asyncio.to_thread(added, data, 10)
    seen = []
    while len(seen) < 10:
        seen += [row[0] for row in (await socket.message("rows", seconds=20))["rows"]]
    await Hub.here().close()
    await socket.leave()
    del Hub._hubs[asyncio.get_running_loop()]
    gc.collect()
    ids += await asyncio.to_thread(added, data, 200, 10)

    back = await opened(headers, seen[-1])
    while len(seen) < 210:
        message = await said(back)
        assert message["t"] != "gap"
        seen += [row[0] for row in message.get("rows", [])]

    assert seen == ids
    await back.leave()


async def test_rights_that_are_revoked_close_the_socket_in_a_flood(headers, data, viewer):
    from dashboard.servers.models import Grant

    socket = await opened(headers)
    await started()
    await asyncio.sleep(0.1)  # the guard listens by then; its timer would find it, too
    flooding = asyncio.create_task(asyncio.to_thread(added, data, 3000))
    await database_sync_to_async(Grant.objects.all().delete)()

    assert await socket.closed(seconds=20) == 4403
    await flooding
