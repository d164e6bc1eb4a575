"""The plug is pulled under a real page: how soon it goes on, whether anything is missing.

    python -m benchmarks.live_resume [kills, 5]

A console as people run it, a real Chromium on the live tail of a stream behind a TCP proxy, and
somebody who adds entries all the while. The web process is killed by SIGKILL and another one
started after 1 to 7 s; the network is cut, once with a reset and once in silence; and one more
socket stops reading in a flood. What counts begins when things are well again: when the new
process answers, when the line is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks._rig import Claims, browser, running
from redisops.keys import to_url
from tests.console import PASSWORD, Console
from tests.faults.proxy import Proxy
from tests.servers import RedisProcess

KEY = b"bench:resume"
PLACE = f"/servers/shop/streams/{to_url(KEY)}/"
APART = 0.1  # seconds between two entries: while it is away fewer than the 300 that come again
RESUMED = 5.0
SILENT = 20.0  # longer than a page believes a silent line
FLOOD = 20.0  # seconds in which somebody does not read
LIVE = "document.querySelector('[data-live-mark]').textContent.startsWith('Live')"
TOLD = "window.RedisopsTail"


class Adding:
    """Adds entries at a steady pace in a thread of its own."""

    def __init__(self, shop: RedisProcess) -> None:
        self.shop = shop
        self.added = 0
        self.pace = APART
        self.size, self.together = 20, 1
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        with self.shop.client() as plain:
            while not self._done.wait(self.pace):
                pipe = plain.pipeline(transaction=False)
                for n in range(self.together):
                    pipe.xadd(KEY, {"n": self.added + n, "text": "x" * self.size})
                self.added += len(pipe.execute())

    def __enter__(self) -> Adding:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._done.set()
        self._thread.join()


class Watching:
    """The page, and how long it takes to have what was added."""

    def __init__(self, page: Any, adding: Adding) -> None:
        self.page = page
        self.adding = adding

    async def resumed(self, begun: float) -> float:
        """Seconds from ``begun`` until it shows an entry that was added after it."""
        wanted = int(begun * 1000)
        await self.page.wait_for_function(
            """(wanted) => [...document.querySelectorAll("#tail-rows tr[data-id]")].some(
                 (row) => Number(row.dataset.id.split("-")[0]) >= wanted)""",
            arg=wanted,
            polling=20,
            timeout=60_000,
        )
        return time.time() - begun

    async def missing(self, *, only: str = "rows capped missed") -> int:
        """What was added and not shown (nor declared); a gap of unknown size counts as one."""
        wanted = self.adding.added
        for _ in range(100):
            told = await self.page.evaluate(TOLD)
            counted = sum(told[name] for name in only.split())
            if counted >= wanted:
                break
            await asyncio.sleep(0.05)
        return max(wanted - counted, 0) + int(told["unknown"])


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    claims = Claims("live_resume")
    with (
        running() as home,
        running() as shop,
        Console(home.url, {"shop": shop.url}) as console,
        Proxy(console.port) as line,
    ):
        with shop.client() as plain:
            plain.xadd(KEY, {"n": "first"})
        asyncio.run(_pull(claims, kills, console, line, shop))
        _stuck(claims, console, shop)
    return claims.finish()


async def _pull(
    claims: Claims, kills: int, console: Console, line: Proxy, shop: RedisProcess
) -> None:
    origin = f"http://127.0.0.1:{line.port}"
    async with browser(origin) as page:
        await page.goto(f"{origin}/account/login/")
        await page.fill("[name=username]", "admin")
        await page.fill("[name=password]", PASSWORD)
        await page.press("[name=password]", "Enter")
        await page.wait_for_url(f"{origin}/")
        await page.goto(f"{origin}{PLACE}")
        await page.wait_for_function(LIVE)
        with Adding(shop) as adding:
            watching = Watching(page, adding)
            took = await _killed(watching, console, kills)
            claims.at_most("web killed: resumed after, s at most", max(took), RESUMED)
            # Each came to the page, which shows 150 and says how many had no room.
            lost = await watching.missing(only="rows capped")
            claims.exactly("web killed: entries that did not reach the page", lost, 0)
            for kind, away in (("down", 3.0), ("cut", SILENT)):
                took = await _cut(watching, line, kind, away)
                words = {"down": "line reset", "cut": "line silent"}[kind]
                claims.at_most(f"{words}: resumed after, s", max(took), RESUMED)
        claims.exactly("entries neither shown nor declared", await watching.missing(), 0)
        told = await page.evaluate(TOLD)
        print(f"  {adding.added} entries added, the page tells {told}")
        claims.exactly("gaps of unknown size", told["unknown"], 0)


async def _killed(watching: Watching, console: Console, kills: int) -> list[float]:
    chance, took = random.Random(11), []
    for _ in range(kills):
        web = console.processes["web"]
        web.kill()
        web.wait()
        away = chance.uniform(1, 7)
        await asyncio.sleep(away)
        await asyncio.to_thread(console.start_web)
        took.append(await watching.resumed(time.time()))
        print(f"  web killed, a new one begun after {away:.1f} s: live {took[-1]:.2f} s after it")
        await asyncio.sleep(1.0)
    return took


async def _cut(watching: Watching, line: Proxy, kind: str, away: float) -> list[float]:
    await asyncio.to_thread(line.mode, kind)
    await asyncio.sleep(away)
    said = await watching.page.text_content("[data-live-mark]")
    begun = time.time()
    await asyncio.to_thread(line.heal)
    took = await watching.resumed(begun)
    print(f"  line {kind} for {away:.0f} s, the page says {said!r}: live {took:.2f} s after it")
    await asyncio.sleep(1.0)
    return [took]


def _stuck(claims: Claims, console: Console, shop: RedisProcess) -> None:
    """A socket that is opened and never read, in a flood: what the worker grows, when it ends."""
    web = psutil.Process(console.processes["web"].pid)
    cookie = _cookie(console)
    with Adding(shop) as adding:
        adding.pace, adding.size, adding.together = 0.02, 1500, 20
        with _opened(console, cookie) as reading:
            reads = threading.Thread(target=_read, args=(reading,))
            reads.start()
            time.sleep(8.0)  # all that a flood and a reader cost is there by now
            before = web.memory_info().rss
            with _opened(console, cookie) as stuck:
                port, began, most = stuck.getsockname()[1], time.monotonic(), before
                full, held = began, 0
                while (now := time.monotonic()) - began < FLOOD + 20:
                    time.sleep(0.1)
                    most = max(most, web.memory_info().rss)
                    found = _held(console.port, port)
                    if found is None:
                        break
                    if found > held:
                        full, held = now, found
        reads.join()
    waited = now - full
    print(
        f"  stuck: {held / 1024:.0f} KB of the system's buffer full after {full - began:.1f} s, "
        f"cut {waited:.1f} s later; the worker took {(most - before) / 2**20:.1f} MB more"
    )
    claims.at_most("a socket that does not read: MB more", (most - before) / 2**20, 2.0)
    claims.at_least("a socket that does not read: cut after, s at least", waited, 9.5)
    claims.at_most("a socket that does not read: cut after, s at most", waited, 13.5)


def _held(local: int, remote: int) -> int | None:
    """Bytes that the system holds for this connection's other side; None when it is gone."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, ours, theirs, state, queues, *_ = line.split()
        ports = (int(ours.split(":")[1], 16), int(theirs.split(":")[1], 16))
        if ports == (local, remote) and state == "01":
            return int(queues.split(":")[0], 16)
    return None


def _cookie(console: Console) -> str:
    visit: httpx.Client = console.visit()
    return "; ".join(f"{name}={value}" for name, value in visit.cookies.items())


@contextlib.contextmanager
def _opened(console: Console, cookie: str) -> Iterator[socket.socket]:
    """A WebSocket on the tail, after its handshake; the system buffers little for it."""
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(("127.0.0.1", console.port))
        plain.sendall(
            f"GET /ws{PLACE}tail/250/ HTTP/1.1\r\nHost: 127.0.0.1:{console.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nOrigin: {console.origin}\r\n"
            f"Cookie: {cookie}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = plain.recv(200)
        assert b" 101 " in head, head
        try:
            yield plain
        finally:
            with contextlib.suppress(OSError):  # it was ended from the other side
                plain.shutdown(socket.SHUT_RDWR)  # wakes who reads from it


def _read(plain: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while plain.recv(65536):
            pass


if __name__ == "__main__":
    sys.exit(main())
