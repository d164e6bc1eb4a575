"""Who watches: shares, a lost one's place taken over, and a server on which work is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from channels.db import database_sync_to_async as sql
from django.utils import timezone

from dashboard.servers import clients
from dashboard.servers.models import HOME, Server
from dashboard.services.checks import tasks, watch, watching
from dashboard.services.checks.models import ServiceCheck
from dashboard.services.checks.tasks import watch as watch_task
from dashboard.services.checks.watching import Watcher
from dashboard.services.history.models import Change
from redisops.connection import connect
from redisops.services import Registration, Registry, Terms
from redisops.services.results import Result, Results
from redisops.services.watching import share_of
from tests.dashboard.services.checking import (
    HTTP,
    answering,
    come,
    listen,
    silent,
)
from tests.servers import until


def test_shares_are_even_and_only_what_a_lost_one_had_moves() -> None:
    names = [f"shop {n}" for n in range(600)]
    three = {one: {n for n in names if share_of(one, "abc", n)} for one in "abc"}
    two = {one: {n for n in names if share_of(one, "ab", n)} for one in "ab"}

    assert sorted(n for share in three.values() for n in share) == sorted(names)
    assert all(140 < len(share) < 260 for share in three.values())
    assert three["a"] < two["a"] and three["b"] < two["b"]
    assert two["a"] | two["b"] == set(names)


@pytest.mark.django_db(transaction=True)
def test_watchers_share_judge_and_take_over(
    server: Any, loopback: None, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(watching, "PRESENT_SECONDS", 1.5)
    for often in ("READ_SECONDS", "LIST_SECONDS", "TELL_SECONDS"):
        monkeypatch.setattr(watch, often, 0.2)
    redis = connect(target.url)
    registry = Registry(redis)

    def states() -> dict[str, str]:
        return {one.id: one.state for one in registry.read("shop").instances}

    async def until(true: Callable[[], Any], what: str) -> None:
        for _ in range(400):
            if await asyncio.to_thread(true):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{what}: {states()}, {Results(redis).read('shop')}")

    async def run() -> None:
        good, port = await listen(answering(HTTP))
        hung, hung_port = await listen(silent)
        check = {"kind": "http", "interval": 1, "timeout": 0.2, "jitter": 0.0}
        registry.set_terms("shop", Terms(rise=1, fall=2, start_period=0))
        for n in range(8):
            who = Registration("shop", f"s{n}", "127.0.0.1", port, check=check, ttl=60, zone="a")
            registry.register(who)
        registry.register(Registration("shop", "hung", "127.0.0.1", hung_port, check=check, ttl=60))
        registry.register(Registration("shop", "odd", "127.0.0.1", 1, check={"kind": "x"}, ttl=60))
        with target.client() as plain:  # services that nobody can read: the others go on
            plain.sadd("svc:services", "evil", "big")
            plain.set("svc:{evil}:rec", "no hash")
            plain.mset({"svc:{evil}:ver": 9, "svc:{evil}:epoch": "e", "svc:{evil}:lease": "x"})
            plain.hset("svc:{big}:rec", "a", b"1 a passing 1 0 - 5\n" + b"[" * 200_000)
            plain.mset({"svc:{big}:ver": 9, "svc:{big}:epoch": b"\xff"})
        one, two = Watcher("one"), Watcher("two")
        runs = [asyncio.create_task(one.run()), asyncio.create_task(two.run())]
        try:
            await until(lambda: [states()[f"s{n}"] for n in range(8)] == ["passing"] * 8, "pass")
            await until(lambda: states()["hung"] == "critical", "the hung one fails")
            both = [watcher.watches[server.pk].targets for watcher in (one, two)]
            await until(lambda: both[0] and both[1] and len(both[0]) + len(both[1]) == 9, "shares")
            await until(lambda: Results(redis).read("shop").keys() >= {"s0", "odd"}, "results")
            kept = Results(redis).read("shop")
            assert kept["s0"].why == "HTTP 200" and kept["s0"].detail["status"] == 200
            assert kept["odd"].state == "unknown" and "none of http" in kept["odd"].why
            # Killed in the midst of its rounds: it says no word, and is missed.
            monkeypatch.setattr(two, "_leave", partial(asyncio.sleep, 0))
            runs[1].cancel()
            await until(lambda: len(both[0]) == 9, "one takes all")
            # The same id begins anew elsewhere: the check goes there; the old door counts no more.
            moved, other = await listen(answering(HTTP))
            who = Registration("shop", "s7", "127.0.0.1", other, check=check, ttl=60, zone="a")
            registry.register(who)
            await until(lambda: both[0]["shop", "s7"].port == other, "it is checked elsewhere")
            good.close()
            await until(lambda: states()["s3"] == "critical", "the closed port")
            await until(lambda: states()["s7"] == "passing", "the one that moved")
            moved.close()
            row = await sql(ServiceCheck.objects.create)(
                server=server, service="shop", mode="none",
                terms={"rise": 4, "fall": 5, "start_period": 1},
            )  # fmt: skip
            await until(lambda: not both[0], "what is decided wins")
            one.watches[server.pk]._terms_at = float("-inf")
            await until(lambda: registry.terms("shop").fall == 5, "terms are published")
            assert await sql(Change.objects.filter(service="shop", state="critical").count)()
            assert row.pk
        finally:
            one.stop()
            two.stop()
            await asyncio.gather(*runs, return_exceptions=True)
            good.close()
            hung.close()
            for client in (server.async_client(), Server(slug=HOME).async_client()):
                await client.aclose()

    asyncio.run(run())
    redis.close()
    assert watching.key().endswith("services:watchers")


@pytest.mark.django_db(transaction=True)
def test_a_watcher_parts_from_a_server_where_work_is_stopped_in_mid_round(
    server: Server, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server keeps silent within a round when the switch is thrown: nothing more is sent."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(clients, "NAME", "watcher-that-parts")
    rows = Server.objects.filter(pk=server.pk)

    async def run() -> None:
        with target.client() as plain:

            def mine() -> int:
                return sum(one["name"] == "watcher-that-parts" for one in plain.client_list())

            one = Watcher("one")
            running = asyncio.create_task(one.run())
            try:
                await come(lambda: server.pk in one.watches and mine() > 0)
                watch = one.watches[server.pk]
                await come(lambda: watch.redis_answers)
                target.pause()  # whoever asks waits in the midst of a round
                watch._results["shop"] = {"a": Result(1.0, "pass", 1.0, "", {})}
                await sql(rows.update)(stopped_at=timezone.now(), stopped_by="anna")
                await come(lambda: not one.watches)
                target.resume()
                await come(lambda: mine() == 0)
                assert not running.done() and not watch.is_alive
                assert not plain.exists("svc:{shop}:chk")
                await sql(rows.update)(stopped_at=None)
                await come(lambda: server.pk in one.watches and mine() > 0)
            finally:
                target.resume()
                one.stop()
                await running
                for row in (server, Server(slug=HOME)):
                    await row.async_client().aclose()

    asyncio.run(run())


def test_two_beats_start_one_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beat asks every few seconds, and several beats may: this process watches once."""
    begun: list[str] = []

    async def run(self: Watcher) -> None:
        begun.append(self.me)
        await self._stopped.wait()

    monkeypatch.setattr(Watcher, "run", run)
    try:
        with ThreadPoolExecutor(4) as beats:
            started = list(beats.map(lambda _: watch_task(), range(8)))
        until(lambda: len(begun) == 1, "nobody watches")
        assert sum(started) == 1
    finally:
        watching.end()
    assert not watch_task()  # this process is about to end
    watching.beginning()


def test_a_worker_of_the_queue_watches_before_beat_asks_it_to(monkeypatch):
    begun = []
    monkeypatch.setattr(watching, "see_to_it", lambda: begun.append(1))
    for queue in ("celery", "services"):
        queues = SimpleNamespace(consume_from={queue: None})
        worker = SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues)))
        tasks._begin(sender=worker)

    assert len(begun) == 1
