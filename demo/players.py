"""Players: they sign in, play the shop's game, and look for the nearest store on the map."""

from __future__ import annotations

import contextlib
import random
from typing import ClassVar

from demo import names
from demo.game import Game, somebody
from demo.service import Service
from demo.sign_ins import SignIns
from redisops.sessions import SessionGone

CITIES = (
    ("oslo", 10.75, 59.91), ("bergen", 5.32, 60.39), ("trondheim", 10.40, 63.43),
    ("stockholm", 18.07, 59.33), ("malmo", 13.00, 55.60), ("copenhagen", 12.57, 55.68),
    ("hamburg", 9.99, 53.55), ("berlin", 13.40, 52.52), ("amsterdam", 4.90, 52.37),
    ("antwerp", 4.40, 51.22), ("paris", 2.35, 48.86), ("lyon", 4.84, 45.76),
)  # fmt: skip
BOARD = 2_000


class Players(Service):
    name: ClassVar[str] = "players"
    per_second: ClassVar[float] = 7.0

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.game = Game(self.redis)
        self.sign_ins = SignIns(self.redis)

    async def prepare(self) -> None:
        """Two stores a city, the second one a few streets away; and the game's past."""
        places: list[float | str] = []
        for city, longitude, latitude in CITIES:
            places += [longitude, latitude, f"{city}-centre"]
            places += [longitude + 0.03, latitude - 0.01, f"{city}-harbour"]
        await self.redis.geoadd(names.STORES, places)
        await self.game.prepare()
        await self.sign_ins.prepare()

    async def turn(self) -> None:
        """Some players score, one visits, and sometimes looks for the nearest store."""
        await self.game.play()
        if random.random() < 0.1:
            with contextlib.suppress(SessionGone):  # ended by somebody between load and save
                await self.sign_ins.visit()
        pipe = self.redis.pipeline(transaction=False)
        pipe.setbit(names.active(), somebody(), 1)
        pipe.incr(names.visits())
        if random.random() < 0.05:
            # Everything that only grows gets its end and its cap here, twenty times as rarely.
            pipe.expire(names.active(), 2 * names.DAY)
            pipe.expire(names.visits(), names.DAY)
            pipe.zremrangebyrank(names.SCORES, 0, -(BOARD + 1))
            _, longitude, latitude = random.choice(CITIES)
            pipe.geosearch(
                names.STORES, longitude=longitude, latitude=latitude, radius=50, unit="km", count=3
            )
        nearest = (await pipe.execute())[-1]
        if nearest == []:  # Redis came back empty
            await self.prepare()
