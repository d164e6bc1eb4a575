"""Rate limits in front of an ASGI application: FastAPI, Starlette, Django, Channels, anything.

What is streamed streams on: nothing is read or kept of a request's or a response's body.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

from redisops.limits import web
from redisops.limits.addresses import Trusted, client_address
from redisops.limits.decorators import policies_of
from redisops.limits.guard import AsyncGuard
from redisops.limits.matching import Asked
from redisops.limits.model import Verdict

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class LimitsMiddleware:
    """Lets a request through to ``app``, or answers 429 (503: load is shed, a policy fails closed).

    ``guard``: an AsyncGuard. ``user``: a function, plain or a coroutine one, of the scope that
    gives the verified user's id or ""; by default the id of ``scope["user"]`` when that is
    authenticated. ``api_key_header``: whose value is the API key. An unverified key limits
    nobody who makes keys up, so give ``api_key``, a function of the scope, where the framework
    has verified one. ``excluded``: paths that are let through unasked; one that ends in ``/``
    means all below it. ``trusted``: whose X-Forwarded-For is believed; nobody's by default.
    ``cost`` and ``priority``: functions of the scope. ``partition``: see ``web.headers``.

    A place of a concurrency policy is held until the last byte of the response was handed on,
    the application failed, or the client went away. A shaper's delay is waited for. A websocket
    is asked about once, as a GET, before it is accepted: a denial is the 429 where the server
    can send one (``websocket.http.response``), else close code 1013, which clients see as 403;
    its place is held until it is closed. ``websockets=False`` lets them all through.
    """

    def __init__(
        self,
        app: App,
        guard: AsyncGuard,
        *,
        service: str = "",
        user: Callable[[Scope], Any] | None = None,
        api_key_header: str = "X-API-Key",
        api_key: Callable[[Scope], str] | None = None,
        excluded: Iterable[str] = (),
        trusted: Trusted = Trusted(),  # noqa: B008 - frozen
        cost: Callable[[Scope], int | None] | None = None,
        priority: Callable[[Scope], str] | None = None,
        partition: bool = False,
        websockets: bool = True,
    ) -> None:
        self.app, self.guard, self.service = app, guard, service
        self.user = user or authenticated
        self.api_key_header, self.api_key = api_key_header.lower(), api_key
        self.excluded = tuple(excluded)
        self.trusted = trusted
        self.cost, self.priority = cost, priority
        self.partition = partition
        self.kinds = ("http", "websocket") if websockets else ("http",)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in self.kinds or excludes(self.excluded, scope["path"]):
            await self.app(scope, receive, send)
            return
        asked = await self._asked(scope)
        cost = self.cost(scope) if self.cost is not None else None
        async with AsyncExitStack() as held:
            verdict = await held.enter_async_context(self.guard.slot(asked, cost))
            if not verdict.allowed:
                await self._refuse(verdict, scope, receive, send)
                return
            if verdict.delay:
                await asyncio.sleep(verdict.delay)
            await self.app(scope, receive, self._sending(verdict, held, send))

    def _sending(self, verdict: Verdict, held: AsyncExitStack, send: Send) -> Send:
        """``send`` that adds the fields, and gives the place back after the last byte."""
        added = web.raw(
            web.headers(verdict, policies_of(self.guard, verdict), partition=self.partition)
        )

        async def sending(message: Message) -> None:
            kind = message["type"]
            if kind in ("http.response.start", "websocket.accept"):
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)
            # What an application does after its response (background tasks) is not in flight.
            if kind == "http.response.body" and not message.get("more_body", False):
                await held.aclose()

        return sending

    async def _refuse(self, verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = web.refusal(verdict, policies_of(self.guard, verdict), partition=self.partition)
        kind = "http.response"
        if scope["type"] == "websocket":
            await receive()  # websocket.connect
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1013, "reason": "Try again later"})
                return
            kind = "websocket.http.response"
        length = {"Content-Length": str(len(refusal.body))}
        fields = web.raw({**refusal.headers, **length})
        await send({"type": f"{kind}.start", "status": refusal.status, "headers": fields})
        await send({"type": f"{kind}.body", "body": refusal.body})

    async def _asked(self, scope: Scope) -> Asked:
        headers: dict[str, str] = {}
        for raw_name, value in scope["headers"]:
            name = raw_name.decode("latin-1").lower()
            text = value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        user = self.user(scope)
        peer = scope.get("client") or ("", 0)
        key = headers.get(self.api_key_header, "") if self.api_key is None else self.api_key(scope)
        return Asked(
            service=self.service,
            method=scope.get("method", "GET"),
            path=scope["path"],
            ip=client_address(peer[0], headers.get("x-forwarded-for", ""), self.trusted),
            user=str((await user if inspect.isawaitable(user) else user) or ""),
            api_key=key or "",
            headers=headers,
            priority=self.priority(scope) if self.priority is not None else "normal",
        )


def authenticated(scope: Scope) -> str:
    """The id of ``scope["user"]`` as Django, Channels and Starlette leave it; "" for nobody."""
    user = scope.get("user")
    if user is None or not getattr(user, "is_authenticated", False):
        return ""
    try:
        return str(user.pk if hasattr(user, "pk") else user.identity)
    except (AttributeError, NotImplementedError):
        # Starlette's BaseUser declares ``identity`` and raises; its SimpleUser has a name alone.
        return str(getattr(user, "display_name", ""))


def excludes(excluded: Iterable[str], path: str) -> bool:
    """Whether ``path`` is one of ``excluded``, or below one of them that ends in ``/``."""
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in excluded)
