"""What all services of the shop share: a name, a client of their own, and staying alive."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import ClassVar

import redis

from demo.claim import Claim, Occupied
from demo.pace import pause
from redisops.connection import AsyncClient, connect_async
from redisops.errors import RedisopsError
from redisops.resilience import Backoff, diagnose

log = logging.getLogger("demo")


def words(error: Exception) -> str:
    trouble = diagnose(error)
    return f"{trouble.sentence} {trouble.detail}".strip()


class Service(ABC):
    """One service: ``prepare`` sets its keys up, ``turn`` does one thing it does all day.

    Redis may be away at any moment and may come back empty. A failed turn is not repeated (its
    write may have happened); after a pause ``prepare`` runs again, then the next turn.
    """

    name: ClassVar[str]
    per_second: ClassVar[float]
    connections: ClassVar[int] = 4

    def __init__(self, url: str) -> None:
        self.redis: AsyncClient = connect_async(
            url, name=f"shop-{self.name}", max_connections=self.connections
        )

    async def prepare(self) -> None:  # noqa: B027 - some have no keys to set up
        """Create what turns rely on; safe to run again at any time."""

    @abstractmethod
    async def turn(self) -> None:
        """Do one thing that the service does all day."""

    async def live(self, claim: Claim) -> None:
        """Run until cancelled, through every trouble that Redis can have."""
        backoff, failures, last = Backoff(base=0.5, cap=5.0), 0, ""
        while True:
            try:
                await claim.renew(self.redis)
                await self.prepare()
                if failures:
                    log.info("%s: going on", self.name)
                failures, last = 0, ""
                while True:
                    await self.turn()
                    await pause(self.per_second)
            except (redis.RedisError, RedisopsError) as error:
                said = str(error) if isinstance(error, Occupied) else words(error)
                if said != last:  # once per cause, not once per try
                    log.warning("%s: %s", self.name, said)
                last = said
                failures += 1
                await asyncio.sleep(max(backoff.delay(failures), 0.1))

    async def close(self) -> None:
        await self.redis.aclose()
