"""The watcher: one thread with one event loop in the worker of the queue ``services``.

A task starts it and sees that it is still there; it goes on when beat and the broker do not. Each
says every second on home that it is there (``<prefix>services:watchers``); each instance is one
watcher's to check, by rendezvous, so that a lost one's share is with the others three seconds
later. A watcher that cannot say so itself checks on only when it was alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
import socket
import threading

import redis
import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from dashboard.servers.load.errors import WorkStopped
from dashboard.servers.models import HOME, Server
from dashboard.servers.secrets import SecretUnreadable
from dashboard.services.checks import targets
from dashboard.services.checks.models import ServiceCheck
from dashboard.services.checks.running import Runs
from dashboard.services.checks.watch import ERRORS, Watch
from dashboard.services.checks.wheel import Wheel
from redisops.services.watching import AsyncWatching

log = structlog.get_logger(__name__)

PRESENT_SECONDS = 3.0
LOOK_SECONDS = 2.0
TICK = 0.02
NOTED = 0.05
"""Seconds that a tick may come late and the loop not be called behind."""


def key() -> str:
    """Where watchers say that they are there: a sorted set on home."""
    return f"{settings.HOME_PREFIX}services:watchers"


class Watcher:
    """Watches every watched server until ``stop``. Runs in the loop that calls ``run``."""

    def __init__(self, me: str = "") -> None:
        self.me = me or f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.watches: dict[int, Watch] = {}
        self.peers: tuple[str, ...] = (self.me,)
        self.wheel = Wheel()
        self.late = 0.0
        self._present_at = float("-inf")
        self._may_check = True
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Watch until ``stop``; what goes wrong with one server leaves the others alone."""
        runs = Runs(self.wheel, _files() - 300)
        helpers = [asyncio.create_task(self._look_again()), asyncio.create_task(self._be_there())]
        log.info("watching services", watcher=self.me)
        try:
            while not self._stopped.is_set():
                for task in helpers:
                    if task.done():
                        task.result()  # a fault of ours: end with it, and be started again
                await self._tick(runs)
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, runs.close(), return_exceptions=True)
            await asyncio.gather(*(one.close() for one in self.watches.values()))
            await self._leave()

    def stop(self) -> None:
        """End soon; from the loop's own thread."""
        self._stopped.set()

    async def _tick(self, runs: Runs) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(TICK)
        now = loop.time()
        late = now - before - TICK
        if late > NOTED:
            runs.behind += late
        self.late = self.wheel.late(now)
        runs.expire(now)
        if self._may_check:
            runs.begin(now)

    # --- Who watches, and what ------------------------------------------------------------

    async def _be_there(self) -> None:
        loop, was_away = asyncio.get_running_loop(), False
        self._present_at = loop.time()
        while True:
            try:
                home = AsyncWatching(_home().async_client())
                self.peers = await home.present(key(), self.me, PRESENT_SECONDS)
                self._present_at, was_away = loop.time(), False
            except ERRORS as error:
                if not was_away:
                    log.warning("home is away: nobody knows that this one watches", why=str(error))
                was_away = True
            # Nobody hears of us: whoever there was beside us has taken our share over by now.
            unheard = loop.time() - self._present_at > PRESENT_SECONDS
            self._may_check = not unheard or self.peers in ((), (self.me,))
            for watch in self.watches.values():
                watch.share_again(self.peers)
            await asyncio.sleep(PRESENT_SECONDS / 3)

    async def _leave(self) -> None:
        with contextlib.suppress(TimeoutError, *ERRORS):
            async with asyncio.timeout(1.0):
                await AsyncWatching(_home().async_client()).present(key(), self.me, 0)

    async def _look_again(self) -> None:
        """Which servers there are, what was decided on their checks, where our own places are."""
        was_away = False
        while True:
            try:
                servers, rows = await database_sync_to_async(_wanted)()
                was_away = False
            except (DatabaseError, InterfaceError) as error:
                if not was_away:
                    log.warning("SQL is away: what was decided goes on", why=str(error))
                was_away = True
            else:
                await self._watch(servers, rows)
            await asyncio.sleep(LOOK_SECONDS)

    async def _watch(self, servers: list[Server], rows: dict[int, dict[str, ServiceCheck]]) -> None:
        wanted = {one.pk: one for one in servers}
        for pk, watch in list(self.watches.items()):
            server = wanted.get(pk)
            if server is None or server.digest != watch.server.digest or not watch.is_alive:
                del self.watches[pk]
                await watch.close(silently=server is None)
        for pk, server in wanted.items():
            if pk not in self.watches:
                try:
                    self.watches[pk] = Watch(server, self.me, self.wheel.add)
                except (WorkStopped, SecretUnreadable) as error:
                    log.warning("a server is not watched", server=server.slug, why=str(error))
                    continue
                self.watches[pk].share_again(self.peers)
            self.watches[pk].rows = rows.get(pk, {})


def _wanted() -> tuple[list[Server], dict[int, dict[str, ServiceCheck]]]:
    """The servers to watch and the decided checks of each; refreshes the places of our own."""
    from dashboard.servers.tasks import watched

    targets.look()
    servers = watched()
    rows: dict[int, dict[str, ServiceCheck]] = {}
    for row in ServiceCheck.objects.filter(server__in=servers):
        rows.setdefault(row.server_id, {})[row.service] = row
    return servers, rows


def _home() -> Server:
    return Server(slug=HOME)


def _files() -> int:
    """Open files that this process may have; as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return soft


# --- The thread of a worker ---------------------------------------------------------------


class _Thread(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="services-watcher", daemon=True)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.watcher: Watcher | None = None

    def run(self) -> None:
        try:
            import uvloop

            runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        except ImportError:  # not on every system
            runner = asyncio.Runner()
        with runner:
            self.loop = runner.get_loop()
            try:
                runner.run(self._watched())
            except (redis.RedisError, OSError, RuntimeError):
                log.exception("the watcher ended; the next task starts it again")

    async def _watched(self) -> None:
        self.watcher = Watcher()
        await self.watcher.run()

    def leave(self) -> None:
        """Ask it to end: the others take over at once."""
        if self.loop is not None and self.watcher is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self.loop.call_soon_threadsafe(self.watcher.stop)


_thread: _Thread | None = None
_starting = threading.Lock()
_leaving = threading.Event()


def see_to_it() -> bool:
    """Start this process's watcher unless it runs; whether it was started. Asked any often."""
    global _thread
    with _starting:
        if _leaving.is_set() or (_thread is not None and _thread.is_alive()):
            return False
        _thread = _Thread()
        _thread.start()
        return True


def end(seconds: float = 3.0) -> None:
    """Stop this process's watcher, and wait for it a moment."""
    _leaving.set()
    if _thread is not None:
        _thread.leave()
        _thread.join(seconds)


def beginning() -> None:
    """For tests: let ``see_to_it`` start one again."""
    _leaving.clear()
