"""Sessions in front of an ASGI application: cookies, fixation, revocation, Redis away."""

import asyncio
import contextlib

import pytest

from redisops.connection import connect_async
from redisops.contrib.sessions import SessionsMiddleware
from redisops.errors import InvalidArgument
from redisops.sessions import AsyncSessions, Seal

KEY = b"n" * 32


class Browser:
    """Keeps the cookie, as a browser does."""

    def __init__(self, app):
        self.app, self.cookie, self.headers = app, "", []

    async def get(self, path, kind="http"):
        headers = [(b"cookie", f"theme=dark; session={self.cookie}".encode())]
        sent = []

        async def receive():
            return {"type": "http.request", "body": b""}

        async def send(message):
            sent.append(message)

        scope = {"type": kind, "path": path, "headers": headers if self.cookie else []}
        await self.app(scope, receive, send)
        start = sent[0]
        for name, value in start.get("headers", ()):
            if name == b"set-cookie":
                self.headers.append(value.decode())
                self.cookie = value.decode().split(";")[0].partition("=")[2]
        if kind == "websocket":
            return start["type"], start.get("code")
        return start["status"], sent[-1]["body"].decode()


async def shop(scope, receive, send):
    session, path = scope["session"], scope["path"]
    if path == "/add":
        session.setdefault("cart", []).append("KB-87")
    elif path == "/in":
        await session.sign_in("mara", address="10.0.0.7")
    elif path == "/out":
        await session.sign_out()
    body = f"{session.principal} {len(session.get('cart', ()))}"
    if scope["type"] == "websocket":
        session["seen"] = 1
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})


def run(server, story):
    async def main():
        client = connect_async(server.url)
        sessions = AsyncSessions(client, Seal([KEY]))
        try:
            await story(sessions, SessionsMiddleware(shop, sessions, secure=False))
        finally:
            await client.aclose()

    asyncio.run(main())


def test_a_visitor_fills_a_cart_signs_in_and_out(server, client):
    async def story(sessions, app):
        browser = Browser(app)
        assert await browser.get("/") == (200, " 0")
        assert browser.cookie == "" and client.dbsize() == 0  # a visitor costs nothing
        assert await browser.get("/add") == (200, " 1")
        assert "HttpOnly; SameSite=Lax" in browser.headers[0] and "Max-Age=43" in browser.headers[0]
        visitor = browser.cookie
        assert await browser.get("/add") == (200, " 2")
        assert len(browser.headers) == 1
        assert await browser.get("/in") == (200, "mara 2")
        assert browser.cookie not in ("", visitor)
        assert await sessions.load(visitor) is None
        [info] = await sessions.of("mara")
        assert info.about == {"address": "10.0.0.7"}
        await browser.get("/ws", "websocket")
        assert (await sessions.load(browser.cookie))["seen"] == 1
        signed_in = browser.cookie
        assert await browser.get("/out") == (200, " 0")
        assert browser.cookie == "" and "Max-Age=0" in browser.headers[-1]
        assert await sessions.load(signed_in) is None

    run(server, story)


def test_an_id_that_somebody_made_up_is_never_taken_over(server):
    async def story(sessions, app):
        browser = Browser(app)
        browser.cookie = fixed = "attacker-knows-this-one-0123456789"
        await browser.get("/add")
        assert browser.cookie != fixed
        for odd in ("x" * 5_000, "é" * 20, '"; DROP', "short"):
            browser.cookie = odd
            assert (await browser.get("/"))[0] == 200

    run(server, story)


def test_a_revoked_session_is_not_brought_back_by_a_request_under_way(server):
    async def story(sessions, app):
        browser = Browser(app)
        await browser.get("/in")

        async def slow(scope, receive, send):
            await sessions.revoke_all("mara")
            scope["path"] = "/add"
            await shop(scope, receive, send)

        browser.app = SessionsMiddleware(slow, sessions, secure=False)
        assert await browser.get("/") == (200, "mara 1")
        assert browser.cookie == "" and await sessions.of("mara") == []

    run(server, story)


def test_redis_away_is_503_and_the_cookie_stays(server):
    async def story(sessions, app):
        browser = Browser(app)
        await browser.get("/in")
        cookie = browser.cookie
        gone = connect_async("redis://127.0.0.1:1/0")
        browser.app = SessionsMiddleware(shop, AsyncSessions(gone, Seal([KEY])), secure=False)
        assert (await browser.get("/"))[0] == 503
        assert await browser.get("/", "websocket") == ("websocket.close", 1013)
        assert browser.cookie == cookie
        assert await Browser(browser.app).get("/") == (200, " 0")  # a visitor is served
        assert (await Browser(browser.app).get("/add"))[0] == 503
        with contextlib.suppress(OSError):
            await gone.aclose()
        browser.app = app
        assert await browser.get("/") == (200, "mara 0")

    run(server, story)


def test_a_cookie_that_browsers_refuse_is_refused_here():
    with pytest.raises(InvalidArgument, match="samesite"):
        SessionsMiddleware(shop, None, secure=False, samesite="none")
    assert SessionsMiddleware(shop, None).cookie == "__Host-session"
