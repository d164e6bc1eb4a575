"""Opening a value costs the same whatever its size: 2 round trips, the same commands.

A sorted set and a hash of a million, a stream of 100,000 and a string of 100 MB, each beside a
small value that fills the same page: in the library, and as a page of the console. Times are
medians taken in turns on this machine.
"""

from __future__ import annotations

import sys
from typing import Any

import redis

from benchmarks._rig import (
    BATCH,
    Claims,
    books,
    collections,
    console,
    rounds,
    running,
    slow_commands,
)
from redisops.connection import connect, measure
from redisops.values import Values

#        name          small key       big key
PAIRS = {
    "zset 1,000,000": (b"zset:small", b"zset:big"),
    "hash 1,000,000": (b"hash:small", b"hash:big"),
    "set 1,000,000": (b"set:small", b"set:big"),
    "list 1,000,000": (b"list:small", b"list:big"),
    "stream 100,000": (b"stream:small", b"stream:big"),
    "string 100 MB": (b"string:small", b"string:big"),
}


def fill(client: redis.Redis) -> None:
    """Small values of every type, and the big ones."""
    collections(client)
    for size, name in ((1_000, "small"), (100_000, "big")):
        for start in range(0, size, BATCH):
            pipe = client.pipeline(transaction=False)
            for n in range(start, min(start + BATCH, size)):
                pipe.xadd(f"stream:{name}", {"order": n, "state": "paid"})
            pipe.execute()
    client.set("string:small", b"x" * 20_000)
    client.set("string:big", b"x" * 100_000_000)


def pages(server: Any, claims: Claims) -> None:
    """The same through the console: the whole request, from session to HTML."""
    visitor = console(server)
    from redisops.keys import to_url

    for name, pair in PAIRS.items():
        print(f"the page of a {name}")
        small, big = (f"/servers/home/keys/{to_url(key)}/" for key in pair)
        for address in (small, big):
            assert visitor.get(address).status_code == 200
        cost = visitor.get(big).wsgi_request.cost
        took = rounds(
            {
                "small": lambda address=small: visitor.get(address),
                "big": lambda address=big: visitor.get(address),
            },
            calls=5,
        )
        claims.exactly(f"page of a {name}: round trips", cost.round_trips, 2)
        claims.at_most(f"page of a {name}: big / small", took["big"] / took["small"], 1.5)


def main() -> int:
    claims = Claims("keys_open")
    with running() as server, server.client(socket_timeout=60) as plain:
        fill(plain)
        with connect(server.url) as client:
            values: Any = Values(client)
            for small, big in PAIRS.values():
                values.read(small)
                values.read(big)
            slow = slow_commands(
                plain, lambda: [values.read(big) for _, big in PAIRS.values()], milliseconds=10
            )
            for name, (small, big) in PAIRS.items():
                print(name)
                with books(plain) as usual, measure() as one:
                    values.read(small)
                with books(plain) as spent, measure() as two:
                    values.read(big)
                print(
                    f"  {two.round_trips} round trips, {two.commands} commands, server time "
                    f"{sum(usual.usec.values())} us small, {sum(spent.usec.values())} us big"
                )
                took = rounds({
                    "small": lambda key=small: values.read(key),
                    "big": lambda key=big: values.read(key),
                })  # fmt: skip
                claims.exactly(f"{name}: round trips", two.round_trips, 2)
                claims.exactly(f"{name}: commands more than small", two.commands - one.commands, 0)
                claims.at_most(f"{name}: big / small", took["big"] / took["small"], 1.5)
            claims.exactly("commands above 10 ms of server time", slow, 0)
        pages(server, claims)
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
