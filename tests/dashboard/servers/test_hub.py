"""One reader for all who watch: shared, bounded, and never silently missing anything."""

import asyncio
import contextlib
import json
from collections import Counter

import pytest

from dashboard.servers.live import ending, queues
from dashboard.servers.live import hub as hubs
from dashboard.servers.live.hub import Batch, Row
from dashboard.servers.live.queues import QUEUE_BYTES, QUEUE_ROWS, Frame, Gap, Queue, framed
from dashboard.servers.live.topics import StreamTopic
from dashboard.servers.models import Server
from redisops.tail import Entry
from tests.servers import RedisProcess


@pytest.fixture
def shop(target):
    """A server row that needs no database."""
    return Server(pk=1, slug="shop", name="Shop", nodes=f"127.0.0.1:{target.port}")


@pytest.fixture
def add(target):
    plain = target.client()
    yield lambda count=1, first=0: [
        plain.xadd("events", {"n": n}).decode() for n in range(first, first + count)
    ]
    plain.close()


async def said(queue):
    """What the queue gives next, as messages."""
    found = json.loads(await queue.next())
    return found if isinstance(found, list) else [found]


async def heard(queue, count, seconds=20.0):
    """The next ``count`` messages."""
    found = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            found += await said(queue)
    return found


async def heard_until(queue, kind, seconds=20.0):
    """All messages up to the first of a kind."""
    found = []
    async with asyncio.timeout(seconds):
        while not any(one["t"] == kind for one in found):
            found += await said(queue)
    return found


async def rows(queue, count, seconds=20.0):
    """The ids of the next ``count`` rows, and every other message in between."""
    ids, others = [], []
    async with asyncio.timeout(seconds):
        while len(ids) < count:
            for message in await said(queue):
                if message["t"] == "rows":
                    ids += [row[0] for row in message["rows"]]
                else:
                    others.append(message)
    return ids, others


async def started(hub, topic):
    async with asyncio.timeout(20):
        await hub.readers[topic.key]._started.wait()


def readers(process: RedisProcess) -> int:
    """How many connections block in XREAD now."""
    with process.client() as plain:
        return Counter(client["cmd"] for client in plain.client_list())["xread"]


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - a server's state
            await asyncio.sleep(0.02)


async def test_everybody_gets_every_row_once_and_in_order(hub, shop, add):
    topic = StreamTopic(shop, b"events")
    queues = [Queue() for _ in range(20)]
    for queue in queues:
        await hub.join(topic, queue)
    await started(hub, topic)

    added = await asyncio.to_thread(add, 50)

    for queue in queues:
        assert await rows(queue, 50) == (added, [])


async def test_twenty_subscribers_are_one_reader_and_none_after_they_left(
    hub, shop, target, monkeypatch
):
    monkeypatch.setattr(hubs, "LINGER", 0.1)
    topics = [StreamTopic(shop, b"events") for _ in range(20)]
    queues = [Queue() for _ in topics]
    for topic, queue in zip(topics, queues, strict=True):
        await hub.join(topic, queue)
    await until(lambda: readers(target) == 1)

    for topic, queue in zip(topics, queues, strict=True):
        assert await asyncio.to_thread(readers, target) <= 1  # between two blocking reads none
        hub.leave(topic, queue)

    await until(lambda: readers(target) == 0)
    assert hub.readers == {}


async def test_who_comes_back_soon_finds_the_same_reader(hub, shop, monkeypatch):
    monkeypatch.setattr(hubs, "LINGER", 60.0)
    topic, queue = StreamTopic(shop, b"events"), Queue()
    await hub.join(topic, queue)
    reader = hub.readers[topic.key]
    hub.leave(topic, queue)

    await hub.join(topic, Queue())
    await asyncio.sleep(0.05)

    assert hub.readers[topic.key] is reader
    assert not hub._stopping


async def test_resuming_gets_what_was_missed_and_then_what_is_new(hub, shop, add):
    topic = StreamTopic(shop, b"events")
    first, second = Queue(), Queue()
    await hub.join(topic, first)
    await started(hub, topic)
    added = await asyncio.to_thread(add, 10)
    await rows(first, 10)

    await hub.join(topic, second, after=added[3])
    added += await asyncio.to_thread(add, 5)

    assert await rows(second, 11) == (added[4:], [])


async def test_resuming_from_before_the_reader_began_asks_the_stream(hub, shop, add):
    added = await asyncio.to_thread(add, 10)
    topic, queue = StreamTopic(shop, b"events"), Queue()

    await hub.join(topic, queue, after=added[2])
    added += await asyncio.to_thread(add, 3)

    assert await rows(queue, 10) == (added[3:], [])


async def test_more_than_three_hundred_missed_rows_are_a_gap(hub, shop, add):
    added = await asyncio.to_thread(add, 400)
    topic, queue = StreamTopic(shop, b"events"), Queue()

    await hub.join(topic, queue, after=added[0])
    ids, others = await rows(queue, 300)

    assert ids == added[100:]
    assert others == [{"t": "gap", "after": added[0], "why": "more", "missed": None}]


async def test_more_than_three_hundred_in_the_ring_are_a_counted_gap(hub, shop, add):
    topic, queue = StreamTopic(shop, b"events"), Queue()
    await hub.join(topic, queue)
    await started(hub, topic)
    added = await asyncio.to_thread(add, 400)
    await rows(queue, 400)

    late = Queue()
    await hub.join(topic, late, after=added[9])
    ids, others = await rows(late, 300)

    assert ids == added[100:]
    assert others == [{"t": "gap", "after": added[9], "why": "more", "missed": 90}]


async def test_joining_in_a_flood_loses_and_doubles_nothing(hub, shop, add):
    topic = StreamTopic(shop, b"events")
    first = await asyncio.to_thread(add, 1)
    await hub.join(topic, Queue())
    await started(hub, topic)
    flood = asyncio.create_task(asyncio.to_thread(add, 290))

    queues = []
    for _ in range(10):
        queue = Queue()
        await hub.join(topic, queue, after=first[0])
        queues.append(queue)
        await asyncio.sleep(0.005)
    added = await flood

    for queue in queues:
        assert await rows(queue, 290) == (added, [])


async def test_a_killed_server_is_told_and_the_reader_goes_on(hub):
    with RedisProcess("--appendonly", "yes") as process:
        shop = Server(pk=1, slug="shop", name="Shop", nodes=f"127.0.0.1:{process.port}")
        topic, queue = StreamTopic(shop, b"events"), Queue()
        await hub.join(topic, queue)
        await started(hub, topic)
        process.kill()
        (lost,) = await heard(queue, 1)
        assert (lost["t"], lost["ok"]) == ("source", False)
        assert lost["sentence"]

        await asyncio.to_thread(process.start)

        (back,) = await heard(queue, 1)
        assert back == {"t": "source", "ok": True}
        with process.client() as plain:
            added = [plain.xadd("events", {"n": 1}).decode()]
        assert await rows(queue, 1) == (added, [])


async def test_a_paused_server_is_told_within_seconds_and_loses_nothing(hub, target, shop, add):
    topic, queue = StreamTopic(shop, b"events"), Queue()
    await hub.join(topic, queue)
    await started(hub, topic)
    target.pause()
    try:
        (lost,) = await heard(queue, 1)
    finally:
        target.resume()

    added = await asyncio.to_thread(add, 3)
    ids, others = await rows(queue, 3)

    assert (lost["ok"], lost["cause"]) == (False, "deadline")
    assert (ids, others) == (added, [{"t": "source", "ok": True}])


async def test_a_server_that_restarts_empty_is_a_gap(hub):
    with RedisProcess() as process:
        shop = Server(pk=1, slug="shop", name="Shop", nodes=f"127.0.0.1:{process.port}")
        topic, queue = StreamTopic(shop, b"events"), Queue()
        await hub.join(topic, queue)
        await started(hub, topic)
        with process.client() as plain:
            last = plain.xadd("events", {"n": 1}).decode()
        await rows(queue, 1)

        process.kill()
        await asyncio.to_thread(process.start)
        with process.client() as plain:
            again = plain.xadd("events", {"n": 2}).decode()

        messages = await heard_until(queue, "gap")
        sent = [row[0] for one in messages if one["t"] == "rows" for row in one["rows"]]
        assert {"t": "gap", "after": last, "why": "recreated", "missed": None} in [
            {**one, "after": last} for one in messages
        ]
        assert sent in ([], [again])

        resumed = Queue()
        await hub.join(topic, resumed, after=last)
        ids, others = await rows(resumed, 1)
        assert ids == [again]
        assert [other["t"] for other in others] == ["gap"]


async def test_a_flushed_stream_is_a_gap_for_those_who_saw_it(hub, shop, add, data):
    topic, queue = StreamTopic(shop, b"events"), Queue()
    await hub.join(topic, queue)
    await started(hub, topic)
    await asyncio.to_thread(add, 3)
    await rows(queue, 3)

    await asyncio.to_thread(data.flushall)

    (gap,) = await heard(queue, 1)
    assert (gap["t"], gap["why"]) == ("gap", "recreated")


async def test_joining_while_the_server_is_down_says_so_at_once(hub):
    with RedisProcess() as process:
        shop = Server(pk=1, slug="shop", name="Shop", nodes=f"127.0.0.1:{process.port}")
        process.kill()
        topic, first, second = StreamTopic(shop, b"events"), Queue(), Queue()
        await hub.join(topic, first)
        await heard(first, 1)

        await hub.join(topic, second, after="1-0")

        assert [message["t"] for message in await heard(second, 2)] == ["source", "gap"]


async def test_a_topic_with_a_fault_of_its_own_is_told_and_tried_again(hub, caplog):
    class Faulty:
        key = "faulty"
        tries = 0

        async def read(self, after):
            self.tries += 1
            if self.tries == 1:
                raise KeyError("a bug")
            yield Batch([Row("1-0", "fine")])
            await asyncio.sleep(60)

        async def since(self, after, until, limit):
            return Batch()

    queue = Queue()
    await hub.join(Faulty(), queue)

    ids, others = await rows(queue, 1)

    assert ids == ["1-0"]
    assert [other["ok"] for other in others] == [False, True]


async def test_only_the_parts_that_changed_are_sent_and_only_the_newest(hub):
    class Board:
        key = "board"

        def __init__(self):
            self.states = asyncio.Queue()

        async def read(self, after):
            while True:
                yield Batch(state=await self.states.get())

        async def since(self, after, until, limit):
            return Batch()

    board, queue = Board(), Queue()
    await hub.join(board, queue)
    for state in ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 1}):
        board.states.put_nowait(state)
    for _ in range(100):  # turns of the loop: all three were read, and no queue yet
        await asyncio.sleep(0)
    assert board.states.empty()

    assert await heard(queue, 1) == [{"t": "state", "parts": {"a": 3, "b": 1}}]
    board.states.put_nowait({"a": 3, "b": 2})
    assert await heard(queue, 1) == [{"t": "state", "parts": {"b": 2}}]
    late = Queue()
    await hub.join(board, late)
    assert await heard(late, 1) == [{"t": "state", "parts": {"a": 3, "b": 2}}]


# --- The queue of one socket --------------------------------------------------------------


def frame(first, count=10):
    return next(iter(framed([(str(n), f"[{n}]", 1) for n in range(first, first + count)])))


async def test_a_row_may_stand_for_several_and_a_gap_counts_them_all():
    queue = Queue()
    for n in range(QUEUE_ROWS + 2):
        queue.put(next(framed([(str(n), "1", 5)])))

    first = json.loads(await queue.next())[0]

    assert (first["why"], first["missed"]) == ("slow", 10)


async def test_a_full_queue_drops_the_oldest_and_says_how_many():
    queue = Queue()
    for first in range(0, QUEUE_ROWS + 50, 10):
        queue.put(frame(first))

    gap, following, *_ = await heard(queue, 2)

    assert gap == {"t": "gap", "after": "", "why": "slow", "missed": 50}
    assert following["rows"][0] == [50]
    assert queue.rows == 0


async def test_a_queue_is_bounded_in_bytes_too():
    queue = Queue()
    for n in range(40):
        queue.put(Frame(json.dumps({"t": "rows", "rows": ["x" * 20_000]}), 1, str(n)))

    assert queue.bytes <= QUEUE_BYTES
    assert (await said(queue))[0]["missed"] == 40 - QUEUE_BYTES // 20_000


async def test_dropped_rows_are_counted_from_the_last_that_was_sent():
    queue = Queue()
    queue.put(frame(0))
    await queue.next()
    for first in range(10, QUEUE_ROWS + 30, 10):
        queue.put(frame(first))

    assert (await said(queue))[0] == {
        "t": "gap", "after": "9", "why": "slow", "missed": 20,
    }  # fmt: skip


async def test_a_hidden_page_gets_counts_only():
    queue = Queue()
    queue.counts_only = True
    for first in range(0, 100, 10):
        queue.put(frame(first))
    queue.put(Gap("1", "recreated").frame())

    count, gap = await heard(queue, 2)

    assert count == {"t": "count", "rows": 10}
    assert gap["t"] == "gap"


async def test_counting_for_a_hidden_page_leaves_the_queue_its_bounds(monkeypatch):
    monkeypatch.setattr(queues, "COUNT_SECONDS", 0.0)
    queue = Queue()
    queue.counts_only = True
    for number in range(50):
        queue.put(frame(number * 10))
        await queue.next()

    assert (queue.rows, queue.bytes) == (0, 0)


async def test_a_huge_entry_is_shown_in_part_and_says_so():
    fields = {b"small": b"1", b"huge": b"x" * 5_000_000, b"next": b"2", b"last": b"3"}

    row = StreamTopic(Server(slug="shop"), b"events").row(Entry("1-0", tuple(fields.items())))

    assert row.data[0] == ["small", "1"]
    assert row.data[1][1].endswith("xxx… (5,000,000 bytes)")
    assert row.data[2] == ["…", "2 more fields"]
    assert len(json.dumps(row.data)) < 5000


async def test_long_rows_are_cut_into_several_frames():
    frames = list(framed([(str(n), "x" * 30_000, 1) for n in range(10)]))

    assert [one.rows for one in frames] == [2, 2, 2, 2, 2]
    assert [one.last_id for one in frames] == ["1", "3", "5", "7", "9"]


async def test_a_task_that_loses_a_cancellation_is_told_again():
    async def stubborn():
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "AGAIN_SECONDS", 0.01)
        await asyncio.wait_for(ending.ended(task, None), 20)

    assert task.cancelled()
