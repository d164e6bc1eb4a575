"""Catalog: products, read through a cache because what renders them is slow."""

from __future__ import annotations

import asyncio
import random
from typing import Any, ClassVar

from demo import names
from demo.door import Door
from redisops.cache import AsyncCache
from redisops.codecs import JSON, MessagePack

NOUNS = ("kettle", "grinder", "mug", "lamp", "speaker", "atlas", "trowel", "bell", "robot", "scale")
MAKERS = ("Hjelm", "Ravn", "Tovah", "Kestrel", "Bruno", "Inkling", "Pebble", "Orla")
PAGES = JSON(compress_over=400)
PRICES = MessagePack()
SEEDED_AT_ONCE = 60
TOGETHER = (1, 1, 1, 1, 5)
"""How many visitors come at once: five of them often want the same product."""
UNKNOWN = 0.03
"""The share of visits that ask for a product which there never was."""
REPRICED = 0.004
"""How often, a visit, a maker changes its prices: all of its products are rendered anew."""


def title(number: int) -> str:
    return f"{MAKERS[number % len(MAKERS)]} {NOUNS[number // 8 % len(NOUNS)]} {number}"


def written(number: int) -> dict[str, object]:
    """What a rendered product page keeps; long enough to be worth compressing."""
    text = f"{title(number)} is made in small batches, tested twice, and sent with a spare part. "
    return {
        "id": number,
        "title": title(number),
        "sku": f"{NOUNS[number % len(NOUNS)][:2].upper()}-{number:04d}",
        "text": text * random.randint(2, 8),
        "prices": {"EUR": number / 10 + 4.9, "NOK": number * 1.17 + 59},
        "related": random.sample(range(1, names.PRODUCTS + 1), 6),
    }


class Catalog(Door):
    """Its cache is ``names.CACHE``: an entry a product, tagged by its maker and its shelf."""

    name: ClassVar[str] = "catalog"
    per_second: ClassVar[float] = 6.0
    route: ClassVar[tuple[str, str]] = ("GET", "/products")
    connections: ClassVar[int] = 12

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.cache = AsyncCache(
            self.redis, names.CACHE, ttl=60, stale=20, negative_ttl=15, compress=400, local=24,
            local_ttl=5,
        )  # fmt: skip

    async def prepare(self) -> None:
        numbers = range(1, names.PRODUCTS + 1)
        for first in range(0, names.PRODUCTS, SEEDED_AT_ONCE):
            pipe = self.redis.pipeline(transaction=False)
            for number in numbers[first : first + SEEDED_AT_ONCE]:
                pipe.hset(
                    names.product(number),
                    mapping={
                        "title": title(number),
                        "stock": 40 + number % 60,
                        "maker": number % 8,
                    },
                )
                pipe.sadd(names.tagged(names.TAGS[number % len(names.TAGS)]), number)
            await pipe.execute()
        await self.redis.set(names.NOTICE, "Free delivery this week · Gratis frakt denne uken ☕")

    async def turn(self) -> None:
        visitors = [f"visitor-{random.randint(1, 3_000)}" for _ in range(random.choice(TOGETHER))]
        wanted = {"product": str(wish())}
        await asyncio.gather(*(self.visit(who, wanted) for who in visitors))
        if random.random() < REPRICED:
            await self.cache.invalidate_tag(maker(random.randrange(len(MAKERS))))

    async def serve(self, order: dict[str, str]) -> None:
        """Somebody looks at a product: from the cache, or rendered and cached."""
        number = int(order.get("product") or wish())
        tags = (maker(number % len(MAKERS)), names.TAGS[number % len(names.TAGS)])
        found = await self.cache.get_or_load(
            f"product:{number}", lambda: self.rendered(number), tags=tags
        )
        if found is None:
            return
        pipe = self.redis.pipeline(transaction=False)
        pipe.get(names.price(number))
        pipe.zincrby(names.POPULAR, 1, str(number))
        cached_price, _ = await pipe.execute()

        pipe = self.redis.pipeline(transaction=False)
        if cached_price is None:
            price = {"cents": number * 10 + 490, "currency": "EUR", "vat": 0.25}
            pipe.set(names.price(number), PRICES.dumps(price), ex=random.randint(60, 300))
        if random.random() < 0.2:
            pipe.lpush(names.SEARCHES, random.choice(NOUNS))
            pipe.ltrim(names.SEARCHES, 0, 199)
        if random.random() < 0.02:  # what was popular fades, so that newcomers have a chance
            pipe.zunionstore(names.POPULAR, {names.POPULAR: 0.5})
        await pipe.execute()

    async def rendered(self, number: int) -> dict[str, Any] | None:
        """The slow source: a page of the product, None for one that there is not."""
        stock = await self.redis.hget(names.product(number), "stock")
        if stock is None and number <= names.PRODUCTS:  # Redis came back empty
            await self.prepare()
        await asyncio.sleep(random.uniform(0.06, 0.3))
        if number > names.PRODUCTS:
            return None
        page = written(number)
        # What was rendered last, for those who print catalogs.
        kept = PAGES.dumps(page)
        await self.redis.set(names.page(number), kept, ex=random.randint(30, 120))
        return page

    async def close(self) -> None:
        await self.cache.aclose()
        await super().close()


def wish() -> int:
    """The number of a product that somebody wants: few are wanted by many."""
    if random.random() < UNKNOWN:
        return names.PRODUCTS + random.randint(1, 20)
    return min(int(random.paretovariate(0.9) * 4), names.PRODUCTS)


def maker(number: int) -> str:
    """The tag of all products of a maker."""
    return f"maker:{MAKERS[number].lower()}"
