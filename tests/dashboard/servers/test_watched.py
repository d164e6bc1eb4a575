"""The page of what live pages make this console read, over all its web processes."""

from __future__ import annotations

import asyncio
import time

import pytest
from channels.db import database_sync_to_async

from dashboard.servers.live import figures
from dashboard.servers.live.hub import Batch, Hub, Row
from dashboard.servers.live.queues import QUEUE_ROWS, Queue
from dashboard.servers.live.topics import StreamTopic
from tests.dashboard.conftest import assert_valid_html

pytestmark = pytest.mark.django_db(transaction=True)


class Flood:
    """A topic that gives rows at once, each for five."""

    key = ("stream", "shop", b"<b>loud\xff")

    def __init__(self, server):
        self.server = server

    async def read(self, after):
        yield Batch([Row(f"{n}-0", "x", 5) for n in range(QUEUE_ROWS + 100)])
        await asyncio.sleep(60)

    async def since(self, after, until, limit):
        return Batch()


async def test_what_every_process_reads_is_on_one_page(
    hub, server, target, data, client_for, owner, viewer, monkeypatch
):
    monkeypatch.setattr(figures, "EVERY", 0.02)
    other = Hub()  # a second web process
    flood, slow = Flood(server), Queue()
    await hub.join(flood, slow)
    for _ in range(2):
        await other.join(StreamTopic(server, b"orders"), Queue())
    try:
        async with asyncio.timeout(20):
            told = []
            while sum(one.rows + one.dropped for each in told for one in each.topics) < 6751:
                await asyncio.to_thread(data.xadd, "orders", {"n": 1})
                told = await asyncio.to_thread(figures.told)
    finally:
        await other.close()
    topics = {one.name: one for process in told for one in process.topics}
    loud = topics[r"<b>loud\xff"]

    answer = await database_sync_to_async(lambda: client_for(owner).get("/live/"))()

    assert len(told) == 2
    assert (topics["orders"].viewers, topics["orders"].server) == (2, "Shop")
    assert (loud.kind, loud.viewers) == ("Stream", 1)
    assert (loud.rows, loud.left_out, loud.dropped) == (5500, 4400, 1250)
    text = answer.content.decode()
    assert_valid_html(answer)
    assert r"&lt;b&gt;loud\xff" in text
    assert "3 viewers of 2 topics" in text
    refused = await database_sync_to_async(lambda: client_for(viewer).get("/live/"))()
    assert refused.status_code == 403


async def test_a_silent_process_is_not_shown_and_nobody_is_said(hub, server, client_for, owner):
    telling = figures.Telling()
    await telling._write(figures.Process("gone", time.time() - figures.STALE - 1))
    assert await asyncio.to_thread(figures.told) == []

    answer = await database_sync_to_async(lambda: client_for(owner).get("/live/"))()

    assert "No live page is open" in answer.content.decode()
    assert_valid_html(answer)


async def test_without_home_live_pages_go_on(hub, server, home_process, monkeypatch):
    monkeypatch.setattr(figures, "EVERY", 0.01)
    home_process.pause()
    try:
        queue = Queue()
        await hub.join(StreamTopic(server, b"orders"), queue)
        await asyncio.sleep(0.1)
        assert not hub._telling._task.done()
    finally:
        home_process.resume()
