"""1,000 sockets that are told 10 messages a second: the hub beside ``group_send`` of Channels.

    python -m benchmarks.live_sockets [seconds of a round, 10]

Two Uvicorn workers with the same options: one is the console, its sockets follow a stream that
gets 10 entries of 1 KB a second; the other has the plainest consumer there is, whose group gets
10 messages of 1 KB a second by ``group_send`` over channels_redis' pub/sub layer. They take turns,
so that both share the weather; what counts is what reached the sockets, the worker's own
processor time, and, for ours, how many connections read the stream.

On an idle machine the hub delivers all that is written 10 times a second, and ``group_send`` has
its core full with less: what the hub could do shows at 30 entries a second, so it has a round of
those besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

from benchmarks._rig import Claims, console, running
from benchmarks._sockets import MARK
from benchmarks.live_fanout import _await_port, busy, worker
from tests.servers import RedisProcess, free_port

SOCKETS, RATE, ROUNDS = 1000, 10, 3
FULL = 30  # entries a second, for what the hub can do at most
KEY = "bench:sockets"
KILOBYTE = "x" * 1000
DRAINING = 30  # seconds at most
SETTLING = 3.0  # seconds, of each round: queues that fill up have filled by then


@dataclass
class Side:
    """One worker with its sockets, and what was measured of it."""

    name: str
    process: psutil.Process
    sockets: subprocess.Popen[bytes]
    telling: list[str]
    """Who writes, without how often a second."""
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def heard(self) -> dict[str, int]:
        """What its sockets heard since the last call."""
        assert self.sockets.stdin is not None
        assert self.sockets.stdout is not None
        self.sockets.stdin.write(b"\n")
        self.sockets.stdin.flush()
        found: dict[str, int] = json.loads(self.sockets.stdout.readline())
        return found

    def round(self, seconds: float, rate: int = RATE) -> float:
        """Messages a second that reached the sockets; kept, with what it cost, for the median."""
        with subprocess.Popen([*self.telling, str(rate)]) as telling:
            time.sleep(SETTLING)
            self.heard()
            spent, began = busy(self.process), time.monotonic()
            time.sleep(seconds)
            found, took = self.heard(), time.monotonic() - began
            spent = busy(self.process) - spent
            telling.terminate()
        self.rates.append(found["messages"] / took)
        self.shares.append(spent / took * 100)
        print(
            f"  {self.name:<12} at {rate} Hz {found['messages'] / took:8,.0f} messages/s in "
            f"{found['frames'] / took:8,.0f} frames/s, p50 {found['p50']} ms, "
            f"p99 {found['p99']} ms, {self.shares[-1]:.0f} % of a core",
            flush=True,
        )
        self._drained()
        return self.rates[-1]

    def _drained(self) -> None:
        """Wait until what queued up has been sent: the next round begins with nothing behind."""
        for _ in range(DRAINING):
            time.sleep(1.0)
            if not self.heard()["messages"]:
                return


@contextlib.contextmanager
def side(name: str, application: str, path: str, cookie: str, *telling: str) -> Iterator[Side]:
    port = free_port()
    with worker(port, application) as process:
        _await_port(port)
        words = [sys.executable, "-m", "benchmarks._sockets", str(SOCKETS), str(port), path, cookie]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sockets:
            assert sockets.stdin is not None
            assert sockets.stdout is not None
            assert sockets.stdout.readline() == b"connected\n"
            yield Side(name, process, sockets, [sys.executable, "-m", __spec__.name, *telling])
            sockets.stdin.close()


def readers(home: RedisProcess) -> int:
    """Connections of the console's that wait in XREAD."""
    with home.client() as plain:
        found = plain.client_list()
    return sum(one["cmd"] == "xread" and one["name"] == "redisops-console" for one in found)


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    claims = Claims("live_sockets")
    with running() as home:
        client = console(home, shared=True)
        from django.conf import settings

        from redisops.keys import to_url

        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies['session'].value}"
        with home.client() as plain:
            plain.xadd(KEY, {"n": 0})
        tail = f"/ws/servers/home/streams/{to_url(KEY.encode())}/tail/100/"
        application = "dashboard.asgi:application"
        with (
            side("hub", application, tail, cookie, "add", str(home.port)) as ours,
            side("group_send", "benchmarks._group_send:application", "/ws/bench/", "", "send")
            as theirs,
        ):  # fmt: skip
            counted = set()
            for turn in range(ROUNDS):
                for one in (ours, theirs) if turn % 2 else (theirs, ours):
                    one.round(seconds)
                    counted.add(readers(home))
            hub, group = statistics.median(ours.rates), statistics.median(theirs.rates)
            cost = statistics.median(ours.shares) / statistics.median(theirs.shares)
            most = ours.round(seconds, FULL)
        claims.at_least("messages/s to 1,000 sockets, of 10,000", hub, SOCKETS * RATE * 0.95)
        claims.at_least("messages/s, the most of hub / group_send", most / group, 3.0)
        claims.at_most("processor time, hub / group_send", cost, 1.0)
        claims.exactly("readers of the stream for 1,000 sockets", max(counted), 1)
    return claims.finish()


def message() -> str:
    return f"{MARK.decode()}{time.time() * 1000:.0f} {KILOBYTE}"


def add(port: int, rate: int) -> None:
    """Entries at a steady pace, until stopped."""
    import redis

    began, sent = time.monotonic(), 0
    with redis.Redis(port=port) as plain:
        while True:
            time.sleep(max(began + sent / rate - time.monotonic(), 0))
            plain.xadd(KEY, {"text": message()}, maxlen=1000, approximate=True)
            sent += 1


async def send(rate: int) -> None:
    """Messages to the group at the same pace."""
    from channels.layers import get_channel_layer

    from benchmarks._group_send import GROUP

    began, sent = time.monotonic(), 0
    layer = get_channel_layer()
    while True:
        await asyncio.sleep(max(began + sent / rate - time.monotonic(), 0))
        await layer.group_send(GROUP, {"type": "tell", "text": message()})
        sent += 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["add"]:
        add(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["send"]:
        asyncio.run(send(int(sys.argv[2])))
    else:
        sys.exit(main())
