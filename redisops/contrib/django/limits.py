"""Rate limits in a Django project, under WSGI and ASGI.

``MIDDLEWARE = [..., "redisops.contrib.django.limits.LimitsMiddleware"]``, after
AuthenticationMiddleware where policies count by user, and::

    REDISOPS_LIMITS = {
        "GUARD": "shop.limits.guard",             # a Guard (WSGI); dotted path or the thing itself
        "ASYNC_GUARD": "shop.limits.async_guard", # an AsyncGuard (ASGI)
        "SERVICE": "shop",
        "USER": "shop.limits.user",               # optional: request -> id; default: request.user
        "API_KEY_HEADER": "X-API-Key",
        "API_KEY": "shop.limits.key",             # optional: request -> the verified key
        "EXCLUDED": ["/healthz", "/static/"],
        "TRUSTED": Trusted(proxies=1),            # default: X-Forwarded-For is not believed
        "COST": "shop.limits.cost",               # optional: request -> cost
        "PRIORITY": "shop.limits.priority",       # optional: request -> class, where load is shed
        "PARTITION": False,
    }
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from redisops.contrib.asgi import excludes
from redisops.limits import web
from redisops.limits.addresses import Trusted, client_address
from redisops.limits.decorators import policies_of
from redisops.limits.matching import Asked
from redisops.limits.model import Verdict

log = logging.getLogger(__name__)
KNOWN = {
    "GUARD", "ASYNC_GUARD", "SERVICE", "USER", "API_KEY_HEADER", "API_KEY", "EXCLUDED", "TRUSTED",
    "COST", "PRIORITY", "PARTITION",
}  # fmt: skip


class LimitsMiddleware:
    """Calls the view, or answers 429 (503: load is shed, or a policy fails closed).

    ``request.limits`` is the Verdict. The user is only looked at when a policy counts by user,
    so other pages do not vary by cookie. A place of a concurrency policy is held until Django
    closes the response: after the last byte of a stream, after a failure, and when the client
    has gone. A shaper's delay is waited for; a blocking worker does nothing else meanwhile.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.options: dict[str, Any] = getattr(settings, "REDISOPS_LIMITS", {})
        if unknown := set(self.options) - KNOWN:
            raise ImproperlyConfigured(
                f"REDISOPS_LIMITS does not know {', '.join(sorted(unknown))}"
            )
        self.is_async = iscoroutinefunction(get_response)
        needed = "ASYNC_GUARD" if self.is_async else "GUARD"
        self.guard = self._setting(needed)
        if self.guard is None:
            kind = "ASGI" if self.is_async else "WSGI"
            raise ImproperlyConfigured(f"REDISOPS_LIMITS needs {needed} under {kind}")
        self.user, self.cost = self._setting("USER"), self._setting("COST")
        self.priority = self._setting("PRIORITY")
        self.api_key = self._setting("API_KEY")
        self.key_header = self.options.get("API_KEY_HEADER", "X-API-Key")
        self.excluded = tuple(self.options.get("EXCLUDED", ()))
        self.trusted = self.options.get("TRUSTED", Trusted())
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self._awaiting(request) if self.is_async else self._blocking(request)

    def _blocking(self, request: HttpRequest) -> HttpResponseBase:
        if excludes(self.excluded, request.path_info):
            answered: HttpResponseBase = self.get_response(request)
            return answered
        user = self._user_of(request)() if self._counts_users() else ""
        with ExitStack() as held:
            verdict = held.enter_context(self.guard.slot(*self._question(request, user)))
            if not verdict.allowed:
                return self._refused(verdict)
            if verdict.delay:
                time.sleep(verdict.delay)
            request.limits = verdict  # type: ignore[attr-defined]
            response: HttpResponseBase = self._told(self.get_response(request), verdict)
            kept = held.pop_all()
        response._resource_closers.append(kept.close)  # type: ignore[attr-defined]
        return response

    async def _awaiting(self, request: HttpRequest) -> HttpResponseBase:
        if excludes(self.excluded, request.path_info):
            answered: HttpResponseBase = await self.get_response(request)
            return answered
        user = await self._user_of_async(request) if self._counts_users() else ""
        async with AsyncExitStack() as held:
            verdict = await held.enter_async_context(
                self.guard.slot(*self._question(request, user))
            )
            if not verdict.allowed:
                return self._refused(verdict)
            if verdict.delay:
                await asyncio.sleep(verdict.delay)
            request.limits = verdict  # type: ignore[attr-defined]
            response: HttpResponseBase = self._told(await self.get_response(request), verdict)
            closer = _from_any_thread(held.pop_all())
        response._resource_closers.append(closer)  # type: ignore[attr-defined]
        return response

    # --- What is asked, and what is answered ----------------------------------------------------

    def _question(self, request: HttpRequest, user: Any) -> tuple[Asked, int | None]:
        headers = request.headers
        key = headers.get(self.key_header, "")
        if self.api_key is not None:
            key = self.api_key(request)
        peer = request.META.get("REMOTE_ADDR", "")
        asked = Asked(
            service=self.options.get("SERVICE", ""),
            method=request.method or "",
            path=request.path,
            ip=client_address(peer, headers.get("X-Forwarded-For", ""), self.trusted),
            user=str(user or ""),
            api_key=key or "",
            headers=headers,
            priority="normal" if self.priority is None else self.priority(request),
        )
        return asked, None if self.cost is None else self.cost(request)

    def _refused(self, verdict: Verdict) -> HttpResponse:
        refusal = web.refusal(verdict, policies_of(self.guard, verdict), partition=self._partition)
        return HttpResponse(refusal.body, status=refusal.status, headers=refusal.headers)

    def _told(self, response: Any, verdict: Verdict) -> Any:
        found = web.headers(verdict, policies_of(self.guard, verdict), partition=self._partition)
        for name, value in found.items():
            response.headers[name] = value
        return response

    @property
    def _partition(self) -> bool:
        return bool(self.options.get("PARTITION", False))

    # --- Who asks -------------------------------------------------------------------------------

    def _counts_users(self) -> bool:
        return "user" in self.guard.book.document.counted_by

    def _user_of(self, request: HttpRequest) -> Callable[[], Any]:
        if self.user is not None:
            return lambda: self.user(request)
        return lambda: _id(getattr(request, "user", None))

    async def _user_of_async(self, request: HttpRequest) -> Any:
        if self.user is not None:
            found = self.user(request)
            return await found if inspect.isawaitable(found) else found
        return _id(await request.auser()) if hasattr(request, "auser") else ""

    def _setting(self, name: str) -> Any:
        value = self.options.get(name)
        return import_string(value) if isinstance(value, str) else value


def _id(user: Any) -> str:
    return str(user.pk) if user is not None and user.is_authenticated else ""


def _from_any_thread(held: AsyncExitStack) -> Callable[[], None]:
    """What Django may call when it closes a response, in a thread, to give the place back."""
    loop = asyncio.get_running_loop()

    def close() -> None:
        if loop.is_closed():  # the place's time runs out by itself
            return
        closing = asyncio.run_coroutine_threadsafe(held.aclose(), loop)
        closing.add_done_callback(_said)

    return close


def _said(closing: Any) -> None:
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.warning("A place of a concurrency policy was not given back: %s", error)
