"""What the responder knows: a copy of all services of one server, followed by one discovery."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from channels.db import database_sync_to_async
from django.db import Error as SqlError
from redis.exceptions import RedisError

from dashboard.servers.load import WorkStopped
from dashboard.servers.models import Server
from dashboard.servers.secrets import SecretUnreadable
from dashboard.services.dns.answering import Unknown
from redisops.errors import RedisopsError
from redisops.services import AsyncDiscovery, Instance
from redisops.services.names import AsyncNames

log = structlog.get_logger(__name__)

EVERY = 2.0  # seconds between two looks for services that are new
MOST_SERVICES = 2_000  # that are followed; of others it says that it does not know
MOST_STALE = 600.0  # seconds since Redis confirmed a copy
TROUBLE = (RedisError, RedisopsError, SqlError, SecretUnreadable, OSError)


class Copies:
    """The services of the server ``slug``; ``follow`` keeps them new."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self._digest = ""
        self._discovery: AsyncDiscovery | None = None
        self._listing: AsyncNames | None = None
        self._names: dict[str, str] | None = None  # by small letters

    def find(self, name: str) -> Sequence[Instance] | None:
        """The instances of the service ``name`` (small letters); see ``answering.Find``."""
        discovery, listing = self._discovery, self._listing
        if self._names is None or listing is None:
            raise Unknown
        service = self._names.get(name)
        if service is None:
            if listing.more or not listing.is_whole:
                raise Unknown  # it may be one of those that are not followed
            return None
        if discovery is None or service not in discovery.services:
            raise Unknown
        age = discovery.age(service)
        if age is None or age > MOST_STALE:
            raise Unknown
        return discovery.copy(service).instances

    async def follow(self) -> None:
        """Look for new services until cancelled; trouble is told once, and tried on."""
        trouble = ""
        try:
            while True:
                said = ""
                try:
                    await self.look()
                except WorkStopped as error:
                    said = f"{error}"
                    await self.end()
                except TROUBLE as error:
                    said = f"{type(error).__name__}: {error}"
                if said != trouble and said:
                    log.warning("dns.services_not_listed", server=self.slug, why=said)
                trouble = said
                await asyncio.sleep(EVERY)
        finally:
            await self.end()

    async def look(self) -> None:
        """List the services, and follow those that are new."""
        server = await database_sync_to_async(self._server)()
        client = server.async_client()
        if server.digest != self._digest:
            await self.end()
            self._digest = server.digest
        if self._listing is None:
            self._listing = AsyncNames(client, MOST_SERVICES)
        found = await self._listing.look()
        if found and self._discovery is None:
            self._discovery = AsyncDiscovery(client, *found, name="Redisops console, DNS")
            await self._discovery.__aenter__()
            await self._discovery.wait(2.0)
        elif self._discovery is not None:
            self._discovery.also(*found)
            for gone in set(self._discovery.services) - set(found):
                self._discovery.let_go(gone)
        self._names = {name.lower(): name for name in found}

    async def end(self) -> None:
        """Follow no more, and know nothing."""
        discovery, self._discovery, self._names = self._discovery, None, None
        self._listing = None
        if discovery is not None:
            await discovery.aclose()

    def _server(self) -> Server:
        found = Server.objects.filter(slug=self.slug).first()
        if found is None:
            raise RedisopsError(f"there is no server {self.slug}")
        return found
