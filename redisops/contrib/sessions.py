"""Sessions for any ASGI application: FastAPI, Starlette, Django, Channels, or a bare one.

    app = SessionsMiddleware(app, AsyncSessions(redis, Seal([key])))

    session = scope["session"]                   # a mapping; what changes is saved by itself
    session["cart"] = ["KB-87"]
    await session.sign_in("mara", agent="Firefox 131")   # another id from here on
    await session.sign_out()

What is streamed streams on: nothing is read or kept of a request's or a response's body.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from redis.exceptions import RedisError

from redisops.errors import InvalidArgument, RedisopsError
from redisops.sessions import AsyncSessions, Session, SessionGone, SessionInvalid

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

LONGEST_ID = 128
_SAMESITE = ("lax", "strict", "none")


class _NotSaved(Exception):
    """Nothing of the answer was sent yet; carries what went wrong as its cause."""


class WebSession(MutableMapping[str, Any]):
    """The session of one request: the library's ``Session`` and what becomes of its cookie.

    A visitor without a session has an empty one, which is kept nowhere until something is put
    into it. Always true in a condition, also when it is empty.
    """

    def __init__(self, sessions: AsyncSessions, found: Session | None) -> None:
        self._sessions = sessions
        self._held = found if found is not None else sessions.new()
        self._had = found.id if found is not None else ""
        self.is_gone = False

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return self._held[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._held[key] = value

    def __delitem__(self, key: str) -> None:
        del self._held[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def principal(self) -> str:
        """Who is signed in; "" for a visitor."""
        return self._held.principal

    @property
    def handle(self) -> str:
        """The public name of the session, for lists and logs."""
        return self._held.handle

    async def sign_in(self, principal: str, **about: Any) -> None:
        """Somebody proved who they are: the same data under a new id, the old one is worthless.

        One round trip. Raises TooManySessions (with ``limit`` and "refuse"), InvalidArgument for
        an empty principal, and Redis's errors; then the session is what it was.
        """
        if not principal:
            raise InvalidArgument("a principal is needed to sign in")
        held = self._held
        fresh = self._sessions.new(principal, **about)
        fresh.update(held)
        await self._sessions.save(fresh)
        if not held.is_new:
            await self._sessions.delete(held)
        self._held = fresh

    async def sign_out(self) -> None:
        """End the session; what is put in afterwards begins a new one. One round trip, or none."""
        if not self._held.is_new:
            await self._sessions.delete(self._held)
        self._held = self._sessions.new()

    async def saved(self, *, may_begin: bool = True) -> tuple[str, float] | None:
        """Write what changed. The cookie to set (id, seconds): "" takes it away, None leaves it.

        One round trip, or none. A session that was revoked meanwhile stays so.
        """
        held = self._held
        if not held.is_new or (len(held) and may_begin):
            try:
                await self._sessions.save(held)
            except SessionGone:
                self.is_gone = True
                return "", 0
        id = "" if held.is_new else held.id
        if id == self._had:
            return None
        return id, max(held.ends - self._sessions.clock(), 0) if id else 0


class SessionsMiddleware:
    """Gives each request and websocket of ``app`` its ``scope["session"]``, a WebSession.

    ``cookie``: its name; by default ``__Host-session``, which browsers take from https alone, and
    ``session`` with ``secure=False``. ``samesite``: "lax", "strict" or "none". An id that Redis
    does not know is never taken over, so nobody can be given a session that somebody else knows.
    While Redis does not answer, a request that has a cookie is answered 503 and keeps it: not
    knowing who somebody is does not sign them out. A websocket is closed with 1013 then; what it
    changes is saved when it ends, and it begins no session.
    """

    def __init__(
        self,
        app: App,
        sessions: AsyncSessions,
        *,
        cookie: str = "",
        secure: bool = True,
        samesite: str = "lax",
    ) -> None:
        if samesite not in _SAMESITE or (samesite == "none" and not secure):
            raise InvalidArgument('samesite is "lax", "strict", or, with secure, "none"')
        self.app, self.sessions = app, sessions
        self.cookie = cookie or ("__Host-session" if secure else "session")
        self.after = f"; Path=/; HttpOnly; SameSite={samesite.capitalize()}" + "; Secure" * secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            session = WebSession(self.sessions, await self._load(scope))
        except (RedisError, RedisopsError, OSError):
            await _unavailable(scope, receive, send)
            return
        scope["session"] = session
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            await session.saved(may_begin=False)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Before the first byte, so that the next request sees what this one did.
                try:
                    headers = await self._headers(session)
                except (RedisError, RedisopsError, OSError) as error:
                    raise _NotSaved from error
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except _NotSaved as unsaved:
            log.warning("a session was not saved: %r", unsaved.__cause__)
            await _unavailable(scope, receive, send)

    async def _load(self, scope: Scope) -> Session | None:
        id = self._id(scope)
        try:
            return await self.sessions.load(id) if id else None
        except SessionInvalid:
            return None

    def _id(self, scope: Scope) -> str:
        for name, value in scope.get("headers", ()):
            if name.lower() != b"cookie":
                continue
            try:
                found = SimpleCookie(value.decode("latin-1")).get(self.cookie)
            except CookieError:
                continue
            if found and 16 <= len(found.value) <= LONGEST_ID and found.value.isascii():
                return found.value
        return ""

    async def _headers(self, session: WebSession) -> list[tuple[bytes, bytes]]:
        cookie = await session.saved()
        if cookie is None:
            return []
        id, seconds = cookie
        text = f"{self.cookie}={id}; Max-Age={int(seconds)}{self.after}"
        return [(b"set-cookie", text.encode("latin-1")), (b"cache-control", b"no-store")]


async def _unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1013})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"2")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Sessions are not available just now."})
