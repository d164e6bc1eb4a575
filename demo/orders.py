"""Orders: a stream with two groups, the packing queue, and the orders themselves."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import time
from abc import abstractmethod
from typing import Any, ClassVar

from demo import names
from demo.door import Door
from demo.service import Service
from redisops.resilience import Backoff
from redisops.streams import AsyncConsumerGroup, Entry

KEPT = 5_000
POISON = 1 / 600  # of the orders, one in about four minutes
CURRENCIES = ("EUR", "EUR", "EUR", "NOK", "SEK")


class Orders(Door):
    """Customers order: one stream entry, one hash, one place in the packing queue."""

    name: ClassVar[str] = "orders"
    per_second: ClassVar[float] = 2.5
    route: ClassVar[tuple[str, str]] = ("POST", "/orders")

    async def turn(self) -> None:
        """A customer orders; a few order much more than the others."""
        who = str(min(int(random.paretovariate(0.9) * 20), 3_000))
        await self.visit(who, {"cust": who})

    async def serve(self, order: dict[str, str]) -> None:
        number = f"NO-{int(time.time() * 100) % 10_000_000:07d}"
        entry: dict[Any, Any] = {
            "order": number,
            "cust": order.get("cust", "0"),
            "total": f"{random.lognormvariate(4, 0.8):.2f}",
            "cur": random.choice(CURRENCIES),
            "via": random.choice(("web", "web", "app", "pos")),
        }
        if random.random() < POISON:
            entry["total"] = str(entry["total"]).replace(".", ",")  # who pays it cannot read that
        pipe = self.redis.pipeline(transaction=False)
        pipe.hset(names.order(number), mapping={**entry, "state": "placed", "at": int(time.time())})
        pipe.expire(names.order(number), 40 * 60)
        pipe.xadd(names.ORDERS, entry, maxlen=KEPT, approximate=True)
        pipe.lpush(names.PACKING, number)
        pipe.ltrim(names.PACKING, 0, 399)
        await pipe.execute()


class Packing(Service):
    """Takes orders from the queue, a little slower when the shop is busy, and tells who listens."""

    name: ClassVar[str] = "packing"
    per_second: ClassVar[float] = 2.4

    async def turn(self) -> None:
        number: Any = await self.redis.rpop(names.PACKING)
        if number is None:
            await asyncio.sleep(1)
            return
        key = names.order(number.decode())
        if await self.redis.exists(key):  # it may have expired in the queue
            pipe = self.redis.pipeline(transaction=False)
            pipe.hset(key, "state", "packed")
            pipe.expire(key, 40 * 60)
            pipe.publish(names.PACKED, json.dumps({"order": number.decode(), "state": "packed"}))
            await pipe.execute()


class Consumer(Service):
    """One member of a consumer group of the orders stream; what fails for good is a dead letter."""

    group: ClassVar[str]
    per_second: ClassVar[float] = 1.0  # a turn lasts as long as the group is at work

    def __init__(self, url: str, number: int = 1) -> None:
        super().__init__(url)
        self.consumer = f"{self.name}-{number}"

    async def turn(self) -> None:
        worker = AsyncConsumerGroup(
            self.redis, names.ORDERS, self.group, self.handle,
            consumer=self.consumer, batch=5, most_dead=200, grace=1.0,
            backoff=Backoff(base=0.5, cap=5.0),
        )  # fmt: skip
        await worker.run()

    @abstractmethod
    async def handle(self, entry: Entry) -> None:
        """Do the work of one order; an error has it tried again."""


class Mailer(Consumer):
    """Writes receipts. Some fail at first, and every seven minutes it stalls for one."""

    name: ClassVar[str] = "mailer"
    group: ClassVar[str] = names.MAILER_GROUP

    async def handle(self, entry: Entry) -> None:
        await asyncio.sleep(max(0.0, 60 - time.time() % 420))  # the mail server hangs
        if random.random() < 0.02:
            raise ConnectionError("the mail server closed the connection")
        fields = {name.decode(): value.decode() for name, value in entry.fields}
        number = fields["order"]
        text = json.dumps({"subject": f"Your order {number}", "lines": [fields] * 3}, indent=1)
        await self.redis.set(names.receipt(number), gzip.compress(text.encode()), ex=600)
