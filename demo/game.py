"""The shop's game: a race and a tower that begin anew each week, a sprint by day, and who
visited the site.
"""

from __future__ import annotations

import json
import random
import zlib
from typing import ClassVar

from demo import names
from redisops.connection import AsyncClient
from redisops.leaderboards import AsyncLeaderboard
from redisops.uniques import AsyncUniques

FIRST = ("kestrel", "mo", "ada", "hjelm", "tovah", "zenith", "bruno", "inkling", "sol", "pebble")
TEAMS = ("Harbour", "Hill", "River", "Forest")
AT_ONCE = 1_000
FLOORS = 60


def player(number: int) -> str:
    return f"{FIRST[number % len(FIRST)]}-{number}"


def called(number: int) -> str:
    """The player as people say it: Kestrel B. 12."""
    letter = chr(ord("A") + number // 10 % 26)
    return f"{FIRST[number % len(FIRST)].capitalize()} {letter}. {number // 260 + 1}"


def somebody() -> int:
    """A player's number; those around a fifth of all come by most."""
    return int(random.triangular(0, names.PLAYERS, names.PLAYERS / 5))


def comes_by(number: int, day: str) -> bool:
    """Whether a player visits on that day: every fourth or so, a few more on some days."""
    share = 20 + zlib.crc32(day.encode()) % 12
    return zlib.crc32(f"{number} {day}".encode()) % 100 < share


class Game:
    """Scores of thousands of players, and the site's visitors, on the library.

    A past is made up where there is none, so that the windows before this one have something to
    show. Everything expires by itself.
    """

    weeks: ClassVar[int] = 4
    days: ClassVar[int] = 30

    def __init__(self, redis: AsyncClient) -> None:
        self.race = AsyncLeaderboard(
            redis, names.GAME, window="week", keep=self.weeks, prefix=names.BOARDS
        )
        # Whole seconds saved: many have the same score and share a rank, and none is left out.
        self.sprint = AsyncLeaderboard(
            redis, names.SPRINT, window="day", keep=2, ties="dense", prefix=names.BOARDS
        )
        # Of those on one floor, who was there first is ahead.
        self.tower = AsyncLeaderboard(
            redis, names.TOWER, window="week", keep=1, first_wins=True, prefix=names.BOARDS
        )
        self.season = AsyncLeaderboard.over(redis, names.SCORES)
        self.visitors = AsyncUniques(redis, "site", keep=self.days, prefix=names.VISITORS)

    async def prepare(self) -> None:
        """Make up what is missing: the past, and players' names. Once, about 100 round trips."""
        week = await self.race.current()
        if await self.race.at(week.step(-1)).count() == 0:
            for back in range(self.weeks):
                board = self.race.at(week.step(-back))
                for start in range(0, names.PLAYERS, AT_ONCE):
                    part = range(start, start + AT_ONCE)
                    await board.update_many([(player(n), _score()) for n in part])
            people: dict[str | bytes, str | bytes | None] = {
                player(n): json.dumps({"name": called(n), "team": TEAMS[n % len(TEAMS)]})
                for n in range(names.PLAYERS)
            }
            await self.race.set_details(people)
        if await self.tower.count() == 0:
            some = [(player(somebody()), random.randint(1, FLOORS // 3)) for _ in range(200)]
            await self.tower.update_many(some, how="best")
        today = await self.visitors.current()
        if await self.visitors.count(today.step(-1)) == 0:
            for back in range(1, self.days + 1):
                day = today.step(-back)
                came = [str(n) for n in range(names.PLAYERS) if comes_by(n, day.label)]
                await self.visitors.at(day).add(*came)

    async def play(self) -> None:
        """A few players finish a race; one sprints."""
        few = [(player(somebody()), random.randint(1, 40)) for _ in range(random.randint(1, 4))]
        await self.race.update_many(few, how="add")
        await self.season.update_many(few, how="add")
        await self.sprint.keep_best(few[0][0], int(random.triangular(0, 60, 15)))
        climber, floor = player(somebody()), int(random.triangular(1, FLOORS, 8))
        await self.tower.keep_best(climber, floor)
        today = (await self.visitors.current()).label
        came = [str(who) for who in (somebody() for _ in few) if comes_by(who, today)]
        await self.visitors.add(*came)


def _score() -> int:
    return int(random.lognormvariate(5, 0.9))
