"""Checks: 10,000 instances in each 10 s interval by one watcher process, then 1,000 of them stuck.

The whole watcher runs: it reads, sweeps, checks with a new connection each, judges by script, keeps
results and collects changes, on a core of its own; the targets (a process that answers as little as
HTTP allows) and the server share the other one.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._rig import Claims
from tests.servers import VALKEY, RedisProcess

SERVICES, EACH, STUCK = 100, 100, 1_000
INTERVAL, TIMEOUT = 10.0, 2.0
SECONDS = 20.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def serve(ports: Any, core: int) -> None:
    """Answer on one port, accept and keep silent on another."""
    import uvloop

    os.sched_setaffinity(0, {core})

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(ANSWER)
            self.transport.close()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        good = await loop.create_server(Answering, "0.0.0.0", 0, backlog=4096)
        stuck = await loop.create_server(asyncio.Protocol, "0.0.0.0", 0, backlog=4096)
        ports.put([one.sockets[0].getsockname()[1] for one in (good, stuck)])
        await asyncio.Event().wait()

    uvloop.run(run())


def address(of: int, n: int) -> str:
    return f"127.1.{of}.{n}"


def register(registry: Any, good: int, stuck: int, silent: int) -> None:
    """All instances; the first ``silent`` of each service are where nobody answers."""
    from redisops.services import Registration

    check = {"kind": "http", "path": "/healthz", "interval": INTERVAL, "timeout": TIMEOUT}
    for of in range(SERVICES):
        rows = [
            Registration(
                f"service-{of:03}", f"instance-{n:03}", address(of, n),
                stuck if n < silent else good, zone="abc"[n % 3], check=check, ttl=300,
                state="passing",
            )
            for n in range(EACH)
        ]  # fmt: skip
        registry.register_all([(one, 0) for one in rows])


async def measured(claims: Claims, server: Any, url: str, good: int, stuck: int) -> None:
    from dashboard.services.checks import watch
    from dashboard.services.checks.watching import Watcher
    from redisops.connection import connect
    from redisops.services import Registry

    redis = connect(url)
    ended: list[tuple[str, float, float | None]] = []
    original = watch.Watch.ended

    def counting(self: Any, target: Any, begun: float, outcome: Any, *rest: Any) -> None:
        ended.append((target.key, begun - target.due, outcome.ms))
        original(self, target, begun, outcome, *rest)

    watch.Watch.ended = counting  # type: ignore[method-assign]
    watcher = Watcher("bench")
    running = asyncio.create_task(watcher.run())

    async def window(name: str, quick: int) -> tuple[float, float]:
        """Each instance's checks in ``SECONDS``; the lateness p99 and the ms p99 of the quick."""
        await asyncio.sleep(INTERVAL + 2)
        ended.clear()
        cpu, begun = time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        wall, cpu = time.monotonic() - begun, time.process_time() - cpu
        rows = list(ended)
        seen: dict[str, int] = {}
        for key, _, _ in rows:
            seen[key] = seen.get(key, 0) + 1
        answered = [(late, ms) for _, late, ms in rows if ms is not None]
        late = statistics.quantiles([one for one, _ in answered], n=100)[98] * 1000
        slow = statistics.quantiles([ms for _, ms in answered], n=100)
        share = cpu / wall * 100
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name}: {len(rows) / wall:,.0f} checks/s, of {len(seen):,} instances, "
              f"{share:.0f}% of the core ({cpu / len(rows) * 1e6:.0f} us each), {memory:.0f} MB, "
              f"late p99 {late:.0f} ms, "
              f"answer p50 {slow[49]:.2f} p99 {slow[98]:.2f} ms")  # fmt: skip
        return late, share

    register(Registry(redis), good, stuck, 0)
    late, share = await window("all answer", SERVICES * EACH)
    twice = {key for key, _, _ in ended}
    claims.at_least("instances checked of 10,000", len(twice), SERVICES * EACH)
    claims.at_most("percent of the watcher's core", share, 40)
    claims.at_most("late by, p99 ms", late, 250)
    await asyncio.to_thread(register, Registry(redis), good, stuck, STUCK // SERVICES)
    hung, _ = await window("1,000 stuck", SERVICES * EACH - STUCK)
    claims.at_most("the others late by, p99 ms, beside 1,000 stuck", hung, 250)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    claims.at_most("MB of memory", memory, 200)
    found = Registry(redis).read("service-000").instances
    claims.at_least("stuck ones found critical of 10",
                    sum(one.state == "critical" for one in found), STUCK // SERVICES)  # fmt: skip
    watcher.stop()
    await running
    await server.async_client().aclose()
    redis.close()


def main() -> int:
    import uvloop

    cores = sorted(os.sched_getaffinity(0))
    claims = Claims("checks_speed")
    ports: Any = multiprocessing.Queue()
    targets = multiprocessing.Process(target=serve, args=(ports, cores[-1]), daemon=True)
    targets.start()
    good, stuck = ports.get(timeout=20)
    process = RedisProcess("--save", "", binary=VALKEY)
    process.start()
    os.sched_setaffinity(process.process.pid, {cores[-1]})
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {
            "REDISOPS_DATA": data, "REDIS_URL": process.url, "DJANGO_SETTINGS_MODULE":
            "dashboard.settings", "CHECK_NETWORKS": "127.0.0.0/8", "LOG_LEVEL": "WARNING",
            "DEMO": "0", "SECRET_KEY": "x" * 50,
        }  # fmt: skip
        import django

        django.setup()
        from django.core.management import call_command

        from dashboard.servers.models import Server

        call_command("migrate", verbosity=0)
        Server.objects.exclude(nodes="never").update(watched=False)
        with contextlib.suppress(Server.DoesNotExist):
            Server.objects.get(slug="bench").delete()
        server = Server.objects.create(
            name="bench", slug="bench", nodes=f"127.0.0.1:{process.port}"
        )
        os.sched_setaffinity(0, {cores[0]})
        uvloop.run(measured(claims, server, process.url, good, stuck))
    targets.terminate()
    process.kill()
    return claims.finish()


if __name__ == "__main__":
    raise SystemExit(main())
