"""The shop's services as instances: registered, checked on loopback, called by one another.

One flaps now and then, one dies without a word and comes back: both so that there is something
to see. All of it is in this process, and none of it costs much.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any, ClassVar

import redis

from demo import names
from demo.health import Health
from demo.service import Service
from redisops.connection import AsyncClient
from redisops.errors import RedisopsError
from redisops.services import (
    AsyncAgent,
    AsyncBalancer,
    AsyncDiscovery,
    AsyncRegistry,
    Instance,
    NoInstance,
    Registration,
)

ZONES = ("a", "b", "c")
COPIES = dict(zip(names.SERVICES, (3, 3, 2, 1, 2), strict=True))
VERSIONS = {"shop-catalog": "2.3.1", "shop-orders": "1.4.2", "shop-search": "0.9.0"}
FLAPS, DIES = "shop-payments-2", "shop-search-2"
SPELL, EVERY, SWING = 150, 420, 24  # seconds: of seven minutes two and a half are bad, by turns
ALIVE, DEAD = 200.0, 50.0
TTL = 12.0


def registration(service: str, number: int, port: int) -> Registration:
    """One copy as it says of itself; the last one of some services is of the version before."""
    version = VERSIONS.get(service, "1.0.3")
    if number == 3:
        version = version[:-1] + "0"
    id = f"{service}-{number}"
    check = {"kind": "http", "path": "/health", "interval": 2.0 if id == FLAPS else 5.0}
    return Registration(
        service, id, "127.0.0.1", port, name=service.removeprefix("shop-").capitalize(),
        version=version, zone=ZONES[(number - 1) % 3], tags=("shop",),
        metadata={"runtime": "python", "team": "Shop"}, check=check, ttl=TTL,
    )  # fmt: skip


class Mortal:
    """An instance that is killed now and then: silent at once, its port closed, back later."""

    def __init__(self, client: AsyncClient, service: str, number: int) -> None:
        self.registry = AsyncRegistry(client)
        self.service, self.number = service, number

    async def live(self) -> None:
        """Die and come back until cancelled; Redis away only makes it register later."""
        while True:
            health = Health(f"{self.service}-{self.number}")
            who = registration(self.service, self.number, await health.open())
            try:
                await self._beat(who, time.monotonic() + ALIVE * random.uniform(0.7, 1.3))
            finally:
                await health.close()
            await asyncio.sleep(DEAD)

    async def _beat(self, who: Registration, end: float) -> None:
        held: Any = None
        while time.monotonic() < end:
            try:
                if held is None:
                    held = await self.registry.register(who, why="started")
                answer = (await self.registry.beat([held]))[who.service]
                held = None if answer.missing or answer.replaced else held
            except (redis.RedisError, RedisopsError):
                held = None
            await asyncio.sleep(TTL / 3)


class Fleet(Service):
    """Every copy of every service; and a storefront that calls the catalog through ``pick``."""

    name: ClassVar[str] = "fleet"
    per_second: ClassVar[float] = 2.0
    connections: ClassVar[int] = 8

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.health: dict[str, Health] = {}
        self.agent: AsyncAgent | None = None
        self.discovery: AsyncDiscovery | None = None
        self.mortal: asyncio.Task[None] | None = None
        self.balancer: AsyncBalancer | None = None
        self.answered = 0

    async def prepare(self) -> None:
        """Open the doors and register, once; what keeps them registered goes on by itself."""
        if self.agent is not None:
            return
        copies = []
        for service, count in COPIES.items():
            for copy in range(1, count + 1):
                if (id := f"{service}-{copy}") != DIES:
                    self.health[id] = Health(id)
                    copies.append(registration(service, copy, await self.health[id].open()))
        self.agent = AsyncAgent(self.redis, *copies)
        await self.agent.__aenter__()
        self.discovery = AsyncDiscovery(self.redis, "shop-catalog", name="shop-storefront")
        await self.discovery.__aenter__()
        self.balancer = AsyncBalancer(self.discovery, "shop-catalog", zone="a")
        service, _, number = DIES.rpartition("-")
        self.mortal = asyncio.create_task(Mortal(self.redis, service, int(number)).live())

    async def turn(self) -> None:
        """Somebody looks at the storefront; and who flaps is well or not, as the clock has it."""
        assert self.balancer is not None
        assert self.mortal is not None
        if self.mortal.done():  # only a bug ends it
            self.mortal.result()
        now = time.time()
        self.health[FLAPS].is_well = now % EVERY > SPELL or now % SWING < SWING / 2
        try:
            await self.balancer.call(ask, retry_on=(OSError,))
            self.answered += 1
        except (NoInstance, OSError):
            return  # nobody has checked them yet, or all that were tried are busy

    async def close(self) -> None:
        if self.mortal is not None:
            self.mortal.cancel()
            await asyncio.wait([self.mortal])
        if self.discovery is not None:
            await self.discovery.__aexit__(None, None, None)
        if self.agent is not None:
            await self.agent.aclose("the shop closes")
            service = DIES.rpartition("-")[0]
            # Where Redis does not answer, its lease runs out by itself.
            with contextlib.suppress(redis.RedisError, RedisopsError):
                await AsyncRegistry(self.redis).deregister(service, DIES, "the shop closes")
        for one in self.health.values():
            await one.close()
        await super().close()


async def ask(one: Instance) -> bytes:
    """One request to an instance, as a client of the shop would make it."""
    async with asyncio.timeout(1.0):
        reader, writer = await asyncio.open_connection(one.address, one.port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            return await reader.read(500)
        finally:
            writer.close()
