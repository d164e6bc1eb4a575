"""Picks, ejection, slow start, zones, retries; a Discovery of what it was given, no server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from redisops.connection import connect
from redisops.contrib.services import AsyncServiceTransport, Registered, ServiceTransport
from redisops.errors import InvalidArgument
from redisops.resilience import RetryBudget
from redisops.services import (
    AsyncBalancer,
    Balancer,
    Discovery,
    Ejection,
    Instance,
    NoInstance,
    Reading,
)
from redisops.services.strategies import STRATEGIES

ALL = [Instance("pay", f"p{n}", "10.0.0.1", 8000 + n) for n in range(10)]


def knowing(*instances: Instance) -> Discovery:
    """A discovery that was told so; it asks nobody."""
    discovery = Discovery(connect("redis://127.0.0.1:1/0"), "pay")
    tell(discovery, *instances)
    return discovery


def tell(discovery: Discovery, *instances: Instance, version: int = 1) -> None:
    discovery._locals["pay"].take(Reading("pay", "e", version, instances))


def counted(balancer: Any, times: int = 4_000) -> Counter[str]:
    return Counter(balancer.pick().id for _ in range(times))


@pytest.mark.parametrize("by", sorted(set(STRATEGIES) - {"consistent"}))
def test_every_strategy_spreads_over_all(by: str) -> None:
    picked = counted(Balancer(knowing(*ALL), "pay", by))

    assert len(picked) == 10
    assert max(picked.values()) < 2 * min(picked.values())


def test_weights_states_and_loads_count() -> None:
    discovery = knowing(
        ALL[0]._replace(weight=300), ALL[1], ALL[2]._replace(state="warning"),
        ALL[3]._replace(weight=0), ALL[4]._replace(state="draining"),
        ALL[5]._replace(suspect=True), ALL[6]._replace(state="critical"),
    )  # fmt: skip
    picked = counted(Balancer(discovery, "pay", "weighted"))

    assert set(picked) == {"p0", "p1", "p2"}
    assert picked["p0"] > 2 * picked["p1"] > 2.4 * picked["p2"]
    busy = Balancer(discovery, "pay", "least_outstanding")
    for _ in range(90):
        busy.begin(busy.pick())
    in_flight = {id: record.outstanding for id, record in busy._records.items()}
    assert in_flight["p0"] in range(58, 63)
    assert in_flight["p1"] in range(18, 22)


def test_a_consistent_hash_moves_little_and_overloads_nobody() -> None:
    discovery = knowing(*ALL)
    balancer = Balancer(discovery, "pay", "consistent")
    keys = [f"user:{n}" for n in range(1_000)]
    before = {key: balancer.pick(key).id for key in keys}
    assert min(Counter(before.values()).values()) > 30

    tell(discovery, *ALL[1:], version=2)
    moved = [key for key in keys if balancer.pick(key).id != before[key]]

    assert {before[key] for key in moved} == {"p0"}
    for _ in range(90):
        balancer.begin(balancer.pick("one key"))
    assert max(record.outstanding for record in balancer._records.values()) <= 13
    with pytest.raises(InvalidArgument):
        balancer.pick()


def test_who_fails_is_left_alone_for_a_while_and_never_more_than_half(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("redisops.services.balancer.time", clock)
    balancer = Balancer(knowing(*ALL), "pay", "round_robin", ejection=Ejection(base=0.05))
    for one in ALL[:8]:
        for _ in range(5):
            balancer.begin(one)
            balancer.end(one, ok=False)

    assert set(balancer.ejected) == {f"p{n}" for n in range(5)}
    assert set(counted(balancer, 100)) == {f"p{n}" for n in range(5, 10)}
    now += 0.06
    assert not balancer.ejected and len(counted(balancer, 100)) == 10
    alone = Balancer(knowing(ALL[0]), "pay")
    for _ in range(50):
        alone.begin(ALL[0])
        alone.end(ALL[0], ok=False)
    assert alone.pick() is ALL[0]
    half = Balancer(knowing(*ALL), "pay", "round_robin")
    for n in range(40):
        half.begin(ALL[0])
        half.end(ALL[0], ok=n % 3 == 0)
    assert half.ejected == ("p0",), "a third of its calls succeeds"


def test_a_new_instance_starts_slowly() -> None:
    discovery = knowing(*ALL[:4])
    balancer = Balancer(discovery, "pay", "random", slow_start=1_000)
    assert min(counted(balancer).values()) > 700
    tell(discovery, *ALL[:5], version=2)

    picked = counted(balancer)

    assert 0 < picked["p4"] < 400
    tell(discovery, *ALL[:4], ALL[4]._replace(fence=9), version=3)
    assert counted(balancer)["p4"] < 400


def test_the_own_zone_first_while_it_can_carry_it() -> None:
    zoned = [one._replace(zone="a" if n < 4 else "b") for n, one in enumerate(ALL)]
    discovery = knowing(*zoned)
    balancer = Balancer(discovery, "pay", zone="a")
    assert set(counted(balancer, 200)) == {"p0", "p1", "p2", "p3"}

    tell(discovery, *(one._replace(state="critical") for one in zoned[:3]), *zoned[3:], version=2)

    assert set(counted(balancer, 500)) == {f"p{n}" for n in range(3, 10)}


def test_when_nobody_is_well_the_others_are_tried() -> None:
    discovery = knowing(ALL[0]._replace(suspect=True), ALL[1]._replace(state="critical"))
    balancer = Balancer(discovery, "pay")
    assert balancer.pick().id == "p0"
    assert balancer.is_panicking
    tell(discovery, ALL[2]._replace(state="maintenance"), version=2)
    with pytest.raises(NoInstance):
        balancer.pick()
    with pytest.raises(NoInstance, match="known yet"):
        Balancer(Discovery(connect("redis://127.0.0.1:1/0"), "pay"), "pay").pick()


@pytest.mark.parametrize("kind", [Balancer, AsyncBalancer])
def test_a_call_goes_on_with_another_instance(kind: Any) -> None:
    balancer = kind(knowing(*ALL[:3]), "pay", budget=RetryBudget(share=0.0, reserve=2.0))
    asked: list[str] = []

    def function(one: Instance) -> Any:
        asked.append(one.id)
        if len(set(asked)) < 3:
            raise ConnectionRefusedError(one.id)
        return one.id

    async def slow(one: Instance) -> Any:
        return function(one)

    def call() -> Any:
        if kind is Balancer:
            return balancer.call(function)
        return asyncio.run(balancer.call(slow))

    assert call() == asked[-1]
    assert len(set(asked)) == 3
    assert not any(record.outstanding for record in balancer._records.values())
    asked.clear()
    with pytest.raises(ConnectionRefusedError):
        call()
    assert len(asked) == 1, "the budget of retries is spent"
    with pytest.raises(KeyError), balancer.using() as one:
        raise KeyError(one.id)


def answering(request: httpx.Request) -> httpx.Response:
    if request.url.port == 8000:
        raise httpx.ConnectError("refused", request=request)
    if request.url.port == 8001:
        return httpx.Response(503)
    return httpx.Response(200, text=f"{request.url} {request.headers['host']}")


def test_httpx_calls_a_service_by_its_name() -> None:
    """Its inner transport answers in the place of instances, by their ports."""
    discovery = knowing(*ALL[:3])
    inner = httpx.MockTransport(answering)
    plenty = RetryBudget(share=1.0, reserve=1_000.0)
    with httpx.Client(
        transport=ServiceTransport({"pay": Balancer(discovery, "pay", budget=plenty)}, inner)
    ) as web:
        for _ in range(20):
            answer = web.get("http://pay/cart?x=1")
            assert answer.text == "http://10.0.0.1:8002/cart?x=1 pay"
        assert {web.post("http://pay/", content=b"x").status_code for _ in range(20)} <= {200, 503}
        assert web.get("http://elsewhere:8002/").text.startswith("http://elsewhere:8002")

    async def get() -> str:
        transport = AsyncServiceTransport(
            {"pay": AsyncBalancer(discovery, "pay", budget=plenty)}, inner
        )
        async with httpx.AsyncClient(transport=transport) as web:
            return (await web.get("http://pay/")).text

    assert asyncio.run(get()).startswith("http://10.0.0.1:8002/")


@pytest.mark.parametrize("speaks", ["all", "refuses", "returns"])
def test_it_is_registered_while_the_application_runs(speaks: str) -> None:
    log: list[str] = []

    @contextlib.asynccontextmanager
    async def kept() -> Any:
        log.append("registered")
        yield
        log.append("gone")

    async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        if speaks == "refuses":
            raise RuntimeError("no lifespan here")
        if speaks == "returns":
            return
        await receive()
        log.append("started")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log.append("stopping")
        await send({"type": "lifespan.shutdown.complete"})

    async def live() -> list[str]:
        waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[str] = []

        async def receive() -> Any:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await Registered(app, kept())({"type": "lifespan"}, receive, send)
        return sent

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    both = ["registered", "gone"]
    assert log == (["started", "registered", "gone", "stopping"] if speaks == "all" else both)
