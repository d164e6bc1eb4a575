"""The doors behind Sentinel and on a cluster: a failover is followed, all keys are in one slot."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from redisops.connection import connect, connect_async
from redisops.contrib.asgi import LimitsMiddleware
from redisops.contrib.django.limits import LimitsMiddleware as DjangoLimits
from redisops.limits import Asked, AsyncBook, AsyncGuard, Book, Document, Guard, Limiter, Policy
from tests.redisops.limits.holding import Holding
from tests.servers import Cluster, Watched, until

RULES = Document(
    1,
    (
        Policy("ip", limit=3, period=3600.0, on_failure="closed"),
        Policy("all", limit=50, period=3600.0, subject=("global",), order=1, on_failure="closed"),
        Policy("seats", algorithm="concurrency", limit=5, period=30.0, order=2),
    ),
)
ASKED = Asked(ip="192.0.2.1")


def test_a_guard_follows_a_failover_and_keeps_what_is_spent() -> None:
    both = [Holding(awaiting=False), Holding(awaiting=True)]
    with Watched() as servers:
        guards = []
        for holding in both:
            client = holding.client(servers.url)
            guards.append(holding.guard(client, holding.book(None, "shop", *RULES.policies)))
            assert holding.check(guards[-1], ASKED).allowed
        with servers.replica.client() as plain:
            until(lambda: plain.dbsize() == 2, "it was not replicated")

        servers.fail_over()

        for holding, guard in zip(both, guards, strict=True):
            until(lambda h=holding, g=guard: not h.check(g, Asked(ip="::1")).reason, "decided")  # type: ignore[misc]
        left = [h.check(g, ASKED) for h, g in zip(both, guards, strict=True)]
        assert [(one.allowed, one.parts[0].remaining) for one in left] == [(True, 0), (False, 0)]
        with servers.replica.client() as plain:
            assert Limiter(plain).peek(RULES.policies[0].as_limit(), "192.0.2.1").remaining == 0
        for holding in both:
            holding.close()


async def by_asgi(url: str) -> list[int]:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    async with connect_async(url) as client:
        guard = AsyncGuard(client, AsyncBook(None, "shop", RULES))
        door = httpx.ASGITransport(LimitsMiddleware(application, guard), client=("192.0.2.2", 1))
        async with httpx.AsyncClient(transport=door, base_url="http://shop") as shop:
            return [(await shop.get("/")).status_code for _ in range(4)]


def by_django(url: str) -> list[int]:
    with connect(url) as client:
        guard = Guard(client, Book(None, "shop", RULES))
        with override_settings(REDISOPS_LIMITS={"GUARD": guard}):
            door: Any = DjangoLimits(lambda request: HttpResponse(b"fine"))
        answers = [door(RequestFactory().get("/")) for _ in range(4)]
        for answer in answers:
            answer.close()
        return [answer.status_code for answer in answers]


def test_the_doors_decide_on_a_cluster(cluster: Cluster) -> None:
    request_finished.disconnect(close_old_connections)
    try:
        assert asyncio.run(by_asgi(cluster.url)) == [200, 200, 200, 429]
        assert by_django(cluster.url) == [200, 200, 200, 429]
    finally:
        request_finished.connect(close_old_connections)

    found = [key for node in cluster.nodes for key in node.client().keys("limit:*")]
    assert {key.partition(b"}")[0] for key in found} == {b"limit:{limits"}
