"""Who waits for a service to change: one discovery for each server and process, no threads.

A follower begins with the first who waits on a server and ends ``LINGER`` seconds after the last.
Whoever waits has a bounded queue; when it is full, its holder is given the whole copy instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import AsyncIterator

from dashboard.api.problems import Refused
from dashboard.servers.models import Server
from redisops.services import AsyncDiscovery, Copy, Event

LINGER = 10.0
MOST_SERVICES = 500  # of one server that are waited for at once
MOST_WAITING = 2_000  # of one process
MOST_NEWS = 256

_kept: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Follower]]
_kept = weakref.WeakKeyDictionary()


class Watcher:
    """One who waits for news of a service: each change, or None for "look at the copy"."""

    def __init__(self, discovery: AsyncDiscovery, service: str) -> None:
        self.service = service
        self._discovery = discovery
        self._news: deque[Event | None] = deque()
        self._some = asyncio.Event()

    @property
    def copy(self) -> Copy:
        """The service as it is known now."""
        return self._discovery.copy(self.service)

    @property
    def is_known(self) -> bool:
        """Whether the copy was ever read."""
        return self._discovery.is_known(self.service)

    @property
    def age(self) -> float:
        """Seconds since Redis confirmed the copy; 0 before it was read."""
        return self._discovery.age(self.service) or 0.0

    def tell(self, news: Event | None) -> None:
        """Put it into the queue; a full one is replaced by a look at the whole."""
        if len(self._news) >= MOST_NEWS:
            self._news.clear()
            news = None
        self._news.append(news)
        self._some.set()

    async def next(self, seconds: float) -> list[Event | None]:
        """What came since; empty when nothing came within ``seconds``."""
        if not self._news:
            self._some.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._some.wait()
        found = list(self._news)
        self._news.clear()
        return found


class Follower:
    """The discovery of one server in one configuration, and who waits for it here."""

    def __init__(self, server: Server, service: str) -> None:
        self.digest = server.digest
        self.discovery = AsyncDiscovery(
            server.async_client(), service, changed=self._tell, name="Redisops console, API"
        )
        self.watchers: dict[str, set[Watcher]] = {}
        self.is_begun = False

    def add(self, service: str) -> Watcher:
        """Another one who waits; ``Refused`` 503 when there are too many."""
        if service not in self.watchers and len(self.watchers) >= MOST_SERVICES:
            raise Refused(503, "Too many services are waited for", Retry_After="5")
        self.discovery.also(service)
        watcher = Watcher(self.discovery, service)
        self.watchers.setdefault(service, set()).add(watcher)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        """It waits no more."""
        of_it = self.watchers[watcher.service]
        of_it.discard(watcher)
        if not of_it:
            del self.watchers[watcher.service]
            self.discovery.let_go(watcher.service)

    def _tell(self, news: Event | str) -> None:
        service, event = (news, None) if isinstance(news, str) else (news.service, news)
        for watcher in self.watchers.get(service, ()):
            watcher.tell(event)


@contextlib.asynccontextmanager
async def watching(server: Server, service: str) -> AsyncIterator[Watcher]:
    """Wait for news of ``service``; ``Refused`` 503 where too many do already.

    Raises ``WorkStopped`` and ``SecretUnreadable`` as ``async_client`` does.
    """
    loop = asyncio.get_running_loop()
    followers = _kept.setdefault(loop, {})
    if sum(len(of) for one in followers.values() for of in one.watchers.values()) >= MOST_WAITING:
        raise Refused(503, "Too many wait here already", Retry_After="5")
    follower = followers.get(server.slug)
    if follower is None or follower.digest != server.digest:
        follower = followers[server.slug] = Follower(server, service)
    watcher = follower.add(service)
    if not follower.is_begun:
        follower.is_begun = True
        await follower.discovery.__aenter__()
    try:
        yield watcher
    finally:
        follower.remove(watcher)
        if not follower.watchers:
            loop.call_later(LINGER, _end_unused, loop, server.slug, follower)


def copy_of(server: Server, service: str) -> tuple[Copy, float] | None:
    """The copy that somebody here waits on, with its age; None without any. From any thread."""
    for followers in list(_kept.values()):
        follower = followers.get(server.slug)
        if follower is None or follower.digest != server.digest:
            continue
        discovery = follower.discovery
        if service in discovery.services and discovery.is_known(service):
            return discovery.copy(service), discovery.age(service) or 0.0
    return None


def _end_unused(loop: asyncio.AbstractEventLoop, slug: str, follower: Follower) -> None:
    if follower.watchers or follower.discovery.is_over:
        return
    followers = _kept.get(loop, {})
    if followers.get(slug) is follower:
        del followers[slug]
    ending = loop.create_task(follower.discovery.aclose())
    _ending.add(ending)
    ending.add_done_callback(_ending.discard)


_ending: set[asyncio.Task[None]] = set()  # a loop keeps no task that nobody else keeps
