"""A service with a door: requests pass the limits that are published for it, or get a 429."""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from demo import names
from demo.policies import DEFAULTS
from demo.service import Service
from redisops.contrib.asgi import LimitsMiddleware, Receive, Scope, Send
from redisops.limits import AsyncBook, AsyncGuard, AsyncRecorder, Document
from redisops.limits.retrying import told_to_wait

MOST_AWAY = 2_000


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        return self.status == 429


class Door(Service):
    """Answers one route as an ASGI application behind LimitsMiddleware; asked in this process.

    Customers sign themselves in by the header ``customer``: it is a demo.
    """

    route: ClassVar[tuple[str, str]]

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.book = AsyncBook(self.redis, self.name, DEFAULTS)
        self.recorder = AsyncRecorder(self.redis)
        guard = AsyncGuard(self.redis, self.book, self.recorder)
        self.app = LimitsMiddleware(self.answer, guard, service=self.name, user=_customer)
        self.away: dict[str, float] = {}
        self._told: Document | None = None

    @abstractmethod
    async def serve(self, order: dict[str, str]) -> None:
        """Do what a request that was let through asks for."""

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application itself; its request's body is JSON."""
        found = (scope["method"], scope["path"]) == self.route
        if found:
            await self.serve(json.loads((await receive()).get("body") or b"{}"))
        start: dict[str, Any] = {
            "type": "http.response.start",
            "status": 200 if found else 404,
            "headers": [],
        }
        await send(start)
        await send({"type": "http.response.body", "body": b"{}"})

    async def visit(self, who: str, order: dict[str, str] | None = None, **headers: str) -> Answer:
        """Somebody asks; who was told to wait stays away until then (status 0)."""
        if self.away.get(who, 0.0) > time.monotonic():
            return Answer()
        await self._remember()
        answer = await self._ask({"customer": who, **headers}, order or {})
        wait = told_to_wait(answer.status, answer.headers)
        if wait is not None:
            self.away[who] = time.monotonic() + wait
        while len(self.away) > MOST_AWAY:
            del self.away[next(iter(self.away))]
        return answer

    async def _ask(self, headers: dict[str, str], order: dict[str, str]) -> Answer:
        answer = Answer()

        async def receive() -> Any:
            return {"type": "http.request", "body": json.dumps(order).encode()}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}

        method, path = self.route
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "headers": fields}
        await self.app(scope, receive, send)
        return answer

    async def _remember(self) -> None:
        """Write down whose counts below ``limit:`` are the shop's, for its removal."""
        if self.book.document is not self._told:
            self._told = self.book.document
            ours = [one.name for one in self._told.policies if one.service == self.name]
            if ours:
                await self.redis.sadd(names.POLICIES, *ours)

    async def close(self) -> None:
        await self.book.aclose()
        await self.recorder.close()
        await super().close()


def _customer(scope: Scope) -> str:
    return str(dict(scope["headers"]).get(b"customer", b"").decode())
