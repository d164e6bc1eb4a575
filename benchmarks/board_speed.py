"""What a leaderboard of a million members costs beside the bare commands by redis-py.

Client and server share one core, and a slice's time is what both had of it by the kernel's books,
as in limits_speed. The bare commands are what one would write by hand, pipelined where they can be,
without ranks by a tie rule. Each ratio is the median over all rounds of our slice divided by the
bare one's of the same round. Commands and round trips are counted outside the library.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis

from benchmarks._rig import Claims, books
from benchmarks.limits_speed import Core, pin
from benchmarks.session_cost import Relay
from redisops.connection import Timeouts, connect, measure
from redisops.leaderboards import Leaderboard
from tests.servers import REDIS, VALKEY, RedisProcess

MEMBERS = 1_000_000
SCORES = 50_000  # so that twenty members share a score
PAGE, NEIGHBOURS = 25, 12
ROUNDS, CALLS = 11, 200
BAR = 1.3
PATIENT = Timeouts(connect=10, read=10, deadline=20)
RULES: dict[str, dict[str, Any]] = {
    "competition": {}, "dense": {"ties": "dense"}, "unique": {"ties": "unique"},
    "first wins": {"first_wins": True},
}  # fmt: skip

Read = Callable[[str], object]


def filled(client: Any, rule: str) -> Leaderboard:
    """A board of a million members whose names and scores have nothing to do with each other."""
    chance = random.Random(5)
    board = Leaderboard(client, rule, **RULES[rule])
    for start in range(0, MEMBERS, 1_000):
        board.update_many(
            [(f"player:{n}", chance.randrange(SCORES)) for n in range(start, start + 1_000)]
        )
    return board


def bare(plain: redis.Redis, key: bytes) -> dict[str, Read]:
    """The commands that one would write by hand."""

    def around(member: str) -> object:
        place = plain.zrevrank(key, member)
        return plain.zrevrange(key, max(place - NEIGHBOURS, 0), place + NEIGHBOURS, withscores=True)

    def find(member: str) -> object:
        pipe = plain.pipeline(transaction=False)
        return pipe.zrevrank(key, member).zscore(key, member).execute()

    def percentile(member: str) -> object:
        pipe = plain.pipeline(transaction=False)
        return pipe.zrevrank(key, member).zcard(key).execute()

    def update(member: str) -> object:
        pipe = plain.pipeline(transaction=False)
        return pipe.zadd(key, {member: 77}).zrevrank(key, member).execute()

    return {
        "top page": lambda _: plain.zrevrange(key, 0, PAGE - 1, withscores=True),
        "around": around, "find": find, "percentile": percentile, "update with rank": update,
    }  # fmt: skip


def ours(board: Leaderboard) -> dict[str, Read]:
    return {
        "top page": lambda _: board.page(0, PAGE),
        "around": lambda member: board.around(member, NEIGHBOURS),
        "find": board.rank,
        "percentile": board.percentile,
        "update with rank": lambda member: board.set(member, 77),
    }


def beside(core: Core, name: str, own: Read, reference: Read) -> float:
    """Our time / the bare commands' time, the median over all rounds."""
    found, took = [], []
    for turn in range(ROUNDS):
        some = [f"player:{random.randrange(MEMBERS)}" for _ in range(CALLS)]
        times = {}
        for which, read in ((0, own), (1, reference))[:: 1 if turn % 2 else -1]:
            begun = core.spent()
            for member in some:
                read(member)
            times[which] = (core.spent() - begun) / CALLS
        took.append(times)
        found.append(times[0] / times[1])
    us = [statistics.median(times[which] for times in took) * 1e6 for which in (0, 1)]
    ratio = statistics.median(found)
    print(f"  {name:<36}{us[0]:8.1f} us, bare {us[1]:8.1f} us {ratio:8.2f}")
    return ratio


def counts(server: RedisProcess, claims: Claims) -> None:
    """Commands and round trips of everything that a board does, the most of all."""
    relay = Relay(server.port)
    commands, trips = 0, 0
    with connect(f"redis://127.0.0.1:{relay.port}/0") as client:
        for rule, how in RULES.items():
            board = Leaderboard(client, rule, window="week", **how)
            pairs = [(f"m{n}", n // 2) for n in range(1_000)]
            calls: list[Callable[[], object]] = [
                lambda board=board, pairs=pairs: board.update_many(pairs),
                lambda board=board: board.set("m1", 5), lambda board=board: board.add("m1", 5),
                lambda board=board: board.keep_best("m1", 9), lambda board=board: board.page(),
                lambda board=board: board.page(50, 10), lambda board=board: board.look(),
                lambda board=board: board.around("m1"), lambda board=board: board.rank("m1"),
                lambda board=board: board.by_score(3, 9), lambda board=board: board.count(),
                lambda board=board: board.percentile("m1"),
                lambda board=board: board.at_percentile(9),
                lambda board=board: board.histogram(), lambda board=board: board.details(["m1"]),
                lambda board=board: board.set_details({"m1": "x", "m2": None}),
                lambda board=board: board.remove("m1"),
            ]  # fmt: skip
            for call in calls:
                call()  # the script is loaded, the clock is known
                with measure() as cost:
                    call()
                commands = max(commands, cost.commands)
                trips = max(trips, relay.count(call))
    claims.at_most("commands of any read or write", commands, 2)
    claims.exactly("round trips of any read or write, 1,000 updates among them", trips, 1)


def main() -> int:
    claims = Claims("board_speed")
    with RedisProcess(binary=REDIS or VALKEY) as server:
        counts(server, claims)
        core = pin(server)
        plain = redis.Redis(port=server.port, protocol=2)
        with connect(server.url, timeouts=PATIENT) as client:
            for rule in RULES:
                board = filled(client, rule)
                used = plain.memory_usage(board.key("all"), samples=0) / MEMBERS
                for beside_it in (b":order", b":scores"):
                    more = plain.memory_usage(board.key("all") + beside_it, samples=0) or 0
                    used += more / MEMBERS
                print(f"\n{rule}, {MEMBERS:,} members, {used:.0f} bytes each")
                # By hand there are no bytes before a name: beside first wins, the board before it.
                other = board if rule != "first wins" else Leaderboard(client, "unique")
                reference = bare(plain, other.key("all"))
                for name, read in ours(board).items():
                    ratio = beside(core, name, read, reference[name])
                    claims.at_most(f"{rule}: {name} / bare commands", ratio, BAR)
                with books(plain) as spent:
                    for n in range(500):
                        board.around(f"player:{n * 7}", NEIGHBOURS)
                us = spent.usec["evalsha"] / 500
                print(f"  server time of around: {us:.1f} us")
                pairs = [(f"player:{n}", n) for n in range(1_000)]
                with books(plain) as spent:
                    board.update_many(pairs)
                    plain.zadd("other", dict(pairs))
                print(
                    f"  server time of 1,000 updates: {spent.usec['evalsha'] / 1000:.2f} ms,"
                    f" of one ZADD of 1,000 {spent.usec['zadd'] / 1000:.2f} ms with those inside"
                )
                if rule != "unique":
                    board.reset()
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
