"""Live pages: a consumer is a permission and a ``follow()``; everything else is here.

    class OverviewConsumer(LiveConsumer):
        permission = "servers.view"

        async def follow(self) -> Topic:
            return SamplesTopic(self.server, render)

Access is checked before the socket is accepted, and again while it is open. What the topic gives
reaches the page through a bounded queue of its own and one sending task: a page that does not
read holds up nobody, loses the oldest rows, is told so, and is closed after ten seconds.

A page may say ``{"t": "hide"}`` to get counts instead of rows, and ``{"t": "show", "after": id}``
to get all it missed. It opens with ``?after=<id>`` to go on where it was.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import parse_qs

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError, InterfaceError

from dashboard.servers import access
from dashboard.servers.live.guard import (
    AGAIN,
    FORBIDDEN,
    NOT_FOUND,
    SIGNED_OUT,
    TOO_SLOW,
    Claim,
    Guard,
)
from dashboard.servers.live.hub import Batch, Hub, Row, Topic
from dashboard.servers.live.lines import Line
from dashboard.servers.live.queues import Gap, Queue
from dashboard.servers.live.topics import SamplesTopic, StreamTopic
from dashboard.servers.models import Server

__all__ = [
    "Batch", "Gap", "Hub", "LiveConsumer", "Queue", "Row", "SamplesTopic", "StreamTopic", "Topic",
]  # fmt: skip

log = structlog.get_logger(__name__)

FAILED = 1011
CLOSING = 12.0
"""Seconds in which the other side may take a close and answer it; Uvicorn itself waits for ten."""
ID_LENGTH = 64
MESSAGE_LENGTH = 1000


class LiveConsumer(AsyncWebsocketConsumer, ABC):
    """One socket that follows one topic of one server."""

    permission: str
    # No channel of its own: control messages are heard once per process (``guard``).
    channel_layer_alias = "none"

    server: Server
    sending_since: float | None = None
    session_key: str | None = None
    claim: Claim

    @abstractmethod
    async def follow(self) -> Topic:
        """What this page watches; ``self.server`` and ``self.params`` are set."""

    @property
    def params(self) -> dict[str, Any]:
        """What the address holds beside the slug."""
        kwargs: dict[str, Any] = self.scope["url_route"]["kwargs"]
        return kwargs

    # --- Coming and going -----------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self._ended = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._queue = Queue()
        self._topic: Topic | None = None
        self._line = Line(send)

        async def receive_until_ended() -> Any:
            """Ends the consumer also when the other side takes nothing, not even a close."""
            message, ended = (
                asyncio.ensure_future(receive()),
                asyncio.create_task(self._ended.wait()),
            )
            try:
                await asyncio.wait({message, ended}, return_when=asyncio.FIRST_COMPLETED)
                if message.done():
                    return message.result()
                return {"type": "websocket.disconnect", "code": 1006}
            finally:
                message.cancel()
                ended.cancel()

        try:
            return await super().__call__(scope, receive_until_ended, send)
        finally:
            self._release()

    async def connect(self) -> None:
        try:
            refused = await self._refusal()
        except (DatabaseError, InterfaceError):
            refused = AGAIN  # nobody can tell who may; the page tries again by itself
        if refused:
            await self.close(code=refused)
            return
        try:
            self._topic = await self.follow()
        except Exception:
            # Whatever an area's own ``follow`` trips over: the page is told to stop asking, and
            # the log has the reason, instead of a handshake that ends without a word.
            log.exception("follow failed", path=self.scope["path"])
            await self.close(code=FAILED)
            return
        await self.accept()
        self._line.bound()
        Guard.here().add(self)
        after = parse_qs(self.scope["query_string"].decode("ascii", "replace")).get("after", [""])[
            0
        ]
        self._start(after)

    async def _refusal(self) -> int | None:
        """The close code for somebody who may not, None for somebody who may."""
        scope: dict[str, Any] = {**self.scope}
        user, self.session_key = scope["user"], scope["session_key"]
        if not user.is_authenticated:
            return SIGNED_OUT
        slug = self.params["slug"]
        self.claim = (user.pk, slug, self.permission)
        server, may = await _ask(user, slug, self.permission)
        if server is None:
            return NOT_FOUND
        self.server = server
        return None if may else FORBIDDEN

    async def disconnect(self, code: int) -> None:
        self._release()

    def _release(self) -> None:
        Guard.here().remove(self)
        if self._sender is not None:
            self._sender.cancel()
        if self._topic is not None:
            Hub.here().leave(self._topic, self._queue)

    async def end(self, code: int) -> None:
        """Close, also when the other side takes nothing any more: then its line is cut."""
        # Who has read nothing for ten seconds is not waited for once more.
        saying, patience = (0.1, 1.0) if code == TOO_SLOW else (1.0, CLOSING)
        try:
            await asyncio.wait_for(self.close(code=code), saying)
        except (TimeoutError, OSError):
            patience = 0.0
        self._ended.set()
        self._line.cut(patience)

    # --- Sending --------------------------------------------------------------------------

    def _start(self, after: str | None) -> None:
        if self._sender is not None:
            self._sender.cancel()
            self.sending_since = None  # what was being sent is sent anew, if at all
        self._sender = asyncio.create_task(self._send(after), name="live sender")

    async def _send(self, after: str | None) -> None:
        assert self._topic is not None
        wanted = after if after and len(after) <= ID_LENGTH else None
        try:
            await Hub.here().join(self._topic, self._queue, wanted)
            while True:
                text = await self._queue.next()
                self.sending_since = time.monotonic()
                await self.send(text_data=text)
                self.sending_since = None
        except OSError:
            self._ended.set()  # the other side is gone
        except Exception:
            # Nobody awaits this task: without this the socket would stay open and silent.
            log.exception("sending failed", path=self.scope["path"])
            await self.end(FAILED)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        message = _understood(text_data)
        if message.get("t") == "hide":
            self._queue.counts_only = True
        elif message.get("t") == "show" and self._topic is not None:
            after = message.get("after")
            self._start(after if isinstance(after, str) else None)


@database_sync_to_async
def _ask(user: Any, slug: str, permission: str) -> tuple[Server | None, bool]:
    server = access.server_for(user, slug)
    return server, server is not None and access.may(user, permission, server)


def _understood(text: str | None) -> dict[str, Any]:
    """A small JSON object; anything else is as good as silence."""
    if not text or len(text) > MESSAGE_LENGTH:
        return {}
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
