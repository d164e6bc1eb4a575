"""A page of 100 keys out of a million: 2 round trips, no slow command, near the raw cost.

Counts are the server's own and exact. Times are of this machine, taken in turns with the same
page by plain redis-py (one SCAN, then one pipeline of TYPE, PTTL, MEMORY USAGE and the length)
and with a page of fixed text in the console's own frame: its template rendered alone, and the
whole request for it. A list is measured as a browser gets it, from session to HTML.
"""

from __future__ import annotations

import sys
from typing import Any

import redis

from benchmarks._rig import Claims, books, console, rounds, running, seed, slow_commands
from redisops.connection import connect, measure
from redisops.keyspace import Keyspace


def raw_page(client: redis.Redis) -> list[Any]:
    """What anybody would write first: SCAN, then one pipeline of four commands for each key."""
    _, keys = client.scan(0, count=100)
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.type(key)
        pipe.pttl(key)
        pipe.memory_usage(key, samples=5)
        pipe.strlen(key)
    replies = pipe.execute(raise_on_error=False)
    return [(key, *replies[4 * n : 4 * n + 4]) for n, key in enumerate(keys)]


def main() -> int:
    claims = Claims("keys_page")
    with running() as server, server.client() as plain, connect(server.url) as client:
        seed(server)
        keyspace = Keyspace(client)
        keyspace.page()

        with books(plain) as spent, measure() as cost:
            page = keyspace.page()
        rows = len(page.rows)
        print(f"one page: {rows} rows, {cost.commands} commands, {cost.round_trips} round trips")
        evals = spent.of("evalsha_ro", "evalsha")
        print(f"  server time: SCAN {spent.usec['scan']} us, {evals} scripts "
              f"{spent.usec['evalsha_ro'] / evals:.1f} us each")  # fmt: skip
        claims.exactly("round trips of a page of 100", cost.round_trips, 2)
        claims.at_most("commands beside one script a row", cost.commands - rows, 2)

        with books(plain) as spent, measure() as cost:
            rare = keyspace.page(match="absent:*")
        scans = spent.of("scan")
        print(f"a pattern that nothing matches: {scans} SCANs, {rare.scanned} keys looked at, "
              f"{spent.usec['scan'] / scans / 1000:.2f} ms of server time each")  # fmt: skip
        claims.at_most("SCANs of one request", scans, 20)

        def everything() -> None:
            keyspace.page()
            keyspace.page(match="absent:*")
            keyspace.page(type="stream")
            keyspace.page(ttl="any")
            keyspace.level()
            keyspace.level(b"shop:")

        slow = slow_commands(plain, everything, milliseconds=10)
        claims.exactly("commands above 10 ms of server time", slow, 0)

        print("library, a page of 100:")
        library = rounds({
            "Keyspace.page": keyspace.page,
            "raw redis-py, SCAN and one pipeline": lambda: raw_page(plain),
        })  # fmt: skip
        claims.at_most(
            "library page / raw page",
            library["Keyspace.page"] / library["raw redis-py, SCAN and one pipeline"], 3,
        )  # fmt: skip
        browser(server, plain, claims)
    return claims.finish()


def browser(server: Any, plain: redis.Redis, claims: Claims) -> None:
    """The same through the console, with its tree (the usual view) and without."""
    visitor = console(server)
    from django.conf import settings
    from django.db import connection
    from django.test import RequestFactory
    from django.test.utils import CaptureQueriesContext

    from dashboard.accounts.models import User

    settings.ROOT_URLCONF = "benchmarks._fixed"
    from benchmarks import _fixed

    request = RequestFactory(SERVER_NAME="127.0.0.1").get("/")
    request.user = User.objects.get()
    lists = {"with the tree": "/servers/home/keys/", "flat": "/servers/home/keys/?view=flat"}
    for address in [*lists.values(), "/fixed/"]:
        assert visitor.get(address).status_code == 200
    for name, address in lists.items():
        with CaptureQueriesContext(connection) as asked:
            cost = visitor.get(address).wsgi_request.cost
        # Revoked sessions are asked for about once a second, whatever the page.
        queries = [one for one in asked.captured_queries if "accounts_session" not in one["sql"]]
        claims.exactly(f"round trips of the list, {name}", cost.round_trips, 2)
        claims.exactly(f"SQL queries of the list, {name}", len(queries), 3)

    print("the console:")
    pages: dict[str, Any] = {
        name: lambda address=address: visitor.get(address) for name, address in lists.items()
    }
    took = rounds(
        {
            **pages,
            "raw redis-py, SCAN and one pipeline": lambda: raw_page(plain),
            "fixed text by Django, rendered": lambda: _fixed.template.render({}, request),
            "fixed text by Django, the whole request": lambda: visitor.get("/fixed/"),
        },
        rounds=25,
        calls=5,
    )
    raw = took["raw redis-py, SCAN and one pipeline"]
    rendered = took["fixed text by Django, rendered"]
    request_took = took["fixed text by Django, the whole request"]
    for name in lists:
        print(f"  {name}: (list - rendered) / raw = {(took[name] - rendered) / raw:.2f}")
        claims.at_most(f"list / (raw + fixed rendered), {name}", took[name] / (raw + rendered), 3)
        claims.at_most(
            f"(list - fixed request) / raw, {name}", (took[name] - request_took) / raw, 3
        )


if __name__ == "__main__":
    sys.exit(main())
