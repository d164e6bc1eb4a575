"""Customers: signed-in sessions, carts, and the basket of an old PHP checkout."""

from __future__ import annotations

import random
from collections import deque
from typing import ClassVar

from demo import names
from demo.service import Service
from demo.sign_ins import KEY
from redisops.sessions import AsyncSessions, Seal, SessionGone, SessionInvalid
from redisops.streams import AsyncStream
from redisops.streams.model import Fields

SIGNED_IN = 150


def php(skus: list[str]) -> bytes:
    """What PHP's serialize() writes for a list of strings."""
    items = "".join(f'i:{n};s:{len(sku)}:"{sku}";' for n, sku in enumerate(skus))
    return f'a:2:{{s:5:"items";a:{len(skus)}:{{{items}}}s:8:"currency";s:3:"EUR";}}'.encode()


class Customers(Service):
    name: ClassVar[str] = "customers"
    per_second: ClassVar[float] = 3.0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        # A key of this run alone: sessions of an earlier run cannot be opened, and expire.
        seal = Seal([KEY])
        self.sessions = AsyncSessions(self.redis, seal, prefix=names.PREFIX, idle=20 * 60)
        self.signed_in: deque[str] = deque()
        self.clicks = AsyncStream(self.redis, names.CLICKS)

    async def turn(self) -> None:
        clicks: list[Fields] = [
            {"page": f"P-{random.randint(1, names.PRODUCTS):04d}", "ms": random.randint(8, 90)}
            for _ in range(random.randint(1, 3))
        ]
        await self.clicks.add_many(clicks, max_length=5_000)
        if len(self.signed_in) < SIGNED_IN and random.random() < 0.3:
            await self.sign_in()
        elif self.signed_in:
            await self.shop()

    async def sign_in(self) -> None:
        who = random.randint(1, 3_000)
        session = self.sessions.new(f"customer-{who}", address=f"192.0.2.{who % 250 + 1}")
        session["locale"] = random.choice(("nb-NO", "sv-SE", "de-DE", "en-GB"))
        session["customer"] = who
        await self.sessions.save(session)
        self.signed_in.append(session.id)

    async def shop(self) -> None:
        """A signed-in customer puts something into the cart, or leaves."""
        id = self.signed_in.popleft()
        try:
            session = await self.sessions.load(id)
        except SessionInvalid:
            session = None
        if session is None or session["customer"] is None:
            return
        who = int(session["customer"])
        if random.random() < 0.05:
            await self.sessions.delete(session)
            return
        product = random.randint(1, names.PRODUCTS)
        pipe = self.redis.pipeline(transaction=False)
        pipe.hincrby(names.cart(who), f"P-{product:04d}", 1)
        pipe.expire(names.cart(who), 20 * 60)
        if who % 10 == 0:
            pipe.set(names.basket(who), php([f"P-{product:04d}", "CAB-USBC-2"]), ex=15 * 60)
        await pipe.execute()
        session["seen"] = product
        try:
            await self.sessions.save(session)
        except SessionGone:  # somebody signed this customer out meanwhile
            return
        self.signed_in.append(id)
