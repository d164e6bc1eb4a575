"""Limits in HTTP: the draft's fields, refusals, ASGI and Django in front of real Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory, override_settings

from redisops.connection import connect, connect_async
from redisops.contrib.asgi import LimitsMiddleware
from redisops.contrib.django.limits import LimitsMiddleware as DjangoLimits
from redisops.errors import InvalidArgument
from redisops.limits import (
    AsyncBook,
    AsyncGuard,
    Ban,
    Book,
    Concurrency,
    Document,
    Guard,
    Limit,
    Limiter,
    Part,
    Policy,
    Verdict,
)
from redisops.limits.addresses import Trusted
from redisops.limits.decorators import LimitExceeded, limited
from redisops.limits.matching import Asked
from redisops.limits.retrying import AsyncRetrying, Patience, told_to_wait
from redisops.limits.web import headers, refusal
from tests.servers import RedisProcess

TYPES = "https://iana.org/assignments/http-problem-types#"


def policy(name: str, limit: int, **fields: Any) -> Policy:
    return Policy(name, limit=limit, **{"period": 60.0, **fields})


# --- The fields ---------------------------------------------------------------------------------


def test_allowed_is_told_with_a_window_no_faster_than_the_policy():
    parts = (
        Part('a "b"\\é', "ann", True, 100, 99, 0.0, 0.6),
        Part("seats", "ann", True, 5, 4, 0.0, 3.0),
        Part("quiet", "ann", True, 5, 4, 0.0, 3.0, shadow=True),
    )
    known = [Limit('a "b"\\é', 100, 59.5), Limit("seats", 5, 30, "concurrency")]

    told = headers(Verdict(True, parts=parts), known)

    seats, odd = '"seats"', r'"a \"b\"\\%c3%a9"'
    assert told["RateLimit-Policy"] == f'{seats};q=5;qu="concurrent-requests", {odd};q=100;w=60'
    assert told["RateLimit"] == f"{seats};r=4, {odd};r=99;t=59"


def test_a_refusal_names_who_refused_and_waits_no_shorter_than_its_window():
    parts = (
        Part("burst", "a", False, 10, 0, 2.01, 60.0),
        Part("daily", "a", True, 5000, 9, 0.0, 9.0),
    )
    denied = Verdict(False, 10, 0, 2.01, 60.0, policy="burst", reason="denied", parts=parts)

    answer = refusal(denied, [Limit("burst", 10, 60, burst=20), Limit("daily", 5000, 86400)])

    assert answer.status == 429
    assert answer.headers["Retry-After"] == "3"
    assert answer.headers["RateLimit"] == '"burst";r=0;t=3'
    assert '"burst";q=10;w=60;redisops-burst=20' in answer.headers["RateLimit-Policy"]
    problem = json.loads(answer.body)
    assert problem["type"] == TYPES + "quota-exceeded"
    assert problem["violated-policies"] == ["burst"]


def test_what_waiting_cannot_mend_has_no_retry_after_and_failing_closed_is_503():
    costly = refusal(Verdict(False, retry_after=60.0, policy="p", reason="too_costly"))
    closed = refusal(Verdict(False, policy="p", reason="failed_closed"))
    banned = refusal(Verdict(False, retry_after=9.5, policy="p", reason="banned"))

    assert "Retry-After" not in costly.headers
    assert (closed.status, closed.headers["Retry-After"]) == (503, "1")
    assert json.loads(closed.body)["type"] == TYPES + "temporary-reduced-capacity"
    assert json.loads(banned.body)["type"] == TYPES + "abnormal-usage-detected"
    assert banned.headers["Retry-After"] == "10"
    assert headers(Verdict(True, reason="exempt")) == {}


# --- ASGI ---------------------------------------------------------------------------------------


class Door:
    """An application behind the middleware, asked by httpx without a socket."""

    def __init__(self, server: RedisProcess, *policies: Policy, **options: Any) -> None:
        self.redis = connect_async(server.url)
        self.book = AsyncBook(None, "shop", Document(1, policies))
        self.gate, self.entered = asyncio.Event(), asyncio.Event()
        self.app = LimitsMiddleware(self.answer, AsyncGuard(self.redis, self.book), **options)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://shop"
        )

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/slow":
            self.entered.set()
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await self.gate.wait()
        if scope["path"] == "/broken":
            raise ValueError("broken")
        await send({"type": "http.response.body", "body": b"two"})

    async def places(self) -> int:
        return sum([await self.redis.zcard(key) async for key in self.redis.scan_iter("limit:*")])

    async def close(self) -> None:
        await self.client.aclose()
        await self.book.aclose()
        await self.redis.aclose()


@pytest.fixture
async def opened(server: RedisProcess) -> AsyncIterator[Any]:
    doors: list[Door] = []

    def build(*policies: Policy, **options: Any) -> Door:
        doors.append(Door(server, *policies, **options))
        return doors[-1]

    yield build
    for door in doors:
        await door.close()


async def test_the_door_lets_through_until_the_limit_and_believes_no_forged_address(opened):
    door = opened(policy("per-ip", 2), excluded=["/static/"])

    answers = [
        await door.client.get("/orders", headers={"X-Forwarded-For": f"203.0.113.{n}"})
        for n in range(3)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"per-ip";q=2;w=60'
    assert answers[0].headers["RateLimit"].startswith('"per-ip";r=1;t=')
    assert answers[2].headers["content-type"] == "application/problem+json"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert (await door.client.get("/static/x")).status_code == 200
    behind = opened(policy("per-ip", 2), trusted=Trusted(proxies=1))
    assert (await behind.client.get("/", headers={"X-Forwarded-For": "::1"})).status_code == 200


async def test_a_user_and_a_ban_are_seen_and_a_header_of_any_bytes_does_no_harm(opened):
    door = opened(
        policy("per-user", 1, subject=("user",), banned=(Ban("eve", 4e9, "spam"),)),
        policy("per-key", 9, subject=("api_key",)),
        user=lambda scope: dict(scope["headers"]).get(b"user", b"").decode("latin-1"),
    )

    banned = await door.client.get("/", headers={"user": "eve"})
    odd = await door.client.get("/", headers={"user": b"\xff\xfe'", "X-API-Key": b"\xff" * 5000})

    assert banned.json()["type"] == TYPES + "abnormal-usage-detected"
    assert b"spam" not in banned.content
    assert odd.status_code == 200


async def test_a_place_is_held_until_the_response_ends_breaks_or_its_client_leaves(opened):
    door = opened(policy("seats", 1, algorithm="concurrency", period=30.0, subject=("global",)))

    slow = asyncio.create_task(door.client.get("/slow"))
    await asyncio.wait_for(door.entered.wait(), 20)
    assert (await door.client.get("/")).status_code == 429
    door.gate.set()
    assert (await slow).content == b"onetwo"
    assert await door.places() == 0

    with pytest.raises(ValueError, match="broken"):
        await door.client.get("/broken")
    assert await door.places() == 0

    door.gate.clear()
    door.entered.clear()
    gone = asyncio.create_task(door.client.get("/slow"))
    await asyncio.wait_for(door.entered.wait(), 20)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await door.places() == 0


async def test_a_websocket_is_refused_before_it_is_accepted(opened):
    door = opened(policy("sockets", 1, subject=("global",)))
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/ws", "headers": [], "client": ("192.0.2.1", 1)}
    able = {**scope, "extensions": {"websocket.http.response": {}}}
    for one in (scope, scope, able):
        await door.app(dict(one), receive, send)

    kinds = [message["type"] for message in sent]
    assert kinds[:2] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == 1013
    assert sent[2]["status"] == 429


# --- Django -------------------------------------------------------------------------------------


@pytest.fixture
def no_sql() -> Iterator[None]:
    """A response that is closed looks at no SQL connection, as with Django's own test client."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


@pytest.mark.usefixtures("no_sql")
def test_django_refuses_and_holds_a_stream_s_place_until_it_is_closed(server: RedisProcess):
    with connect(server.url) as client:
        rules = Document(
            1,
            (
                policy("orders", 2, path="/orders"),
                policy("seats", 1, path="/stream", algorithm="concurrency", period=30.0),
            ),
        )
        guard = Guard(client, Book(None, "shop", rules))

        def view(request: Any) -> Any:
            streams = request.path == "/stream"
            return StreamingHttpResponse(iter([b"x"])) if streams else HttpResponse(b"fine")

        with override_settings(REDISOPS_LIMITS={"GUARD": guard, "EXCLUDED": ["/healthz"]}):
            door: Any = DjangoLimits(view)
        get = RequestFactory().get

        assert [door(get("/orders")).status_code for _ in range(3)] == [200, 200, 429]
        assert "RateLimit" not in door(get("/healthz")).headers
        first = door(get("/stream"))
        assert door(get("/stream")).status_code == 429
        assert b"".join(first.streaming_content) == b"x"
        assert client.zcard("limit:{seats:127.0.0.1}:c") == 1
        first.close()
        assert not client.exists("limit:{seats:127.0.0.1}:c")


@pytest.mark.usefixtures("no_sql")
async def test_django_async_gives_a_place_back_when_the_response_closes(server: RedisProcess):
    client = connect_async(server.url)
    seats = policy("seats", 1, algorithm="concurrency", period=30.0)
    guard = AsyncGuard(client, AsyncBook(None, "shop", Document(1, (seats,))))

    async def view(request: Any) -> Any:
        return HttpResponse(b"fine")

    with override_settings(REDISOPS_LIMITS={"ASYNC_GUARD": guard}):
        door: Any = DjangoLimits(view)
    get = RequestFactory().get

    first = await door(get("/"))
    assert (await door(get("/"))).status_code == 429
    await asyncio.to_thread(first.close)
    for _ in range(400):
        if not await client.exists("limit:{seats:127.0.0.1}:c"):
            break
        await asyncio.sleep(0.05)
    assert not await client.exists("limit:{seats:127.0.0.1}:c")
    await client.aclose()


# --- Decorators and the patient client -----------------------------------------------------------


def test_a_function_and_a_block_are_limited(server: RedisProcess):
    with connect(server.url) as client:
        limiter = Limiter(client)

        @limited(limiter, Limit("reports", 1, 60), lambda who: who)
        def report(who: str) -> str:
            return f"for {who}"

        assert [report("ann"), report("bob")] == ["for ann", "for bob"]
        with pytest.raises(LimitExceeded, match="reports: denied") as caught:
            report("ann")
        assert refusal(caught.value.verdict, caught.value.quotas).status == 429

        soon = Limit("soon", 100, 1, burst=1)
        for _ in range(3):  # waits some milliseconds for its turn
            with limited(limiter, soon, "ann", wait=20) as verdict:
                assert verdict.allowed

        seats = Limit("seats", 1, 30, "concurrency")
        with pytest.raises(InvalidArgument), limited(limiter, soon, "ann", cost=0):
            raise AssertionError("a cost of nothing is none")
        alone = limited(Concurrency(client), seats, "ann")
        with alone, pytest.raises(LimitExceeded), limited(Concurrency(client), seats, "ann"):
            raise AssertionError("two on one seat")
        with limited(Concurrency(client), seats, "ann"):
            pass


async def test_a_coroutine_function_asks_a_guard(server: RedisProcess):
    client = connect_async(server.url)
    others = (policy(f"other-{number}", 1, service="other") for number in range(200))
    document = Document(1, (policy("mails", 1), *others))
    guard = AsyncGuard(client, AsyncBook(None, "mail", document))

    @limited(guard, asked=lambda to: Asked(service="mail", path="/send", ip=to))
    async def send(to: str) -> str:
        return to

    assert await send("192.0.2.1") == "192.0.2.1"
    with pytest.raises(LimitExceeded) as caught:
        await send("192.0.2.1")
    assert [quota.name for quota in caught.value.quotas] == ["mails"], "not two hundred each time"
    await client.aclose()


async def test_a_patient_client_comes_back_when_it_may(opened):
    door = opened(policy("per-ip", 1, period=1.0))
    patient = AsyncRetrying(Patience(longest=20))

    answers = [await patient.send(lambda: door.client.get("/")) for _ in range(2)]
    hasty = await AsyncRetrying(Patience(longest=0)).send(lambda: door.client.get("/"))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert hasty.status_code in (200, 429)


@pytest.mark.parametrize(
    ("status", "said", "wait"),
    [
        (429, "7", 7.0),
        (503, "Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        (429, None, -1.0),
        (429, "-3", -1.0),
        (503, None, None),
        (200, "7", None),
        (429, "9" * 5000, 366 * 86400.0),
    ],
)
def test_what_an_answer_asks_to_wait(status, said, wait):
    found = {} if said is None else {"retry-AFTER": said}

    assert told_to_wait(status, found, now=60.0) == wait
