"""Delete 100,000 keys with undo as a job of the console, and what a limit lets through.

Beside it, in turns on the same server: a bare pipeline of SCAN, DUMP and UNLINK by plain redis-py,
which keeps the dumps in memory and nothing else. The job also seals and commits every dump, and
removes a key only while it is as it was dumped. The limit is measured from outside: the server's
own count of commands, those inside scripts included, asked every 20 ms.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import redis

from benchmarks._rig import Claims, console, running
from tests.servers import RedisProcess

KEYS = 100_000
LIMIT = 1_000
ROUNDS = 3


def fill(client: redis.Redis, keys: int = KEYS) -> None:
    """Carts of about 100 bytes, half of them with an expiry."""
    value = b"x" * 80
    for start in range(0, keys, 10_000):
        pipe = client.pipeline(transaction=False)
        for n in range(start, min(start + 10_000, keys)):
            pipe.set(f"cart:{n}", value, ex=3_600 if n % 2 else None)
        pipe.execute()


def bare(client: redis.Redis) -> float:
    """What one would write first; seconds."""
    began = time.perf_counter()
    kept = []
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, match="cart:*", count=1_000)
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.dump(key)
        kept.append(pipe.execute())
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.unlink(key)
        pipe.execute()
        if not cursor:
            return time.perf_counter() - began


class Job:
    """The console's way from here: count the keys into a list, then delete them."""

    def __init__(self, server: RedisProcess) -> None:
        console(server, shared=True)
        from django.test import RequestFactory

        from dashboard.accounts.models import User
        from dashboard.servers.models import Server

        self.shop = Server.objects.create(
            name="Shop", slug="shop", nodes=f"127.0.0.1:{server.port}", load_share=100, db=1
        )
        self.request = RequestFactory().post("/")
        self.request.user = User.objects.get()

    def count(self) -> Any:
        from dashboard.jobs.testing import run
        from dashboard.keys.bulk import starting
        from dashboard.keys.bulk.models import KeyList

        began = time.perf_counter()
        job = run(starting.list_keys(self.request, self.shop, prefix=b"cart:"))
        print(f"  counted {job.done} keys in {time.perf_counter() - began:.2f} s")
        return KeyList.objects.select_related("server").get(pk=job.params["list"])

    def delete(self, key_list: Any, limit: float | None = None) -> float:
        from dashboard.jobs import engine
        from dashboard.keys.bulk import starting

        job = starting.delete(self.request, key_list, limit=limit)
        began = time.perf_counter()
        engine.run(job.pk, raises=True)
        took = time.perf_counter() - began
        job.refresh_from_db()
        assert (job.state, job.done) == ("done", key_list.total), (job.state, job.done, job.waits)
        print(f"  the job: {took:.2f} s, {job.commands} commands, {job.round_trips} trips")
        return took


def busiest_second(client: redis.Redis, ends: threading.Event) -> int:
    """The most commands in any second, by the server's own count, without those that asked."""
    seen: list[tuple[float, int]] = []
    asked = 0
    while not ends.is_set():
        asked += 1
        count = client.info("stats")["total_commands_processed"]
        seen.append((time.monotonic(), count - asked))
        time.sleep(0.02)
    most = first = 0
    for at, count in seen:
        while at - seen[first][0] > 1.0:
            first += 1
        most = max(most, count - seen[first][1])
    return most


def limited(work: Job, server: RedisProcess, plain: redis.Redis) -> int:
    """The busiest second of a job with a limit."""
    fill(plain, 1_000)
    key_list = work.count()
    ends = threading.Event()
    found: list[int] = []
    with server.client(db=1) as watcher:
        watching = threading.Thread(target=lambda: found.append(busiest_second(watcher, ends)))
        watching.start()
        work.delete(key_list, LIMIT)
        ends.set()
        watching.join()
    return found[0]


def main() -> int:
    claims = Claims("bulk_delete")
    with running() as server, server.client(db=1) as plain:
        work = Job(server)
        by_job, by_hand = [], []
        for _ in range(ROUNDS):
            fill(plain)
            by_hand.append(bare(plain))
            print(f"  bare: {by_hand[-1]:.2f} s")
            fill(plain)
            by_job.append(work.delete(work.count()))
        # The best of each: other work on this machine only ever adds.
        took, raw = min(by_job), min(by_hand)
        print(f"{KEYS / took:,.0f} keys/s by the job, {KEYS / raw:,.0f} keys/s bare")
        claims.at_most("microseconds of a key, limit off", took / KEYS * 1e6, 50)
        claims.at_most("job / bare SCAN, DUMP, UNLINK", took / raw, 2.5)
        claims.at_most(
            f"commands in the busiest second of a limit of {LIMIT}",
            limited(work, server, plain), LIMIT * 1.05,
        )  # fmt: skip
    return claims.finish()


if __name__ == "__main__":
    sys.exit(main())
