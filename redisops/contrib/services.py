"""Services in a web application: registered while it runs, and called by name with HTTPX.

``httpx.Client(transport=ServiceTransport(balancers))`` calls ``http://orders/cart/7`` at an
instance of ``orders``. ``Registered(app, agent)`` is an ASGI application that registers when the
server has started it, and drains and deregisters before it stops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import httpx

from redisops.services.balancer import _Balancer
from redisops.services.model import Instance

SAFE = frozenset(["GET", "HEAD", "OPTIONS"])
"""Methods that another instance may be asked with when nobody knows what the first one did."""
AWAY = frozenset([502, 503, 504])
"""Answers that say that an instance cannot serve now."""
MOST_TRIES = 3
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _ServiceTransport:
    """Sends a request whose host is the name of a service to a picked instance of it.

    ``balancers``: by the host that requests name; other hosts go where they say. A request that
    was not sent goes to another instance, up to three in all; one of a safe method also when its
    answer was lost or is 502, 503 or 504. What is streamed as a body is sent once. The host header
    stays the name of the service. ``key``: of a request, for a consistent hash.
    """

    _inner: Any  # makes the twin's own transport, where none is given

    def __init__(
        self,
        balancers: Mapping[str, _Balancer],
        inner: Any = None,
        *,
        key: Callable[[httpx.Request], str | None] | None = None,
    ) -> None:
        self.balancers = balancers
        self.inner = inner if inner is not None else self._inner()
        self._key = key

    def _picked(
        self, request: httpx.Request, balancer: _Balancer, failed: list[str]
    ) -> tuple[Instance, httpx.Request]:
        one = balancer.pick(self._key(request) if self._key is not None else None, failed)
        url = request.url.copy_with(host=one.address, port=one.port)
        sent = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream,
            extensions=request.extensions,
        )  # fmt: skip
        balancer.begin(one)
        return one, sent

    def _again(
        self, request: httpx.Request, failed: list[str], balancer: _Balancer,
        what: httpx.TransportError | httpx.Response,
    ) -> bool:  # fmt: skip
        """Whether another instance is asked after this failure."""
        harmless = isinstance(what, NOT_SENT) or request.method in SAFE
        repeatable = isinstance(request.stream, httpx.ByteStream)
        others = len(failed) < MOST_TRIES and balancer.has_others(failed)
        return harmless and repeatable and others and balancer.budget.spend()


class ServiceTransport(_ServiceTransport, httpx.BaseTransport):
    __doc__ = _ServiceTransport.__doc__
    _inner = httpx.HTTPTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, and others in its place where the instance fails."""
        balancer = self.balancers.get(request.url.host)
        if balancer is None:
            response: httpx.Response = self.inner.handle_request(request)
            return response
        balancer.budget.earn()
        failed: list[str] = []
        while True:
            one, sent = self._picked(request, balancer, failed)
            ok = False
            try:
                response = self.inner.handle_request(sent)
                ok = response.status_code not in AWAY
                failed.append(one.id)
                if ok or not self._again(request, failed, balancer, response):
                    return response
                response.close()
            except httpx.TransportError as error:
                failed.append(one.id)
                if not self._again(request, failed, balancer, error):
                    raise
            finally:
                balancer.end(one, ok=ok)

    def close(self) -> None:
        """Close the inner transport."""
        self.inner.close()


class AsyncServiceTransport(_ServiceTransport, httpx.AsyncBaseTransport):
    __doc__ = _ServiceTransport.__doc__
    _inner = httpx.AsyncHTTPTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As ``ServiceTransport.handle_request``."""
        balancer = self.balancers.get(request.url.host)
        if balancer is None:
            response: httpx.Response = await self.inner.handle_async_request(request)
            return response
        balancer.budget.earn()
        failed: list[str] = []
        while True:
            one, sent = self._picked(request, balancer, failed)
            ok = False
            try:
                response = await self.inner.handle_async_request(sent)
                ok = response.status_code not in AWAY
                failed.append(one.id)
                if ok or not self._again(request, failed, balancer, response):
                    return response
                await response.aclose()
            except httpx.TransportError as error:
                failed.append(one.id)
                if not self._again(request, failed, balancer, error):
                    raise
            finally:
                balancer.end(one, ok=ok)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()


class Registered:
    """``app``, with ``kept`` (an AsyncAgent, AsyncDiscoveries) entered while the server runs it.

    They are entered after the application's own start and left before its own end, so that nobody
    is sent to it while it cannot serve. Needs a server that speaks the ASGI lifespan protocol
    (Uvicorn, Hypercorn, Granian); an application that does not speak it itself is spared it.
    """

    def __init__(self, app: App, *kept: AbstractAsyncContextManager[Any]) -> None:
        self.app = app
        self.kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        async with AsyncExitStack() as entered:
            speaks = False

            async def receiving() -> MutableMapping[str, Any]:
                nonlocal speaks
                message = await receive()
                speaks = True
                if message["type"] == "lifespan.shutdown":
                    await entered.aclose()
                return message

            async def sending(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "lifespan.startup.complete":
                    await self._enter(entered)
                await send(message)

            try:
                await self.app(scope, receiving, sending)
            except BaseException:
                if speaks:
                    raise
            if not speaks:
                await self._alone(entered, receive, send)

    async def _enter(self, entered: AsyncExitStack) -> None:
        for one in self.kept:
            await entered.enter_async_context(one)

    async def _alone(self, entered: AsyncExitStack, receive: Receive, send: Send) -> None:
        """In the place of an application that wants nothing of the lifespan."""
        await receive()
        await self._enter(entered)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await entered.aclose()
        await send({"type": "lifespan.shutdown.complete"})
