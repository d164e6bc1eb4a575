"""The live tail: one reader for all ways to look at a stream, and nothing silently left out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from dashboard.servers.live.hub import Hub
from dashboard.servers.live.queues import Queue
from dashboard.servers.models import Server
from dashboard.streams.reading import filtering
from dashboard.streams.reading.feeds import Feed
from dashboard.streams.reading.tailing import Screen, TailTopic
from redisops.tail import Catch, Entry
from tests.dashboard.servers.conftest import hub  # noqa: F401
from tests.servers import RedisProcess, running

KEY = b"events"


@pytest.fixture
def shop(target: RedisProcess) -> Server:
    """A server row that needs no database."""
    return Server(pk=1, slug="shop", name="Shop", nodes=f"127.0.0.1:{target.port}")


@pytest.fixture
def plain(target: RedisProcess) -> Iterator[redis.Redis]:
    with target.client() as client:
        yield client


class Viewer:
    """What one page would have heard."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.ids: list[str] = []
        self.skipped = 0
        self.gaps: list[dict[str, Any]] = []
        self.sources: list[bool] = []
        self.facts: dict[str, Any] = {}

    async def hear_until(self, is_enough: Callable[[Viewer], bool], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_enough(self):
                found = json.loads(await self.queue.next())
                for message in found if isinstance(found, list) else [found]:
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message["t"] == "rows":
            for entry_id, (fields, skipped) in message["rows"]:
                self.skipped += skipped
                if fields is not None:
                    self.ids.append(entry_id)
        elif message["t"] == "gap":
            self.gaps.append(message)
        elif message["t"] == "state":
            self.facts = message["parts"].get("facts", self.facts)
        elif message["t"] == "source":
            self.sources.append(message["ok"])


def topic(shop: Server, line: str = "", cap: int = 250) -> TailTopic:
    return TailTopic(shop, KEY, filtering.read(line), cap)


def readers(plain: redis.Redis) -> int:
    return sum(client["cmd"] == "xread" for client in plain.client_list())


async def test_every_way_to_look_shares_one_reader(
    hub: Hub, shop: Server, plain: redis.Redis  # noqa: F811
) -> None:  # fmt: skip
    before = readers(plain)
    last = plain.xadd(KEY, {"n": 0}).decode()
    viewers = {line: Viewer() for line in ("", "via=pos", "via!=pos")}
    for line, viewer in viewers.items():
        await hub.join(topic(shop, line), viewer.queue, last)

    ids = [plain.xadd(KEY, {"via": "pos" if n % 2 else "web"}).decode() for n in range(10)]

    await viewers[""].hear_until(lambda v: len(v.ids) == 10)
    await viewers["via=pos"].hear_until(lambda v: len(v.ids) == 5)
    await viewers["via!=pos"].hear_until(lambda v: len(v.ids) == 5)
    assert viewers[""].ids == ids and viewers["via=pos"].ids == ids[1::2]
    assert not any(viewer.gaps for viewer in viewers.values())
    assert readers(plain) - before <= 1


async def test_under_a_flood_shown_and_declared_are_all_that_came(
    hub: Hub, shop: Server, plain: redis.Redis  # noqa: F811
) -> None:  # fmt: skip
    last = plain.xadd(KEY, {"n": 0}).decode()
    viewer = Viewer()
    await hub.join(topic(shop, cap=10), viewer.queue, last)
    for _ in range(10):
        pipe = plain.pipeline(transaction=False)
        for n in range(500):
            pipe.xadd(KEY, {"n": n})
        pipe.execute()
        await asyncio.sleep(0.02)

    await viewer.hear_until(lambda v: len(v.ids) + v.skipped >= 5000)

    assert len(viewer.ids) + viewer.skipped == 5000 and not viewer.gaps
    assert 10 <= len(viewer.ids) < 1000


async def test_a_stream_deleted_and_written_anew_is_told(
    hub: Hub, shop: Server, plain: redis.Redis  # noqa: F811
) -> None:  # fmt: skip
    last = plain.xadd(KEY, {"n": 0}).decode()
    viewer = Viewer()
    await hub.join(topic(shop), viewer.queue, last)
    plain.xadd(KEY, {"n": 1})
    await viewer.hear_until(lambda v: len(v.ids) == 1)

    plain.delete(KEY)
    await viewer.hear_until(lambda v: bool(v.gaps))
    anew = plain.xadd(KEY, {"n": 2}, id="5-1").decode()
    await viewer.hear_until(lambda v: anew in v.ids)

    assert viewer.gaps[0]["why"] == "deleted" and len(viewer.ids) == 2


async def test_another_type_under_a_viewer_is_told_and_ends(
    hub: Hub, shop: Server, plain: redis.Redis  # noqa: F811
) -> None:  # fmt: skip
    last = plain.xadd(KEY, {"n": 0}).decode()
    viewer = Viewer()
    await hub.join(topic(shop), viewer.queue, last)
    plain.xadd(KEY, {"n": 1})
    await viewer.hear_until(lambda v: len(v.ids) == 1)

    plain.set(KEY, "text")
    await viewer.hear_until(lambda v: False in v.sources)
    plain.delete(KEY)
    plain.xadd(KEY, {"n": 2})
    await viewer.hear_until(lambda v: True in v.sources)

    assert viewer.sources[0] is False


async def test_a_server_that_is_away_is_told_once_until_it_is_back(
    hub: Hub, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    tries, tried_again = [], asyncio.Event()
    start = Feed._start

    async def counted(feed: Feed, after: str | None) -> None:
        tries.append(after)
        if len(tries) == 4:
            tried_again.set()
        await start(feed, after)

    monkeypatch.setattr(Feed, "_start", counted)
    with running() as own:
        with own.client() as plain:
            last = plain.xadd(KEY, {"n": 0}).decode()
        viewer = Viewer()
        server = Server(pk=2, slug="away", name="Away", nodes=f"127.0.0.1:{own.port}")
        await hub.join(topic(server), viewer.queue, last)
        own.kill()
        await viewer.hear_until(lambda v: len(v.sources) == 1)
        await asyncio.wait_for(tried_again.wait(), 20)
        with pytest.raises(TimeoutError):
            await viewer.hear_until(lambda v: len(v.sources) > 1, seconds=0.3)

        assert viewer.sources == [False]
        own.start()
        with own.client() as plain:
            new = [plain.xadd(KEY, {"n": n}).decode() for n in (1, 2)]
        await viewer.hear_until(lambda v: v.ids[-2:] == new)
        # It stops answering, without a word; what is written meanwhile is read when it is back.
        own.pause()
        await viewer.hear_until(lambda v: v.sources[-1] is False)
        own.resume()
        with own.client() as plain:
            new = [plain.xadd(KEY, {"n": n}).decode() for n in (3, 4)]
        await viewer.hear_until(lambda v: v.ids[-2:] == new)

    assert viewer.sources[-1] is True


async def test_a_page_that_paused_gets_what_it_missed(
    hub: Hub, shop: Server, plain: redis.Redis  # noqa: F811
) -> None:  # fmt: skip
    last = plain.xadd(KEY, {"n": 0}).decode()
    viewer, other = Viewer(), Viewer()
    for one in (viewer, other):
        await hub.join(topic(shop), one.queue, last)
    first = plain.xadd(KEY, {"n": 1}).decode()
    await viewer.hear_until(lambda v: len(v.ids) == 1)
    viewer.queue.counts_only = True
    more = [plain.xadd(KEY, {"n": n}).decode() for n in range(40)]
    await other.hear_until(lambda v: len(v.ids) == 41)

    await hub.join(topic(shop), viewer.queue, first)
    await viewer.hear_until(lambda v: len(v.ids) == 41)

    assert viewer.ids == [first, *more] and not viewer.gaps


def entries(count: int, first: int = 1) -> Catch:
    return Catch([Entry(f"{n}-0", ((b"n", b"%d" % n),)) for n in range(first, first + count)])


def test_what_the_cap_leaves_out_is_said_with_the_next_row_or_alone() -> None:
    screen = Screen(filtering.Filter(), 10)

    shown = screen.taken(entries(30))
    [alone] = screen.flushed()
    nothing = screen.flushed()

    assert (len(shown), shown[0].id, shown[0].weight) == (20, "1-0", 1)
    assert (alone.id, alone.data, alone.weight) == ("30-0", [None, 10], 10)
    assert nothing == []


async def test_what_a_page_missed_is_counted_or_said_to_be_more(
    hub: Hub, shop: Server, plain: redis.Redis, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    pipe = plain.pipeline()
    for n in range(1_000):
        pipe.xadd(KEY, {"n": n}, f"{n + 1}-0")
    pipe.xadd(KEY, {"big": b"x" * 100}, "2000-0")
    pipe.execute()
    exact, least = Viewer(), Viewer()

    await hub.join(topic(shop), exact.queue, "1-0")
    await exact.hear_until(lambda v: len(v.ids) == 300)
    monkeypatch.setattr("dashboard.streams.reading.tailing.COUNTED", 100)
    await hub.join(topic(shop, cap=50), least.queue, "1-0")
    await least.hear_until(lambda v: len(v.ids) == 300)

    assert [(gap["why"], gap["missed"]) for gap in exact.gaps] == [("more", 700)]
    assert [(gap["missed"], gap["least"]) for gap in least.gaps] == [(None, 99)]
    await exact.hear_until(lambda v: bool(v.facts))
    assert (exact.ids[0], exact.ids[-1]) == ("702-0", "2000-0")
    assert exact.facts["length"] == 1001 and exact.facts["last"] == "2000-0"
