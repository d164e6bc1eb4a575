"""Every socket's address, behind the same two doors: where it comes from, and who opens it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import import_module
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import structlog
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, parse_cookie
from django.http.request import split_domain_port, validate_host
from django.urls import path, set_script_prefix

from dashboard.accounts.sessions import SessionsUnavailable
from dashboard.caching.routing import urlpatterns as caching
from dashboard.jobs.routing import urlpatterns as jobs
from dashboard.leaderboards.routing import urlpatterns as leaderboards
from dashboard.limits.routing import urlpatterns as limits
from dashboard.pubsub.routing import urlpatterns as pubsub
from dashboard.servers.live.guard import AGAIN
from dashboard.servers.routing import urlpatterns as servers
from dashboard.services.routing import urlpatterns as services
from dashboard.streams.routing import urlpatterns as streams

log = structlog.get_logger(__name__)
NOBODY_KNOWS = (SessionsUnavailable, DatabaseError, InterfaceError)
Scope = dict[str, Any]
App = Callable[..., Awaitable[None]]


class SameOrigin:
    """Refuses a socket that a page of another origin opens: scheme, host and port must agree.

    The browser sends cookies with a socket wherever the page comes from, so the origin is all
    that tells ours from a stranger's. One without an origin comes from no page of ours.
    """

    def __init__(self, inner: App) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if is_ours(scope):
            return await self.inner(scope, receive, send)
        await receive()
        await send({"type": "websocket.close", "code": 4403})
        return None


class Mounted:
    """Takes SCRIPT_NAME off the address and puts it into links, as Django does for pages."""

    def __init__(self, inner: App) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        prefix = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
        set_script_prefix(f"{prefix}/")
        if prefix and scope["path"].startswith(f"{prefix}/"):
            scope = {**scope, "path": scope["path"].removeprefix(prefix)}
        await self.inner(scope, receive, send)


class SignedIn:
    """Puts ``user`` and ``session_key`` into the scope, from the session that the cookie names.

    While nobody can tell who that is, the page is asked to come again; it is not signed out.
    """

    def __init__(self, inner: App) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        cookies = parse_cookie(_header(scope, b"cookie"))
        key = cookies.get(settings.SESSION_COOKIE_NAME)
        try:
            user = await _person(key)
        except NOBODY_KNOWS as error:
            log.warning("a socket was sent away: nobody can tell whose it is", error=str(error))
            await receive()
            await send({"type": "websocket.close", "code": AGAIN})
            return
        await self.inner({**scope, "user": user, "session_key": key}, receive, send)


def is_ours(scope: Scope) -> bool:
    """Whether the Origin is the address that this request itself was sent to, or a trusted one."""
    origin, host = _header(scope, b"origin"), _header(scope, b"host")
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    return _normal(origin) == _normal(f"{_scheme(scope)}://{host}")


def _scheme(scope: Scope) -> str:
    """http or https, as the browser sees it; a proxy is believed only where settings say so."""
    trusted: tuple[str, str] | None = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    if trusted is not None:
        name = trusted[0].removeprefix("HTTP_").replace("_", "-").lower().encode()
        return "https" if _header(scope, name).split(",")[0].strip() == trusted[1] else "http"
    return "https" if scope.get("scheme") in ("wss", "https") else "http"


def _normal(origin: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or parts.path or parts.query or parts.username:
        return None
    return parts.scheme, parts.hostname, port


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


@database_sync_to_async
def _person(key: str | None) -> Any:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    # As for pages: a password that somebody else made opens nothing but the way to change it.
    return AnonymousUser() if getattr(user, "must_change_password", False) else user


class NotFound:
    """A socket address that does not exist is refused like any other, without a log of errors."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000 + HTTPStatus.NOT_FOUND})


unknown: Any = NotFound()
areas = (servers, jobs, limits, streams, pubsub, leaderboards, services, caching)
routes: list[Any] = [*chain.from_iterable(areas), path("<path:rest>", unknown), path("", unknown)]
router = URLRouter(routes)
sockets = Mounted(SameOrigin(SignedIn(router)))
