"""Whether those who opened a socket may still have it: asked for all sockets at once.

Whether the other side reads at all, twice a second; sessions every two seconds; rights every ten,
in one thread for all, and at once when a control message says that somebody's rights changed.
Control messages are small, carry no data and may be lost or doubled: the timers find everything
they could have said.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
import weakref
from collections.abc import Awaitable
from typing import Any, Protocol

import structlog
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError

from dashboard.accounts import sessions
from dashboard.accounts.models import User
from dashboard.servers import access
from dashboard.servers.load import watching

log = structlog.get_logger(__name__)

GROUP = "live.control"
SENDING_SECONDS = 0.5
SESSION_SECONDS = 2.0
RIGHTS_SECONDS = 10.0
SEND_SECONDS = 10.0
LISTEN_AGAIN_SECONDS = 2.0
TOO_SLOW, SIGNED_OUT, FORBIDDEN, NOT_FOUND = 4008, 4401, 4403, 4404
AGAIN = 1013
Claim = tuple[int, str, str]
"""A user's primary key, a server's slug, a permission."""


class Guarded(Protocol):
    """An open socket: whose it is, what it claims, and since when a message is not taken."""

    sending_since: float | None
    session_key: str | None
    claim: Claim

    def end(self, code: int) -> Awaitable[None]: ...


class Guard:
    """Watches the open sockets of one event loop; runs while there are any."""

    _guards: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self.sockets: set[Guarded] = set()
        self._task: asyncio.Task[None] | None = None
        self._now = asyncio.Event()

    @classmethod
    def here(cls) -> Guard:
        """The running loop's guard."""
        loop = asyncio.get_running_loop()
        if loop not in cls._guards:
            cls._guards[loop] = cls()
        return cls._guards[loop]

    def add(self, socket: Guarded) -> None:
        self.sockets.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch(), name="live guard")

    def remove(self, socket: Guarded) -> None:
        self.sockets.discard(socket)
        if not self.sockets and self._task is not None:
            self._task.cancel()
            self._task = None

    async def check_sending(self) -> None:
        """Close the sockets whose other side does not read: a timer for each would cost more."""
        late = time.monotonic() - SEND_SECONDS
        stuck = [one for one in self.sockets if (one.sending_since or math.inf) < late]
        if stuck:
            log.info("closed sockets that did not read", sockets=len(stuck))
            await self._close(stuck, TOO_SLOW)

    async def check_sessions(self) -> None:
        """Close the sockets of sessions that were revoked or have expired."""
        alive = {key: await sessions.is_live_async(key) for key in self._keys()}
        await self._close(
            [one for one in self.sockets if not alive.get(one.session_key, True)], SIGNED_OUT
        )

    async def check_rights(self) -> None:
        """Close the sockets of people who may not have them any more."""
        claims = {socket.claim for socket in self.sockets}
        try:
            held = await _held(claims)
        except DatabaseError:
            # Sessions are refused when nobody can tell; a right that was checked stays a while.
            log.warning("rights of open sockets could not be checked", sockets=len(self.sockets))
            return
        await self._close([s for s in self.sockets if s.claim in claims - held], FORBIDDEN)

    def _keys(self) -> set[str | None]:
        return {socket.session_key for socket in self.sockets}

    async def _close(self, sockets: list[Guarded], code: int) -> None:
        await asyncio.gather(*(socket.end(code) for socket in sockets))

    async def _watch(self) -> None:
        listening = asyncio.create_task(self._listen(), name="live control")
        sending = asyncio.create_task(self._watch_sending(), name="live sending")
        checked = time.monotonic()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SESSION_SECONDS):  # see ``ending``
                        await self._now.wait()
                asked = self._now.is_set()
                self._now.clear()
                due = asked or time.monotonic() - checked >= RIGHTS_SECONDS
                checked = time.monotonic() if due else checked
                try:
                    await self._check(rights=due)
                except Exception:
                    # One check that went wrong must not end all those to come.
                    log.exception("open sockets could not be checked", sockets=len(self.sockets))
        finally:
            sending.cancel()
            # The layer swallows a cancellation that comes while it subscribes: insist.
            while not listening.done():
                listening.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({listening}, timeout=0.1)

    async def _watch_sending(self) -> None:
        """Apart from the other checks, which wait for home and for SQL as long as these like."""
        while True:
            await asyncio.sleep(SENDING_SECONDS)
            try:
                await self.check_sending()
            except Exception:
                # Nobody awaits this task: one look that went wrong must not end all those to come.
                log.exception("sockets that do not read could not be closed")

    async def _check(self, *, rights: bool) -> None:
        await self.check_sessions()
        if rights:
            await self.check_rights()
        await watching.look()

    async def _listen(self) -> None:
        """Wait for control messages, through every failure of the layer that brings them."""
        while True:
            layer: Any = get_channel_layer()
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    await layer.receive(channel)
                    self._now.set()
            except Exception as error:
                log.info("control messages are not heard", error=repr(error))
                # A channel that could not be subscribed to stays in the layer, which would hand it
                # each message for ever. Nobody else in this loop uses the layer; its own flush()
                # swallows a cancellation.
                layer.channels.clear()
                layer.groups.clear()
                await asyncio.sleep(LISTEN_AGAIN_SECONDS)


async def announce() -> None:
    """Tell every process that somebody's rights or sessions changed; nothing more is said."""
    layer: Any = get_channel_layer()
    await layer.group_send(GROUP, {"type": "live.control"})


@database_sync_to_async
def _held_now(claims: set[Claim]) -> set[Claim]:
    users = User.objects.in_bulk({pk for pk, _, _ in claims})
    held = set()
    for pk, slug, permission in claims:
        user = users.get(pk)
        server = access.server_for(user, slug) if user is not None else None
        if user is not None and server is not None and access.may(user, permission, server):
            held.add((pk, slug, permission))
    return held


async def _held(claims: set[Claim]) -> set[Claim]:
    return await _held_now(claims) if claims else set()
