"""The wall of 20,000 instances in 400 services: opened, kept open, and in a storm.

    python -m benchmarks.wall_scale [directory for screenshots]

One Uvicorn worker, one real Chromium with one socket, 20,000 instances that beat every 5 s from a
process of their own, and a sweeper in another. Then 40 changes, each with a stamp of its event, of
its frame and of the DOM; 5,200 leave at once; half of the rest fall silent. Shares of a core and
processor time (of the web process, and of the page's main thread) are by the kernel's books, and
so is one turn of the worker's event loop: they are the same on a busy machine. What it was on the
wall is printed beside it. Each step has an end, so that there always is a table.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._rig import Claims, books, browser, console, running
from benchmarks.live_fanout import _await_port, worker
from redisops.connection import Timeouts, connect
from redisops.services import Held, Registration, Registry, Sweeper
from tests.servers import RedisProcess, free_port

SERVICES, EACH = 400, 50
PATIENT = Timeouts(connect=10, read=10, deadline=20)
BEAT = 5.0
TTL = 15.0
QUIET = 20.0  # seconds of watching while nothing but heartbeats happens
CHANGES = 40
SHARES = {"leave": 13, "silence": 18}
"""Instances of each service."""
LEAVE = SHARES["leave"] * SERVICES
STEP = 150.0
"""Seconds after which a step is given up, and said not to have ended."""
PATIENCE = 45.0
SEEN = """() => {
  window.shown = {};
  const place = document.querySelector("[data-changes]");
  new MutationObserver(() => { // the row after it begins with digits too
    for (const [, at] of place.textContent.matchAll(/probe (\\d{13})/g))
      window.shown[at] ??= Date.now();
  }).observe(place, { childList: true, subtree: true, characterData: true });
}"""
LIVE = "document.querySelector('[data-live-mark]').textContent.startsWith('Live')"
VERDICT = "document.getElementById('wall-verdict').textContent"


def service(of: int) -> str:
    return f"service-{of:03}"


def fleet(port: int) -> None:
    """All instances, beating; a line of stdin is one order: ``leave`` or ``silence``."""
    with connect(f"redis://127.0.0.1:{port}/0", timeouts=PATIENT) as client:
        registry = Registry(client)
        held: dict[str, list[Held]] = {}
        for one in _registered(registry):
            held.setdefault(one.service, []).append(one)
        print("registered", flush=True)
        orders: list[str] = []
        _reading(orders)
        begun = time.monotonic()
        while True:
            for at in range(SERVICES):
                if held[service(at)]:
                    registry.beat(held[service(at)])
                if orders:
                    order = orders.pop(0)
                    for name, several in held.items():
                        gone, held[name] = several[: SHARES[order]], several[SHARES[order] :]
                        for one in gone if order == "leave" else ():
                            registry.deregister(name, one.id, "a new release")
                    print(order, flush=True)
                time.sleep(max(0.0, begun + (at + 1) * BEAT / SERVICES - time.monotonic()))
            begun = max(begun + BEAT, time.monotonic() - BEAT)


def _registered(registry: Registry) -> list[Held]:
    """Instance n of every service, then n + 1: who leaves and falls silent is of all services."""
    held: list[Held] = []
    for n in range(EACH):
        told = registry.register_all([
            (Registration(service(of), f"{service(of)}-{n}", f"10.{of // 250}.{of % 250}.{n}", 8000,
                          version=f"1.{n % 3}.0", zone="abc"[n % 3], ttl=TTL), 0)
            for of in range(SERVICES)
        ])  # fmt: skip
        held += [one for one in told if isinstance(one, Held)]
        if n % 5 == 4:
            registry.beat(held)
    return held


def _reading(orders: list[str]) -> None:
    def read() -> None:
        for line in iter(sys.stdin.readline, ""):
            orders.append(line.strip())

    threading.Thread(target=read, daemon=True).start()


def sweep(port: int) -> None:
    with connect(f"redis://127.0.0.1:{port}/0", timeouts=PATIENT) as client:
        Sweeper(client, [service(of) for of in range(SERVICES)]).sweep()


@contextlib.contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.wall_scale", *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


class Fleet:
    """The process of all instances: what it is told, and what it said. Nobody waits in a thread
    that could not be given up."""

    def __init__(self, one: subprocess.Popen[str]) -> None:
        self.one, self.said = one, set[str]()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.one.stdout is not None
        for line in self.one.stdout:
            self.said.add(line.strip())

    async def heard(self, what: str) -> None:
        while what not in self.said:  # noqa: ASYNC110 - a thread fills it
            await asyncio.sleep(0.02)

    async def order(self, what: str) -> None:
        """Let them do it; returns when it was done."""
        assert self.one.stdin is not None
        self.one.stdin.write(f"{what}\n")
        self.one.stdin.flush()
        await self.heard(what)


class Measured:
    """The worker, the page and the socket of one wall."""

    def __init__(self, claims: Claims, home: RedisProcess, port: int, web: Any, page: Any,
                 fleet: Fleet) -> None:  # fmt: skip
        self.claims, self.home, self.port, self.web, self.page = claims, home, port, web, page
        self.fleet = fleet
        self.frames: list[tuple[int, str]] = []
        self.heard: dict[int, float] = {}  # by probe, when its frame came
        self.first: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.tools: Any = None
        self.looks = 0
        page.on("websocket", self._opened)

    def _opened(self, socket: Any) -> None:
        socket.on("framereceived", self._heard)

    def _heard(self, frame: str | bytes) -> None:
        self.frames.append((len(frame), str(frame)))
        for at in re.findall(r"probe (\d{13})", str(frame)):
            self.heard.setdefault(int(at), time.time() * 1000)
        if not self.first.done() and '"shape"' in str(frame):
            self.first.set_result(len(frame))

    async def loop(self) -> tuple[float, float]:
        """The longest turn since this was asked last: of the thread, and on the wall, ms."""
        address = f"http://127.0.0.1:{self.port}/bench/loop"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(address).read())
        thread, wall, self.looks = json.loads(text)
        return thread, wall

    def cpu(self) -> float:
        spent = self.web.cpu_times()
        return float(spent.user + spent.system)

    async def until(self, expression: str) -> float:
        """Seconds until it is so; ``PATIENCE`` of what is never so."""
        from playwright.async_api import TimeoutError as NeverSo

        begun = time.monotonic()
        with contextlib.suppress(NeverSo):
            await self.page.wait_for_function(f"() => {expression}", timeout=PATIENCE * 1000)
        return time.monotonic() - begun

    async def page_cpu(self) -> float:
        """Seconds of a core that the page's main thread has taken."""
        if self.tools is None:
            self.tools = await self.page.context.new_cdp_session(self.page)
            await self.tools.send("Performance.enable")
        found = (await self.tools.send("Performance.getMetrics"))["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "ThreadTime"))

    async def step(self, work: Any) -> None:
        """Do it; where it does not end, say so and go on."""
        begun, name = time.monotonic(), work.__name__
        try:
            async with asyncio.timeout(STEP):
                await work()
        except TimeoutError:
            self.claims.exactly(f"step {name} came to its end", 0, 1)
        print(f"  step {name}: {time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f}")

    async def verdict(self) -> str:
        return " ".join((await self.page.evaluate(VERDICT)).split())

    async def nodes(self) -> int:
        return int(await self.page.evaluate("document.querySelectorAll('*').length"))

    async def opening(self) -> None:
        origin = f"http://127.0.0.1:{self.port}"
        await self.page.goto(f"{origin}/servers/")  # what a first request costs is not the wall's
        await self.loop()
        begun = time.monotonic()
        await self.page.goto(f"{origin}/servers/home/services/")
        await self.until(LIVE)
        live = time.monotonic() - begun
        paint = await self.page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        first = await self.first
        told = time.monotonic() - begun
        thread, wall = await self.loop()
        print(f"  opened: live after {live:.2f} s, told after {told:.2f} s; {await self.verdict()}")
        print(f"  longest turn {thread:.0f} ms, on the wall {wall:.0f} ms")
        self.claims.at_most("first paint, ms", paint, 3_000)
        self.claims.at_most("first message, bytes", first, 262_144)
        self.claims.at_most("DOM nodes", await self.nodes(), 10_000)
        self.claims.at_most("longest turn of the loop while opening, ms", thread, 200)

    async def quiet(self) -> None:
        await self.loop()
        with self.home.client() as plain, books(plain) as spent:
            begun, cpu, frames = time.monotonic(), self.cpu(), len(self.frames)
            await asyncio.sleep(QUIET)
            took = time.monotonic() - begun
            share = (self.cpu() - cpu) / took * 100
        sizes = [size for size, _ in self.frames[frames:]]
        parts: dict[str, int] = {}
        for _, text in self.frames[frames:]:
            for name, size in _sizes(text):
                parts[name] = parts.get(name, 0) + size
        thread, wall = await self.loop()
        print(f"  beats: {len(sizes)} frames; bytes by part {parts}; longest turn {thread:.0f} ms, "
              f"on the wall {wall:.0f} ms")  # fmt: skip
        looks = spent.of("sscan") / took
        self.claims.at_most("looks a second while only heartbeats happen", looks, 1.05)
        self.claims.exactly("records read while only heartbeats happen", spent.of("xrevrange"), 0)
        self.claims.at_most("of a core of the web process, %", share, 25)
        self.claims.at_most("bytes of diffs a second", sum(sizes) / took, 4_096)
        self.claims.at_most("longest turn of the loop, ms", thread, 200)

    async def changes(self) -> None:
        await self.page.evaluate(SEEN)
        chance, written = random.Random(3), []
        with connect(self.home.url) as client, self.home.client() as plain, books(plain) as spent:
            registry, cpu, page = Registry(client), self.cpu(), await self.page_cpu()
            await self.loop()
            begun, looks = time.monotonic(), self.looks
            for _ in range(CHANGES):
                name = service(chance.randrange(SERVICES))
                written.append(int(time.time() * 1000))
                registry.drain(name, f"{name}-40", f"probe {written[-1]}")
                await asyncio.sleep(chance.uniform(0.4, 0.9))
                registry.resume(name, f"{name}-40")
                await asyncio.sleep(chance.uniform(0.2, 0.5))
            took = time.monotonic() - begun
            await self.until(f"window.shown[{written[-1]}]")
            cpu, page = self.cpu() - cpu, await self.page_cpu() - page
        await self.loop()
        looks, reads = self.looks - looks, spent.of("xrevrange")
        shown = await self.page.evaluate("window.shown")
        frames = sorted(self.heard[at] - at for at in written if at in self.heard)
        lags = sorted(shown[str(at)] - at for at in written if str(at) in shown)
        print(f"  event to frame: median {_at(frames, 0.5):.0f}, p95 {_at(frames, 0.95):.0f} ms")
        print(f"  event to DOM: median {_at(lags, 0.5):.0f}, all {lags}")
        look, event = cpu / looks * 1000, page / CHANGES / 2 * 1000
        print(f"  {looks} looks ({looks / took:.1f} a second), {look:.0f} ms of a core each with "
              f"its drawing and sending; {reads} services read anew; the page's main thread "
              f"{event:.0f} ms for each of {2 * CHANGES} events")  # fmt: skip
        self.claims.exactly("changes that were never seen", CHANGES - len(lags), 0)
        self.claims.at_most("event to DOM, p95 ms", _at(lags, 0.95), 500)
        self.claims.at_most("services read anew for one event", reads / CHANGES / 2, 1.05)
        self.claims.at_most("ms of a core for each look", look, 100)
        self.claims.at_most("ms of the page's thread for each event", event, 150)

    async def leaving(self) -> None:
        await self.loop()
        left = SERVICES * EACH - LEAVE
        begun, cpu, frames = time.monotonic(), self.cpu(), len(self.frames)
        await self.fleet.order("leave")
        took = await self.until(f"{VERDICT}.includes('{left:,} passing')")
        busy = (self.cpu() - cpu) / (time.monotonic() - begun) * 100
        sent = sum(size for size, _ in self.frames[frames:])
        thread, wall = await self.loop()
        print(f"  {LEAVE} left: {await self.verdict()} {busy:.0f} % of a core, {sent} bytes, "
              f"longest turn {thread:.0f} ms, on the wall {wall:.0f} ms")  # fmt: skip
        self.claims.at_most("right after the last of 5,200 left, s", took, 2.0)
        self.claims.at_most("longest turn while 5,200 leave, ms", thread, 200)
        self.claims.at_most("DOM nodes after 5,200 left", await self.nodes(), 10_000)

    async def silence(self) -> None:
        await self.loop()
        silent = SHARES["silence"] * SERVICES
        await self.fleet.order("silence")
        ordered, cpu, page = time.time(), self.cpu(), await self.page_cpu()
        await asyncio.sleep(TTL - BEAT)
        await self.until(f"{VERDICT}.includes('{silent:,} silent')")
        shown = time.time()
        cpu, page = self.cpu() - cpu, await self.page_cpu() - page
        thread, wall = await self.loop()
        with self.home.client() as plain:
            pipe = plain.pipeline(transaction=False)
            for of in range(SERVICES):
                pipe.xrevrange(f"svc:{{{service(of)}}}:events", count=1)
            told = max(int(id.split(b"-")[0]) for entries in pipe.execute() for id, _ in entries)
        await asyncio.sleep(3)
        text = await self.page.evaluate("document.getElementById('wall-banners').textContent")
        words = await self.verdict()
        print(f"  {silent} silent: {words}")
        print(f"  {' '.join(text.split())}")
        print(f"  the last was found silent by the sweeper {told / 1000 - ordered:.1f} s after the "
              f"last beat, and shown {shown - told / 1000:.1f} s later; {cpu:.1f} s of a core in "
              f"the web process, {page:.1f} s in the page's thread")  # fmt: skip
        print(f"  longest turn {thread:.0f} ms, on the wall {wall:.0f} ms")
        gone = re.search(r"([\d,]+) gone", words)
        banner = float("Self-preservation is on" in text)
        self.claims.exactly("banner of self-preservation", banner, 1)
        self.claims.exactly("told to be gone", float(gone[1].replace(",", "")) if gone else 0, 0)
        self.claims.exactly("all told to be silent", f"{silent:,} silent" in words, 1)
        self.claims.at_most("right after the last was found silent, s", shown - told / 1000, 2.0)
        self.claims.at_most("longest turn while half fall silent, ms", thread, 200)
        self.claims.at_most("DOM nodes while half are silent", await self.nodes(), 10_000)
        self.claims.at_most("MiB of the web process", self.web.memory_info().rss / 2**20, 400)


def _at(sorted_lags: list[float], share: float) -> float:
    return sorted_lags[int(len(sorted_lags) * share)] if sorted_lags else float("inf")


def _sizes(text: str) -> Iterator[tuple[str, int]]:
    told = json.loads(text)
    for one in told if isinstance(told, list) else [told]:
        for name, part in one.get("parts", {}).items():
            yield name.split(" ")[0], len(json.dumps(part))


async def measure(claims: Claims, home: RedisProcess, port: int, web: Any, cookie: Any,
                  fleet: Fleet, pictures: Path | None) -> None:  # fmt: skip
    await fleet.heard("registered")
    async with browser(f"http://127.0.0.1:{port}", cookie) as page:
        one = Measured(claims, home, port, web, page, fleet)

        async def picture(name: str) -> None:
            if pictures is not None:
                await page.screenshot(path=pictures / f"{name}.png")

        await one.step(one.opening)
        await picture("scale-calm")
        for work in (one.quiet, one.changes, one.leaving, one.silence):
            await one.step(work)
        await picture("scale-silent")


def main() -> int:
    claims = Claims("wall_scale")
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with running() as home:
        client = console(home, shared=True)
        from django.conf import settings

        cookie = settings.SESSION_COOKIE_NAME, client.cookies["session"].value
        port = free_port()
        with (
            process("fleet", str(home.port)) as instances,
            process("sweep", str(home.port)),
            worker(port, "benchmarks._loop:application") as web,
        ):
            _await_port(port)
            asyncio.run(measure(claims, home, port, web, cookie, Fleet(instances), pictures))
    return claims.finish()


if __name__ == "__main__":
    if sys.argv[1:2] == ["fleet"]:
        fleet(int(sys.argv[2]))
    elif sys.argv[1:2] == ["sweep"]:
        sweep(int(sys.argv[2]))
    else:
        sys.exit(main())
