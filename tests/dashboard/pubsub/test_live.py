"""One subscription for all who listen; every message shown, or counted, or said to be missed."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from django.conf import settings

from dashboard.pubsub.collecting import LANES, ROWS, Collector
from dashboard.pubsub.live import FeedTopic, parted
from dashboard.pubsub.wanted import Wanted
from dashboard.servers.live import hub as hubs
from dashboard.servers.live.hub import Hub
from redisops import keys
from redisops.pubsub.model import Message

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]
ROOT = "/ws/servers/shop/pubsub/"


def feed(kind="pattern", name=b"*"):
    return f"{ROOT}{kind}/{keys.to_url(name)}/"


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - a server's state
            await asyncio.sleep(0.02)


async def listens(data, count=1):
    """The server has that many subscriptions to patterns (each reader is one)."""
    await until(lambda: data.pubsub_numpat() == count)


async def rows(socket, count):
    """Rows until they stand for that many messages."""
    found = []
    while sum(1 + row[1][7] for row in found) < count:
        found += (await socket.message("rows", seconds=20))["rows"]
    return found


async def test_messages_of_any_bytes_come_as_text_and_none_of_the_consoles_own(dial, viewer, data):
    socket = await dial(viewer, feed())
    assert (await socket.connect())[0]
    await listens(data)
    own = settings.HOME_PREFIX.encode()
    for channel, message in [
        (b"a", b"plain"), (own + b"channels__group__x", b"secret"),
        (b"__keyspace@0__:" + own + b"session", b"set"), (b"<b>\xff", b'{"a": 1}'),
        (b"/0.celeryev/x", bytes(range(256)) * 40),
    ]:  # fmt: skip
        data.publish(channel, message)

    found = await rows(socket, 3)

    shown = [row[1][1:4] for row in found]
    assert shown == [["a", "", "*"], [r"<b>\xff", "", "*"], ["/0.celeryev/x", "celery", "*"]]
    assert found[0][1][4:] == ["plain", "", 5, 0]
    assert found[1][1][5] == "JSON"
    assert (found[2][1][6], len(found[2][1][4]) < 3000) == (256 * 40, True)
    await socket.leave()


async def test_many_who_listen_are_one_subscription_and_none_after_the_last(
    dial, viewer, data, monkeypatch
):
    monkeypatch.setattr(hubs, "LINGER", 0.05)
    sockets = [await dial(viewer, feed("channel", b"orders")) for _ in range(20)]
    for socket in sockets:
        await socket.connect()
    await until(lambda: data.pubsub_numsub("orders") == [(b"orders", 1)])

    assert data.publish("orders", "one") == 1
    for socket in sockets:
        assert (await rows(socket, 1))[0][1][4] == "one"
        await socket.leave()
    await until(lambda: data.pubsub_numsub("orders") == [(b"orders", 0)])
    assert Hub.here().readers == {}


async def test_a_flood_is_capped_and_every_message_counted(dial, viewer, data):
    socket = await dial(viewer, feed())
    await socket.connect()
    await listens(data)

    def flood():
        pipe = data.pipeline(transaction=False)
        for n in range(5000):
            pipe.publish("loud", n)
            if n % 1000 == 0:
                pipe.publish("quiet", n)
        pipe.execute()

    await asyncio.to_thread(flood)
    found = await rows(socket, 5005)

    assert sum(1 + row[1][7] for row in found) == 5005
    assert len(found) < 2500  # 25 ten times a second, however long it takes to hear them
    assert len([row for row in found if row[1][1] == "quiet"]) == 5
    state = (await socket.message("state", seconds=20))["parts"]
    assert "channels" in state
    await socket.leave()


async def test_a_broken_subscription_is_told_with_its_times(dial, viewer, data, target):
    socket = await dial(viewer, feed())
    await socket.connect()
    await listens(data)
    began = time.time()
    data.publish("a", "before")
    (first,) = await rows(socket, 1)
    target.kill()
    assert (await socket.message("source", seconds=20))["ok"] is False
    await asyncio.to_thread(target.start)

    gap = await socket.message("gap", seconds=20)

    assert (gap["why"], gap["missed"], gap["after"]) == ("unheard", None, first[0])
    assert began - 1 <= gap["since"] <= gap["until"] <= time.time() + 1
    await listens(data)
    data.publish("a", "after")
    assert (await rows(socket, 1))[0][1][4] == "after"
    await socket.leave()


async def test_who_comes_back_gets_what_was_heard_meanwhile_or_is_told_the_times(
    dial, viewer, data
):
    socket, other = await dial(viewer, feed()), await dial(viewer, feed())
    await socket.connect()
    await other.connect()
    await listens(data)
    data.publish("a", "1")
    (first,) = await rows(socket, 1)
    await socket.leave()
    data.publish("a", "2")
    await rows(other, 2)

    back = await dial(viewer, f"{feed()}?after={first[0]}")
    await back.connect()
    assert [row[1][4] for row in await rows(back, 1)] == ["2"]
    await back.leave()
    await other.leave()
    await Hub.here().close()  # as a worker that was killed: what it had heard is gone
    late = await dial(viewer, f"{feed()}?after={first[0]}")
    await late.connect()

    gap = await late.message("gap", seconds=20)

    assert (gap["why"], gap["missed"]) == ("unheard", None)
    assert gap["since"] == parted(first[0])[0]
    assert gap["until"] <= time.time() + 1
    await late.leave()


async def test_the_list_follows_who_subscribes(dial, viewer, data, monkeypatch):
    monkeypatch.setattr("dashboard.pubsub.live.EVERY", 0.1)
    socket = await dial(viewer, ROOT)
    await socket.connect()
    assert "No channel has" in (await socket.message("state", seconds=20))["parts"]["channels"]
    someone = data.pubsub()
    someone.subscribe("<i>orders")

    parts = (await socket.message("state", seconds=20))["parts"]
    while "orders" not in parts["channels"]:
        parts = (await socket.message("state", seconds=20))["parts"]

    assert "&lt;i&gt;orders" in parts["channels"]
    assert re.match("1 channel with subscribers", parts["verdict"])
    someone.close()
    await socket.leave()


async def test_the_own_channels_and_nonsense_are_refused(dial, viewer, stranger, server):
    own = settings.HOME_PREFIX.encode() + b"x"
    for address in (feed("channel", own), feed("nonsense", b"a"), f"{ROOT}channel/!/"):
        assert await (await dial(viewer, address)).connect() == (False, 1011)
    assert await (await dial(stranger, feed())).connect() == (False, 4404)


async def test_an_id_that_is_none_is_a_gap_not_a_fault(server):
    topic = FeedTopic(server, Wanted("pattern", b"*"))
    for bad in ("x", "1-2", "1-2-3-4", "a-b-c", "--"):
        with pytest.raises(ValueError):
            await topic.since(bad, f"1-0-{topic.run}", 10)


def test_what_is_kept_of_a_flood_is_bounded_and_adds_up():
    collector = Collector()
    for n in range(20_000):
        collector.add(Message(b"c%d" % (n % (3 * LANES)), b"x" * 10_000))

    taken = collector.take()

    assert len(taken) == ROWS
    assert sum(1 + one.left_out for one in taken) == 20_000
    assert all(len(one.heard.data) <= 4000 and one.heard.size == 10_000 for one in taken)
    assert [one.heard.number for one in taken] == sorted(one.heard.number for one in taken)
    assert taken[-1].upto == 20_000
    assert collector.take() == []
