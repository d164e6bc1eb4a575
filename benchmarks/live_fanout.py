"""500 sockets watching one overview: one Redis reader, and worker CPU near that of 50 sockets.

A real Uvicorn worker in a process of its own, real sockets with the compression that browsers
ask for, a real sampler. Two comparisons, each in turns so that both sides share the weather:

at the sampler's pace   one look every 2 s, 500 sockets against 50: what watching costs in practice
at the same frame rate  as many frames a second leave the worker: 500 sockets at 1 look/s against
                        50 at 10/s: what a socket costs beyond its frames
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil

from benchmarks._rig import Claims, console, running
from tests.servers import RedisProcess, free_port

FEW, MANY = 50, 500
SECONDS = 10.0
SETTLING = 2.0  # seconds for what joining costs: the claim is about watching
LEFT = 20.0  # seconds within which a reader that nobody needs has stopped (it lingers 10)
ROUNDS = 2


class Sampler:
    """Looks at the server at a pace of its own, each look in a slot of its own."""

    def __init__(self, server: Any) -> None:
        from dashboard.servers.sampling import samples

        self.server = server
        self.slot = samples.slot() - 100_000

    @contextlib.contextmanager
    def every(self, seconds: float) -> Iterator[None]:
        from dashboard.servers.sampling import sampler

        done = threading.Event()

        def work() -> None:
            while not done.wait(seconds):
                self.slot += 2
                sampler.sample([self.server], self.slot)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextlib.contextmanager
def worker(port: int, application: str = "dashboard.asgi:application") -> Iterator[psutil.Process]:
    """One Uvicorn worker of the console, as ``make run`` starts it."""
    command = [
        *(sys.executable, "-m", "uvicorn", application),
        *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"),
        *("--ws", "websockets-sansio", "--ws-max-size", "65536"),
        *("--ws-per-message-deflate", "false"),
        *("--no-access-log", "--log-level", "warning"),
    ]
    environment = {**os.environ, "ALLOWED_HOSTS": "127.0.0.1"}
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def sockets(count: int, port: int, cookie: str) -> Iterator[None]:
    """Open sockets in a process of their own; they are all connected when the block begins."""
    command = [
        *(sys.executable, "-m", "benchmarks.live_fanout"),
        *("sockets", str(count), str(port), cookie),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"connected\n"
        try:
            yield
        finally:
            process.stdin.close()
            heard = int(process.stdout.readline())
            print(f"    {count} sockets heard {heard} frames")


async def listen(count: int, port: int, cookie: str) -> None:
    """The other end of ``sockets``: connect, say so, count frames until stdin closes."""
    from websockets.asyncio.client import connect

    heard = 0
    address = f"ws://127.0.0.1:{port}/ws/servers/home/overview/"

    async def one() -> None:
        nonlocal heard
        async with connect(
            address, additional_headers={"Cookie": cookie}, origin=f"http://127.0.0.1:{port}"
        ) as socket:
            opened.release()
            async for _ in socket:
                heard += 1

    opened = asyncio.Semaphore(0)
    tasks = []
    for _ in range(count):
        tasks.append(asyncio.create_task(one()))
        await asyncio.sleep(0.005)
    for _ in range(count):
        await opened.acquire()
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(heard, flush=True)


def readers(home: RedisProcess) -> int:
    """How many connections block in XREAD now."""
    with home.client() as plain:
        return sum(1 for client in plain.client_list() if client["cmd"] == "xread")


def busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def share(process: psutil.Process) -> float:
    """Percent of one core that the worker uses over SECONDS, once it has settled."""
    time.sleep(SETTLING)
    before, started = busy(process), time.monotonic()
    time.sleep(SECONDS)
    return (busy(process) - before) / (time.monotonic() - started) * 100


def main() -> int:
    claims = Claims("live_fanout")
    with running() as home:
        client = console(home, shared=True)
        from django.conf import settings

        from dashboard.servers.models import Server

        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies['session'].value}"
        sampler = Sampler(Server.objects.get(slug="home"))
        port = free_port()
        with worker(port) as process:
            _await_port(port)
            measured = _measured(process, port, cookie, sampler, home, claims)
        for name, pair in measured.items():
            few, many = (statistics.median(values) for values in pair)
            print(f"  {name:<24} {FEW} sockets {few:6.2f} %   {MANY} sockets {many:6.2f} %")
            claims.at_most(f"CPU of {MANY} / {FEW} sockets, {name}", many / few, 2.0)
    return claims.finish()


def _measured(
    process: psutil.Process,
    port: int,
    cookie: str,
    sampler: Sampler,
    home: RedisProcess,
    claims: Claims,
) -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {
        "same frame rate": ([], []),
        "sampler's pace": ([], []),
    }
    counted = []
    for _ in range(ROUNDS):
        for side, (count, pace) in enumerate(((FEW, 0.1), (MANY, 1.0))):
            with sampler.every(pace), sockets(count, port, cookie):
                found["same frame rate"][side].append(share(process))
                counted.append(readers(home))
        for side, count in enumerate((FEW, MANY)):
            with sampler.every(2.0), sockets(count, port, cookie):
                found["sampler's pace"][side].append(share(process))
                counted.append(readers(home))
    _await_no_reader(home)
    claims.exactly("Redis readers, at most", max(counted), 1)
    claims.exactly("Redis readers, at least", min(counted), 1)
    claims.exactly("Redis readers after all have left", readers(home), 0)
    return found


def _await_no_reader(home: RedisProcess) -> None:
    """Readers stop some seconds after the last page has left; the count afterwards judges it."""
    end = time.monotonic() + LEFT
    while readers(home) and time.monotonic() < end:
        time.sleep(0.5)


def _await_port(port: int) -> None:
    import socket

    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("the worker did not start")


if __name__ == "__main__":
    if sys.argv[1:2] == ["sockets"]:
        asyncio.run(listen(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
        sys.exit(0)
    sys.exit(main())
