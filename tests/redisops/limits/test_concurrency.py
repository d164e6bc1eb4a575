"""Places in flight: never more than the limit, never held by the dead, never taken twice."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace

import pytest

from redisops.connection import connect, connect_async
from redisops.errors import InvalidArgument
from redisops.limits import (
    AsyncConcurrency,
    Concurrency,
    Denied,
    Lease,
    LeaseLost,
    Limit,
    NoPlace,
    keeping,
)
from tests.faults.proxy import Proxy
from tests.redisops.counting import counted
from tests.servers import until

THREE = Limit("reports", 3, 0, "concurrency", version=7)
HOSTILE = b"\x00\xff{}:\r\n*" + b"x" * 300


@pytest.fixture
def places(build):
    return build(Concurrency, AsyncConcurrency)


def keys(client):
    return sorted(client.keys("*"))


def test_the_last_place_is_given_and_the_next_is_denied(places, client):
    leases = [places.acquire(THREE, "mara") for _ in range(3)]
    denied = places.acquire(THREE, "mara")

    assert [lease.verdict.remaining for lease in leases] == [2, 1, 0]
    assert leases[2].verdict[:3] == (True, 3, 0)
    assert not denied and isinstance(denied, Denied) and denied.in_flight == 3
    assert (denied.verdict.reason, denied.verdict.policy, denied.verdict.version) == (
        "denied", "reports", 7,
    )  # fmt: skip
    assert 0 < denied.verdict.retry_after <= 1.0 < denied.verdict.reset_after <= 30.0
    assert places.acquire(THREE, "tomas")  # somebody else's places are their own
    assert all(0 < client.pttl(key) <= 30_000 for key in keys(client))
    places.peek_many([(THREE, "mara")])  # whose script is known from now on
    with counted(client) as spent:
        found = places.peek_many([(THREE, "mara"), (THREE, "tomas"), (THREE, HOSTILE)])
    assert spent.calls["evalsha"] == 3
    assert [one.remaining for one in found] == [0, 2, 3]


def test_a_renewal_that_fails_in_any_way_does_not_end_the_others(caplog):
    keeper, renewed = keeping.Keeper(), []
    odd, sound = (Lease(None, b"", b"", 0.03, time.monotonic() + 1e6) for _ in range(2))
    odd.renew = lambda: renewed.append(odd) or 1 / 0
    sound.renew = lambda: renewed.append(sound)
    keeper.keep(odd)
    until(lambda: odd in renewed, "it was not tried", 20)
    keeper.keep(sound)

    until(lambda: renewed.count(odd) > 1 < renewed.count(sound), "nothing was renewed", 20)

    keeper.drop(odd)
    keeper.drop(sound)
    assert "a lease was not renewed" in caplog.text


def test_a_place_comes_back_when_released_and_only_once(places, client):
    first, *_ = [places.acquire(THREE, "mara") for _ in range(3)]

    assert settled(places, first.release()) is True
    assert settled(places, first.release()) is False

    assert places.peek(THREE, "mara").remaining == 1
    assert not first.lost and first.remaining == 0.0


def settled(places, result):
    """Leases of the awaiting class give coroutines; the fixture settles its own methods alone."""
    return places._loop.run_until_complete(result) if asyncio.iscoroutine(result) else result


def test_what_a_dead_holder_held_comes_back_by_the_servers_clock(places, client):
    for _ in range(3):
        places.acquire(THREE, "mara", lease=0.05)

    until(lambda: places.peek(THREE, "mara").remaining == 3, "the places did not come back", 20)

    assert places.acquire(THREE, "mara").in_flight == 1
    assert client.zcard(keys(client)[0]) == 1  # those that ended are not kept


def test_a_lost_place_is_not_renewed_and_its_holder_is_told(places, client):
    held, lost = places.acquire(THREE, "mara"), places.acquire(THREE, "mara")
    client.zrem(keys(client)[0], lost.token)

    settled(places, held.renew())
    with pytest.raises(LeaseLost):
        settled(places, lost.renew())

    assert lost.lost and not held.lost and held.remaining > 15
    assert places.peek(THREE, "mara").remaining == 2
    assert places.reset(THREE, "mara") and not places.reset(THREE, "mara")
    with pytest.raises(LeaseLost):
        settled(places, held.renew())


def test_a_limit_lowered_below_what_is_in_flight_throws_nobody_out(places):
    ten, two = replace(THREE, limit=10), replace(THREE, limit=2)
    leases = [places.acquire(ten, "mara") for _ in range(5)]

    assert places.acquire(two, "mara").in_flight == 5
    for lease in leases[:3]:
        settled(places, lease.renew())
        settled(places, lease.release())
        assert places.acquire(two, "mara").verdict.remaining == 0
    settled(places, leases[3].release())

    assert places.acquire(two, "mara")
    assert places.acquire(ten, "mara").in_flight == 3


def test_a_limit_in_shadow_gives_a_place_and_says_that_there_was_none(places):
    shadow = replace(THREE, limit=1, shadow=True)
    places.acquire(shadow, "mara")

    over = places.acquire(shadow, "mara")

    assert over and over.verdict.allowed and over.verdict.shadow
    assert not over.verdict.parts[0].allowed
    assert places.peek(shadow, "mara").shadow


def test_a_clock_that_was_set_back_takes_the_leases_back_with_it(places, client):
    """As after an hour's step: the dead would hold their places for an hour, and the key too."""
    lease = places.acquire(THREE, HOSTILE)
    (key,) = keys(client)
    client.zadd(key, {lease.token: client.zscore(key, lease.token) + 3600e6})
    client.zadd(key, {b"dead:100000": client.zscore(key, lease.token) - 30e6})

    again = places.acquire(THREE, HOSTILE)

    assert again.in_flight == 2  # the dead one's tenth of a second was long over
    assert again.verdict.reset_after <= 30.0
    settled(places, lease.renew())


@pytest.mark.parametrize("lease", [0, -1, float("nan"), 1e9, True, "30"])
def test_a_lease_out_of_bounds_is_refused(client, lease):
    with pytest.raises(InvalidArgument, match="lease"):
        Concurrency(client).acquire(THREE, "mara", lease)


def test_a_rate_limit_is_not_held(client):
    with pytest.raises(InvalidArgument, match="not concurrency"):
        Concurrency(client).acquire(Limit("a", 1, 1), "mara")


def test_a_thousand_places_and_not_one_more(server):
    """16 threads ask 1,280 times for 1,000 places; scripts are flushed meanwhile."""
    thousand, got = replace(THREE, limit=1000), []
    with server.client() as plain:
        places = Concurrency(connect(server.url))

        def ask() -> None:
            for _ in range(80):
                got.append(places.acquire(thousand, "all"))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        plain.script_flush()
        for thread in threads:
            thread.join()

    taken = [one for one in got if one]
    assert len(got) == 1280 and len(taken) == 1000
    assert len({lease.token for lease in taken}) == 1000
    assert sorted(lease.in_flight for lease in taken) == list(range(1, 1001))


def test_a_request_whose_reply_was_lost_takes_one_place(valkey_process, connecting):
    valkey_process.reset()
    with Proxy(valkey_process.port) as proxy:
        client = connecting(proxy.url)
        awaiting = hasattr(client, "target")
        kind = AsyncConcurrency if awaiting else Concurrency
        places = kind(client.target if awaiting else client)
        settle = client.connecting.loop.run_until_complete if awaiting else lambda it: it
        settle(places.acquire(THREE, "warm"))

        proxy.mode("lose_reply", match=b"EVALSHA", times=1)
        lease = settle(places.acquire(THREE, "mara"))
        assert lease.in_flight == 1

        proxy.mode("lose_reply", match=b"ZREM", times=1)
        settle(lease.release())
        assert settle(places.peek(THREE, "mara")).remaining == 3


def test_a_slot_is_renewed_from_a_thread_until_its_block_ends(server):
    places, told = Concurrency(connect(server.url)), []
    with server.client() as plain:
        with places.slot(THREE, "mara", 2.0) as lease:  # renewed each third of it
            (key,) = keys(plain)
            first = plain.zscore(key, lease.token)
            until(lambda: plain.zscore(key, lease.token) > first + 1e5, "not renewed", 20)
            assert not lease.lost

        assert not keys(plain)
        with places.slot(THREE, "mara", 0.3, on_lost=told.append) as lease:
            places.reset(THREE, "mara")
            until(lambda: told == [lease], "nobody was told", 20)
            assert lease.lost

        full = [places.acquire(THREE, "mara") for _ in range(3)]
        with pytest.raises(NoPlace, match="reports: 3 of 3 in flight"), places.slot(THREE, "mara"):
            pytest.fail("there was no place")
        assert len(full) == 3


def test_a_forked_child_gives_no_place_of_its_parent_back(server):
    places = Concurrency(connect(server.url))
    block = places.slot(THREE, "mara")
    block.__enter__()

    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        failed = 1
        try:
            block.__exit__(None, None, None)
            failed = 0
        finally:
            os._exit(failed)
    assert os.waitpid(child, 0)[1] == 0

    assert places.peek(THREE, "mara").remaining == 2
    block.__exit__(None, None, None)
    assert places.peek(THREE, "mara").remaining == 3


async def test_slots_of_tasks_are_renewed_and_given_back_when_cancelled(server):
    client, told = connect_async(server.url), asyncio.Event()
    places = AsyncConcurrency(client)

    async def hold(inside: asyncio.Event) -> None:
        async with places.slot(THREE, "mara", 20):
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(30):
        insides = [asyncio.Event() for _ in range(3)]
        tasks = [asyncio.create_task(hold(one)) for one in insides]
        for one in insides:
            await one.wait()
        with pytest.raises(NoPlace):
            async with places.slot(THREE, "mara"):
                pytest.fail("there was no place")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (await places.peek(THREE, "mara")).remaining == 3

        async with places.slot(THREE, "mara", 0.3, on_lost=lambda lease: told.set()) as lease:
            await asyncio.sleep(0)
            await places.reset(THREE, "mara")
            await told.wait()
            assert lease.lost
    await client.aclose()


async def test_a_task_that_is_cancelled_while_it_asks_holds_nothing(server):
    client = connect_async(server.url)
    places = AsyncConcurrency(client)
    await places.peek(THREE, "mara")

    task = asyncio.create_task(places.acquire(THREE, "mara"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with asyncio.timeout(20):
        while (await places.peek(THREE, "mara")).remaining < 3 or places._tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await client.aclose()
